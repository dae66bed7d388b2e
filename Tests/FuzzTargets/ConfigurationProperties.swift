import App
import Glibc
import JSON
import Logging

/// The bytes are a configuration file.
enum ConfigurationProperties {
    @Sendable static func check(_ bytes: [UInt8], _ folder: String) throws {
        let path = "\(folder)/config.json"
        try Files.write(bytes, to: path)
        let first = outcome(path)
        switch (first, outcome(path)) {
        case (.failure(let one), .failure(let other)):
            try require(one.problems == other.problems, "a second reading finds other problems")
            try checkProblems(one.problems)
        case (.success(let one), .success(let other)):
            try require(one.digest == other.digest, "a second reading has another digest")
            try checkSaidAgain(bytes, one, "\(folder)/again.json")
            try checkAgreement(one, folder)
        default: throw PropertyFailure("a second reading has another outcome")
        }
    }

    private static func outcome(
        _ path: String, environment: [String: String] = [:]
    ) -> Result<Configuration, Configuration.Invalid> {
        Result { () throws(Configuration.Invalid) in
            try Configuration.load(file: path, environment: environment)
        }
    }

    /// What `check` finds nothing wrong with opens, and what it refuses does not. Only of files in the
    /// folder: a configuration may name any.
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
        // Listeners and their sockets are left out.
        let problems = Preflight(configuration).problems.filter {
            !$0.path.hasPrefix("server.") && !$0.path.hasPrefix("admin.")
        }
        do throws(Application.StartError) {
            try Application.rehearse(configuration)
        } catch {
            try require(
                !problems.isEmpty, "check finds nothing, and a start says: \(error.sentences)")
            return
        }
        try require(problems.isEmpty, "a start succeeds, and check says: \(problems)")
    }

    /// Each says where.
    private static func checkProblems(_ problems: [ConfigurationProblem]) throws(PropertyFailure) {
        try require(!problems.isEmpty, "refused without a reason")
        for problem in problems {
            try require(!problem.message.isEmpty, "a problem without a sentence")
            try require(
                !problem.path.isEmpty || problem.message == "the file must contain one JSON object",
                "a problem without a place: \(problem)")
        }
    }

    /// What is accepted is accepted as the same when it is written in another way: as compact JSON,
    /// and value by value in the environment.
    private static func checkSaidAgain(
        _ bytes: [UInt8], _ configuration: Configuration, _ path: String
    ) throws {
        guard let root = try? JSONValue(parsing: bytes.span) else {
            throw PropertyFailure("accepted, and no JSON")
        }
        // A configuration may name any file: this one is not there when another is read.
        defer { unlink(path) }
        try Files.write(JSONProperties.canonical(root), to: path)
        try checkSame(outcome(path), configuration, "written again")
        var variables: [String: String] = [:]
        guard collect(root, [], into: &variables) else { return }
        try Files.write(Array("{}".utf8), to: path)
        try checkSame(
            outcome(path, environment: variables), configuration, "in the environment \(variables)")
    }

    private static func checkSame(
        _ outcome: Result<Configuration, Configuration.Invalid>, _ expected: Configuration,
        _ how: String
    ) throws(PropertyFailure) {
        switch outcome {
        case .success(let configuration):
            try require(configuration.digest == expected.digest, "\(how) it is another")
            try require(
                configuration.sealSecret == expected.sealSecret,
                "\(how) it has another secret")
        case .failure(let error): throw PropertyFailure("\(how) it is refused: \(error.problems)")
        }
    }

    /// The variable of each setting; false if a value cannot be said in one.
    private static func collect(
        _ value: JSONValue, _ path: [String], into variables: inout [String: String]
    ) -> Bool {
        if case .object(let members) = value {
            return members.allSatisfy { collect($0.value, path + [$0.name], into: &variables) }
        }
        let name = "GATEHOUSE_" + path.joined(separator: "_").uppercased()
        // Two settings cannot be one variable.
        guard variables[name] == nil else { return false }
        switch value {
        // The word for none.
        case .string("null"): return false
        case .string(let text): variables[name] = text
        default:
            variables[name] = String(decoding: JSONProperties.canonical(value), as: UTF8.self)
        }
        return true
    }
}
