import JSON

/// Lets tests write trees as literals that look like JSON. Members keep their order.
extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral, ExpressibleByNilLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .number(.integer(value)) }
    package init(floatLiteral value: Double) { self = .number(.fraction(value)) }
    package init(booleanLiteral value: Bool) { self = .boolean(value) }
    package init(nilLiteral: ()) { self = .null }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    package init(dictionaryLiteral members: (String, JSONValue)...) {
        self = .object(members.map { Member(name: $0, value: $1) })
    }
}

extension JSONValue {
    init(_ text: String) throws(JSONError) { try self.init(parsing: Array(text.utf8).span) }

    /// The value as written by `JSONWriter`; nil if it contains a fraction, which the writer does
    /// not support.
    var written: [UInt8]? {
        var writer = JSONWriter()
        return write(to: &writer) ? writer.bytes : nil
    }

    private func write(to writer: inout JSONWriter) -> Bool {
        switch self {
        case .object(let members):
            writer.beginObject()
            for member in members {
                writer.name(escaping: member.name)
                guard member.value.write(to: &writer) else { return false }
            }
            writer.endObject()
        case .array(let elements):
            writer.beginArray()
            for element in elements {
                guard element.write(to: &writer) else { return false }
            }
            writer.endArray()
        case .string(let text): writer.string(text)
        case .number(.integer(let value)): writer.integer(value)
        case .number(.fraction): return false
        case .boolean(let value): writer.boolean(value)
        case .null: writer.null()
        }
        return true
    }
}

/// The error of skipping `text`; nil if it is valid.
func errorOfSkipping(_ text: [UInt8]) -> JSONError? {
    var reader = JSONReader(text.span)
    do throws(JSONError) {
        try reader.skipValue()
        try reader.finish()
        return nil
    } catch {
        return error
    }
}

/// The error of parsing `text` into a tree; nil if it is valid.
func errorOfParsing(_ text: [UInt8]) -> JSONError? {
    do throws(JSONError) {
        _ = try JSONValue(parsing: text.span)
        return nil
    } catch {
        return error
    }
}
