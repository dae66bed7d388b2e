import JSON

/// The values of a configuration by key: those of the file, overridden by those of the environment.
/// It records which keys were read, so that any other key is reported as unknown. It collects all
/// problems instead of stopping at the first.
///
/// A key is a path, such as `log.file.max_size`. Its environment variable is
/// `GATEHOUSE_LOG_FILE_MAX_SIZE`.
struct ConfigurationSource {
    /// A value before it is interpreted: JSON of the file, or the text of an environment variable.
    enum Raw {
        case json(JSONValue)
        case text(String)
    }

    private static let prefix = "GATEHOUSE_"
    /// The variable that names the configuration file if `--config` does not.
    static let fileVariable = "GATEHOUSE_CONFIG"

    private var values: [String: JSONValue] = [:]
    private let environment: [String: String]
    private var known: Set<String> = []
    private var knownVariables: Set<String> = []
    private(set) var problems: [ConfigurationProblem] = []

    /// - Parameters:
    ///   - root: the file's content; nil if there is no file.
    ///   - environment: all variables of the process. Those without the prefix `GATEHOUSE_` and
    ///     those that Kubernetes sets for services are ignored.
    init(_ root: JSONValue?, environment: [String: String]) {
        self.environment = environment.filter {
            $0.key.hasPrefix(Self.prefix) && $0.key != Self.fileVariable
                && !KubernetesVariable.matches($0.key, $0.value)
        }
        guard let root else { return }
        guard case .object = root else {
            problems.append(
                ConfigurationProblem(path: "", message: "the file must contain one JSON object"))
            return
        }
        flatten(root, path: "")
    }

    mutating func add(_ path: String, _ message: String) {
        problems.append(ConfigurationProblem(path: path, message: message))
    }

    /// - Parameter nearest: the known name that is spelled most like this one, if there is one.
    mutating func addUnknown(_ path: String, kind: String = "key", _ nearest: String?) {
        add(path, "unknown \(kind)" + (nearest.map { "; did you mean \($0)?" } ?? ""))
    }

    /// Adds a problem for each key and variable that has not been read. To be called after all
    /// settings have been read.
    mutating func checkUnknown() {
        let names = known.union(known.flatMap(Self.sections))
        for path in values.keys.sorted() where !known.contains(path) {
            let value = values[path]!
            if !known.contains(where: { $0.hasPrefix(path + ".") }) {
                addUnknown(path, Spelling.nearest(to: path, in: names))
            } else if value != .object([]) {
                // Not shown: it may be a secret in the wrong place.
                add(path, "\(value.kindName) is not an object")
            }
        }
        for variable in environment.keys.sorted() where !knownVariables.contains(variable) {
            addUnknown(
                variable, kind: "variable", Spelling.nearest(to: variable, in: knownVariables))
        }
    }

    /// The sections that contain a key: `log` and `log.file` for `log.file.path`.
    private static func sections(_ path: String) -> [String] {
        path.indices.filter { path[$0] == "." }.map { String(path[..<$0]) }
    }

    /// Replaces the object at `path` in the file with the JSON object in the environment variable
    /// of that path. Does nothing if the variable is not set.
    mutating func takeObject(_ path: String) {
        let variable = Self.variable(path)
        knownVariables.insert(variable)
        guard let text = environment[variable] else { return }
        guard let object = try? JSONValue(parsing: Array(text.utf8).span), case .object = object
        else {
            add(path, "the value of \(variable) is not a JSON object")
            return
        }
        values = values.filter { $0.key != path && !$0.key.hasPrefix(path + ".") }
        flatten(object, path: path)
    }

    private static func variable(_ path: String) -> String {
        prefix + path.uppercased().map { $0 == "." ? "_" : String($0) }.joined()
    }

    // MARK: Values

    /// The raw value of a key, which becomes a known key; nil if it is not set.
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

    /// A string; nil for null (the text `null` in the environment), and if the key is not set.
    mutating func optionalString(_ path: String) -> String? {
        switch raw(path) {
        case .text("null"), .json(.null), nil: return nil
        case .text(let text), .json(.string(let text)): return text
        case .json(let other):
            add(path, "\(Self.shown(other)) is neither a string nor null")
            return nil
        }
    }

    /// Whether the object at a path is switched off by null (the text `null` in the environment).
    /// Any other value that is not an object is a problem.
    mutating func isNull(_ path: String) -> Bool {
        switch raw(path) {
        case .text("null"), .json(.null): return true
        case nil, .json(.object): return false
        case .text(let text): add(path, "\"\(text)\" is not null; set each key below it instead")
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
            add(
                path,
                "\(number) is out of range; allowed: \(range.lowerBound) to \(range.upperBound)")
            return value
        }
        return number
    }

    /// A value that is written as a string of a certain form.
    /// - Parameters:
    ///   - kind: the form's name, as in `"10 apples" is not a size`.
    ///   - example: a valid string, as in `write 10MiB`.
    ///   - parse: returns nil for a string that does not have the form.
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

    /// A list, which is JSON in the environment; nil if the key is not set.
    mutating func list(_ path: String) -> [JSONValue]? {
        switch raw(path) {
        case .json(.array(let elements)): return elements
        case .text(let text):
            if case .array(let elements)? = try? JSONValue(parsing: Array(text.utf8).span) {
                return elements
            }
            // Not shown: a list may hold secrets.
            add(path, "the value of \(Self.variable(path)) is not a JSON array")
        case .json(let other): add(path, "\(other.kindName) is not a list")
        case nil: break
        }
        return nil
    }

    /// A value for an error message: at most 60 characters of a string, and only the kind of a list
    /// or an object, because it may contain secrets.
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
                // An empty name adds nothing to a path: every key would have a second spelling.
                addUnknown(path, nil)
            } else if member.name.contains(".") {
                // A name with a dot would be a second spelling of a key in nested objects.
                add(path, "contains a dot in a name; write nested objects")
            } else {
                flatten(member.value, path: path)
            }
        }
    }
}
