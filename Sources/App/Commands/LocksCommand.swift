import Auth
import HTTP
import JSON
import JWT
import Time

/// `gatehouse locks` and `gatehouse unlock`: list and end the login locks of the running server.
struct LocksCommand {
    private enum Action {
        case list(isJSON: Bool)
        case unlock(Target)
    }

    private enum Target {
        case username(String)
        case user(UserID)
        case address(String)
        case all
    }

    private let action: Action

    init(
        listing rest: inout ArraySlice<String>, _ configurationPath: inout String?
    ) throws(GatehouseCommand.UsageError) {
        var isJSON = false
        while let argument = rest.popFirst() {
            switch argument {
            case "--config": configurationPath = try rest.value(of: argument)
            case "--json": isJSON = true
            default: throw .unknown(argument)
            }
        }
        action = .list(isJSON: isJSON)
    }

    init(
        unlocking rest: inout ArraySlice<String>, _ configurationPath: inout String?
    ) throws(GatehouseCommand.UsageError) {
        var targets: [Target] = []
        while let argument = rest.popFirst() {
            switch argument {
            case "--config": configurationPath = try rest.value(of: argument)
            case "--username": targets.append(.username(try rest.value(of: argument)))
            case "--user": targets.append(.user(try rest.user(of: argument)))
            case "--address":
                let text = try rest.value(of: argument)
                guard ClientNetworks.numbers(named: text) != nil else {
                    throw GatehouseCommand.UsageError(
                        sentence: "--address: not an IP address or a network; copy it from "
                            + "gatehouse locks")
                }
                targets.append(.address(text))
            case "--all": targets.append(.all)
            default: throw .unknown(argument)
            }
        }
        guard targets.count == 1, let target = targets.first else {
            throw GatehouseCommand.UsageError(
                sentence: "unlock: give exactly one of --username NAME, --user N, --address IP "
                    + "and --all")
        }
        action = .unlock(target)
    }

    func run(_ configuration: Configuration) throws(AdminAPI.Failure) {
        switch action {
        case .list(let isJSON): try list(isJSON, configuration)
        case .unlock(let target): try unlock(target, configuration)
        }
    }

    // MARK: Listing

    private func list(
        _ isJSON: Bool, _ configuration: Configuration
    ) throws(AdminAPI.Failure) {
        let locks = try AdminAPI(configuration).ask("GET", "/locks")["locks"]?.elements ?? []
        if isJSON {
            StandardOutput.show(Self.json(locks))
        } else if locks.isEmpty {
            StandardOutput.show("nothing is locked")
        } else {
            let rows = [["locked", "who", "until"]] + locks.map(Self.row)
            StandardOutput.show(TextTable.lines(rows).joined(separator: "\n"))
        }
    }

    private static func row(_ lock: JSONValue) -> [String] {
        let subject =
            if let user = lock["user"]?.integer {
                "\(VisibleText.of(lock["username"]?.text ?? "-")) (id \(user))"
            } else {
                VisibleText.of(lock["address"]?.text ?? lock["fingerprint"]?.text ?? "-")
            }
        let until = lock["until"]?.integer.map { HumanTime.utc(Timestamp(seconds: $0)) }
        return [VisibleText.of(lock["kind"]?.text ?? "-"), subject, until ?? "-"]
    }

    private static func json(_ locks: [JSONValue]) -> String {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("locks")
        writer.beginArray()
        for lock in locks {
            writer.beginObject()
            func write(_ name: StaticString, _ text: String?) {
                guard let text else { return }
                writer.name(name)
                writer.string(text)
            }
            write("kind", lock["kind"]?.text)
            if let user = lock["user"]?.integer {
                writer.name("user")
                writer.integer(user)
            }
            write("username", lock["username"]?.text)
            write("fingerprint", lock["fingerprint"]?.text)
            write("address", lock["address"]?.text)
            if let until = lock["until"]?.integer {
                writer.name("until")
                writer.integer(until)
            }
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    // MARK: Unlocking

    private func unlock(
        _ target: Target, _ configuration: Configuration
    ) throws(AdminAPI.Failure) {
        var writer = JSONWriter()
        writer.beginObject()
        let label: String
        switch target {
        case .username(let name):
            writer.name("username")
            writer.string(name)
            label = VisibleText.of(name)
        case .user(let user):
            writer.name("user")
            writer.integer(user.rawValue)
            label = "user \(user.rawValue)"
        case .address(let text):
            writer.name("address")
            writer.string(text)
            label = text
        case .all:
            writer.name("all")
            writer.boolean(true)
            label = "all"
        }
        writer.endObject()
        let answer = try AdminAPI(configuration).ask("POST", "/unlock", json: writer.bytes)
        let locks = answer["locks"]?.integer ?? 0
        let result =
            switch locks {
            case 0: "nothing was locked"
            case 1: "1 lock has ended"
            default: "\(locks) locks have ended"
            }
        StandardOutput.show("\(label): \(result); failed logins are no longer counted")
    }
}
