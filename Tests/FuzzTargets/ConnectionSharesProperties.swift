import HTTP
import Server
import Time

/// Connections that arrive, leave and change their activity, and the choice of the connection that
/// is evicted from a full server.
///
/// The first byte is the maximum. Each following byte is a step with an argument in the next byte;
/// most steps are arrivals.
enum ConnectionSharesProperties {
    static func check(_ bytes: [UInt8]) throws(PropertyFailure) {
        var model = Model(maximum: 1 + Int(bytes.first ?? 0) % 12)
        var index = 1
        while index + 1 < bytes.count {
            let argument = Int(bytes[index + 1])
            switch bytes[index] % 8 {
            case 0..<4: try model.arrive(argument)
            case 4: try model.leave(argument)
            default: model.change(argument)
            }
            index += 2
        }
    }

    private static let clients = [
        "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "::ffff:192.0.2.1",
        "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:100::1",
        "2001:db8:0:200::1", "2001:db8:1::1",
    ]
    private static let allNetworks = clients.map {
        ClientNetworks(ClientAddress(Array($0.utf8).span)!)
    }

    private struct Member {
        let place: Int
        let worker: Int
        let token: UInt64
        let networks: ClientNetworks?
        let activity: ConnectionActivity
        let since: Int64
    }

    private struct Model {
        let maximum: Int
        private var shares = ConnectionShares()
        private var members: [Member] = []
        private var clock: Int64 = 0

        init(maximum: Int) { self.maximum = maximum }

        /// The load of the networks, in sixteenths of a connection, counted from the members.
        private func load(_ networks: ClientNetworks?) -> Int {
            guard let networks else { return 0 }
            var load = 0
            for level in 0..<networks.count {
                let count = members.count { other in
                    guard let theirs = other.networks, level < theirs.count else { return false }
                    return theirs[level] == networks[level] && theirs.count == networks.count
                }
                load = max(load, count * 16 / ClientNetworks.factor(at: level))
            }
            return load
        }

        mutating func arrive(_ argument: Int) throws(PropertyFailure) {
            clock += 1
            let choice = argument % (clients.count + 2)
            let networks = choice < clients.count ? allNetworks[choice] : nil
            let activity = ConnectionActivity(.head, since: MonotonicTime(nanoseconds: clock))
            let (worker, token) = (argument / 16 % 3, UInt64(clock))
            let place = shares.add(networks, worker: worker, token: token, activity)
            let newcomer = Member(
                place: place, worker: worker, token: token, networks: networks,
                activity: activity, since: clock)
            members.append(newcomer)
            guard members.count > maximum else { return }
            switch shares.takeVictim(for: place, worker: worker) {
            case .victim(let victim):
                guard
                    let index = members.firstIndex(where: {
                        $0.token == victim.connectionID && $0.worker == victim.worker
                    })
                else { throw PropertyFailure("the victim is not a member") }
                try check(members[index], victim, newcomer)
                members.remove(at: index)
            case .none:
                try checkRefusal(newcomer)
                let mine = load(networks)
                try require(
                    !members.contains { load($0.networks) > mine },
                    "load \(mine) is rejected, but another network has more")
                shares.remove(place, worker: worker, token: token)
                members.removeLast()
            case .wait:
                try checkRefusal(newcomer)
                let mine = load(networks)
                try require(
                    members.contains { load($0.networks) > mine },
                    "a newcomer waits, but no network has more")
                shares.remove(place, worker: worker, token: token)
                members.removeLast()
            }
            try require(
                shares.count == members.count,
                "\(shares.count) connections counted, expected \(members.count)")
        }

        private func isEvictable(_ member: Member, for newcomer: Member, idleAlone: Bool) -> Bool {
            guard member.token != newcomer.token else { return false }
            return switch member.activity.now.kind {
            case .lingering, .idle: true
            case .readyToSend: member.worker != newcomer.worker
            case .head, .body, .writing: !idleAlone
            case .busy: false
            }
        }

        private var exemptLoad: Int { members.count { $0.networks == nil } * 16 }

        private func check(
            _ member: Member, _ victim: ConnectionShares.Victim, _ newcomer: Member
        ) throws(PropertyFailure) {
            let kind = member.activity.now.kind
            try require(kind == victim.kind, "victim is reported as \(victim.kind) but is \(kind)")
            try require(
                isEvictable(member, for: newcomer, idleAlone: false),
                "a connection that is \(kind) is evicted")
            try require(
                kind.isIdle || victim.mayBeUnfinished,
                "a connection that is \(kind) is not reported as possibly unfinished")
            let mine = load(newcomer.networks)
            guard member.networks != nil else {
                try require(kind.isIdle, "a proxy's connection is evicted while it is \(kind)")
                return try require(
                    exemptLoad >= mine, "proxies with a smaller load lose a connection")
            }
            let theirs = load(member.networks)
            try require(theirs >= mine, "load \(theirs) loses a connection to load \(mine)")
            if !kind.isIdle {
                try require(theirs > mine, "an equal load loses a connection that is \(kind)")
            }
            for other in members
            where isEvictable(other, for: newcomer, idleAlone: !victim.mayBeUnfinished) {
                if other.networks == member.networks {
                    try require(
                        member.activity.now <= other.activity.now,
                        "\(kind) is evicted before \(other.activity.now.kind)")
                }
                guard other.networks != nil, victim.mayBeUnfinished else { continue }
                try require(
                    load(other.networks) <= theirs,
                    "load \(theirs) loses a connection before load \(load(other.networks))")
            }
        }

        /// A newcomer is rejected only if no network with a larger load has an evictable
        /// connection, and none with an equal load has an idle one.
        private func checkRefusal(_ newcomer: Member) throws(PropertyFailure) {
            let mine = load(newcomer.networks)
            for member in members where member.token != newcomer.token {
                let theirs = load(member.networks)
                let kind = member.activity.now.kind
                let isIdle = isEvictable(member, for: newcomer, idleAlone: true)
                let canBeEvicted = isEvictable(member, for: newcomer, idleAlone: false)
                if member.networks == nil {
                    try require(
                        !isIdle || exemptLoad < mine, "a proxy's idle connection is not evicted")
                } else {
                    try require(
                        !(theirs > mine && canBeEvicted),
                        "load \(theirs) with \(kind) keeps load \(mine) out"
                    )
                    try require(
                        !(theirs == mine && isIdle),
                        "an idle connection of an equal load is not evicted")
                }
            }
        }

        mutating func leave(_ argument: Int) throws(PropertyFailure) {
            guard !members.isEmpty else { return }
            let member = members.remove(at: argument % members.count)
            // Removed twice, as when a connection ends that was already chosen as a victim.
            for _ in 0..<2 {
                shares.remove(member.place, worker: member.worker, token: member.token)
            }
            try require(shares.count == members.count, "a removed connection is counted")
        }

        mutating func change(_ argument: Int) {
            guard !members.isEmpty else { return }
            clock += 1
            let kinds = ConnectionActivity.Kind.allCases
            members[argument / 8 % members.count].activity.set(
                kinds[argument % kinds.count], since: MonotonicTime(nanoseconds: clock))
        }
    }
}
