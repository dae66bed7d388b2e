import Foundation
import Testing

@testable import Logging

/// A parser for log lines that shares no code with the writer.
struct ParsedLine {
    enum Value: Equatable {
        case number(Int64)
        case bool(Bool)
        /// Any value in text and logfmt, which do not distinguish the three types.
        case text([UInt8])
    }

    private(set) var fields: [String: Value] = [:]

    /// Nil if the line is malformed.
    /// - Parameter line: Without its line end.
    init?(_ line: ArraySlice<UInt8>, _ format: LogFormat) {
        switch format {
        case .text:
            var rest = line
            for name in ["time", "level", "area"] {
                guard let bar = rest.firstRange(of: Array(" | ".utf8)) else { return nil }
                fields[name] = .text(Array(rest[..<bar.lowerBound]))
                rest = rest[bar.upperBound...]
            }
            let event = rest.prefix { $0 != UInt8(ascii: " ") }
            fields["event"] = .text(Array(event))
            rest = rest[event.endIndex...]
            guard rest.isEmpty || readPairs(rest.dropFirst()) else { return nil }
        case .logfmt:
            guard readPairs(line) else { return nil }
        case .json:
            guard readObject(line) else { return nil }
        }
    }

    private mutating func readObject(_ line: ArraySlice<UInt8>) -> Bool {
        guard let object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
        else { return false }
        for (name, value) in object {
            if let text = value as? String {
                fields[name] = .text(Array(text.utf8))
            } else if let number = value as? NSNumber {
                // Foundation distinguishes `true` from 1 by the number's type.
                fields[name] =
                    String(cString: number.objCType) == "c"
                    ? .bool(number.boolValue) : .number(number.int64Value)
            } else {
                return false
            }
        }
        return true
    }

    private mutating func readPairs(_ line: ArraySlice<UInt8>) -> Bool {
        var rest = line
        while true {
            let name = rest.prefix { $0 != UInt8(ascii: "=") }
            rest = rest[name.endIndex...].dropFirst()
            let value: [UInt8]
            if rest.first == UInt8(ascii: "\"") {
                guard let text = Self.readQuoted(&rest) else { return false }
                value = text
            } else {
                let word = rest.prefix { $0 != UInt8(ascii: " ") }
                guard !word.isEmpty, !word.contains(UInt8(ascii: "\"")) else { return false }
                value = Array(word)
                rest = rest[word.endIndex...]
            }
            let old = fields.updateValue(
                .text(value), forKey: String(decoding: name, as: UTF8.self))
            guard old == nil, !name.isEmpty else { return false }
            if rest.isEmpty { return true }
            guard rest.removeFirst() == UInt8(ascii: " ") else { return false }
        }
    }

    /// Reads a quoted value, and decodes its escapes.
    private static func readQuoted(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        rest.removeFirst()
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { return bytes }
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "\""): bytes.append(UInt8(ascii: "\""))
            case UInt8(ascii: "\\"): bytes.append(UInt8(ascii: "\\"))
            case UInt8(ascii: "x"):
                guard let byte = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
                else { return nil }
                bytes.append(byte)
                rest = rest.dropFirst(2)
            case UInt8(ascii: "u"):
                let digits = rest.dropFirst().prefix { $0 != UInt8(ascii: "}") }
                guard let number = UInt32(String(decoding: digits, as: UTF8.self), radix: 16),
                    let scalar = Unicode.Scalar(number)
                else { return nil }
                bytes += Array(String(scalar).utf8)
                rest = rest.dropFirst(digits.count + 2)
            default: return nil
            }
        }
        return nil
    }
}

extension ParsedLine {
    func text(_ name: String) -> [UInt8]? {
        guard case .text(let bytes) = fields[name] else { return nil }
        return bytes
    }

    /// Whether the line is marked as cut; nil if `cut` has another value.
    var isCut: Bool? {
        switch fields["cut"] {
        case nil: false
        case .bool(true), .text(Array("true".utf8)): true
        default: nil
        }
    }
}
