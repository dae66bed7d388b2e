import Auth
import Foundation
import Glibc
import Logging
import POSIX
import Revocation
import Server
import Time

/// Finds what would prevent a server from starting with a configuration. It creates nothing, and
/// does not disturb a server that runs with the same configuration.
package struct Preflight {
    private let configuration: Configuration
    private let places: ServicePlaces
    package private(set) var problems: [ConfigurationProblem] = []
    private(set) var warnings: [ConfigurationProblem] = []
    /// Nil in demo mode, and if the users file cannot be read.
    private(set) var userCount: Int?

    /// - Parameter known: problems of the settings themselves. A setting that has one is not
    ///   checked here, because the configuration contains its default and not the operator's value.
    package init(_ configuration: Configuration, known: [ConfigurationProblem] = []) {
        self.configuration = configuration
        places = ServicePlaces(configuration)
        func isValid(_ setting: String) -> Bool { !known.contains { $0.path == setting } }
        if isValid("server.host"), isValid("server.port") { checkAddresses() }
        for problem in places.problems where isValid(problem.path) { problems.append(problem) }
        for log in places.logs where isValid(log.setting) { checkLog(log) }
        // If a key has a problem, all keys are random ones, and cannot verify the journal's state.
        let keysAreValid = !known.contains { $0.path.hasPrefix("token.keys") }
        if let journal = places.journal, isValid(journal.setting) {
            checkJournal(journal, guarded: keysAreValid ? configuration.journalGuard() : .init())
        }
        if let socket = places.socket, isValid(socket.setting) { checkSocket(socket) }
        if isValid("login.users_file"), isValid("login.mode") { checkUsers() }
    }

    private mutating func add(_ setting: String, _ message: String) {
        // Only the first problem of a setting: the others usually follow from it.
        guard !problems.contains(where: { $0.path == setting }) else { return }
        problems.append(ConfigurationProblem(path: setting, message: message))
    }

    // MARK: Addresses

    private mutating func checkAddresses() {
        let server = configuration.server.address
        do throws(Errno) {
            try server.checkHost()
            checkPort("server.port", server)
        } catch {
            add("server.host", "cannot listen on this address: \(error.description)")
        }
        guard let metrics = configuration.admin.metrics else { return }
        if metrics.port != 0, metrics.port == server.port,
            metrics.host == server.host || server.covers(metrics)
        {
            add(
                "admin.metrics",
                "port \(metrics.port) is also server.port; write another port")
        }
        do throws(Errno) {
            try metrics.checkHost()
            checkPort("admin.metrics", metrics)
        } catch {
            add("admin.metrics", "cannot listen on this address: \(error.description)")
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
                        message: "\(address.text) is in use; this is no problem if systemd passes "
                            + "the socket to the server"))
            case .permissionDenied:
                let problem = ConfigurationProblem(
                    path: setting,
                    message: "only root may listen on port \(address.port); have systemd pass the "
                        + "socket, or give the process CAP_NET_BIND_SERVICE")
                // A systemd unit may do either, which this process cannot find out.
                guard Self.isUnderSystemd else { return add(setting, problem.message) }
                warnings.append(problem)
            default: add(setting, address.message(for: error))
            }
        }
    }

    /// Whether a server with this configuration is running, which then uses the addresses itself.
    private var isServed: Bool {
        places.logs.contains { ProcessLock.isHeld(LogFileNames.companion(of: $0.path, "lock")) }
    }

    /// Whether systemd runs this machine. It may then hold the sockets, and pass them to the server
    /// at its start.
    private static var isUnderSystemd: Bool {
        (try? FileStatus(path: "/run/systemd/system")) != nil
    }

    // MARK: Files

    /// Whether a file could be created in a folder, together with the missing folders above it.
    /// - Returns: the folder in which that fails, and why; nil if it would succeed.
    private func obstacle(toCreatingIn path: String) -> (place: String, reason: String)? {
        do throws(Errno) {
            let folder = try ServiceFolder.deepestExisting(path)
            return folder.writeError.map { (folder.path, $0.description) }
        } catch {
            return (path, error.description)
        }
    }

    private mutating func checkLog(_ log: ServicePlaces.Place) {
        do throws(Errno) {
            let (folder, name) = try ServiceFolder.containing(log.path)
            // `ServicePlaces` reports a file that is not regular.
            guard try folder.status(of: name).isRegularFile else { return }
            guard folder.permits(name, W_OK) else {
                return add(log.setting, "\(log.path) cannot be written: Permission denied")
            }
            guard try LogFileSignature.isLog(log.path) else {
                return add(
                    log.setting,
                    "\(log.path) is not a log; move it away, or write another path")
            }
        } catch {
            guard error == .noSuchFileOrDirectory else {
                return add(log.setting, "\(log.path) cannot be opened: \(error.description)")
            }
            if let (place, reason) = obstacle(toCreatingIn: log.folder) {
                return add(log.setting, "\(place) cannot be written: \(reason)")
            }
        }
        checkCompanions(log)
    }

    /// Checks the hidden files that belong to a file: existing ones must be writable, and it must
    /// be possible to create the missing ones.
    private mutating func checkCompanions(_ place: ServicePlaces.Place) {
        guard let folder = try? ServiceFolder.open(place.folder) else { return }
        for kind in place.companions where kind != "new" {
            let path = LogFileNames.companion(of: place.path, kind)
            let name = LogFileNames.base(of: path)
            if (try? folder.status(of: name)) == nil {
                if let error = folder.writeError {
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
        if let (place, reason) = obstacle(toCreatingIn: journal.folder) {
            guard (try? SystemFileSystem().status(of: journal.path)) != nil else {
                return add(journal.setting, "\(place) cannot be written: \(reason)")
            }
            // A start uses the existing journal without compacting it.
            warnings.append(
                ConfigurationProblem(
                    path: journal.setting,
                    message: "\(place) cannot be written: \(reason); the journal will not be "
                        + "compacted"))
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

    /// Warns if the journal is not proven to be complete, and states what a start will do.
    private mutating func warn(of proof: JournalProof, _ journal: ServicePlaces.Place) {
        let message: String
        switch proof {
        case .proven: return
        case .unproven:
            message =
                "the journal \(journal.path) has no state file, as an earlier version leaves it; a "
                + "start accepts it, and cannot detect missing records"
        case .foreignKeys:
            message =
                "the state of the journal \(journal.path) was written with a key that is not in "
                + "token.keys; a start ends all sessions; to avoid that, keep the former key after "
                + "the new one"
        case .accepted:
            message = "a start accepts the journal \(journal.path) as it is, and ends all sessions"
        }
        warnings.append(ConfigurationProblem(path: journal.setting, message: message))
    }

    private mutating func checkSocket(_ socket: ServicePlaces.Place) {
        let path = socket.path
        guard path.utf8.count <= SocketAddress.longestPath else {
            return add(
                socket.setting,
                "the path has \(path.utf8.count) bytes, and a socket's path at most "
                    + "\(SocketAddress.longestPath); write a shorter path")
        }
        if let status = try? SystemFileSystem().status(of: path) {
            guard status.isSocket else {
                return add(
                    socket.setting,
                    "\(path) exists and is not a socket; write another path, or remove it")
            }
            checkListener(socket)
        }
        // A start creates the folders of the logs and of the journal before the socket.
        let created = (places.logs + [places.journal].compactMap(\.self)).map(\.folder)
        let isCreated = created.contains {
            $0 == socket.folder || $0.hasPrefix(socket.folder + "/")
        }
        do throws(Errno) {
            if let error = try ServiceFolder.open(socket.folder).writeError { throw error }
        } catch {
            if isCreated, error == .noSuchFileOrDirectory { return }
            add(
                socket.setting,
                "\(socket.folder) is not a writable folder: \(error.description)")
        }
    }

    /// Checks whether another server listens on the existing socket.
    private mutating func checkListener(_ socket: ServicePlaces.Place) {
        guard !isServed else { return }
        // Connecting to a socket that systemd holds would start the service.
        guard !Self.isUnderSystemd else {
            return warnings.append(
                ConfigurationProblem(
                    path: socket.setting,
                    message: "the socket \(socket.path) exists; this is no problem if systemd "
                        + "passes it to the server, or if its server was killed"))
        }
        let address = SocketAddress.unix(path: socket.path)
        do throws(Errno) {
            try address.checkUnused()
        } catch {
            let advice =
                error == .addressInUse ? "; write another path, or stop the other server" : ""
            add(socket.setting, address.message(for: error) + advice)
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
