import JWT
import Testing
import Time

private func verdict(
    _ members: String, _ verifier: HS256 = .plain, at milliseconds: Int64 = now.milliseconds
) -> String {
    verifier.verdict(
        on: Token(payload: #"{"user_id":1,\#(members)}"#),
        at: Timestamp(milliseconds: milliseconds))
}

/// Values that are not a NumericDate (RFC 7519 §2).
private let invalidDates = [
    #""1800000060""#, #""""#, #""soon""#, #""2099-01-01T00:00:00Z""#, "true", "false", "null",
    "[1800000060]", "[]", "{}", #"{"a":1800000060}"#, "NaN", "Infinity", "-Infinity", "1e400",
    "-1e400", "01800000060", "+1800000060", "1800000060.", ".5", "1800000060e", "0x6B49D23C",
    "1_800_000_060", "1 800 000 060",
]

// RFC 7519 §4.1.4.
struct ExpiryTests {
    @Test(arguments: [#""a":1"#, #""EXP":1800000060"#, #""exp ":1800000060"#])
    func `a token without exp is refused`(members: String) {
        #expect(verdict(members) == "claims")
    }

    @Test(arguments: invalidDates)
    func `an exp that is not a number is refused`(value: String) {
        #expect(verdict(#""exp":\#(value)"#) == "claims")
    }

    @Test(
        arguments: [
            ("1800000060", "valid"), ("1800000001", "valid"), ("1800000000", "expired"),
            ("1799999999", "expired"), ("1800000000.0", "expired"), ("1.8e9", "expired"),
            ("18E+8", "expired"), ("1800000000.5", "valid"), ("1.8000000005e9", "valid"),
            ("1799999999.999", "expired"), ("1800000000.0000001", "expired"),
            ("64092211200", "valid"), ("0", "expired"), ("-0", "expired"), ("0.0", "expired"),
            ("-1", "expired"), ("1e-400", "expired"), ("1", "expired"),
        ])
    func `a token expires at exp itself`(value: String, expected: String) {
        #expect(verdict(#""exp":\#(value)"#) == expected)
    }

    @Test(
        arguments: [
            ("9223372036854775", "valid"), ("9223372036854776", "valid"),
            ("9223372036854775807", "valid"), ("9223372036854775808", "valid"),
            ("18446744073709551616", "valid"), ("1e19", "valid"), ("1e300", "valid"),
            ("1.7976931348623157e308", "valid"), ("-9223372036854775808", "expired"),
            ("-9223372036854775809", "expired"), ("-1e19", "expired"), ("-1e300", "expired"),
            ("-9223372036854776", "expired"),
        ])
    func `an exp beyond any calendar does not trap, and compares correctly`(
        value: String, expected: String
    ) {
        let lenient = HS256.with(leeway: .seconds(.max))
        #expect(verdict(#""exp":\#(value)"#) == expected)
        #expect(["valid", "expired"].contains(verdict(#""exp":\#(value)"#, lenient)))
        #expect(verdict(#""exp":\#(value)"#, at: .max) == "expired")
        #expect(["valid", "expired"].contains(verdict(#""exp":\#(value)"#, at: .min)))
    }

    @Test(
        arguments: [
            ("1800000060", 0, 1_800_000_060_000), ("1800000060", 5000, 1_800_000_065_000),
            ("1800000060", 1, 1_800_000_060_001), ("1800000060.5", 0, 1_800_000_060_500),
            ("1800000060.5", 5000, 1_800_000_065_500), ("1800000060.25", 0, 1_800_000_060_250),
            ("0", 5000, 5000), ("-5", 5000, 0), ("-0.5", 0, -500),
        ] as [(String, Int64, Int64)])
    func `a token expires at exp plus the leeway, to the millisecond`(
        value: String, leeway: Int64, end: Int64
    ) {
        let verifier = HS256.with(leeway: TimeAmount(milliseconds: leeway))
        #expect(verdict(#""exp":\#(value)"#, verifier, at: end - 1) == "valid")
        #expect(verdict(#""exp":\#(value)"#, verifier, at: end) == "expired")
        #expect(verdict(#""exp":\#(value)"#, verifier, at: end + 1) == "expired")
    }
}

// RFC 7519 §4.1.5.
struct NotBeforeTests {
    @Test(arguments: invalidDates)
    func `an nbf that is not a number is refused`(value: String) {
        #expect(verdict(#""exp":1800000060,"nbf":\#(value)"#) == "claims")
    }

    @Test(
        arguments: [
            ("1800000000", "valid"), ("1800000001", "not_yet_valid"), ("1799999999", "valid"),
            ("1800000000.5", "not_yet_valid"), ("1.8e9", "valid"), ("-5", "valid"), ("0", "valid"),
            ("1e300", "not_yet_valid"), ("-1e300", "valid"),
            ("9223372036854775808", "not_yet_valid"), ("-9223372036854775808", "valid"),
        ])
    func `a token is valid from nbf on`(value: String, expected: String) {
        #expect(verdict(#""exp":1e300,"nbf":\#(value)"#) == expected)
    }

    @Test(
        arguments: [
            ("1800000000", 0, 1_800_000_000_000), ("1800000000", 5000, 1_799_999_995_000),
            ("1800000000", 1, 1_799_999_999_999), ("1800000000.5", 0, 1_800_000_000_500),
            ("1800000000.25", 5000, 1_799_999_995_250),
        ] as [(String, Int64, Int64)])
    func `a token becomes valid at nbf minus the leeway, to the millisecond`(
        value: String, leeway: Int64, start: Int64
    ) {
        let verifier = HS256.with(leeway: TimeAmount(milliseconds: leeway))
        let members = #""exp":1900000000,"nbf":\#(value)"#
        #expect(verdict(members, verifier, at: start - 1) == "not_yet_valid")
        #expect(verdict(members, verifier, at: start) == "valid")
        #expect(verdict(members, verifier, at: start + 1) == "valid")
    }
}

struct IssuedTests {
    @Test(arguments: invalidDates)
    func `an iat or auth_time that is not a number is refused`(value: String) {
        #expect(verdict(#""exp":1800000060,"iat":\#(value)"#) == "claims")
        #expect(verdict(#""exp":1800000060,"auth_time":\#(value)"#) == "claims")
    }

    @Test func `an iat and auth_time in the past are read and do not affect validity`() throws {
        for (value, milliseconds) in [
            ("1799999999", 1_799_999_999_000), ("1800000000", 1_800_000_000_000), ("0", 0),
            ("1799999995.25", 1_799_999_995_250), ("-1e300", .min),
        ] as [(String, Int64)] {
            let claims = try #require(
                HS256.plain.claims(
                    of: #"{"user_id":1,"exp":1800000060,"iat":\#(value),"auth_time":\#(value)}"#))
            #expect(claims.issued == Timestamp(milliseconds: milliseconds))
            #expect(claims.authenticated == Timestamp(milliseconds: milliseconds))
        }
    }
}

struct FutureTests {
    private static let dates: [(members: String, milliseconds: Int64)] = [
        (#""iat":1800000000"#, 1_800_000_000_000),
        (#""iat":1800000000.25"#, 1_800_000_000_250),
        (#""iat":1800000010,"sid":"s","sxp":1900000000"#, 1_800_000_010_000),
        // Without `iat`, the login is the time of issue.
        (#""auth_time":1800000003.5,"sid":"s""#, 1_800_000_003_500),
        (#""auth_time":1,"iat":1800000007,"nbf":1"#, 1_800_000_007_000),
    ]

    @Test(arguments: dates, [0, 250, 5000, 300_000] as [Int64])
    func `a token issued in the future becomes valid at that time minus the leeway`(
        date: (members: String, milliseconds: Int64), leeway: Int64
    ) {
        let verifier = HS256.with(leeway: TimeAmount(milliseconds: leeway))
        let start = date.milliseconds - leeway
        let members = #""exp":1900000000,"# + date.members
        #expect(verdict(members, verifier, at: start - 1) == "not_yet_valid")
        #expect(verdict(members, verifier, at: start) == "valid")
        #expect(verdict(members, verifier, at: start + 1) == "valid")
    }

    @Test func `a token issued beyond any calendar is never valid`() {
        for members in [#""iat":1e300"#, #""iat":9223372036854775807"#, #""auth_time":1e300"#] {
            #expect(verdict(#""exp":1e300,"# + members) == "not_yet_valid")
        }
    }

    @Test func `a token that is expired and issued in the future is refused as expired`() {
        #expect(verdict(#""exp":1,"iat":1900000000"#) == "expired")
        #expect(verdict(#""exp":1900000000,"iat":1,"auth_time":1800000001"#) == "valid")
    }
}

struct SessionTests {
    private static let strict = HS256.with(requiresSession: true)

    @Test(arguments: invalidDates)
    func `an sxp that is not a number is refused`(value: String) {
        #expect(verdict(#""exp":1800000060,"sxp":\#(value)"#) == "claims")
    }

    @Test(
        arguments: [
            ("1800000001", "valid"), ("1800000000", "session_expired"), ("0", "session_expired"),
            ("1799999999.5", "session_expired"), ("1800000000.5", "valid"), ("1e300", "valid"),
            ("-1e300", "session_expired"),
        ])
    func `the end of the session ends the token, whether a session is required or not`(
        value: String, expected: String
    ) {
        let members = #""exp":1800000060,"sid":"s","sxp":\#(value)"#
        #expect(verdict(members) == expected)
        #expect(verdict(members, Self.strict) == expected)
    }

    @Test(arguments: [0, 1, 5000] as [Int64])
    func `a session ends at sxp plus the leeway, to the millisecond`(leeway: Int64) {
        let verifier = HS256.with(leeway: TimeAmount(milliseconds: leeway))
        let members = #""exp":1900000000,"sxp":1800000060"#
        let end = 1_800_000_060_000 + leeway
        #expect(verdict(members, verifier, at: end - 1) == "valid")
        #expect(verdict(members, verifier, at: end) == "session_expired")
    }

    @Test func `a required session needs both sid and sxp`() {
        let (sid, sxp) = (#""exp":1800000060,"sid":"s""#, #""sxp":1800000060"#)
        for members in [#""exp":1800000060"#, sid, #""exp":1800000060,\#(sxp)"#] {
            #expect(verdict(members) == "valid")
            #expect(verdict(members, Self.strict) == "claims")
        }
        #expect(verdict("\(sid),\(sxp)", Self.strict) == "valid")
        #expect(verdict(#""exp":1800000060,\#(sxp),"sid":"""#, Self.strict) == "valid")
    }
}
