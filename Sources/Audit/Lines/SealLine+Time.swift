import Logging
import Time

extension SealLine {
    /// As it stands there; under the seal's code, or worth nothing.
    var timeText: String { time.span.text }

    /// Nil if it is no time.
    var moment: Timestamp? { Timestamp(rfc3339: time.span) }
}
