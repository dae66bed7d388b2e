import JSON

/// What a configuration says, key by key: the values of a file, with those of the environment over
/// them. Remembers which keys were asked for, so that a key that nobody knows is a problem and not a
/// surprise; gathers every problem instead of stopping at the first.
///
/// Keys are paths: `log.file.max_size`, which the environment spells `GATEHOUSE_LOG_FILE_MAX_SIZE`.
struct ConfigurationSource {
    /// A value as it was written: as JSON, or as the text of an environment variable.
    enum Raw {
        case json(JSONValue)
        case text(String)
    }

    private static let prefix = "GATEHOUSE_"
    /// Names the configuration file, where `--config` does not.
    static let fileVariable = "GATEHOUSE_CONFIG"

    private var values: [String: JSONValue] = [:]
    private let environment: [String: String]
    private var known: Set<String> = []
    private var knownVariables: Set<String> = []
    private(set) var problems: [ConfigurationProblem] = []

    /// - Parameter root: the file's content; nil for no file.
    init(_ root: JSONValue?, environment: [String: String]) {
        self.environment = environment.filter {
            $0.key.hasPrefix(Self.prefix) && $0.key != Self.fileVariable
                && !KubernetesVariable.isOne($0.key, $0.value)
        }
        guard let root else { return }
        guard case .object = root else {
            problems.append(
                ConfigurationProblem(path: "", message: "the file must hold one object"))
            return
        }
        flatten(root, path: "")
    }

    mutating func add(_ path: String, _ sentence: String) {
        problems.append(ConfigurationProblem(path: path, message: sentence))
    }

    /// Ends the reading: whatever was not asked for is not known.
    mutating func checkUnknown() {
        for path in values.keys.sorted() where !known.contains(path) {
            let value = values[path]!
            if !known.contains(where: { $0.hasPrefix(path + ".") }) {
                add(path, "no setting has this name")
            } else if value != .object([]) {
                // Not shown: it may be a secret in the wrong place.
                add(path, "\(value.kindName) is not an object")
            }
        }
        for variable in environment.keys.sorted() where !knownVariables.contains(variable) {
            add(variable, "no setting has this name")
        }
    }

    /// Takes the object under a path, as JSON, from the environment, if it is there: in place of the
    /// file's.
    mutating func takeObject(_ path: String) {
        let variable = Self.variable(path)
        knownVariables.insert(variable)
        guard let text = environment[variable] else { return }
        guard let object = try? JSONValue(parsing: Array(text.utf8).span), case .object = object
        else {
            add(path, "not an object in JSON")
            return
        }
        values = values.filter { $0.key != path && !$0.key.hasPrefix(path + ".") }
        flatten(object, path: path)
    }

    private static func variable(_ path: String) -> String {
        prefix + path.uppercased().map { $0 == "." ? "_" : String($0) }.joined()
    }

    // MARK: Values

    /// The raw value of a key; nil if nobody set it.
    mutating func raw(_ path: String) -> Raw? {
        let variable = Self.variable(path)
        known.insert(path)
        knownVariables.insert(variable)
        if let text = environment[variable] { return .text(text) }
        return values[path].map(Raw.json)
    }

    mutating func string(_ path: String, default value: String) -> String {
        switch raw(path) {
        case .text(let text), .json(.string(let text)): return text
        case .json(let other): add(path, "\(Self.shown(other)) is not a string")
        case nil: break
        }
        return value
    }

    /// A string, or null (the word `null` in the environment).
    mutating func optionalString(_ path: String) -> String? {
        switch raw(path) {
        case .text("null"), .json(.null), nil: return nil
        case .text(let text), .json(.string(let text)): return text
        case .json(let other):
            add(path, "\(Self.shown(other)) is neither a string nor null")
            return nil
        }
    }

    /// Whether the object at a path is switched off: null stands in its place (the word `null` in the
    /// environment). Any other value that is not an object is a problem.
    mutating func isNull(_ path: String) -> Bool {
        switch raw(path) {
        case .text("null"), .json(.null): return true
        case nil, .json(.object): return false
        case .text(let text): add(path, "\"\(text)\" is not null; set the keys under it one by one")
        case .json(let other): add(path, "\(Self.shown(other)) is neither an object nor null")
        }
        return false
    }

    mutating func boolean(_ path: String, default value: Bool) -> Bool {
        switch raw(path) {
        case .text("true"): return true
        case .text("false"): return false
        case .json(.boolean(let value)): return value
        case .text(let text): add(path, "\"\(text)\" is neither true nor false")
        case .json(let other): add(path, "\(Self.shown(other)) is neither true nor false")
        case nil: break
        }
        return value
    }

    mutating func integer(_ path: String, default value: Int, in range: ClosedRange<Int>) -> Int {
        let number: Int
        switch raw(path) {
        case .json(.number(.integer(let value))): number = Int(value)
        case .text(let text):
            guard let value = Int(text), !text.hasPrefix("+") else {
                add(path, "\"\(text)\" is not a whole number")
                return value
            }
            number = value
        case .json(let other):
            add(path, "\(Self.shown(other)) is not a whole number")
            return value
        case nil: return value
        }
        guard range.contains(number) else {
            add(path, "\(number) is not from \(range.lowerBound) to \(range.upperBound)")
            return value
        }
        return number
    }

    /// A value that is written as a string with a form of its own.
    /// - Parameters:
    ///   - kind: what it is called, as in `"10 apples" is not a size`.
    ///   - example: as in `write 10MiB`.
    mutating func parsed<Value>(
        _ path: String, default value: Value, kind: String, example: String,
        _ parse: (String) -> Value?
    ) -> Value {
        switch raw(path) {
        case .text(let text), .json(.string(let text)):
            if let parsed = parse(text) { return parsed }
            add(path, "\"\(text)\" is not \(kind); write \(example)")
        case .json(let other): add(path, "\(Self.shown(other)) is not \(kind); write \(example)")
        case nil: break
        }
        return value
    }

    /// A list, which the environment writes as JSON.
    mutating func list(_ path: String) -> [JSONValue]? {
        switch raw(path) {
        case .json(.array(let elements)): return elements
        case .text(let text):
            if case .array(let elements)? = try? JSONValue(parsing: Array(text.utf8).span) {
                return elements
            }
            // Not shown: a list may hold secrets.
            add(path, "not a list in JSON")
        case .json(let other): add(path, "\(other.kindName) is not a list")
        case nil: break
        }
        return nil
    }

    /// A value as an error message shows it: short, and what is in lists and objects not at all,
    /// because secrets are.
    static func shown(_ value: JSONValue) -> String {
        switch value {
        case .string(let text): "\"\(text.prefix(60))\""
        case .number(.integer(let number)): "\(number)"
        case .number(.fraction(let number)): "\(number)"
        case .boolean(let value): "\(value)"
        case .null: "null"
        case .object, .array: value.kindName
        }
    }

    private mutating func flatten(_ value: JSONValue, path: String) {
        guard case .object(let members) = value, path.isEmpty || !members.isEmpty else {
            values[path] = value
            return
        }
        for member in members {
            let name = member.name.isEmpty ? "\"\"" : member.name
            let path = path.isEmpty ? name : "\(path).\(name)"
            if member.name.isEmpty {
                // It would be the same path without it, and so a second spelling of every key.
                add(path, "no setting has this name")
            } else if member.name.contains(".") {
                // It would be a second spelling of a key, and nobody knew which one counts.
                add(path, "a name has no dots; write objects in objects")
            } else {
                flatten(member.value, path: path)
            }
        }
    }
}
