/// A user name as a login presents it, in the one form that the look-up, the throttle and the log's
/// fingerprints share; composed once.
package struct PresentedName: Sendable, Equatable {
    /// Whether a user could have the name at all. Says nothing of whether one has it.
    let isName: Bool
    /// The name in NFC. Of what is no name its first 256 bytes: then work and memory are bounded
    /// whatever was sent, and no user's count can be met.
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
