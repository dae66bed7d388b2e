import JWT

/// Secrets that can be guessed: signatures made with one can be tried against it at home.
enum SecretStrength {
    /// What repeats itself after so many bytes is a word that was typed again and again.
    private static let longestPeriod = 8
    /// Of 32 random digits, the poorest alphabet that anybody draws from, one in a thousand has fewer
    /// different ones; of hexadecimal digits none ever has.
    private static let fewestDistinctBytes = 8

    /// What is wrong with a secret, as a sentence without it; nil for nothing. Of one that is too
    /// short only what is wrong with it at any length: the length is told by whoever wants one.
    static func problem(_ bytes: [UInt8]) -> String? {
        if KnownSecrets.contains(bytes) {
            return "the secret is printed in the documentation; make one with `gatehouse secret`"
        }
        if let byte = bytes.first, bytes.allSatisfy({ $0 == byte }) {
            return "the secret is one byte over and over; make one with `gatehouse secret`"
        }
        guard bytes.count >= KeyRing.minimumSecretLength else { return nil }
        if let period = (2...longestPeriod).first(where: { repeats(bytes, after: $0) }) {
            return "the secret is \(period) bytes over and over; make one with `gatehouse secret`"
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
