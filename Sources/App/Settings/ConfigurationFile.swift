import Foundation
import JSON
import POSIX

/// A file that the configuration consists of, read: the configuration itself, or a secret.
struct ConfigurationFile {
    let bytes: [UInt8]
    /// What others could do to it, or to the way to it.
    let faults: [PathFault]
    let isReadableByOthers: Bool

    /// More than any configuration or key has.
    static let maximumSize = 1 << 20

    /// Only a regular file is read; nothing waits for the other end of a pipe.
    /// - Throws: a sentence that says what is wrong with the file.
    init(_ path: String) throws(ConfigurationProblem) {
        let sentence: String
        do throws(TrustedFile.Failure) {
            let file = try TrustedFile(reading: path, upTo: Self.maximumSize)
            bytes = file.bytes
            faults = file.faults
            isReadableByOthers = file.status.isReadableByOthers
            return
        } catch {
            sentence =
                switch error {
                case .failed(let error): "cannot be read: \(error.description)"
                case .notRegular:
                    "is not a regular file; write a file, not a pipe or a device: it is read again at each reload"
                case .tooLarge: "is larger than \(Units.text(size: Self.maximumSize))"
                }
        }
        throw ConfigurationProblem(path: path, message: sentence)
    }

    /// The secret that the file holds.
    /// - Throws: a sentence about a file that is saved in a way in which the secret would be another.
    func secret(_ path: String) throws(ConfigurationProblem) -> [UInt8] {
        if let encoding = TextEncoding(of: bytes) {
            throw ConfigurationProblem(path: path, message: encoding.sentence)
        }
        return Self.withoutLineEnd(bytes)
    }

    /// Text ends in a line end that is not part of the secret: one LF or CRLF is taken off. Text is
    /// UTF-8 in which the only control characters are TAB, LF and CR; in anything else every byte
    /// counts, be the last one 0A.
    static func withoutLineEnd(_ bytes: [UInt8]) -> [UInt8] {
        let isPlain = bytes.allSatisfy { byte in
            byte >= 0x20 && byte != 0x7F || byte == 0x09 || byte == 0x0A || byte == 0x0D
        }
        guard bytes.last == UInt8(ascii: "\n"), isPlain,
            String(validating: bytes, as: UTF8.self) != nil
        else { return bytes }
        let text = bytes.dropLast()
        return Array(text.last == UInt8(ascii: "\r") ? text.dropLast() : text)
    }
}

extension ConfigurationFile {
    /// A file that others can read is no secret.
    func warning(_ path: String, _ what: String) -> [ConfigurationProblem] {
        guard isReadableByOthers else { return [] }
        return [
            ConfigurationProblem(
                path: path, message: "the \(what) file can be read by others; chmod 600 it")
        ]
    }
}
