import JWT

/// Finds secrets that can be guessed. An attacker who has a token can test guesses offline.
enum SecretStrength {
    /// In bytes. A secret that repeats itself after at most so many bytes is a word that was typed
    /// several times.
    private static let longestPeriod = 8
    /// Of random secrets of 32 decimal digits, the smallest alphabet in use, one in a thousand has
    /// fewer different bytes. With hexadecimal digits that practically never happens.
    private static let fewestDistinctBytes = 8

    /// What is wrong with a secret, in a message that does not contain it; nil for a strong secret.
    /// A secret that is too short is only compared with published ones and checked for a single
    /// repeated byte: the caller reports the length.
    static func problem(_ bytes: [UInt8]) -> String? {
        if KnownSecrets.contains(bytes) {
            return "the secret is printed in the documentation; make one with `gatehouse secret`"
        }
        if let byte = bytes.first, bytes.allSatisfy({ $0 == byte }) {
            return "the secret is a single repeated byte; make one with `gatehouse secret`"
        }
        guard bytes.count >= KeyRing.minimumSecretLength else { return nil }
        if let period = (2...longestPeriod).first(where: { repeats(bytes, after: $0) }) {
            return "the secret repeats the same \(period) bytes; make one with `gatehouse secret`"
        }
        let count = Set(bytes).count
        if count < fewestDistinctBytes {
            return "the secret has only \(count) different bytes; make one with `gatehouse secret`"
        }
        return nil
    }

    private static func repeats(_ bytes: [UInt8], after period: Int) -> Bool {
        zip(bytes, bytes.dropFirst(period)).allSatisfy { $0 == $1 }
    }
}
