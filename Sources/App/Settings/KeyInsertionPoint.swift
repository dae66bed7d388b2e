import JSON
import JWT

/// Where in a configuration's text a new key goes: in front of `token.keys`, or where that would be.
struct KeyInsertionPoint {
    /// Of the keys that are there; empty for one that has none.
    let ids: [String]
    private let bytes: [UInt8]
    /// Right behind the bracket or brace that the new text comes first in.
    private let offset: Int
    private let missing: Missing

    private enum Missing { case nothing, keys, token }

    /// - Throws: why the text is none of a configuration.
    init(in bytes: [UInt8], of path: String) throws(ConfigurationProblem) {
        self.bytes = bytes
        let root = try Configuration.parse(bytes, path)
        guard case .object = root else {
            throw ConfigurationProblem(path: path, message: "the file must hold one object")
        }
        let token = root["token"]
        let keys = token?["keys"]
        switch (token, keys) {
        case (nil, _): missing = .token
        case (.object, nil): missing = .keys
        case (.object, .array): missing = .nothing
        case (.object, _): throw ConfigurationProblem(path: "token.keys", message: "is not a list")
        default: throw ConfigurationProblem(path: "token", message: "is not an object")
        }
        ids = keys?.elements.map { $0["id"]?.text ?? "" } ?? []
        do throws(JSONError) {
            offset = try Self.offset(bytes, missing)
        } catch {
            // It has just been read.
            throw ConfigurationProblem(path: path, message: error.sentence)
        }
    }

    private static func offset(_ bytes: [UInt8], _ missing: Missing) throws(JSONError) -> Int {
        var reader = JSONReader(bytes.span)
        try reader.beginObject()
        if missing == .token { return reader.position }
        try enter("token", &reader)
        try reader.beginObject()
        if missing == .keys { return reader.position }
        try enter("keys", &reader)
        try reader.beginArray()
        return reader.position
    }

    /// Goes to the value of this member, which is there.
    private static func enter(
        _ wanted: StaticString, _ reader: inout JSONReader
    ) throws(JSONError) {
        while let name = try reader.nextName() {
            if reader.isEqual(name, wanted) { return }
            try reader.skipValue()
        }
    }

    // MARK: Writing

    /// The text with one key more, in front of the others, in the style that it has.
    func adding(id: String, secretFile: String) -> [UInt8] {
        let blank = bytes[offset...].prefix { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
        let next = offset + blank.count
        let isEmpty = bytes[next] == UInt8(ascii: "]") || bytes[next] == UInt8(ascii: "}")
        let isSpaced = Self.contains(bytes, "\": ")
        let (colon, comma) = isSpaced ? (": ", ", ") : (":", ",")
        let (open, close) = isSpaced ? ("{ ", " }") : ("{", "}")
        let key =
            "\(open)\"id\"\(colon)\(Self.quoted(id))\(comma)"
            + "\"secret_file\"\(colon)\(Self.quoted(secretFile))\(close)"
        let member = "\"keys\"\(colon)[\(key)]"
        let text =
            switch missing {
            case .nothing: key
            case .keys: member
            case .token: "\"token\"\(colon)\(open)\(member)\(close)"
            }
        var new = Array(bytes[..<offset])
        if isEmpty {
            new += Array(text.utf8)
        } else {
            // White space in front of the first is in front of the new one, too, and between them.
            new += blank + Array(text.utf8)
            new += Array((blank.isEmpty ? comma : ",").utf8)
        }
        return new + bytes[offset...]
    }

    private static func quoted(_ text: String) -> String {
        var writer = JSONWriter()
        writer.string(text)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private static func contains(_ bytes: [UInt8], _ text: String) -> Bool {
        String(decoding: bytes, as: UTF8.self).contains(text)
    }
}
