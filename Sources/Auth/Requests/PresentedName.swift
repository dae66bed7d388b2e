/// A user name as a login presents it, normalized once for the lookup, the throttle and the log's
/// fingerprints.
package struct PresentedName: Sendable, Equatable {
    /// Whether the text is a valid user name; independent of whether a user has it.
    let isName: Bool
    /// The name in NFC; of an invalid name the first 256 bytes, which bounds work and memory. The
    /// throttle counts invalid names apart from valid ones.
    let canonical: [UInt8]

    package init(_ text: String) {
        if let name = Username.normalized(text) {
            isName = true
            canonical = Array(name.utf8)
        } else {
            isName = false
            canonical = Array(text.utf8.prefix(Username.maximumSize))
        }
    }
}
