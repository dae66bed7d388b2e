import Auth
import Foundation
import Glibc
import Logging
import POSIX
import Revocation
import Server
import Time

/// What would keep a server with a configuration from starting, as far as one can tell without making
/// anything, or disturbing a server that runs with it.
package struct Preflight {
    private let configuration: Configuration
    private let places: ServicePlaces
    package private(set) var problems: [ConfigurationProblem] = []
    private(set) var warnings: [ConfigurationProblem] = []
    /// Nil in demo mode, or if they cannot be read.
    private(set) var userCount: Int?

    /// - Parameter known: what is wrong with the settings themselves; what one of them names is not
    ///   looked at then, because it has another value here than the operator wrote.
    package init(_ configuration: Configuration, known: [ConfigurationProblem] = []) {
        self.configuration = configuration
        places = ServicePlaces(configuration)
        func isGood(_ setting: String) -> Bool { !known.contains { $0.path == setting } }
        if isGood("server.host"), isGood("server.port") { checkAddresses() }
        for problem in places.problems where isGood(problem.path) { problems.append(problem) }
        for log in places.logs where isGood(log.setting) { checkLog(log) }
        // The journal's state is under a code of the keys, and those here are random if one is wrong.
        let keysAreGood = !known.contains { $0.path.hasPrefix("token.keys") }
        if let journal = places.journal, isGood(journal.setting) {
            checkJournal(journal, guarded: keysAreGood ? configuration.journalGuard() : .init())
        }
        if let socket = places.socket, isGood(socket.setting) { checkSocket(socket) }
        if isGood("login.users_file"), isGood("login.mode") { checkUsers() }
    }

    private mutating func add(_ setting: String, _ sentence: String) {
        // One problem of a place says enough.
        guard !problems.contains(where: { $0.path == setting }) else { return }
        problems.append(ConfigurationProblem(path: setting, message: sentence))
    }

    // MARK: Addresses

    private mutating func checkAddresses() {
        let server = configuration.server.address
        do throws(Errno) {
            try server.checkHost()
            checkPort("server.port", server)
        } catch {
            add("server.host", "cannot be listened on: \(error.description)")
        }
        guard let metrics = configuration.admin.metrics else { return }
        if metrics.port != 0, metrics.port == server.port,
            metrics.host == server.host || server.covers(metrics)
        {
            add(
                "admin.metrics",
                "port \(metrics.port) is that of server.port; two listeners need two")
        }
        do throws(Errno) {
            try metrics.checkHost()
            checkPort("admin.metrics", metrics)
        } catch {
            add("admin.metrics", "cannot be listened on: \(error.description)")
        }
    }

    private mutating func checkPort(_ setting: String, _ address: SocketAddress) {
        do throws(Errno) {
            try address.checkUnused()
        } catch {
            switch error {
            case .addressInUse where isServed: break
            case .addressInUse where Self.isUnderSystemd:
                warnings.append(
                    ConfigurationProblem(
                        path: setting,
                        message: "\(address.text) is in use, which is right if systemd hands it "
                            + "over"))
            case .permissionDenied:
                let problem = ConfigurationProblem(
                    path: setting,
                    message: "only root may listen on port \(address.port); have systemd hand "
                        + "the socket over, or give the process CAP_NET_BIND_SERVICE")
                // A unit may do either, and this process cannot tell.
                guard Self.isUnderSystemd else { return add(setting, problem.message) }
                warnings.append(problem)
            default: add(setting, address.sentence(for: error))
            }
        }
    }

    /// Whether a server of this configuration runs, which has the addresses then.
    private var isServed: Bool {
        places.logs.contains { ProcessLock.isHeld(LogFileNames.companion(of: $0.path, "lock")) }
    }

    /// There systemd itself may hold the addresses, and hands them over at the start.
    private static var isUnderSystemd: Bool {
        (try? FileStatus(path: "/run/systemd/system")) != nil
    }

    // MARK: Files

    /// The folder that a new file would be made in, with those above it that are not there.
    /// - Returns: why it could not be; nil if nothing stands in the way.
    private func obstacle(toMakingIn path: String) -> (place: String, words: String)? {
        do throws(Errno) {
            let folder = try ServiceFolder.lowest(path)
            return folder.obstacleToWriting.map { (folder.path, $0.description) }
        } catch {
            return (path, error.description)
        }
    }

    private mutating func checkLog(_ log: ServicePlaces.Place) {
        do throws(Errno) {
            let (folder, name) = try ServiceFolder.containing(log.path)
            let there = try folder.status(of: name)
            guard there.isRegularFile else { return }
            guard folder.permits(name, W_OK) else {
                return add(log.setting, "\(log.path) cannot be written: Permission denied")
            }
            guard try LogFileSignature.isLog(log.path) else {
                return add(
                    log.setting,
                    "\(log.path) is a file that is no log; move it away, or write another path")
            }
        } catch {
            guard error == .noSuchFileOrDirectory else {
                return add(log.setting, "\(log.path) cannot be opened: \(error.description)")
            }
            if let (place, words) = obstacle(toMakingIn: log.folder) {
                return add(log.setting, "\(place) cannot be written: \(words)")
            }
        }
        checkCompanions(log)
    }

    /// Those that are there have to be written, and those that are not are made.
    private mutating func checkCompanions(_ place: ServicePlaces.Place) {
        guard let folder = try? ServiceFolder.open(place.folder) else { return }
        for kind in place.companions where kind != "new" {
            let path = LogFileNames.companion(of: place.path, kind)
            let name = LogFileNames.base(of: path)
            if (try? folder.status(of: name)) == nil {
                if let error = folder.obstacleToWriting {
                    return add(
                        place.setting, "\(place.folder) cannot be written: \(error.description)")
                }
            } else if !folder.permits(name, R_OK | W_OK) {
                return add(place.setting, "\(path) cannot be written: Permission denied")
            }
        }
    }

    private mutating func checkJournal(
        _ journal: ServicePlaces.Place, guarded: Revocations.JournalGuard
    ) {
        do throws(RevocationsError) {
            let proof = try Revocations(
                reading: journal.path, at: WallClock.system.now(),
                guarded: guarded
            ).start.proof
            warn(of: proof, journal)
        } catch {
            return add(journal.setting, "the journal \(journal.path) \(error.sentence)")
        }
        if let (place, words) = obstacle(toMakingIn: journal.folder) {
            guard (try? SystemFileSystem().status(of: journal.path)) != nil else {
                return add(journal.setting, "\(place) cannot be written: \(words)")
            }
            // A start goes on with the journal as it is.
            warnings.append(
                ConfigurationProblem(
                    path: journal.setting,
                    message: "\(place) cannot be written: \(words); the journal cannot be tidied"))
            guard
                let (folder, name) = try? ServiceFolder.containing(journal.path),
                folder.permits(name, R_OK | W_OK)
            else {
                return add(
                    journal.setting, "\(journal.path) cannot be written: Permission denied")
            }
        }
        checkCompanions(journal)
    }

    /// Says what a start does with a journal of which nothing tells that it is whole.
    private mutating func warn(of proof: JournalProof, _ journal: ServicePlaces.Place) {
        let sentence: String
        switch proof {
        case .proven: return
        case .unproven:
            sentence =
                "the journal \(journal.path) has no state, as an earlier version leaves it; a start "
                + "takes it as it is, and cannot tell whether records are missing"
        case .foreignKeys:
            sentence =
                "the state of the journal \(journal.path) was written under none of token.keys; a "
                + "start ends all sessions; to avoid that, leave the former key after the new one"
        case .accepted:
            sentence = "a start takes the journal \(journal.path) as it is, and ends all sessions"
        }
        warnings.append(ConfigurationProblem(path: journal.setting, message: sentence))
    }

    private mutating func checkSocket(_ socket: ServicePlaces.Place) {
        let path = socket.path
        guard path.utf8.count <= SocketAddress.longestPath else {
            return add(
                socket.setting,
                "the path of a socket has at most \(SocketAddress.longestPath) bytes, "
                    + "and this one has \(path.utf8.count)")
        }
        if let status = try? SystemFileSystem().status(of: path) {
            guard status.isSocket else {
                return add(
                    socket.setting,
                    "something that is not a socket is at \(path); write another path, or "
                        + "remove it")
            }
            checkListener(socket)
        }
        // Those of the log and of the journal are made before the start comes to the socket.
        let made = (places.logs + [places.journal].compactMap(\.self)).map(\.folder)
        let isMade = made.contains { $0 == socket.folder || $0.hasPrefix(socket.folder + "/") }
        do throws(Errno) {
            if let error = try ServiceFolder.open(socket.folder).obstacleToWriting { throw error }
        } catch {
            if isMade, error == .noSuchFileOrDirectory { return }
            add(
                socket.setting,
                "\(socket.folder) is no folder that can be written to: \(error.description)")
        }
    }

    /// Whether another server listens at the socket that is there.
    private mutating func checkListener(_ socket: ServicePlaces.Place) {
        guard !isServed else { return }
        // To connect to a socket of systemd's would start the service.
        guard !Self.isUnderSystemd else {
            return warnings.append(
                ConfigurationProblem(
                    path: socket.setting,
                    message: "a socket is at \(socket.path), which is right if systemd hands it "
                        + "over or its server has died"))
        }
        let address = SocketAddress.unix(path: socket.path)
        do throws(Errno) {
            try address.checkUnused()
        } catch {
            let advice = error == .addressInUse ? "; write another path, or stop it" : ""
            add(socket.setting, address.sentence(for: error) + advice)
        }
    }

    private mutating func checkUsers() {
        do throws(Configuration.Invalid) {
            let users = try configuration.readUsers()
            if configuration.login.mode == .password { userCount = users.all.count }
            warnings += Configuration.likenessWarnings(users)
        } catch {
            problems += error.problems
        }
        guard configuration.login.mode == .password else { return }
        let path = configuration.login.usersFile
        warnings += Configuration.permissionWarning(path, "users")
        if userCount == 0 {
            warnings.append(
                ConfigurationProblem(
                    path: path, message: "has no users; add one with `gatehouse user add`"))
        }
    }
}
