/// A moment as a date and time of the proleptic Gregorian calendar, in UTC.
///
/// Computed without libc: gmtime takes a process-wide lock and may read files. The day count is
/// converted in 400-year eras that begin on 1 March, so that the leap day is the last of its year
/// (the method of Howard Hinnant's "chrono-compatible low-level date algorithms").
package struct CivilTime: Sendable, Equatable {
    package let year: Int
    /// 1 to 12.
    package let month: Int
    /// 1 to 31.
    package let day: Int
    package let hour: Int
    package let minute: Int
    package let second: Int
    package let millisecond: Int
    /// 0 is Sunday.
    package let weekday: Int

    package init(_ moment: Timestamp) {
        let millisecondsOfDay = moment.milliseconds.flooredRemainder(86_400_000)
        let days = Int(moment.milliseconds.flooredQuotient(86_400_000))
        hour = Int(millisecondsOfDay / 3_600_000)
        minute = Int(millisecondsOfDay / 60_000 % 60)
        second = Int(millisecondsOfDay / 1000 % 60)
        millisecond = Int(millisecondsOfDay % 1000)
        // 1 January 1970 was a Thursday.
        weekday = Int(Int64(days + 4).flooredRemainder(7))

        let shifted = days + 719_468  // from 1 March of year 0
        let era = Int(Int64(shifted).flooredQuotient(146_097))
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }
}

extension Int64 {
    fileprivate func flooredQuotient(_ divisor: Int64) -> Int64 {
        self / divisor - (self % divisor < 0 ? 1 : 0)
    }

    fileprivate func flooredRemainder(_ divisor: Int64) -> Int64 {
        let remainder = self % divisor
        return remainder < 0 ? remainder + divisor : remainder
    }
}
