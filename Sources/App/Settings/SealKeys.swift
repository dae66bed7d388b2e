import Crypto
import Glibc
import JWT
import Logging
import POSIX

/// The keys that the log is sealed with and checked against.
enum SealKeys {
    /// The log's options with the key that seals it.
    static func logOptions(_ configuration: Configuration) -> LogOptions {
        var options = configuration.log
        guard configuration.sealsLog else { return options }
        if let key = current(configuration, making: true).first {
            options.seal = LogOptions.Seal(key: key, interval: configuration.sealInterval)
        }
        return options
    }

    /// The key that seals, and then those that it is as good as: with a secret of its own there is none
    /// of those, else there is one for each token key.
    /// - Parameter making: whether to make the demo's key if it is not there.
    static func current(_ configuration: Configuration, making: Bool) -> [SealKey] {
        if let secret = configuration.sealSecret { return [SealKey(secret: secret.span)] }
        if configuration.keysAreTemporary {
            return [demoKey(configuration.log.path, making: making)].compactMap(\.self)
        }
        return configuration.keys.entries.map { SealKey(derivedFrom: $0.key) }
    }

    /// Those that may have sealed before: what was sealed before the log had a secret of its own is still
    /// there, but whoever has a token key must not be able to seal anything behind that.
    static func previous(_ configuration: Configuration) -> [SealKey] {
        guard configuration.sealSecret != nil, !configuration.keysAreTemporary else { return [] }
        return configuration.keys.entries.map { SealKey(derivedFrom: $0.key) }
    }

    /// The key in a file that is named to `log verify`: of the log's own, or a token key.
    static func read(_ path: String) throws(ConfigurationProblem) -> SealKey {
        let secret = try ConfigurationFile(path).secret(path)
        guard secret.count >= KeyRing.minimumSecretLength else {
            throw ConfigurationProblem(path: path, message: "has no key in it")
        }
        // One derived from a token key is the same.
        return SealKey(secret: secret.span)
    }

    /// The demo's token key ends with its run, and would leave a log that nobody can check. So the seal
    /// has a key beside the log, which keeps nobody out who can write there: it shows how it works, and
    /// finds what happens by accident.
    private static func demoKey(_ log: String, making: Bool) -> SealKey? {
        let path = LogFileNames.companion(of: log, "key")
        if let bytes = try? ConfigurationFile(path).bytes, bytes.count >= 32 {
            return SealKey(secret: bytes.span)
        }
        guard making else { return nil }
        // Beside a pipe or a device nothing is made.
        let isPlain =
            (try? SystemFileSystem().status(of: log).isRegularFile) ?? true
            && (try? LogFileSignature.isLog(log)) ?? true
        let secret = RandomBytes.array(count: 32)
        let text = Array(hexadecimal(secret.span).utf8)
        let fileSystem = SystemFileSystem()
        // Where it cannot be kept it is good for this run.
        if isPlain { try? fileSystem.createFolders(LogFileNames.folder(of: log), mode: 0o750) }
        if isPlain,
            let file = try? fileSystem.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        {
            try? file.write(text.span, at: 0)
        }
        return SealKey(secret: text.span)
    }
}
