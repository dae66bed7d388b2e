import HTTP
import JWT
import Logging

extension Origin {
    /// The source by which the log limits lines about a refusal.
    /// - Parameters:
    ///   - reason: the reason of the refusal; together with the event's name it is the kind of the
    ///     line.
    ///   - user: the existing user whom the line names; nil if none.
    ///   - hasToken: the client presented a token of this user with a valid signature.
    package func source(
        _ reason: StaticString, user: UserID? = nil, hasToken: Bool = false
    ) -> LogSource {
        addingNetworks(to: LogSource(reason, user: user?.rawValue, hasToken: hasToken))
    }

    /// The source for an event of the demo, which is not a refusal, but can be caused without a
    /// password.
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
