import JSON

/// A JSON value that is written as Swift literals. Objects preserve the order of their members.
indirect enum JSONLiteral: Sendable, ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral,
    ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral
{
    case object([(name: String, value: JSONLiteral)])
    case array([JSONLiteral])
    case string(String)
    case integer(Int64)
    case boolean(Bool)

    init(dictionaryLiteral members: (String, JSONLiteral)...) {
        self = .object(members.map { (name: $0.0, value: $0.1) })
    }

    init(arrayLiteral elements: JSONLiteral...) { self = .array(elements) }
    init(stringLiteral value: String) { self = .string(value) }
    init(integerLiteral value: Int64) { self = .integer(value) }
    init(booleanLiteral value: Bool) { self = .boolean(value) }

    /// The same object with the members of another after its own.
    /// - Precondition: both are objects, and they have no name in common.
    func adding(_ more: JSONLiteral) -> JSONLiteral {
        guard case .object(let own) = self, case .object(let others) = more else {
            preconditionFailure("not an object")
        }
        precondition(!own.contains { member in others.contains { $0.name == member.name } })
        return .object(own + others)
    }

    func write(to writer: inout JSONWriter) {
        switch self {
        case .object(let members):
            writer.beginObject()
            for (name, value) in members {
                writer.name(escaping: name)
                value.write(to: &writer)
            }
            writer.endObject()
        case .array(let elements):
            writer.beginArray()
            for element in elements { element.write(to: &writer) }
            writer.endArray()
        case .string(let value): writer.string(value)
        case .integer(let value): writer.integer(value)
        case .boolean(let value): writer.boolean(value)
        }
    }
}
