import App
import Glibc
import JSON
import Logging

/// Reads the bytes as a configuration file.
enum ConfigurationProperties {
    @Sendable static func check(_ bytes: [UInt8], _ folder: String) throws {
        let path = "\(folder)/config.json"
        try Files.write(bytes, to: path)
        let first = outcome(path)
        switch (first, outcome(path)) {
        case (.failure(let one), .failure(let other)):
            try require(one.problems == other.problems, "a second read finds other problems")
            try checkProblems(one.problems)
        case (.success(let one), .success(let other)):
            try require(one.digest == other.digest, "a second read has another digest")
            try checkOtherForms(bytes, one, "\(folder)/again.json")
            try checkAgreement(one, folder)
        default: throw PropertyFailure("a second read has another outcome")
        }
    }

    private static func outcome(
        _ path: String, environment: [String: String] = [:]
    ) -> Result<Configuration, Configuration.Invalid> {
        Result { () throws(Configuration.Invalid) in
            try Configuration.load(file: path, environment: environment)
        }
    }

    /// `check` and a start agree: a configuration without problems can be opened, and one with
    /// problems cannot. Only for files in the folder, because a configuration may name any file.
    private static func checkAgreement(_ configuration: Configuration, _ folder: String) throws {
        let paths =
            [
                configuration.log.path, configuration.log.audit?.path,
                configuration.revocationJournal,
            ]
            .compactMap(\.self)
        let areInside = paths.allSatisfy { path in
            path.hasPrefix(folder + "/") && !path.split(separator: "/").contains("..")
        }
        guard areInside else { return }
        // Problems of listeners and their sockets are left out.
        let problems = Preflight(configuration).problems.filter {
            !$0.path.hasPrefix("server.") && !$0.path.hasPrefix("admin.")
        }
        do throws(Application.StartError) {
            try Application.rehearse(configuration)
        } catch {
            try require(
                !problems.isEmpty, "check finds no problem, but a start fails: \(error.messages)")
            return
        }
        try require(problems.isEmpty, "a start succeeds, but check finds: \(problems)")
    }

    /// Every problem has a message and a path.
    private static func checkProblems(_ problems: [ConfigurationProblem]) throws(PropertyFailure) {
        try require(!problems.isEmpty, "rejected without a problem")
        for problem in problems {
            try require(!problem.message.isEmpty, "a problem without a message")
            try require(
                !problem.path.isEmpty || problem.message == "the file must contain one JSON object",
                "a problem without a path: \(problem)")
        }
    }

    /// An accepted configuration has the same result in other forms: as compact JSON, and with each
    /// value in the environment.
    private static func checkOtherForms(
        _ bytes: [UInt8], _ configuration: Configuration, _ path: String
    ) throws {
        guard let root = try? JSONValue(parsing: bytes.span) else {
            throw PropertyFailure("accepted, but not JSON")
        }
        // A configuration may name any file, so this one must not remain for later reads.
        defer { unlink(path) }
        try Files.write(JSONProperties.canonical(root), to: path)
        try checkSame(outcome(path), configuration, "as compact JSON")
        var variables: [String: String] = [:]
        guard collect(root, [], into: &variables) else { return }
        try Files.write(Array("{}".utf8), to: path)
        try checkSame(
            outcome(path, environment: variables), configuration, "in the environment \(variables)")
    }

    private static func checkSame(
        _ outcome: Result<Configuration, Configuration.Invalid>, _ expected: Configuration,
        _ form: String
    ) throws(PropertyFailure) {
        switch outcome {
        case .success(let configuration):
            try require(configuration.digest == expected.digest, "\(form): another digest")
            try require(
                configuration.sealSecret == expected.sealSecret,
                "\(form): another secret")
        case .failure(let error): throw PropertyFailure("\(form): rejected: \(error.problems)")
        }
    }

    /// Collects the variable of each setting. False if a value cannot be written as a variable.
    private static func collect(
        _ value: JSONValue, _ path: [String], into variables: inout [String: String]
    ) -> Bool {
        if case .object(let members) = value {
            return members.allSatisfy { collect($0.value, path + [$0.name], into: &variables) }
        }
        let name = "GATEHOUSE_" + path.joined(separator: "_").uppercased()
        // One variable cannot hold two settings.
        guard variables[name] == nil else { return false }
        switch value {
        // In a variable this text means JSON null.
        case .string("null"): return false
        case .string(let text): variables[name] = text
        default:
            variables[name] = String(decoding: JSONProperties.canonical(value), as: UTF8.self)
        }
        return true
    }
}
