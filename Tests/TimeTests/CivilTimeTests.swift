import Testing
import Time

/// A moment as `[year, month, day, hour, minute, second, millisecond]`.
private func parts(_ milliseconds: Int64) -> [Int] {
    let time = CivilTime(Timestamp(milliseconds: milliseconds))
    return [
        time.year, time.month, time.day, time.hour, time.minute, time.second, time.millisecond,
    ]
}

private func isLeap(_ year: Int) -> Bool {
    year.isMultiple(of: 4) && !year.isMultiple(of: 100) || year.isMultiple(of: 400)
}

private func daysInMonth(_ month: Int, of year: Int) -> Int {
    switch month {
    case 2: isLeap(year) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
}

struct CivilTimeTests {
    // The seconds were computed with Python's calendar.timegm.
    @Test(
        arguments: [
            (0, [1970, 1, 1, 0, 0, 0]),
            (784_111_777, [1994, 11, 6, 8, 49, 37]),
            (951_782_400, [2000, 2, 29, 0, 0, 0]),
            (951_868_799, [2000, 2, 29, 23, 59, 59]),
            (951_868_800, [2000, 3, 1, 0, 0, 0]),
            (1_709_164_800, [2024, 2, 29, 0, 0, 0]),
            (1_798_761_599, [2026, 12, 31, 23, 59, 59]),
            (1_798_761_600, [2027, 1, 1, 0, 0, 0]),
            (4_107_542_399, [2100, 2, 28, 23, 59, 59]),
            (4_107_542_400, [2100, 3, 1, 0, 0, 0]),
            (13_574_563_200, [2400, 2, 29, 0, 0, 0]),
            (253_402_300_799, [9999, 12, 31, 23, 59, 59]),
            (253_402_300_800, [10_000, 1, 1, 0, 0, 0]),
            (-1, [1969, 12, 31, 23, 59, 59]),
            (-86_400, [1969, 12, 31, 0, 0, 0]),
            (-86_401, [1969, 12, 30, 23, 59, 59]),
            (-2_203_891_201, [1900, 2, 28, 23, 59, 59]),
            (-2_203_891_200, [1900, 3, 1, 0, 0, 0]),
            (-62_135_596_800, [1, 1, 1, 0, 0, 0]),
            (-62_162_121_601, [0, 2, 28, 23, 59, 59]),
            (-62_162_121_600, [0, 2, 29, 0, 0, 0]),
            (-62_167_219_201, [-1, 12, 31, 23, 59, 59]),
        ] as [(Int64, [Int])])
    func `a second is converted to its date and time`(seconds: Int64, expected: [Int]) {
        #expect(parts(seconds * 1000) == expected + [0])
        #expect(parts(seconds * 1000 + 999) == expected + [999])
    }

    @Test(
        arguments: [
            (0, 4), (784_111_777, 0), (951_782_400, 2), (-1, 3), (-2_203_891_200, 4),
            (253_402_300_799, 5),
        ] as [(Int64, Int)])
    func `a second is converted to its weekday`(seconds: Int64, sundayIsZero: Int) {
        #expect(CivilTime(Timestamp(seconds: seconds)).weekday == sundayIsZero)
    }

    @Test func `every day from 1900 to 2299 has the date that counting gives`() {
        // 1 January 1900 was a Monday, 25,567 days before 1970.
        var (year, month, day, weekday) = (1900, 1, 1, 1)
        var number: Int64 = -25_567
        var wrong: [Int64] = []
        while year < 2300 {
            let time = CivilTime(Timestamp(milliseconds: number * 86_400_000))
            if (time.year, time.month, time.day, time.weekday) != (year, month, day, weekday) {
                wrong.append(number)
            }
            number += 1
            weekday = (weekday + 1) % 7
            day += 1
            if day > daysInMonth(month, of: year) { (month, day) = (month + 1, 1) }
            if month > 12 { (year, month) = (year + 1, 1) }
        }
        #expect(number == -25_567 + 146_097)
        #expect(wrong == [])
    }

    @Test func `every second of a day is converted, before and after the epoch`() {
        var wrong: [Int64] = []
        for second in 0..<Int64(86_400) {
            let expected = [Int(second / 3600), Int(second / 60 % 60), Int(second % 60)]
            for day in [Int64(-1), 0] {
                let time = CivilTime(Timestamp(seconds: day * 86_400 + second))
                if [time.hour, time.minute, time.second] != expected { wrong.append(second) }
            }
        }
        #expect(wrong == [])
    }

    @Test(
        arguments: [
            (.max, [292_278_994, 8, 17, 7, 12, 55, 807]),
            (.min, [-292_275_055, 5, 16, 16, 47, 4, 192]),
        ] as [(Int64, [Int])])
    func `the extreme moments are converted without a trap`(milliseconds: Int64, expected: [Int]) {
        #expect(parts(milliseconds) == expected)
    }
}
