import Logging
import Time

extension SealLine {
    /// The time as written in the line. The seal's code covers it, so it is trustworthy only if the
    /// code is.
    var timeText: String { time.span.text }

    /// The time; nil if the text is not a valid time.
    var moment: Timestamp? { Timestamp(rfc3339: time.span) }
}
