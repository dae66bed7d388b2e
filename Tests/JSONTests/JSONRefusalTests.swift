import JSON
import Testing

/// Removes the `^` from a text; it marks the byte that the error refers to.
private func marked(_ text: String) -> (bytes: [UInt8], offset: Int) {
    let bytes = Array(text.utf8)
    let offset = bytes.firstIndex(of: UInt8(ascii: "^"))!
    return (Array(bytes[..<offset] + bytes[(offset + 1)...]), offset)
}

/// Parsing into a tree and skipping must both give this error.
private func expect(
    _ bytes: [UInt8], fails error: JSONError, at location: SourceLocation = #_sourceLocation
) {
    #expect(errorOfParsing(bytes) == error, sourceLocation: location)
    #expect(errorOfSkipping(bytes) == error, sourceLocation: location)
}

private func expect(
    _ text: String, fails reason: JSONError.Reason, at location: SourceLocation = #_sourceLocation
) {
    let (bytes, offset) = marked(text)
    expect(bytes, fails: JSONError(reason, at: offset), at: location)
}

private func expectValid(_ text: String, at location: SourceLocation = #_sourceLocation) {
    #expect(errorOfParsing(Array(text.utf8)) == nil, sourceLocation: location)
    #expect(errorOfSkipping(Array(text.utf8)) == nil, sourceLocation: location)
}

