import JSON
import JWT

/// The position in a configuration's text at which a new key is inserted: the beginning of
/// `token.keys`, which is added if it is missing.
struct KeyInsertionPoint {
    /// The ids of the existing keys; an empty string for a key without an id.
    let ids: [String]
    private let bytes: [UInt8]
    /// Directly after the opening bracket or brace that the new text follows.
    private let offset: Int
    private let missing: Missing

    private enum Missing { case nothing, keys, token }

    /// - Throws: why the text is not a configuration that a key can be added to.
    init(in bytes: [UInt8], of path: String) throws(ConfigurationProblem) {
        self.bytes = bytes
        let root = try Configuration.parse(bytes, path)
        guard case .object = root else {
            throw ConfigurationProblem(path: path, message: "the file must contain one JSON object")
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
            // Not reached: the same bytes have just been parsed.
            throw ConfigurationProblem(path: path, message: error.message)
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

    /// Moves the reader to the value of a member of the current object.
    /// - Precondition: the object has the member.
    private static func enter(
        _ wanted: StaticString, _ reader: inout JSONReader
    ) throws(JSONError) {
        while let name = try reader.nextName() {
            if reader.isEqual(name, wanted) { return }
            try reader.skipValue()
        }
    }

    // MARK: Writing

    /// The text with a new key before the others. White space follows the style of the text.
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
            // The white space before the first key is repeated: before the new key, and after it.
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
