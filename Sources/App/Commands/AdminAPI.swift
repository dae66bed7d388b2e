import Auth
import JSON
import POSIX

/// Requests of a command to the running server, through the admin socket of a configuration.
struct AdminAPI {
    enum Failure: Error {
        /// `admin.socket` is not configured.
        case noSocket
        case unreached(AdminClient.Failure)
        /// The server refused the request.
        case refused(status: Int, sentence: String, problems: [String])

        var isNotRunning: Bool {
            if case .unreached(.notRunning) = self { true } else { false }
        }

        /// Messages for the operator, one per problem.
        var sentences: [String] {
            switch self {
            case .noSocket:
                [
                    "admin.socket: not configured, and this command needs it to reach the server; "
                        + "add \"admin\": { \"socket\": \"logs/admin.sock\" } and restart the "
                        + "server"
                ]
            case .unreached(let failure): [failure.description]
            case .refused(_, let sentence, let problems):
                problems.isEmpty ? ["server error: \(sentence)"] : problems
            }
        }

        var exitCode: GatehouseCommand.ExitCode {
            switch self {
            case .noSocket, .unreached(.pathTooLong): .configuration
            case .unreached(.notPermitted): .notPermitted
            case .unreached: .unavailable
            case .refused(503, _, _): .inputOutput
            case .refused(_, _, let problems): problems.isEmpty ? .data : .configuration
            }
        }

        /// Prints the messages and returns the exit code.
        func report() -> GatehouseCommand.ExitCode {
            for sentence in sentences { GatehouseCommand.printError(sentence) }
            return exitCode
        }
    }

    private let client: AdminClient

    init(_ configuration: Configuration) throws(Failure) {
        guard let path = configuration.admin.socket else { throw .noSocket }
        client = AdminClient(socket: path)
    }

    /// Sends a request.
    /// - Parameter json: the request body; no body if it is empty.
    /// - Returns: the body of a 200 response; `.null` if it is not JSON.
    /// - Throws: `Failure.refused` for any other status.
    @discardableResult
    func ask(
        _ method: StaticString, _ target: String, json: [UInt8] = []
    ) throws(Failure) -> JSONValue {
        let answer: AdminClient.Answer
        do throws(AdminClient.Failure) {
            answer = try client.send(method, target, json: json)
        } catch {
            throw .unreached(error)
        }
        let content = try? JSONValue(parsing: answer.body.span)
        guard answer.status == 200 else {
            throw .refused(
                status: answer.status, sentence: content?["error"]?.text ?? "\(answer.status)",
                problems: content?["problems"]?.elements.compactMap(\.text) ?? [])
        }
        return content ?? .null
    }

    /// Makes the server read its configuration and users again.
    /// - Returns: the names of the settings that changed, and of those that need a restart.
    func reload() throws(Failure) -> (changed: [String], waiting: [String]) {
        let answer = try ask("POST", "/reload")
        return (
            answer["changed"]?.elements.compactMap(\.text) ?? [],
            answer["after_restart"]?.elements.compactMap(\.text) ?? []
        )
    }
}

extension JSONValue {
    /// The member with this name; nil if this is not an object or has no such member.
    subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    var integer: Int64? {
        if case .number(.integer(let number)) = self { number } else { nil }
    }

    /// The elements of an array; empty for any other value.
    var elements: [JSONValue] {
        if case .array(let elements) = self { elements } else { [] }
    }
}
