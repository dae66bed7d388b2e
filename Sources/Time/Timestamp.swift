/// A moment in UTC: milliseconds since 1970-01-01T00:00:00Z.
///
/// Arithmetic saturates. A date in a token may be any number; it must not trap, and the far future
/// must stay later than now.
package struct Timestamp: Sendable, Hashable, Comparable {
    package let milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package init(seconds: Int64) {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        milliseconds = overflow ? (seconds < 0 ? .min : .max) : product
    }

    /// From seconds with a fraction, as in a NumericDate (RFC 7519 §2); rounded down to the
    /// millisecond. NaN becomes the earliest moment.
    package init(fractionalSeconds seconds: Double) {
        let scaled = (seconds * 1000).rounded(.down)
        // Values from -2^63 up to, but not including, 2^63 convert without a trap.
        if scaled >= 0x1p63 {
            milliseconds = .max
        } else if scaled >= -0x1p63 {
            // The product may be just below the millisecond that was written: 2150000000.001 is an
            // example.
            let next = scaled + 1
            milliseconds = Int64(next / 1000 == seconds && next < 0x1p53 ? next : scaled)
        } else {
            milliseconds = .min
        }
    }

    /// Seconds since 1970, rounded down.
    package var seconds: Int64 {
        milliseconds >= 0 ? milliseconds / 1000 : (milliseconds + 1) / 1000 - 1
    }

    package static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }

    package static func + (moment: Timestamp, span: TimeAmount) -> Timestamp {
        let (sum, overflow) = moment.milliseconds.addingReportingOverflow(span.milliseconds)
        return Timestamp(milliseconds: overflow ? (span.milliseconds < 0 ? .min : .max) : sum)
    }
}

/// A duration in whole milliseconds.
package struct TimeAmount: Sendable, Hashable, Comparable {
    package let milliseconds: Int64

    package init(milliseconds count: Int64) { self.milliseconds = count }

    /// Saturates, because a configured duration may be any number.
    package static func seconds(_ count: Int64) -> TimeAmount {
        TimeAmount(milliseconds: Timestamp(seconds: count).milliseconds)
    }

    /// Whole seconds, rounded toward zero, as in `expires_in`.
    package var wholeSeconds: Int64 { milliseconds / 1000 }

    package static func < (a: TimeAmount, b: TimeAmount) -> Bool { a.milliseconds < b.milliseconds }
}
