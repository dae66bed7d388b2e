/// How an event is spelt in the file and on standard error. The names and the values are the same in
/// all three.
package enum LogFormat: String, Sendable, CaseIterable {
    /// `2026-11-21T07:00:00.123Z | INFO | security | authn_token_created user=1 …`
    case text
    /// `{"time":"2026-11-21T07:00:00.123Z","level":"INFO","area":"security","event":"…","user":1,…}`
    case json
    /// `time=2026-11-21T07:00:00.123Z level=INFO area=security event=authn_token_created user=1 …`
    case logfmt

    /// That of a line whose first byte this is.
    init(lineBeginningWith byte: UInt8) {
        switch byte {
        case UInt8(ascii: "{"): self = .json
        case UInt8(ascii: "t"): self = .logfmt
        default: self = .text
        }
    }
}
