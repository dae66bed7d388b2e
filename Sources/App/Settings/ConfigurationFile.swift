import Foundation
import JSON
import POSIX

/// The content of a file that is part of the configuration: the configuration itself, or a secret.
struct ConfigurationFile {
    let bytes: [UInt8]
    /// Permissions that let other accounts change the file or a folder on its path.
    let faults: [PathFault]
    let isReadableByOthers: Bool

    /// In bytes; far more than a configuration or a key needs.
    static let maximumSize = 1 << 20

    /// Reads a regular file. Anything else is refused, because reading a pipe could block.
    /// - Throws: why the file cannot be read.
    init(_ path: String) throws(ConfigurationProblem) {
        let message: String
        do throws(TrustedFile.Failure) {
            let file = try TrustedFile(reading: path, upTo: Self.maximumSize)
            bytes = file.bytes
            faults = file.faults
            isReadableByOthers = file.status.isReadableByOthers
            return
        } catch {
            message =
                switch error {
                case .failed(let error): "cannot be read: \(error.description)"
                case .notRegular:
                    "is not a regular file; pipes and devices cannot be read again at a reload"
                case .tooLarge: "is larger than \(DurationAndSize.text(size: Self.maximumSize))"
                }
        }
        throw ConfigurationProblem(path: path, message: message)
    }

    /// The secret that the file contains.
    /// - Throws: a problem if the file has a text encoding (a byte order mark, UTF-16) whose bytes
    ///   would change the secret.
    func secret(_ path: String) throws(ConfigurationProblem) -> [UInt8] {
        if let encoding = TextEncoding(of: bytes) {
            throw ConfigurationProblem(path: path, message: encoding.message)
        }
        return Self.withoutLineEnd(bytes)
    }

    /// Removes one final LF or CRLF from text: it is not part of the secret. Text is UTF-8 in which
    /// the only control characters are TAB, LF and CR. In all other content every byte is part of
    /// the secret, a final 0A too.
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
    /// A warning if other accounts can read the file.
    /// - Parameter what: the kind of file, as in `the key file`.
    func warning(_ path: String, _ what: String) -> [ConfigurationProblem] {
        guard isReadableByOthers else { return [] }
        return [
            ConfigurationProblem(
                path: path, message: "the \(what) file can be read by others; chmod 600 it")
        ]
    }
}
