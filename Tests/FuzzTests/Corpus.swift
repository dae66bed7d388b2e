import Foundation

/// The stored inputs of a target, and words with a meaning in its format: `Corpus/<name>.txt`.
///
///     # A comment.
///     word "Content-Length: "
///     seed "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
///
/// ASCII characters represent themselves, except `\"`, `\\`, `\n`, `\r` and `\xNN`.
struct Corpus {
    private(set) var words: [[UInt8]] = []
    private(set) var seeds: [[UInt8]] = []

    struct Malformed: Error {
        let line: String
    }

    init(named name: String) throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        let url = folder.appending(path: "Corpus/\(name).txt")
        for line in try String(contentsOf: url, encoding: .utf8).split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
            switch parts[0] {
            case "#": continue
            case "word": words.append(try Self.bytes(parts))
            case "seed": seeds.append(try Self.bytes(parts))
            default: throw Malformed(line: String(line))
            }
        }
    }

    private static func bytes(_ parts: [String]) throws -> [UInt8] {
        let line = parts.joined(separator: " ")
        guard parts.count == 2, parts[1].count >= 2, parts[1].hasPrefix("\""),
            parts[1].hasSuffix("\"")
        else { throw Malformed(line: line) }
        var rest = Array(parts[1].utf8).dropFirst().dropLast()
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "n"): bytes.append(0x0A)
            case UInt8(ascii: "r"): bytes.append(0x0D)
            case UInt8(ascii: "x"):
                let digits = String(decoding: rest.prefix(2), as: UTF8.self)
                guard let value = UInt8(digits, radix: 16) else { throw Malformed(line: line) }
                bytes.append(value)
                rest = rest.dropFirst(2)
            case let escaped?: bytes.append(escaped)
            case nil: throw Malformed(line: line)
            }
        }
        return bytes
    }

    /// An input in the form of the file.
    static func text(of bytes: [UInt8]) -> String {
        let characters = bytes.map { byte in
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): "\\\(Character(Unicode.Scalar(byte)))"
            case 0x0A: "\\n"
            case 0x0D: "\\r"
            case 0x20..<0x7F: "\(Character(Unicode.Scalar(byte)))"
            default: (byte < 16 ? "\\x0" : "\\x") + String(byte, radix: 16)
            }
        }
        return "\"\(characters.joined())\""
    }
}
