import JSON

/// A parsed /openapi.json, with accessors for tests.
struct APIDocument {
    let root: JSONValue

    init(_ bytes: [UInt8]) throws { root = try JSONValue(parsing: bytes.span) }

    /// All operations as method and path, such as `GET /resource`, sorted.
    var operations: [String] {
        guard case .object(let paths) = root["paths"] else { return [] }
        return paths.flatMap { path in
            path.value.names.map { "\($0.uppercased()) \(path.name)" }
        }.sorted()
    }

    /// The responses of an operation by status, references resolved.
    func responses(_ operation: String) -> [String: JSONValue] {
        let words = operation.split(separator: " ").map(String.init)
        guard
            case .object(let members) = root["paths", words[1], words[0].lowercased(), "responses"]
        else { return [:] }
        return Dictionary(uniqueKeysWithValues: members.map { ($0.name, resolved($0.value)) })
    }

    /// The statuses of an operation, sorted.
    func statuses(_ operation: String) -> [String] { responses(operation).keys.sorted() }

    /// The possible values of `error` in a response with this status.
    func sentences(_ operation: String, _ status: String) -> [String] {
        let schema = responses(operation)[status]?["content", "application/json", "schema"]
        guard case .array(let parts) = schema?["allOf"] else { return [] }
        return parts.flatMap { part -> [String] in
            guard case .array(let sentences) = part["properties", "error", "enum"] else {
                return []
            }
            return sentences.compactMap(\.text)
        }
    }

    func resolved(_ value: JSONValue) -> JSONValue {
        guard let reference = value["$ref"]?.text else { return value }
        return reference.split(separator: "/").dropFirst().reduce(root) { value, name in
            value[String(name)] ?? .null
        }
    }

    /// Every `$ref` in the document.
    var references: [String] {
        func found(_ value: JSONValue) -> [String] {
            switch value {
            case .object(let members):
                members.flatMap { member in
                    member.name == "$ref" ? [member.value.text ?? ""] : found(member.value)
                }
            case .array(let elements): elements.flatMap(found)
            default: []
            }
        }
        return found(root)
    }
}

extension JSONValue {
    /// The value at a path of member names; nil if there is none.
    subscript(path: String...) -> JSONValue? {
        var value: JSONValue? = self
        for name in path {
            guard case .object(let members)? = value else { return nil }
            value = members.first { $0.name == name }?.value
        }
        return value
    }

    var names: [String] {
        guard case .object(let members) = self else { return [] }
        return members.map(\.name)
    }

    var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    var texts: [String] {
        guard case .array(let elements) = self else { return [] }
        return elements.compactMap(\.text)
    }
}
