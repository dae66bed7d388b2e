import HTTP
import JWT
import POSIX
import Time

/// Lists and ends locks, for operators.
extension LoginThrottle {
    package struct Lock: Sendable, Equatable {
        package enum Subject: Sendable, Equatable {
            /// An identifier that a user has.
            case id(User)
            case name(User)
            /// Both identifiers together: logins fail with the usual answer.
            case account(User)
            /// An identifier that no user has.
            case unknown(Fingerprint)
            case network(UInt128)
        }

        package let subject: Subject
        package let until: Timestamp
    }

    /// The current locks, sorted by their end. If there are any, hashes the identifiers of all
    /// users: must not run on a worker.
    package func locks(of users: UserDirectory, at now: Timestamp) -> [Lock] {
        let (identifiers, joint, networks) = state.withLock { state in
            (
                state.identifiers.locks(at: now), state.joint.locks(at: now),
                state.networks.locks(at: now)
            )
        }
        var subjects: [UInt64: Lock.Subject] = [:]
        if !identifiers.isEmpty || !joint.isEmpty {
            for user in users.all {
                let keys = keys(of: user)
                subjects[keys.id] = .id(user)
                subjects[keys.name] = .name(user)
                subjects[keys.joint] = .account(user)
            }
        }
        var locks = identifiers.map { lock in
            let fingerprint = Fingerprint(number: UInt64(truncatingIfNeeded: lock.subject))
            return Lock(
                subject: subjects[lock.key] ?? .unknown(fingerprint), until: lock.until)
        }
        // An unknown identifier is already listed by itself.
        locks += joint.compactMap { lock in
            subjects[lock.key].map { Lock(subject: $0, until: lock.until) }
        }
        locks += networks.map { Lock(subject: .network($0.subject), until: $0.until) }
        return locks.sorted { $0.until < $1.until }
    }

    /// The keys that a user's failures are counted under.
    struct UserKeys: Sendable {
        let id: UInt64
        let name: UInt64
        let joint: UInt64
    }

    func keys(of user: User) -> UserKeys {
        UserKeys(
            id: hash(user.id), name: hash(PresentedName(user.username)),
            joint: hash(jointOf: user.id))
    }

    /// Resets the counts of all identifiers of a user.
    /// - Returns: the number of locks that ended.
    @discardableResult
    package func unlock(_ user: User, at now: Timestamp) -> Int {
        let keys = keys(of: user)
        return state.withLock { $0.reset(keys, at: now) }
    }

    /// Resets the counts of an identifier that no user has.
    /// - Returns: the number of locks that ended.
    package func unlock(_ id: UserID, at now: Timestamp) -> Int {
        unlock(identifier: hash(id), at: now)
    }

    package func unlock(_ name: PresentedName, at now: Timestamp) -> Int {
        unlock(identifier: hash(name), at: now)
    }

    private func unlock(identifier key: UInt64, at now: Timestamp) -> Int {
        let joint = hash(jointOfUnknown: key)
        return state.withLock { state in
            state.joint.reset(joint, at: now)
            return state.identifiers.reset(key, at: now) ? 1 : 0
        }
    }

    /// Resets the counts of networks.
    /// - Parameter numbers: network numbers of `ClientNetworks`.
    /// - Returns: the number of locks that ended.
    package func unlock(networks numbers: [UInt128], at now: Timestamp) -> Int {
        let keys = numbers.map { hash(network: $0) }
        return state.withLock { state in
            keys.count { state.networks.reset($0, at: now) }
        }
    }

    /// Resets all counts.
    /// - Returns: the number of locks that were in force, counted as in `locks`.
    package func unlockAll(of users: UserDirectory, at now: Timestamp) -> Int {
        let count = locks(of: users, at: now).count
        state.withLock { state in
            state.identifiers.resetAll()
            state.joint.resetAll()
            state.networks.resetAll()
        }
        return count
    }
}

extension LoginThrottle.State {
    @discardableResult
    mutating func reset(_ keys: LoginThrottle.UserKeys, at now: Timestamp) -> Int {
        [
            identifiers.reset(keys.id, at: now), identifiers.reset(keys.name, at: now),
            joint.reset(keys.joint, at: now),
        ].count { $0 }
    }
}
