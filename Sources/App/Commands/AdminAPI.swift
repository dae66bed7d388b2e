import Auth
import JSON
import POSIX

/// The server that runs with a configuration, for the commands that ask it to do something.
struct AdminAPI {
    enum Failure: Error {
        /// The configuration names no socket.
        case noSocket
        case unreached(AdminClient.Failure)
        /// It was reached, and says no.
        case refused(status: Int, sentence: String, problems: [String])

        var isNotRunning: Bool {
            if case .unreached(.notRunning) = self { true } else { false }
        }

        /// For the operator: one for each thing that is wrong.
        var sentences: [String] {
            switch self {
            case .noSocket:
                [
                    "admin.socket is not in the configuration: a command speaks to the server "
                        + "through it; add \"admin\": { \"socket\": \"logs/admin.sock\" }, and start "
                        + "the server anew"
                ]
            case .unreached(let failure): [failure.description]
            case .refused(_, let sentence, let problems):
                problems.isEmpty ? ["the server says: \(sentence)"] : problems
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

        /// Says it, and returns what to exit with.
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

    /// - Parameter json: the content; none if it is empty.
    /// - Returns: the content of an answer of 200.
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

    /// Has it read its configuration and users again.
    /// - Returns: the names of settings that changed, and of those that wait for a restart.
    func reload() throws(Failure) -> (changed: [String], waiting: [String]) {
        let answer = try ask("POST", "/reload")
        return (
            answer["changed"]?.elements.compactMap(\.text) ?? [],
            answer["after_restart"]?.elements.compactMap(\.text) ?? []
        )
    }
}

extension JSONValue {
    /// The member of this name, if it is an object that has one.
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

    /// Of a list; else none.
    var elements: [JSONValue] {
        if case .array(let elements) = self { elements } else { [] }
    }
}
