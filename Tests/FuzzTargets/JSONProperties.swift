import Foundation
import JSON

/// Parses the bytes as a JSON text.
enum JSONProperties {
    static func check(_ bytes: [UInt8]) throws(PropertyFailure) {
        let parsed = outcome { () throws(JSONError) in try JSONValue(parsing: bytes.span) }
        let skipped = outcome { () throws(JSONError) in
            var reader = JSONReader(bytes.span)
            try reader.skipValue()
            try reader.finish()
        }
        switch (parsed, skipped) {
        case (.success, .failure): throw PropertyFailure("parsed, but not skipped")
        case (.failure(let error), let skipped):
            try require((0...bytes.count).contains(error.offset), "the error's offset is outside")
            guard error.reason != .numberOutOfRange else { break }
            guard case .failure(error) = skipped else {
                throw PropertyFailure("skipped, but not parsed")
            }
        case (.success(let value), .success): try checkValue(value, bytes)
        }
        try checkMembers(bytes)
    }

    /// A value that is written and parsed again is the same, byte for byte.
    private static func checkValue(_ value: JSONValue, _ bytes: [UInt8]) throws(PropertyFailure) {
        try checkNames(value)
        let text = canonical(value)
        let again = outcome { () throws(JSONError) in try JSONValue(parsing: text.span) }
        guard case .success(let reread) = again else {
            throw PropertyFailure("written, it is rejected: \(text.shown)")
        }
        try require(reread == value, "written, it is another value: \(text.shown)")
        try require(canonical(reread) == text, "written twice, it differs: \(text.shown)")
        var writer = JSONWriter()
        if write(value, to: &writer) {
            try require(writer.bytes == text, "the writer writes \(writer.bytes.shown)")
        }
        // Strictness: other parsers accept every text that is accepted here.
        let data = Data(bytes)
        try require(
            (try? JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)) != nil,
            "Foundation rejects it")
    }

    /// No object has two members of one name.
    private static func checkNames(_ value: JSONValue) throws(PropertyFailure) {
        switch value {
        case .object(let members):
            let names = Set(members.map { Array($0.name.utf8) })
            try require(names.count == members.count, "a duplicate name is accepted")
            for member in members { try checkNames(member.value) }
        case .array(let elements): for element in elements { try checkNames(element) }
        case .string, .number, .boolean, .null: break
        }
    }

    // MARK: Writing

    /// The value in one canonical form, including fractions, which JSONWriter does not write.
    static func canonical(_ value: JSONValue) -> [UInt8] {
        switch value {
        case .object(let members):
            let parts = members.map { quoted($0.name) + [0x3A] + canonical($0.value) }
            return [0x7B] + parts.joined(separator: [0x2C]) + [0x7D]
        case .array(let elements):
            return [0x5B] + elements.map(canonical).joined(separator: [0x2C]) + [0x5D]
        case .string(let text): return quoted(text)
        case .number(.integer(let number)): return Array("\(number)".utf8)
        case .number(.fraction(let number)): return Array("\(number)".utf8)
        case .boolean(let flag): return Array("\(flag)".utf8)
        case .null: return Array("null".utf8)
        }
    }

    private static func quoted(_ text: String) -> [UInt8] {
        var writer = JSONWriter()
        writer.string(text)
        return writer.bytes
    }

    /// Returns false if the value contains a fraction.
    private static func write(_ value: JSONValue, to writer: inout JSONWriter) -> Bool {
        switch value {
        case .object(let members):
            writer.beginObject()
            for member in members {
                writer.name(escaping: member.name)
                guard write(member.value, to: &writer) else { return false }
            }
            writer.endObject()
        case .array(let elements):
            writer.beginArray()
            for element in elements {
                guard write(element, to: &writer) else { return false }
            }
            writer.endArray()
        case .string(let text): writer.string(text)
        case .number(.integer(let number)): writer.integer(number)
        case .number(.fraction): return false
        case .boolean(let flag): writer.boolean(flag)
        case .null: writer.null()
        }
        return true
    }

    // MARK: Known names

    private static let known = ["iss", "sub", "user_id", "exp", "a", "aud", "a\u{308}", "jti"]
    private static let names = JSONKeySet(known)

    /// Reading names one by one and matching known names as bytes have the same result.
    private static func checkMembers(_ bytes: [UInt8]) throws(PropertyFailure) {
        let one = outcome { () throws(JSONError) in
            var reader = JSONReader(bytes.span)
            var members: [[UInt8]] = []
            try reader.beginObject()
            while let name = try reader.nextName() {
                members.append(reader.bytes(of: name))
                try reader.skipValue()
            }
            try reader.finish()
            return members
        }
        let other = outcome { () throws(JSONError) in
            var reader = JSONReader(bytes.span)
            var members: [[UInt8]] = []
            var progress = JSONKeySet.Cursor()
            try reader.beginObject()
            while let member = try reader.nextMember(of: names, &progress) {
                switch member {
                case .known(let index): members.append(Array(known[index].utf8))
                case .other(let name): members.append(reader.bytes(of: name))
                }
                try reader.skipValue()
            }
            try reader.finish()
            return members
        }
        switch (one, other) {
        case (.success(let one), .success(let other)):
            try require(one == other, "two ways to read names differ")
        case (.failure(let one), .failure(let other)):
            try require(one.reason == other.reason, "two ways to read names fail differently")
        default: throw PropertyFailure("one of two ways to read names fails")
        }
    }

    private static func outcome<Value>(
        _ body: () throws(JSONError) -> Value
    ) -> Result<Value, JSONError> {
        Result { () throws(JSONError) in try body() }
    }
}
