import HTTP
import POSIX
import Time

/// The client that first exchanged each token, remembered until the grace period ends.
///
/// Kept in memory only: the journal has no field for it. After a restart within the grace period,
/// the first client that refreshes again counts as the first. The table is bounded. When it is
/// full, the oldest exchange is forgotten, and the next client to exchange that token counts as the
/// first.
package final class ExchangeOrigins: Sendable {
    /// 2,000 exchanges a second during the grace period; about 3 MiB.
    private static let capacity = 20_000

    private struct Exchange {
        let client: ClientAddress
        let moment: Timestamp
    }

    private struct State {
        var exchanges: [Int: Exchange] = [:]
        /// The keys in the order of their exchanges; those before index `first` are forgotten.
        var order: [Int] = []
        var first = 0
    }

    private let state = Monitor(State())
    private let capacity: Int

    package init(capacity: Int = ExchangeOrigins.capacity) { self.capacity = max(1, capacity) }

    /// The client that first exchanged this token. Remembers `client` if none is known.
    /// - Parameters:
    ///   - token: the token's identifier.
    ///   - client: the client that exchanges it at `now`.
    func firstClient(
        exchanging token: Span<UInt8>, from client: ClientAddress, at now: Timestamp
    ) -> ClientAddress {
        let key = Self.key(token)
        return state.withLock { state in
            Self.forgetOld(&state, now)
            if let known = state.exchanges[key] { return known.client }
            if state.exchanges.count >= capacity { Self.forgetFirst(&state) }
            state.exchanges[key] = Exchange(client: client, moment: now)
            state.order.append(key)
            return client
        }
    }

    /// Undoes `firstClient` for an exchange that failed. Has no effect if the remembered client is
    /// in another network.
    func forget(_ token: Span<UInt8>, from client: ClientAddress) {
        let key = Self.key(token)
        state.withLock { state in
            guard let known = state.exchanges[key],
                ClientNetworks(known.client)[0] == ClientNetworks(client)[0]
            else { return }
            // The key stays in `order`; `forgetOld` skips it.
            state.exchanges[key] = nil
        }
    }

    var count: Int { state.withLock { $0.exchanges.count } }

    /// Hashed with a per-process seed, so that a client cannot choose identifiers with equal keys.
    private static func key(_ token: Span<UInt8>) -> Int {
        var hasher = Hasher()
        for index in token.indices { hasher.combine(token[index]) }
        return hasher.finalize()
    }

    private static func forgetOld(_ state: inout State, _ now: Timestamp) {
        while state.first < state.order.count {
            // A clock that was set back also ends the grace period.
            if let exchange = state.exchanges[state.order[state.first]],
                exchange.moment <= now, now < exchange.moment + BearerAuthentication.grace
            {
                break
            }
            forgetFirst(&state)
        }
    }

    private static func forgetFirst(_ state: inout State) {
        state.exchanges[state.order[state.first]] = nil
        state.first += 1
        if state.first == state.order.count {
            state.order.removeAll(keepingCapacity: state.order.count <= 1024)
            state.first = 0
        } else if state.first > 1024, state.first > state.order.count / 2 {
            state.order.removeFirst(state.first)
            state.first = 0
        }
    }
}