struct JSONRefusalTests {
    private static let structures: [(String, JSONError.Reason)] = [
        ("^", .unexpectedEnd), (" ^", .unexpectedEnd), ("{^", .unexpectedEnd),
        ("[^", .unexpectedEnd), (#"{"a"^"#, .unexpectedEnd), (#"{"a":^"#, .unexpectedEnd),
        (#"{"a":1^"#, .unexpectedEnd), (#"{"a":1,^"#, .unexpectedEnd), ("[1^", .unexpectedEnd),
        ("[1,^", .unexpectedEnd),
        // Bytes after the value.
        ("{}^{}", .trailingBytes), ("1 ^2", .trailingBytes), ("null^x", .trailingBytes),
        ("[]^]", .trailingBytes), ("{} ^\0", .trailingBytes), ("\"a\"^\"", .trailingBytes),
        // Commas and colons.
        ("[1,^]", .unexpectedByte), (#"{"a":1,^}"#, .unexpectedByte), ("[^,]", .unexpectedByte),
        ("[^,1]", .unexpectedByte), ("[1,^,2]", .unexpectedByte), ("{^,}", .unexpectedByte),
        (#"{^,"a":1}"#, .unexpectedByte), (#"{"a":1,^,"b":2}"#, .unexpectedByte),
        ("[1 ^2]", .unexpectedByte), (#"{"a":1 ^"b":2}"#, .unexpectedByte),
        (#"{"a" ^1}"#, .unexpectedByte), (#"{"a"^}"#, .unexpectedByte),
        (#"{"a":^}"#, .unexpectedByte), (#"{"a"^,"b":1}"#, .unexpectedByte),
        (#"{"a":^:1}"#, .unexpectedByte), (#"["a"^:1]"#, .unexpectedByte),
        // Names that are not strings.
        ("{^1:2}", .unexpectedByte), ("{^a:1}", .unexpectedByte), ("{^null:1}", .unexpectedByte),
        ("{^'a':1}", .unexpectedByte), ("{^[]:1}", .unexpectedByte),
        // Brackets that do not match.
        ("[^}", .unexpectedByte), ("{^]", .unexpectedByte), ("[1^}", .unexpectedByte),
        (#"{"a":1^]"#, .unexpectedByte), ("^]", .unexpectedByte), ("^}", .unexpectedByte),
        // Syntax of other languages.
        ("^'a'", .unexpectedByte), ("^// one\n1", .unexpectedByte),
        ("[1^/* one */]", .unexpectedByte), ("^#1", .unexpectedByte), ("^NaN", .unexpectedByte),
        ("^Infinity", .unexpectedByte), ("^undefined", .unexpectedByte), ("^True", .unexpectedByte),
        ("^\u{FEFF}{}", .unexpectedByte), ("^\u{A0}1", .unexpectedByte),
        ("^\u{B}1", .unexpectedByte),
        ("^\u{C}1", .unexpectedByte), ("^\0", .unexpectedByte), ("[1^;2]", .unexpectedByte),
        // Truncated or misspelled words.
        ("t^", .unexpectedEnd), ("tru^", .unexpectedEnd), ("fals^", .unexpectedEnd),
        ("nul^", .unexpectedEnd), ("t^True", .unexpectedByte), ("n^ill", .unexpectedByte),
        ("[true^r]", .unexpectedByte), ("fal^ze", .unexpectedByte), ("n^an", .unexpectedByte),
    ]

    @Test(arguments: structures)
    func `an invalid structure is refused with reason and offset`(
        text: String, reason: JSONError.Reason
    ) {
        expect(text, fails: reason)
    }

    private static let numbers: [(String, JSONError.Reason)] = [
        ("^+1", .unexpectedByte), ("^.5", .unexpectedByte), ("-^", .unexpectedEnd),
        ("-^-1", .unexpectedByte), ("-^a", .unexpectedByte), ("-^.5", .unexpectedByte),
        ("-^Infinity", .unexpectedByte), ("[-^]", .unexpectedByte), ("1.^", .unexpectedEnd),
        ("[1.^]", .unexpectedByte), ("1.^e5", .unexpectedByte), ("1.^-5", .unexpectedByte),
        ("1e^", .unexpectedEnd), ("1E+^", .unexpectedEnd), ("1e-^", .unexpectedEnd),
        ("[1e^]", .unexpectedByte), ("1e^.5", .unexpectedByte), ("1e+^-5", .unexpectedByte),
        ("0^0", .unexpectedByte), ("0^1", .unexpectedByte), ("-0^1", .unexpectedByte),
        ("0^0.5", .unexpectedByte), ("1.5^.5", .trailingBytes), ("1e5^.5", .trailingBytes),
        ("0^x10", .trailingBytes), ("1^_000", .trailingBytes), ("1^,5", .trailingBytes),
        ("[1^x]", .unexpectedByte), ("[1 ^.5]", .unexpectedByte), ("1^\u{663}", .trailingBytes),
    ]

    @Test(arguments: numbers)
    func `an invalid number is refused with reason and offset`(
        text: String, reason: JSONError.Reason
    ) {
        expect(text, fails: reason)
    }

    private static let strings: [(String, JSONError.Reason)] = [
        ("\"^", .unexpectedEnd), ("\"abc^", .unexpectedEnd), (#""abc^\"#, .unexpectedEnd),
        (#""\"^"#, .unexpectedEnd),
        // Control characters are allowed only as escapes.
        ("\"a^\n\"", .unexpectedByte), ("\"^\t\"", .unexpectedByte), ("\"^\0\"", .unexpectedByte),
        ("\"^\u{1F}\"", .unexpectedByte), ("{\"a^\n\":1}", .unexpectedByte),
        // Escapes that RFC 8259 §7 does not have.
        (#""^\a""#, .invalidEscape), (#""^\0""#, .invalidEscape), (#""^\'""#, .invalidEscape),
        (#""^\x41""#, .invalidEscape), (#""^\U0041""#, .invalidEscape),
        ("\"^\\\n\"", .invalidEscape),
        (#""^\u""#, .invalidEscape), (#""^\u004""#, .invalidEscape),
        (#""^\u004g""#, .invalidEscape), (#""^\u+041""#, .invalidEscape),
        (#""^\u 041""#, .invalidEscape), (#""^\u{41}""#, .invalidEscape),
        (#""^\u00"#, .invalidEscape),
        (#""\u0041^\u00zz""#, .invalidEscape),
        // Half of a surrogate pair.
        (#""^\ud800""#, .loneSurrogate), (#""^\udbff""#, .loneSurrogate),
        (#""^\udc00""#, .loneSurrogate), (#""^\uDFFF""#, .loneSurrogate),
        (#""a^\ud800b""#, .loneSurrogate), (#""^\ud800\u0041""#, .loneSurrogate),
        (#""^\ud800\ud800""#, .loneSurrogate), (#""^\ud800\ud83d\ude00""#, .loneSurrogate),
        (#""^\udc00\ud800""#, .loneSurrogate), (#""\ud83d\ude00^\ude00""#, .loneSurrogate),
        (#""^\ud800\n""#, .loneSurrogate), (#""^\ud800\udc0""#, .loneSurrogate),
        (#""^\ud800\"#, .loneSurrogate), (#""^\ud800"#, .loneSurrogate),
        (#""^\ud800udc00""#, .loneSurrogate), (#"{"^\ud800":1}"#, .loneSurrogate),
    ]

    @Test(arguments: strings)
    func `an invalid string is refused with reason and offset`(
        text: String, reason: JSONError.Reason
    ) {
        expect(text, fails: reason)
    }

    // The ill-formed sequences of the Unicode Standard: the complement of table 3-7.
    @Test(
        arguments: [
            [0x80], [0xbf], [0xc3], [0xff], [0xfe], [0xc3, 0x28], [0xc3, 0xc3],
            // Overlong forms of "/", NUL, U+07FF and U+FFFF.
            [0xc0, 0xaf], [0xc1, 0xbf], [0xc0, 0x80], [0xe0, 0x80, 0xaf], [0xe0, 0x9f, 0xbf],
            [0xf0, 0x80, 0x80, 0xaf], [0xf0, 0x8f, 0xbf, 0xbf], [0xf8, 0x88, 0x80, 0x80, 0x80],
            // Surrogates: U+D800, U+DFFF, and the pair that CESU-8 makes of U+1F600.
            [0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf], [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
            // Beyond U+10FFFF.
            [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xf7, 0xbf, 0xbf, 0xbf],
            // Truncated.
            [0xe2, 0x82], [0xe2, 0x28, 0xa1], [0xe2, 0x82, 0x28], [0xf0, 0x9f, 0x98],
            [0xf0, 0x28, 0x8c, 0xbc], [0xf0, 0x9f, 0x28, 0x80], [0xf0, 0x9f, 0x98, 0x28],
        ] as [[UInt8]])
    func `bytes that are not UTF-8 are refused`(sequence: [UInt8]) {
        let quote = UInt8(ascii: "\"")
        expect([quote] + sequence + [quote], fails: JSONError(.invalidUTF8, at: 1))
        expect([quote] + "é".utf8 + sequence + [quote], fails: JSONError(.invalidUTF8, at: 3))
        expect(
            Array("{\"".utf8) + sequence + Array("\":1}".utf8),
            fails: JSONError(.invalidUTF8, at: 2))
        // The text ends within the character.
        expect([quote] + sequence, fails: JSONError(.invalidUTF8, at: 1))
    }

    @Test func `invalid UTF-8 outside of strings is refused as any other byte`() {
        expect([0xff], fails: JSONError(.unexpectedByte, at: 0))
        expect([0x31, 0xc3, 0xa9], fails: JSONError(.trailingBytes, at: 1))
    }

    @Test(
        arguments: [
            #"{"a":[1,-2.5e+3,true,false,null],"\u00e9\ud83d\ude00":{"b":"x\n"}}"#,
            #"["é€😀\\\"\/",{"":{}},[[]],"\udbff\udfff"]"#,
            #""a string of its own""#,
        ])
    func `every proper prefix of a text is refused within its length`(text: String) {
        let bytes = Array(text.utf8)
        expectValid(text)
        for count in 0..<bytes.count {
            let prefix = Array(bytes[..<count])
            let error = errorOfParsing(prefix)
            #expect(error == errorOfSkipping(prefix))
            #expect(error.map { $0.offset <= count } == true, "\(count) bytes")
        }
    }
}

struct JSONDuplicateNameTests {
    @Test(
        arguments: [
            #"{"exp":1,"^exp":2}"#,
            #"{"exp":1,"^\u0065xp":2}"#,
            #"{"\u0065xp":1,"^exp":2}"#,
            #"{"\u0065xp":1,"^e\u0078p":2}"#,
            #"{"exp":1,"iat":2,"^exp":1}"#,
            #"{"":1,"^":2}"#,
            #"{"/":1,"^\/":2}"#,
            #"{"\n":1,"^\u000a":2}"#,
            #"{"\u00E9":1,"^\u00e9":2}"#,
            #"{"é":1,"^\u00e9":2}"#,
            #"{"€":1,"^\u20ac":2}"#,
            #"{"😀":1,"^\ud83d\ude00":2}"#,
            #"{"\ud83d\ude00":1,"^😀":2}"#,
            #"{"a":{"b":1,"^b":2}}"#,
            #"[{"b":1,"^b":2}]"#,
            #"{"a":{"b":{}},"^a":{}}"#,
            #"{"a":1,"b":{"a":1},"^a":2}"#,
            // Names with the same 32-bit FNV hash.
            #"{"06B4MsCm9":1,"0EUw8QmNz":2,"^06B4Ms\u0043m9":3}"#,
        ])
    func `a duplicate name is refused at its second occurrence, with any escapes`(text: String) {
        expect(text, fails: .duplicateName)
    }

    @Test(
        arguments: [
            #"[{"a":1},{"a":1}]"#,
            #"{"a":{"a":{"a":1}}}"#,
            #"{"a":{"b":1},"b":{"a":1}}"#,
            #"{"a":1,"A":2,"a ":3," a":4,"aa":5,"":6}"#,
            #"{"a":1,"a\u0000":2}"#,
            #"{"\\u0061":1,"a":2}"#,
            // U+00E9, and e with U+0301: equal as Strings, but two names in JSON.
            "{\"\u{E9}\":1,\"e\u{301}\":2}",
            // Names with the same 32-bit FNV hash.
            #"{"06B4MsCm9":1,"0EUw8QmNz":2,"0Iid81dtt":3}"#,
            #"{"exp":1,"expodoxuiqe":2}"#,
            #"{"expodoxuiqe":1,"exp":2}"#,
        ])
    func `equal names in different objects and similar names are accepted`(text: String) {
        expectValid(text)
    }

    /// An object with the names n0, n1, … and then `more`.
    private func object(_ count: Int, _ more: String = "") -> String {
        "{" + (0..<count).map { "\"n\($0)\":\($0)" }.joined(separator: ",") + more + "}"
    }

    @Test(
        arguments: [2, 47, 48, 49, 50, 64, 100, 1023, 1024])
    func `a duplicate name is refused at any position of a large object`(count: Int) {
        expectValid(object(count))
        for earlier in Set([0, 1, 46, 47, 48, 49, count / 2, count - 1]) where earlier < count {
            expect(object(count, #","^n\#(earlier)":0"#), fails: .duplicateName)
            expect(object(count, #","^\u006e\#(earlier)":0"#), fails: .duplicateName)
        }
    }

    @Test func `a duplicate name is refused after a larger nested object has ended`() {
        let inner = object(70)
        for count in [1, 40, 48, 49, 60] {
            expectValid(object(count, #","inner":\#(inner),"again":\#(inner)"#))
            expect(
                object(count, #","inner":\#(inner),"^n\#(count - 1)":0"#), fails: .duplicateName)
            expect(
                object(count, #","inner":\#(inner),"more":1,"^more":2"#), fails: .duplicateName)
        }
    }

    @Test func `more names in open objects than the limit are refused`() {
        #expect(JSONReader.maximumNames == 1024)
        expectValid(object(1024))
        expect(object(1024, #","^x":0"#), fails: .tooManyNames)
        // 1,000 names and the one of the nested object, which may have 23 and releases them at its
        // end.
        expectValid(object(1000, #","a":\#(object(23)),"b":\#(object(22))"#))
        expect(object(1000, #","a":\#(object(23, #","^x":0"#))"#), fails: .tooManyNames)
    }
}

struct JSONDepthTests {
    private static let limit = JSONReader.defaultDepth

    @Test(
        arguments: [
            ("[", "]", 1), (#"{"a":"#, "}", 1), ("[0,", ",0]", 1),
            (#"{"a":0,"b":"#, #","c":0}"#, 1), (#"[{"a":"#, "}]", 2), (#"{"a":["#, "]}", 2),
        ])
    func `nesting is accepted up to the limit and refused above it`(
        opening: String, closing: String, levels: Int
    ) {
        let open = String(repeating: opening, count: Self.limit / levels)
        let close = String(repeating: closing, count: Self.limit / levels)
        expectValid(open + "0" + close)
        expect(open + "^[0]" + close, fails: .tooDeep)
        expect(open + "^{}" + close, fails: .tooDeep)
    }

    @Test func `nesting above the limit is refused before the missing end is found`() {
        expect(
            String(repeating: "[", count: Self.limit) + "^" + String(repeating: "[", count: 99_000),
            fails: .tooDeep)
    }

    @Test func `any number of values is accepted at each level`() {
        expectValid("[" + Array(repeating: "[[{}]]", count: 1000).joined(separator: ",") + "]")
    }

    @Test(arguments: 0...4)
    func `the reader's own limit of nesting applies`(limit: Int) throws {
        let fits = Array(
            (String(repeating: "[", count: limit) + "0"
                + String(repeating: "]", count: limit)).utf8)
        var reader = JSONReader(fits.span, maximumDepth: limit)
        try reader.skipValue()
        try reader.finish()

        let tooDeep = Array(repeating: UInt8(ascii: "["), count: limit + 1)
        #expect(throws: JSONError(.tooDeep, at: limit)) {
            var reader = JSONReader(tooDeep.span, maximumDepth: limit)
            try reader.skipValue()
        }
    }
}
