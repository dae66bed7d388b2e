import JSON
import Testing

struct JSONKeySetTests {
    private static let names = JSONKeySet(["exp", "iat", "user_id", "auth_time", "authority"])

    /// What `nextMember` returns for an object whose values are numbers: indexes of known names,
    /// and other names themselves.
    private func members(_ text: String) -> Result<[String], JSONError> {
        let bytes = Array(text.utf8)
        var found: [String] = []
        do throws(JSONError) {
            var reader = JSONReader(bytes.span)
            var cursor = JSONKeySet.Cursor()
            try reader.beginObject()
            while let member = try reader.nextMember(of: Self.names, &cursor) {
                switch member {
                case .known(let index): found.append("\(index)")
                case .other(let name): found.append(reader.string(of: name))
                }
                try reader.skipValue()
            }
            try reader.finish()
            return .success(found)
        } catch {
            return .failure(error)
        }
    }

    @Test(
        arguments: [
            (#"{}"#, ""),
            (#"{"exp":1,"iat":2,"user_id":3,"auth_time":4,"authority":5}"#, "0 1 2 3 4"),
            (#"{"authority":5,"auth_time":4,"user_id":3,"iat":2,"exp":1}"#, "4 3 2 1 0"),
            (#"{ "exp" : 1 , "iat" : 2 }"#, "0 1"),
            (#"{"exp":1,"user_id":2,"iat":3}"#, "0 2 1"),
            (#"{"\u0065xp":1,"auth\u005ftime":2}"#, "0 3"),
            (#"{"exp":{"exp":1,"iat":[{"exp":2}]},"iat":2}"#, "0 1"),
            (#"{"ex":1,"expo":2,"":3,"auth_tim":4,"auth_timf":5}"#, "ex expo  auth_tim auth_timf"),
            (#"{"x":1,"exp":2,"y":3,"iat":4}"#, "x 0 y 1"),
            (#"{"e\"":1,"exp\"":2,"iat\"exp":3,"\"exp":4}"#, #"e" exp" iat"exp "exp"#),
            (#"{"iat" :1,"exp": 2 ,"user_id":3 ,"x":4}"#, "1 0 2 x"),
        ] as [(String, String)])
    func `known names are found in any order, with white space and with escapes`(
        text: String, expected: String
    ) throws {
        #expect(try members(text).get().joined(separator: " ") == expected)
    }

    @Test(
        arguments: [
            #"{"exp":1,"exp":2}"#, #"{"exp":1,"\u0065xp":2}"#, #"{"\u0065xp":1,"exp":2}"#,
            #"{"iat":1,"exp":2,"iat":3}"#, #"{"exp":1, "exp":2}"#, #"{"x":1,"x":2}"#,
            #"{"auth_time":1,"iat":2,"auth_time":3}"#, #"{"exp":1,"x":2,"iat":3,"x":4}"#,
        ])
    func `a duplicate name is refused, whichever way the two were read`(text: String) {
        #expect(throws: JSONError.self) { try members(text).get() }
        guard case .failure(let error) = members(text) else { return }
        #expect(error.reason == .duplicateName)
    }

    @Test(
        arguments: [
            #"{,"exp":1}"#, #"{"exp":1"iat":2}"#, #"{"exp":1,}"#, #"{"exp":1,,"iat":2}"#,
            #"{"exp"1:2345678}"#, #"{"iat":1;"exp":2345}"#, #"{"iat":1,exp":2345678}"#,
            #"{"exp" 1}"#, #"{"exp":1"#, #"{"exp":"#, #"{"exp":1,"iat""#, #"{"exp":1} x"#,
        ])
    func `an object read by known names is parsed as strictly as any other`(text: String) {
        #expect(throws: JSONError.self) { try members(text).get() }
    }
}
