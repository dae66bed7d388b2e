import HTTP
import JWT
import Logging

extension Origin {
    /// What the log limits the lines of a refusal by.
    /// - Parameters:
    ///   - reason: why, beside the event's name.
    ///   - user: who is named in the line; somebody who exists.
    ///   - hasToken: a token of this user with a correct signature was shown.
    package func source(
        _ reason: StaticString, user: UserID? = nil, hasToken: Bool = false
    ) -> LogSource {
        addingNetworks(to: LogSource(reason, user: user?.rawValue, hasToken: hasToken))
    }

    /// The same for an event of the demo, which is no refusal, but needs no password either.
    func sourceOfDemo() -> LogSource {
        addingNetworks(to: LogSource("demo", isAlwaysInLog: true))
    }

    private func addingNetworks(to source: LogSource) -> LogSource {
        var source = source
        let networks = ClientNetworks(client)
        for index in 0..<networks.count {
            source.add(network: networks[index], factor: ClientNetworks.factor(at: index))
        }
        return source
    }
}
