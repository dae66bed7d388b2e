import Auth
import JWT

extension [String] {
    /// The arguments with each `--name=value` split in two, so that every command accepts both
    /// forms.
    var splittingValues: [String] {
        flatMap { argument -> [String] in
            guard argument.hasPrefix("--"), let sign = argument.firstIndex(of: "=") else {
                return [argument]
            }
            let name = argument[..<sign]
            let isOption =
                name.count > 2
                && name.utf8.dropFirst(2).allSatisfy { $0 == 0x2D || (0x61...0x7A).contains($0) }
            guard isOption else { return [argument] }
            return [String(name), String(argument[argument.index(after: sign)...])]
        }
    }
}

/// Parsing of the arguments after a command.
extension ArraySlice<String> {
    /// The value of an option. Another option is not a value: the operator has forgotten the value
    /// or does not know that it is needed.
    /// - Parameter kind: the placeholder in the message.
    mutating func value(
        of option: String, _ kind: String = "VALUE"
    ) throws(GatehouseCommand.UsageError) -> String {
        guard let value = popFirst() else {
            throw GatehouseCommand.UsageError(
                sentence: "option \(option) needs a value; write \(option) \(kind)")
        }
        guard !value.hasPrefix("--") else {
            // The argument is not shown: it may contain a password, as in `--password=…`.
            throw GatehouseCommand.UsageError(
                sentence: "option \(option) needs a value; "
                    + "write \(option) \(kind)")
        }
        return value
    }

    /// The value of an option that names a user by ID.
    mutating func user(of option: String) throws(GatehouseCommand.UsageError) -> UserID {
        let text = try value(of: option)
        let isDigits = text.utf8.allSatisfy { (0x30...0x39).contains($0) }
        guard isDigits, let user = Int64(text).flatMap({ UserID($0) }) else {
            throw GatehouseCommand.UsageError(
                sentence: "\(option): not a whole number from 1 to \(UserID.maximum); see "
                    + "gatehouse user list")
        }
        return user
    }
}

extension GatehouseCommand.UsageError {
    /// The error for an unexpected argument. The argument is not shown if it looks like a token.
    static func unknown(_ argument: String) -> GatehouseCommand.UsageError {
        if TokenPrompt.looksLikeToken(argument) {
            return GatehouseCommand.UsageError(sentence: TokenPrompt.refusal)
        }
        return GatehouseCommand.UsageError(sentence: "unknown argument: \(argument)")
    }
}
