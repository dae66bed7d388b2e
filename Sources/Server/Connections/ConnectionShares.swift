import HTTP
import Time

/// The connections of a server, counted by the networks of their clients, and the choice of the one
/// to evict when the server is full.
///
/// The load of a network is its number of connections; for an IPv6 /56 or /48 it is divided by 4 or
/// 16. The load of a client is the highest load of its networks. The rules for a new connection at
/// the limit:
///
/// 1. A network with a higher load than the new client's gives up a connection, the highest load
///    first. Within a network the order is that of `ConnectionActivity.Kind`, then the longest
///    wait.
/// 2. A network with the same load, including the new client's own, gives up an idle connection.
/// 3. If there is a network with a higher load and all of its connections are busy, the new
///    connection waits. Otherwise it is rejected.
///
/// Connections of trusted proxies and Unix domain sockets carry requests of many clients and have
/// no network. They are evicted only while idle, and only if their number is at least the new
/// client's load. A new connection of this sort has a load of 0.
///
/// Each operation takes constant time: a choice examines at most `scanLimit` candidates and skips
/// at most `skipLimit` other connections. Connections that were skipped move to the end of their
/// list, so that the next choice examines others.
package struct ConnectionShares {
    /// A connection to close. It is no longer counted.
    package struct Victim: Sendable, Equatable {
        package let worker: Int
        package let connectionID: UInt64
        /// Its activity when it was chosen.
        package let kind: ConnectionActivity.Kind
        /// Whether it may be closed although a request on it is unfinished.
        package let mayBeUnfinished: Bool
    }

    package enum Choice: Sendable, Equatable {
        case victim(Victim)
        /// A network with a higher load should give up a connection, but all of them are busy.
        case wait
        /// The new connection must be rejected.
        case none
    }

    /// Candidates that one choice examines: enough to find the longest idle connection in all but
    /// very large networks.
    package static let scanLimit = 128
    /// Connections that one choice skips because they are busy. More than the offload queues hold,
    /// so that other connections listed after busy ones are found.
    package static let skipLimit = 2048

    private struct Link {
        var group = -1
        var previous = -1
        var next = -1
    }

    private struct Entry {
        var worker = 0
        var token: UInt64 = 0
        /// Nil for an unused slot.
        var activity: ConnectionActivity?
        /// One for each of the client's networks, the smallest first.
        var links = InlineArray<3, Link>(repeating: Link())
        var linkCount = 0
    }

    private struct Group {
        var key: UInt128 = 0
        var level = 0
        var count = 0
        var first = -1
        var last = -1
        /// The neighbors in the list of groups with as many connections.
        var previous = -1
        var next = -1
    }

    private struct Tiers {
        /// The first group with this number of connections; -1 if there is none.
        var first: [Int] = [-1]
        var last: [Int] = [-1]
        /// The largest number of connections of a group.
        var highest = 0
    }

    private struct Key: Hashable {
        let network: UInt128
        let level: Int
    }

    /// The group of connections without a network.
    private static let exempt = 0
    private static let levels = 3
    /// Load units of one connection.
    private static let unit = 16

    private var entries: [Entry] = []
    private var freeSlots: [Int] = []
    private var groups = [Group()]
    private var freeGroups: [Int] = []
    private var groupOfKey: [Key: Int] = [:]
    private var tiers = [Tiers](repeating: Tiers(), count: Self.levels)
    /// The number of connections counted.
    package private(set) var count = 0

    package init() {}

    /// Counts a connection.
    /// - Parameters:
    ///   - networks: Nil for a connection that carries requests of many clients.
    ///   - worker: The index of the worker that owns it.
    ///   - token: The connection's ID.
    /// - Returns: Its slot, for `remove` and `takeVictim`.
    package mutating func add(
        _ networks: ClientNetworks?, worker: Int, token: UInt64, _ activity: ConnectionActivity
    ) -> Int {
        let place = freeSlots.popLast() ?? entries.count
        if place == entries.count { entries.append(Entry()) }
        entries[place].worker = worker
        entries[place].token = token
        entries[place].activity = activity
        count += 1
        guard let networks else {
            entries[place].linkCount = 1
            append(place, level: 0, to: Self.exempt)
            return place
        }
        entries[place].linkCount = networks.count
        for level in 0..<networks.count {
            let group = group(Key(network: networks[level], level: level))
            removeFromTier(group)
            append(place, level: level, to: group)
            addToTier(group)
        }
        return place
    }

    /// Stops counting a connection. Does nothing if it is not counted.
    package mutating func remove(_ place: Int, worker: Int, token: UInt64) {
        guard place < entries.count, entries[place].activity != nil, entries[place].token == token,
            entries[place].worker == worker
        else { return }
        remove(place)
    }

    /// Chooses a connection to evict for the one in slot `place`, and stops counting it.
    /// - Parameter worker: The index of the new connection's worker.
    package mutating func takeVictim(for place: Int, worker: Int) -> Choice {
        takeVictim(
            load: load(ofEntry: place), newcomer: place, unfinishedSince: .distantFuture,
            worker: worker)
    }

    /// Chooses a connection to evict for a client that is not known, because its connection cannot
    /// be accepted. That client may belong to the network with the highest load, so only requests
    /// that have been unfinished for some time are evicted.
    /// - Parameter start: Requests that are unfinished since this time or longer may be evicted.
    package mutating func takeVictim(unfinishedSince start: MonotonicTime, worker: Int) -> Choice {
        takeVictim(load: Self.unit, newcomer: -1, unfinishedSince: start, worker: worker)
    }

    // MARK: Choosing

    private struct Search {
        let newcomer: Int
        let worker: Int
        let wantsIdle: Bool
        let unfinishedSince: MonotonicTime
        var candidatesLeft = ConnectionShares.scanLimit
        var skipsLeft = ConnectionShares.skipLimit
        var best: (place: Int, activity: ConnectionActivity.Snapshot)?

        var isOver: Bool { candidatesLeft <= 0 || skipsLeft <= 0 }
    }

    private mutating func takeVictim(
        load: Int, newcomer: Int, unfinishedSince: MonotonicTime, worker: Int
    ) -> Choice {
        func search(wantsIdle: Bool) -> Search {
            Search(
                newcomer: newcomer, worker: worker, wantsIdle: wantsIdle,
                unfinishedSince: unfinishedSince)
        }
        let highest = (0..<Self.levels).map { self.load(count: tiers[$0].highest, level: $0) }
        let exemptLoad = groups[Self.exempt].count * Self.unit
        var idle = search(wantsIdle: true)
        if exemptLoad > load, exemptLoad > highest.max() ?? 0 {
            self.search(Self.exempt, &idle)
            if let victim = take(idle) { return .victim(victim) }
        }
        for level in (0..<Self.levels).sorted(by: { highest[$0] > highest[$1] })
        where highest[level] > load {
            var unfinished = search(wantsIdle: false)
            searchTiers(level: level, above: load, &unfinished)
            if let victim = take(unfinished) { return .victim(victim) }
        }
        idle = search(wantsIdle: true)
        if load > 0 { searchEqual(load, &idle) }
        if idle.best == nil, exemptLoad >= load { self.search(Self.exempt, &idle) }
        if let victim = take(idle) { return .victim(victim) }
        return highest.contains { $0 > load } ? .wait : .none
    }

    /// Searches the groups of a level, the highest load first, until one has a candidate.
    private mutating func searchTiers(level: Int, above load: Int, _ search: inout Search) {
        var count = tiers[level].highest
        while count > 0, self.load(count: count, level: level) > load, !search.isOver {
            var group = tiers[level].first[count]
            while group >= 0, !search.isOver {
                let next = groups[group].next
                self.search(group, &search)
                if search.best != nil { return }
                search.skipsLeft -= 1
                group = next
            }
            count -= 1
            search.skipsLeft -= 1
        }
    }

    /// Searches the new connection's own groups with this load, then other groups with the same
    /// load.
    private mutating func searchEqual(_ load: Int, _ search: inout Search) {
        if search.newcomer >= 0 {
            for level in 0..<entries[search.newcomer].linkCount {
                let group = entries[search.newcomer].links[level].group
                guard group != Self.exempt, self.load(ofGroup: group) == load else { continue }
                self.search(group, &search)
            }
            if search.best != nil { return }
        }
        for level in 0..<Self.levels {
            let perConnection = self.load(count: 1, level: level)
            guard load.isMultiple(of: perConnection) else { continue }
            let count = load / perConnection
            guard count < tiers[level].first.count else { continue }
            // Groups that were examined move to the end of their tier.
            var rounds = Self.scanLimit
            let end = tiers[level].last[count]
            var group = tiers[level].first[count]
            while group >= 0, !search.isOver, rounds > 0 {
                let next = groups[group].next
                let isLast = group == end
                self.search(group, &search)
                removeFromTier(group)
                addToTier(group)
                if isLast { break }
                group = next
                rounds -= 1
            }
        }
    }

    /// Examines the members of a group for a better candidate.
    private mutating func search(_ group: Int, _ search: inout Search) {
        let level = groups[group].level
        var member = groups[group].first
        var examined = 0
        let memberCount = groups[group].count
        var hasFound = false
        while member >= 0, examined < memberCount, !search.isOver {
            examined += 1
            let next = entries[member].links[level].next
            let activity = entries[member].activity!.now
            if isCandidate(member, activity, search) {
                search.candidatesLeft -= 1
                hasFound = true
                if search.best.map({ activity < $0.activity }) ?? true {
                    search.best = (member, activity)
                }
            } else {
                search.skipsLeft -= 1
            }
            member = next
        }
        // The next search starts with others.
        if !hasFound, member >= 0 { rotate(group, level: level, to: member) }
    }

    private func isCandidate(
        _ place: Int, _ activity: ConnectionActivity.Snapshot, _ search: Search
    ) -> Bool {
        guard place != search.newcomer else { return false }
        switch activity.kind {
        case .lingering, .idle: return true
        // Another worker evicts it after its batch, when the response is sent. Our own worker is
        // still in the middle of the batch.
        case .readyToSend: return entries[place].worker != search.worker
        case .head, .body, .writing:
            return !search.wantsIdle && activity.time <= search.unfinishedSince
        case .busy: return false
        }
    }

    private mutating func take(_ search: Search) -> Victim? {
        guard let (place, activity) = search.best else { return nil }
        let victim = Victim(
            worker: entries[place].worker, connectionID: entries[place].token, kind: activity.kind,
            mayBeUnfinished: !search.wantsIdle)
        remove(place)
        return victim
    }

    private func load(count: Int, level: Int) -> Int {
        count * (Self.unit / ClientNetworks.factor(at: level))
    }

    private func load(ofGroup group: Int) -> Int {
        load(count: groups[group].count, level: groups[group].level)
    }

    private func load(ofEntry place: Int) -> Int {
        var load = 0
        for level in 0..<entries[place].linkCount {
            let group = entries[place].links[level].group
            if group != Self.exempt { load = max(load, self.load(ofGroup: group)) }
        }
        return load
    }

    // MARK: Lists

    private mutating func group(_ key: Key) -> Int {
        if let group = groupOfKey[key] { return group }
        let group = freeGroups.popLast() ?? groups.count
        if group == groups.count { groups.append(Group()) }
        groups[group] = Group(key: key.network, level: key.level)
        groupOfKey[key] = group
        return group
    }

    private mutating func append(_ place: Int, level: Int, to group: Int) {
        let last = groups[group].last
        entries[place].links[level] = Link(group: group, previous: last, next: -1)
        if last >= 0 {
            entries[last].links[level].next = place
        } else {
            groups[group].first = place
        }
        groups[group].last = place
        groups[group].count += 1
    }

    private mutating func remove(_ place: Int) {
        for level in 0..<entries[place].linkCount {
            let link = entries[place].links[level]
            if link.group != Self.exempt { removeFromTier(link.group) }
            if link.previous >= 0 {
                entries[link.previous].links[level].next = link.next
            } else {
                groups[link.group].first = link.next
            }
            if link.next >= 0 {
                entries[link.next].links[level].previous = link.previous
            } else {
                groups[link.group].last = link.previous
            }
            groups[link.group].count -= 1
            guard link.group != Self.exempt else { continue }
            if groups[link.group].count > 0 {
                addToTier(link.group)
            } else {
                groupOfKey[Key(network: groups[link.group].key, level: level)] = nil
                freeGroups.append(link.group)
            }
        }
        entries[place].activity = nil
        entries[place].linkCount = 0
        freeSlots.append(place)
        count -= 1
    }

    /// Makes `place` the first of its group, and moves those before it to the end.
    private mutating func rotate(_ group: Int, level: Int, to place: Int) {
        let first = groups[group].first
        let last = groups[group].last
        let newLast = entries[place].links[level].previous
        guard newLast >= 0 else { return }
        entries[last].links[level].next = first
        entries[first].links[level].previous = last
        entries[newLast].links[level].next = -1
        entries[place].links[level].previous = -1
        groups[group].first = place
        groups[group].last = newLast
    }

    private mutating func addToTier(_ group: Int) {
        let (level, count) = (groups[group].level, groups[group].count)
        while tiers[level].first.count <= count {
            tiers[level].first.append(-1)
            tiers[level].last.append(-1)
        }
        let last = tiers[level].last[count]
        groups[group].previous = last
        groups[group].next = -1
        if last >= 0 { groups[last].next = group } else { tiers[level].first[count] = group }
        tiers[level].last[count] = group
        tiers[level].highest = max(tiers[level].highest, count)
    }

    private mutating func removeFromTier(_ group: Int) {
        let (level, count) = (groups[group].level, groups[group].count)
        // A new group is not in a tier yet.
        guard count > 0 else { return }
        let (previous, next) = (groups[group].previous, groups[group].next)
        if previous >= 0 {
            groups[previous].next = next
        } else {
            tiers[level].first[count] = next
        }
        if next >= 0 {
            groups[next].previous = previous
        } else {
            tiers[level].last[count] = previous
        }
        // A group gains or loses one connection at a time, so the group is now in the next lower
        // tier.
        if count == tiers[level].highest, tiers[level].first[count] < 0 {
            tiers[level].highest -= 1
        }
    }
}
