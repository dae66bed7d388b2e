import JSON

/// A JSON text as a program writes it down, in Swift's own literals.
indirect enum JSONLiteral: Sendable, ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral,
    ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral
{
    /// In the order in which they are written.
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

    /// The same object with these members behind its own.
    /// - Precondition: both are objects, and no name is in both.
    func adding(_ more: JSONLiteral) -> JSONLiteral {
        guard case .object(let own) = self, case .object(let others) = more else {
            preconditionFailure("only objects have members")
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
