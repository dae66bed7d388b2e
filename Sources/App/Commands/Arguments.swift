import Auth
import JWT

extension [String] {
    /// The arguments with each `--name=value` as two, so that every command takes both spellings.
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

/// Reading what stands behind a command.
extension ArraySlice<String> {
    /// What an option is followed by. Not another option, whose own value somebody has forgotten
    /// to write or did not know of.
    /// - Parameter kind: how a message calls it.
    mutating func value(
        of option: String, _ kind: String = "VALUE"
    ) throws(GatehouseCommand.UsageError) -> String {
        guard let value = popFirst() else {
            throw GatehouseCommand.UsageError(
                sentence: "\(option) needs a \(kind == "VALUE" ? "value" : "file")")
        }
        guard !value.hasPrefix("--") else {
            // Not shown: it may have brought a password along.
            throw GatehouseCommand.UsageError(
                sentence: "\(option): another option stands where its value belongs; "
                    + "write \(option) \(kind)")
        }
        return value
    }

    /// The user whom an option names by id.
    mutating func user(of option: String) throws(GatehouseCommand.UsageError) -> UserID {
        let text = try value(of: option)
        let isDigits = text.utf8.allSatisfy { (0x30...0x39).contains($0) }
        guard isDigits, let user = Int64(text).flatMap({ UserID($0) }) else {
            throw GatehouseCommand.UsageError(
                sentence: "\(option): not a whole number from 1 to \(UserID.maximum), as "
                    + "`gatehouse user list` shows them")
        }
        return user
    }
}

extension GatehouseCommand.UsageError {
    /// About an argument that makes no sense; shown only where it is no secret.
    static func unknown(_ argument: String) -> GatehouseCommand.UsageError {
        if TokenPrompt.looksLikeToken(argument) {
            return GatehouseCommand.UsageError(sentence: TokenPrompt.refusal)
        }
        return GatehouseCommand.UsageError(sentence: "unknown argument: \(argument)")
    }
}
