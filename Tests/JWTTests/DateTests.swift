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

/// What is no NumericDate (RFC 7519 §2).
private let noDates = [
    #""1800000060""#, #""""#, #""soon""#, #""2099-01-01T00:00:00Z""#, "true", "false", "null",
    "[1800000060]", "[]", "{}", #"{"a":1800000060}"#, "NaN", "Infinity", "-Infinity", "1e400",
    "-1e400", "01800000060", "+1800000060", "1800000060.", ".5", "1800000060e", "0x6B49D23C",
    "1_800_000_060", "1 800 000 060",
]

// RFC 7519 §4.1.4.
@Suite("A token's exp")
struct ExpiryTests {
    @Test("must be there", arguments: [#""a":1"#, #""EXP":1800000060"#, #""exp ":1800000060"#])
    func missing(members: String) {
        #expect(verdict(members) == "claims")
    }

    @Test("must be a number", arguments: noDates)
    func noDate(value: String) {
        #expect(verdict(#""exp":\#(value)"#) == "claims")
    }

    @Test(
        "is the first moment at which the token is no longer good",
        arguments: [
            ("1800000060", "good"), ("1800000001", "good"), ("1800000000", "expired"),
            ("1799999999", "expired"), ("1800000000.0", "expired"), ("1.8e9", "expired"),
            ("18E+8", "expired"), ("1800000000.5", "good"), ("1.8000000005e9", "good"),
            ("1799999999.999", "expired"), ("1800000000.0000001", "expired"),
            ("64092211200", "good"), ("0", "expired"), ("-0", "expired"), ("0.0", "expired"),
            ("-1", "expired"), ("1e-400", "expired"), ("1", "expired"),
        ])
    func dates(value: String, expected: String) {
        #expect(verdict(#""exp":\#(value)"#) == expected)
    }

    @Test(
        "may be absurd: the far future is later than now, the far past earlier",
        arguments: [
            ("9223372036854775", "good"), ("9223372036854776", "good"),
            ("9223372036854775807", "good"), ("9223372036854775808", "good"),
            ("18446744073709551616", "good"), ("1e19", "good"), ("1e300", "good"),
            ("1.7976931348623157e308", "good"), ("-9223372036854775808", "expired"),
            ("-9223372036854775809", "expired"), ("-1e19", "expired"), ("-1e300", "expired"),
            ("-9223372036854776", "expired"),
        ])
    func absurd(value: String, expected: String) {
        let lenient = HS256.with(leeway: .seconds(.max))
        #expect(verdict(#""exp":\#(value)"#) == expected)
        #expect(["good", "expired"].contains(verdict(#""exp":\#(value)"#, lenient)))
        #expect(verdict(#""exp":\#(value)"#, at: .max) == "expired")
        #expect(["good", "expired"].contains(verdict(#""exp":\#(value)"#, at: .min)))
    }

    @Test(
        "is held to the millisecond, with and without leeway",
        arguments: [
            ("1800000060", 0, 1_800_000_060_000), ("1800000060", 5000, 1_800_000_065_000),
            ("1800000060", 1, 1_800_000_060_001), ("1800000060.5", 0, 1_800_000_060_500),
            ("1800000060.5", 5000, 1_800_000_065_500), ("1800000060.25", 0, 1_800_000_060_250),
            ("0", 5000, 5000), ("-5", 5000, 0), ("-0.5", 0, -500),
        ] as [(String, Int64, Int64)])
    func edges(value: String, leeway: Int64, end: Int64) {
        let verifier = HS256.with(leeway: TimeAmount(milliseconds: leeway))
        #expect(verdict(#""exp":\#(value)"#, verifier, at: end - 1) == "good")
        #expect(verdict(#""exp":\#(value)"#, verifier, at: end) == "expired")
        #expect(verdict(#""exp":\#(value)"#, verifier, at: end + 1) == "expired")
    }
}

// RFC 7519 §4.1.5.
@Suite("A token's nbf")
struct NotBeforeTests {
    @Test("must be a number if it is there", arguments: noDates)
    func noDate(value: String) {
        #expect(verdict(#""exp":1800000060,"nbf":\#(value)"#) == "claims")
    }

    @Test(
        "is the first moment at which the token is good",
        arguments: [
            ("1800000000", "good"), ("1800000001", "not_yet_valid"), ("1799999999", "good"),
            ("1800000000.5", "not_yet_valid"), ("1.8e9", "good"), ("-5", "good"), ("0", "good"),
            ("1e300", "not_yet_valid"), ("-1e300", "good"),
            ("9223372036854775808", "not_yet_valid"), ("-9223372036854775808", "good"),
        ])
    func dates(value: String, expected: String) {
        #expect(verdict(#""exp":1e300,"nbf":\#(value)"#) == expected)
    }

    @Test(
        "is held to the millisecond, with and without leeway",
        arguments: [
            ("1800000000", 0, 1_800_000_000_000), ("1800000000", 5000, 1_799_999_995_000),
            ("1800000000", 1, 1_799_999_999_999), ("1800000000.5", 0, 1_800_000_000_500),
            ("1800000000.25", 5000, 1_799_999_995_250),
        ] as [(String, Int64, Int64)])
    func edges(value: String, leeway: Int64, start: Int64) {
        let verifier = HS256.with(leeway: TimeAmount(milliseconds: leeway))
        let members = #""exp":1900000000,"nbf":\#(value)"#
        #expect(verdict(members, verifier, at: start - 1) == "not_yet_valid")
        #expect(verdict(members, verifier, at: start) == "good")
        #expect(verdict(members, verifier, at: start + 1) == "good")
    }
}

@Suite("A token's iat and auth_time")
struct IssuedTests {
    @Test("must be numbers if they are there", arguments: noDates)
    func noDate(value: String) {
        #expect(verdict(#""exp":1800000060,"iat":\#(value)"#) == "claims")
        #expect(verdict(#""exp":1800000060,"auth_time":\#(value)"#) == "claims")
    }

    @Test("are read, and decide nothing once they are past")
    func dates() throws {
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

@Suite("A token that was issued in the future")
struct FutureTests {
    private static let dates: [(members: String, milliseconds: Int64)] = [
        (#""iat":1800000000"#, 1_800_000_000_000),
        (#""iat":1800000000.25"#, 1_800_000_000_250),
        (#""iat":1800000010,"sid":"s","sxp":1900000000"#, 1_800_000_010_000),
        // Without `iat` the login is the moment of issue.
        (#""auth_time":1800000003.5,"sid":"s""#, 1_800_000_003_500),
        (#""auth_time":1,"iat":1800000007,"nbf":1"#, 1_800_000_007_000),
    ]

    @Test(arguments: dates, [0, 250, 5000, 300_000] as [Int64])
    func `is not yet valid until the leeway before that moment`(
        date: (members: String, milliseconds: Int64), leeway: Int64
    ) {
        let verifier = HS256.with(leeway: TimeAmount(milliseconds: leeway))
        let start = date.milliseconds - leeway
        let members = #""exp":1900000000,"# + date.members
        #expect(verdict(members, verifier, at: start - 1) == "not_yet_valid")
        #expect(verdict(members, verifier, at: start) == "good")
        #expect(verdict(members, verifier, at: start + 1) == "good")
    }

    @Test func `is never valid if that moment is past any calendar`() {
        for members in [#""iat":1e300"#, #""iat":9223372036854775807"#, #""auth_time":1e300"#] {
            #expect(verdict(#""exp":1e300,"# + members) == "not_yet_valid")
        }
    }

    @Test func `is refused for its issuer first, and for its end`() {
        #expect(verdict(#""exp":1,"iat":1900000000"#) == "expired")
        #expect(verdict(#""exp":1900000000,"iat":1,"auth_time":1800000001"#) == "good")
    }
}

@Suite("A token's session")
struct SessionTests {
    private static let strict = HS256.with(requiresSession: true)

    @Test("must end at a number if it has an end", arguments: noDates)
    func noDate(value: String) {
        #expect(verdict(#""exp":1800000060,"sxp":\#(value)"#) == "claims")
    }

    @Test(
        "ends the token with it, required or not",
        arguments: [
            ("1800000001", "good"), ("1800000000", "session_expired"), ("0", "session_expired"),
            ("1799999999.5", "session_expired"), ("1800000000.5", "good"), ("1e300", "good"),
            ("-1e300", "session_expired"),
        ])
    func end(value: String, expected: String) {
        let members = #""exp":1800000060,"sid":"s","sxp":\#(value)"#
        #expect(verdict(members) == expected)
        #expect(verdict(members, Self.strict) == expected)
    }

    @Test("ends to the millisecond, with and without leeway", arguments: [0, 1, 5000] as [Int64])
    func edges(leeway: Int64) {
        let verifier = HS256.with(leeway: TimeAmount(milliseconds: leeway))
        let members = #""exp":1900000000,"sxp":1800000060"#
        let end = 1_800_000_060_000 + leeway
        #expect(verdict(members, verifier, at: end - 1) == "good")
        #expect(verdict(members, verifier, at: end) == "session_expired")
    }

    @Test("is not needed unless it is required; then it takes both sid and sxp")
    func required() {
        let (sid, sxp) = (#""exp":1800000060,"sid":"s""#, #""sxp":1800000060"#)
        for members in [#""exp":1800000060"#, sid, #""exp":1800000060,\#(sxp)"#] {
            #expect(verdict(members) == "good")
            #expect(verdict(members, Self.strict) == "claims")
        }
        #expect(verdict("\(sid),\(sxp)", Self.strict) == "good")
        #expect(verdict(#""exp":1800000060,\#(sxp),"sid":"""#, Self.strict) == "good")
    }
}
