/// How an event is written to the file and to standard error. Names and values are the same in all
/// three formats.
package enum LogFormat: String, Sendable, CaseIterable {
    /// `2026-11-21T07:00:00.123Z | INFO | security | authn_token_created user=1 …`
    case text
    /// `{"time":"2026-11-21T07:00:00.123Z","level":"INFO","area":"security","event":"…",…}`
    case json
    /// `time=2026-11-21T07:00:00.123Z level=INFO area=security event=authn_token_created user=1 …`
    case logfmt

    /// The format of a line that begins with this byte.
    init(lineBeginningWith byte: UInt8) {
        switch byte {
        case UInt8(ascii: "{"): self = .json
        case UInt8(ascii: "t"): self = .logfmt
        default: self = .text
        }
    }
}
