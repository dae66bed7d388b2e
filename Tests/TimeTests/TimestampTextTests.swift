import Testing
import Time

private func rfc3339(_ moment: Timestamp) -> String {
    let text = moment.rfc3339
    return String(decoding: text.indices.map { text[$0] }, as: UTF8.self)
}

private func httpDate(_ moment: Timestamp) -> String {
    let text = moment.httpDate
    return String(decoding: text.indices.map { text[$0] }, as: UTF8.self)
}

struct TimestampTextTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_244_400_123, "2026-11-21T07:00:00.123Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (7, "1970-01-01T00:00:00.007Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] as [(Int64, String)])
    func `a timestamp is written in RFC 3339 format to the millisecond`(
        milliseconds: Int64, text: String
    ) {
        #expect(rfc3339(Timestamp(milliseconds: milliseconds)) == text)
    }

    // The first one is the example of RFC 9110 §5.6.7.
    @Test(
        arguments: [
            (784_111_777_000, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (784_111_777_999, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (951_782_400_000, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_795_244_400_000, "Sat, 21 Nov 2026 07:00:00 GMT"),
            (253_402_300_799_999, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] as [(Int64, String)])
    func `a timestamp is written as an HTTP date without fractions`(
        milliseconds: Int64, text: String
    ) {
        #expect(httpDate(Timestamp(milliseconds: milliseconds)) == text)
    }

    @Test func `every month and weekday has its name`() {
        let texts = (0..<12).map { month in
            httpDate(Timestamp(seconds: 1_767_225_600 + Int64(month) * 31 * 86_400))
        }
        #expect(
            texts.map { $0.prefix(11) } == [
                "Thu, 01 Jan", "Sun, 01 Feb", "Wed, 04 Mar", "Sat, 04 Apr", "Tue, 05 May",
                "Fri, 05 Jun", "Mon, 06 Jul", "Thu, 06 Aug", "Sun, 06 Sep", "Wed, 07 Oct",
                "Sat, 07 Nov", "Tue, 08 Dec",
            ])
    }

    @Test(
        arguments: [
            (253_402_300_800_000, "0000-01-01T00:00:00.000Z", "Sat, 01 Jan 0000 00:00:00 GMT"),
            (-62_167_219_200_001, "0001-12-31T23:59:59.999Z", "Fri, 31 Dec 0001 23:59:59 GMT"),
            (.max, "8994-08-17T07:12:55.807Z", "Sun, 17 Aug 8994 07:12:55 GMT"),
            (.min, "5055-05-16T16:47:04.192Z", "Sun, 16 May 5055 16:47:04 GMT"),
        ] as [(Int64, String, String)])
    func `years outside 0 to 9999 do not change the format`(
        milliseconds: Int64, rfc3339Text: String, httpDateText: String
    ) {
        let moment = Timestamp(milliseconds: milliseconds)
        #expect(rfc3339(moment) == rfc3339Text)
        #expect(httpDate(moment) == httpDateText)
    }
}
