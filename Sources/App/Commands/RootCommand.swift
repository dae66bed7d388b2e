import Glibc
import Logging
import POSIX

/// A command that root has started. It uses files that another account may be able to change, and
/// must not lend root's rights to that account. So before it opens any of them, the process
/// permanently switches to that account, or refuses.
///
/// The account is the owner of folders on the way to the files. Files that belong to root alone,
/// such as a configuration in /etc, are read before the switch, because the account may not be able
/// to.
struct RootCommand {
    enum Refusal: Error {
        /// A server that runs as root would use another account's files.
        case serve(Account, place: String, command: String)
        case severalAccounts([(account: Account, place: String)])
        case cannotBecome(Account, Errno)

        var sentences: [String] {
            switch self {
            case .serve(let account, let place, let command):
                let start =
                    account.name.map { "runuser -u \($0)" }
                    ?? "setpriv --reuid=\(account.id) --regid=\(account.group) --clear-groups"
                return [
                    "\(place): belongs to \(account.description), but root serves only its own "
                        + "files; run `\(start) -- \(command)`, or set User= in the systemd unit"
                ]
            case .severalAccounts(let found):
                return found.map { "\($0.place) belongs to \($0.account.description)" } + [
                    "root acts as the owner of the files, but they have several; use chown to give "
                        + "them one owner"
                ]
            case .cannotBecome(let account, let error):
                return [
                    "cannot act as \(account.description): \(error.description); run this "
                        + "command as that account"
                ]
            }
        }
    }

    /// Nil in demo mode.
    let configurationPath: String?
    let environment: [String: String]
    /// Files that the command line names.
    let named: [String]
    /// Key files that the command line names; they are only read.
    let namedKeys: [String]
    /// Whether the command uses the files that the configuration names.
    let usesConfiguredFiles: Bool

    // MARK: Serving

    /// Throws if any of the files does not belong to root.
    func refuseForeignFiles() throws(Refusal) {
        let places = [configurationPath].compactMap(\.self) + configured.map(\.path)
        for place in places {
            // Missing parts of the path would be created by root.
            guard let owner = ServiceFolder.owners(along: place, endsInFile: true).min() else {
                continue
            }
            let command =
                "gatehouse serve"
                + (configurationPath.map { " --config \(VisibleText.of($0, limit: 200))" } ?? "")
            throw .serve(
                Account(owner), place: VisibleText.of(place, limit: 200), command: command)
        }
    }

    // MARK: Acting as the owner

    /// - Returns: the account that the process has switched to; nil if all files belong to root.
    func becomeOwner() throws(Refusal) -> Account? {
        var found = Found()
        for path in named { found.add(path) }
        // The owner of the configuration decides which secret files it names, and root must not
        // read those for that account.
        if let configurationPath { found.add(configurationPath, endsInFile: true) }
        let places = isConfigurationTrusted ? configured : []
        for place in places where place.isWritten && usesConfiguredFiles { found.add(place.path) }
        guard let account = try found.account() else { return nil }
        keepFiles(places.filter { !$0.isWritten }.map(\.path) + namedKeys)
        keepFolders(named + places.map(\.path) + [configurationPath].compactMap(\.self), account)
        do throws(Errno) {
            try account.become()
        } catch {
            throw .cannotBecome(account, error)
        }
        return account
    }

    private struct Found {
        var places: [(owner: uid_t, path: String)] = []

        mutating func add(_ path: String, endsInFile: Bool = false) {
            for owner in ServiceFolder.owners(along: path, endsInFile: endsInFile).sorted()
            where !places.contains(where: { $0.owner == owner }) {
                places.append((owner, path))
            }
        }

        func account() throws(Refusal) -> Account? {
            guard places.count <= 1 else {
                throw .severalAccounts(
                    places.map { (Account($0.owner), VisibleText.of($0.path, limit: 200)) })
            }
            return places.first.map { Account($0.owner) }
        }
    }

    /// Whether no account except root can have written the configuration. Only then does root read
    /// the files that it names.
    private var isConfigurationTrusted: Bool {
        guard let configurationPath else { return true }
        let file = try? TrustedFile(
            reading: configurationPath, upTo: ConfigurationFile.maximumSize, account: 0)
        return file?.faults.isEmpty == true
    }

    /// The files that the configuration names; without one, those of the demo.
    private var configured: [PathConflicts.Place] {
        Configuration.places(file: configurationPath, environment: environment)
    }

    /// Reads the configuration and the secrets that belong to root alone before the switch.
    private func keepFiles(_ paths: [String]) {
        for path in paths where ServiceFolder.owners(along: path, endsInFile: true).isEmpty {
            (try? TrustedFile(reading: path, upTo: ConfigurationFile.maximumSize))?
                .registerPreopened(as: path)
        }
    }

    /// Opens folders before the switch, because only root may have access to the path, as with
    /// systemd's dynamic users.
    private func keepFolders(_ paths: [String], _ account: Account) {
        for path in Set(paths.map(ServiceFolder.folder)) {
            (try? ServiceFolder.open(path, account: account.id))?.registerPreopened(as: path)
        }
    }
}
