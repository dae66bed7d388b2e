/// A moment in UTC, to the millisecond: milliseconds since 1970-01-01T00:00:00Z.
///
/// Arithmetic saturates: a date that a token names may be absurd, but it must never trap, and the
/// far future stays later than now.
package struct Timestamp: Sendable, Hashable, Comparable {
    package let milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package init(seconds: Int64) {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        milliseconds = overflow ? (seconds < 0 ? .min : .max) : product
    }

    /// From seconds with a fraction, as a NumericDate (RFC 7519 §2) may have; rounded down to the
    /// millisecond. Not a number becomes the distant past.
    package init(fractionalSeconds seconds: Double) {
        let scaled = (seconds * 1000).rounded(.down)
        // 2^63 is a Double; anything below it and not below -2^63 converts without a trap.
        if scaled >= 0x1p63 {
            milliseconds = .max
        } else if scaled >= -0x1p63 {
            // The product may lie just below the millisecond that was written: 2150000000.001 does.
            let next = scaled + 1
            milliseconds = Int64(next / 1000 == seconds && next < 0x1p53 ? next : scaled)
        } else {
            milliseconds = .min
        }
    }

    /// Whole seconds since the epoch, rounded down.
    package var seconds: Int64 {
        milliseconds >= 0 ? milliseconds / 1000 : (milliseconds + 1) / 1000 - 1
    }

    package static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }

    package static func + (moment: Timestamp, span: TimeAmount) -> Timestamp {
        let (sum, overflow) = moment.milliseconds.addingReportingOverflow(span.milliseconds)
        return Timestamp(milliseconds: overflow ? (span.milliseconds < 0 ? .min : .max) : sum)
    }
}

/// A span of time in whole milliseconds, what configuration durations are made of.
package struct TimeAmount: Sendable, Hashable, Comparable {
    package let milliseconds: Int64

    package init(milliseconds count: Int64) { self.milliseconds = count }

    /// Saturates, like all arithmetic here: a configured duration may be absurd, too.
    package static func seconds(_ count: Int64) -> TimeAmount {
        TimeAmount(milliseconds: Timestamp(seconds: count).milliseconds)
    }

    /// Whole seconds, rounded towards zero: what `expires_in` speaks.
    package var wholeSeconds: Int64 { milliseconds / 1000 }

    package static func < (a: TimeAmount, b: TimeAmount) -> Bool { a.milliseconds < b.milliseconds }
}
