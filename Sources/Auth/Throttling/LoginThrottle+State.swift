import HTTP
import Time

extension LoginThrottle {
    /// The state that the throttle's lock guards.
    struct State {
        var options: Options
        /// By identifier as presented, whether or not a user has it.
        var identifiers: AttemptTable
        /// By account; an identifier that no user has counts as an account of its own.
        var joint: AttemptTable
        var networks: AttemptTable
        var recentAddresses: RecentLoginAddresses
        var refusedForAccount: UInt64 = 0
        var refusedForAddress: UInt64 = 0

        /// An attempt that is counted as in flight.
        struct Admitted: Sendable {
            let standing: Reputation
            let jointRefusal: Timestamp?
            /// False if the joint table had no free entry.
            let isJointlyCounted: Bool

            static let uncounted = Admitted(
                standing: .neutral, jointRefusal: nil, isJointlyCounted: false)
        }

        enum Outcome {
            case counted(Admitted)
            case uncounted
            case refused(Refusal)
        }
    }
}

extension LoginThrottle.State {
    private func rule(_ index: Int) -> AttemptRule {
        options.network(ClientNetworks.factor(at: index))
    }

    /// The refusal with the latest end among the client's networks; nil if none refuses.
    mutating func refusal(
        of client: LoginThrottle.Client, at now: Timestamp
    ) -> LoginThrottle.Refusal? {
        guard options.isEnabled else { return nil }
        var latest: Timestamp?
        for index in 0..<client.networks.count {
            let until = networks.refusal(of: client.keys[index], at: now, rule(index))
            if let until { latest = max(latest ?? until, until) }
        }
        return latest.map { refuse(.address, $0, at: now) }
    }

    private mutating func refuse(
        _ cause: LoginThrottle.Cause, _ until: Timestamp, at now: Timestamp
    ) -> LoginThrottle.Refusal {
        switch cause {
        case .account: refusedForAccount += 1
        case .address: refusedForAddress += 1
        }
        return LoginThrottle.Refusal(cause, until: until, at: now)
    }

    mutating func admit(
        _ account: LoginThrottle.Account, _ client: LoginThrottle.Client, at now: Timestamp
    ) -> Outcome {
        guard options.isEnabled else { return .uncounted }
        // Check all limits before an entry is allocated for any: a refused attempt leaves no trace.
        if let refusal = refusal(of: client, at: now) { return .refused(refusal) }
        let rule = options.account
        let first = identifiers.refusal(of: account.first.hash, at: now, rule)
        let second = account.second.flatMap {
            identifiers.refusal(of: $0.hash, at: now, rule)
        }
        // Query the joint count on every attempt, so that its lock ends together with those of the
        // identifiers.
        let joined = joint.refusal(of: account.joint, at: now, rule)
        if let until = [first, second].compactMap(\.self).max() {
            return .refused(refuse(.account, until, at: now))
        }
        let standing = reputation(of: client, at: now)
        guard beginNetworks(client, at: now) else {
            return .refused(refuse(.address, now, at: now))
        }
        guard beginIdentifiers(account, at: now) else {
            endNetworks(client)
            return .refused(refuse(.account, now, at: now))
        }
        // Count the attempt even if the joint limit refuses it: timing must not reveal the refusal.
        let isCounted = joint.begin(account.joint, at: now, rule)
        return .counted(
            Admitted(
                standing: standing, jointRefusal: joined ?? (isCounted ? nil : now),
                isJointlyCounted: isCounted))
    }

    private mutating func beginNetworks(
        _ client: LoginThrottle.Client, at now: Timestamp
    ) -> Bool {
        for index in 0..<client.networks.count
        where !networks.begin(client.keys[index], at: now, rule(index)) {
            for begun in 0..<index { networks.end(client.keys[begun], clearing: false) }
            return false
        }
        return true
    }

    private mutating func beginIdentifiers(
        _ account: LoginThrottle.Account, at now: Timestamp
    ) -> Bool {
        guard identifiers.begin(account.first.hash, at: now, options.account) else { return false }
        guard let second = account.second else { return true }
        guard identifiers.begin(second.hash, at: now, options.account) else {
            identifiers.end(account.first.hash, clearing: false)
            return false
        }
        return true
    }

    private mutating func endNetworks(_ client: LoginThrottle.Client) {
        for index in 0..<client.networks.count {
            networks.end(client.keys[index], clearing: false)
        }
    }

    private mutating func reputation(
        of client: LoginThrottle.Client, at now: Timestamp
    ) -> LoginThrottle.Reputation {
        let isKnown = recentAddresses.contains(client.keys[0], at: now)
        var hasFailed = false
        var isSuspicious = false
        for index in 0..<client.networks.count {
            let factor = ClientNetworks.factor(at: index)
            let (failures, inFlight) = networks.usage(
                by: client.keys[index], at: now, rule(index))
            if index == 0 { hasFailed = failures > 0 }
            // A user who mistypes must not wait because others at the same address are guessing
            // passwords.
            let isOver =
                isKnown
                ? failures >= options.maximumAttempts * factor : failures + inFlight >= factor
            if isOver { isSuspicious = true }
        }
        if isSuspicious { return .suspicious }
        return isKnown && !hasFailed ? .trusted : .neutral
    }

    mutating func fail(
        _ account: LoginThrottle.Account, _ client: LoginThrottle.Client, _ admitted: Admitted,
        at now: Timestamp
    ) -> LoginThrottle.Failure {
        guard options.isEnabled else {
            // The throttle was switched off while the attempt was in flight.
            end(account, client, admitted, clearing: false)
            return .uncounted
        }
        let rule = options.account
        var count = identifiers.fail(
            account.first.hash, UInt128(account.first.fingerprint.rawValue), at: now, rule)
        if let second = account.second {
            let other = identifiers.fail(
                second.hash, UInt128(second.fingerprint.rawValue), at: now, rule)
            count = count.joined(with: other)
        }
        if admitted.isJointlyCounted {
            count = count.joined(with: joint.fail(account.joint, 0, at: now, rule))
        } else {
            _ = joint.refusal(of: account.joint, at: now, rule)
        }
        var address = LoginThrottle.Failure.Count.none
        var locked: [LoginThrottle.Failure.LockedNetwork] = []
        for index in 0..<client.networks.count {
            let number = client.networks[index]
            let count = networks.fail(client.keys[index], number, at: now, self.rule(index))
            if index == 0 { address = count }
            if let until = count.lockedUntil {
                locked.append(.init(number: number, attempts: count.attempts, until: until))
            }
        }
        return LoginThrottle.Failure(account: count, address: address, lockedNetworks: locked)
    }

    /// Ends an attempt that has not failed.
    /// - Parameter clearing: whether to reset the counts of the identifiers and of the account.
    mutating func end(
        _ account: LoginThrottle.Account, _ client: LoginThrottle.Client, _ admitted: Admitted,
        clearing: Bool
    ) {
        identifiers.end(account.first.hash, clearing: clearing)
        if let second = account.second { identifiers.end(second.hash, clearing: clearing) }
        if admitted.isJointlyCounted { joint.end(account.joint, clearing: clearing) }
        endNetworks(client)
    }
}
