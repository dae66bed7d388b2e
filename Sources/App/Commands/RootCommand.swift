import Glibc
import Logging
import POSIX

/// A command that root has started. It works with files that another account may be able to change, and
/// must not lend root's rights to that account: so it becomes that account for good before it opens any
/// of them, or it refuses.
///
/// The account is the one that owns folders on the way to the files. What belongs to root alone, such as
/// a configuration in /etc, is read before, because the account may not be able to.
struct RootCommand {
    enum Refusal: Error {
        /// A server of root's would use another account's files.
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
                    "\(place) belongs to \(account.text), and root serves with its own files only; "
                        + "run `\(start) -- \(command)`, or write User= in the systemd unit"
                ]
            case .severalAccounts(let found):
                return found.map { "\($0.place) belongs to \($0.account.text)" } + [
                    "root acts as the one account that the files belong to; give them to one with chown"
                ]
            case .cannotBecome(let account, let error):
                return [
                    "cannot act as \(account.text): \(error.description); run this as that account"
                ]
            }
        }
    }

    /// Nil for the demo.
    let configurationPath: String?
    let environment: [String: String]
    /// Files that the command line names.
    let named: [String]
    /// Keys that it names, which are only read.
    let namedKeys: [String]
    /// Whether the files that the configuration names are used.
    let usesConfiguredFiles: Bool

    // MARK: Serving

    /// Refuses to serve with files that are not root's.
    func refuseForeignFiles() throws(Refusal) {
        let places = [configurationPath].compactMap(\.self) + configured.map(\.path)
        for place in places {
            // The parts of the way that are not there yet would be root's.
            guard let owner = ServiceFolder.owners(along: place, endsInFile: true).min() else {
                continue
            }
            let words =
                "gatehouse serve"
                + (configurationPath.map { " --config \(VisibleText.of($0, limit: 200))" } ?? "")
            throw .serve(
                Account(owner), place: VisibleText.of(place, limit: 200), command: words)
        }
    }

    // MARK: Acting as the owner

    /// - Returns: the account that the process has become; nil if all is root's.
    func becomeOwner() throws(Refusal) -> Account? {
        var found = Found()
        for path in named { found.add(path) }
        // Its owner decides which secrets it names, and root must not read them for that account.
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

    /// Whether no account but root can have chosen what the configuration says. Then root reads the
    /// files that it names.
    private var isConfigurationTrusted: Bool {
        guard let configurationPath else { return true }
        let file = try? TrustedFile(
            reading: configurationPath, upTo: ConfigurationFile.maximumSize, account: 0)
        return file?.faults.isEmpty == true
    }

    /// The files that the configuration names, the demo's without one.
    private var configured: [PathConflicts.Place] {
        Configuration.places(file: configurationPath, environment: environment)
    }

    /// The configuration and the secrets that are root's alone.
    private func keepFiles(_ paths: [String]) {
        for path in paths where ServiceFolder.owners(along: path, endsInFile: true).isEmpty {
            (try? TrustedFile(reading: path, upTo: ConfigurationFile.maximumSize))?.keep(as: path)
        }
    }

    /// The way to them may be open to root alone, as to those of systemd's dynamic users.
    private func keepFolders(_ paths: [String], _ account: Account) {
        for path in Set(paths.map(ServiceFolder.folder)) {
            (try? ServiceFolder.open(path, account: account.id))?.keep(as: path)
        }
    }
}
