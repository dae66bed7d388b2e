import Crypto
import Glibc
import JWT
import Logging
import POSIX

/// The keys that seal the log, and those that `log verify` accepts.
enum SealKeys {
    /// The log's options with the sealing key, if the log is sealed.
    static func logOptions(_ configuration: Configuration) -> LogOptions {
        var options = configuration.log
        guard configuration.sealsLog else { return options }
        if let key = current(configuration, making: true).first {
            options.seal = LogOptions.Seal(key: key, interval: configuration.sealInterval)
        }
        return options
    }

    /// The sealing key first, then every other key that is accepted for new seals. If the log has
    /// its own secret, there is only that key; else there is one key for each token key.
    /// - Parameter making: whether to create the demo's key if it does not exist. If false, the
    ///   result may be empty.
    static func current(_ configuration: Configuration, making: Bool) -> [SealKey] {
        if let secret = configuration.sealSecret { return [SealKey(secret: secret.span)] }
        if configuration.keysAreTemporary {
            return [demoKey(configuration.log.path, making: making)].compactMap(\.self)
        }
        return configuration.keys.entries.map { SealKey(derivedFrom: $0.key) }
    }

    /// Keys that are accepted only for seals older than the first one under the current key: once
    /// the log has its own secret, holders of token keys must not be able to add seals. Empty
    /// without such a secret.
    static func previous(_ configuration: Configuration) -> [SealKey] {
        guard configuration.sealSecret != nil, !configuration.keysAreTemporary else { return [] }
        return configuration.keys.entries.map { SealKey(derivedFrom: $0.key) }
    }

    /// The key in a file that is given to `log verify`: the log's own secret, or a token key.
    /// - Throws: why the file cannot be read, or that it contains no key.
    static func read(_ path: String) throws(ConfigurationProblem) -> SealKey {
        let secret = try ConfigurationFile(path).secret(path)
        guard secret.count >= KeyRing.minimumSecretLength else {
            throw ConfigurationProblem(path: path, message: "contains no key")
        }
        // The same initializer is right for a token key: a key derived from it is equal.
        return SealKey(secret: secret.span)
    }

    /// The seal key of the demo. The demo's token key exists only in this process, so a log sealed
    /// with a key derived from it could not be verified later. Therefore the demo has a seal key of
    /// its own, in a file in the log's folder. That does not protect the log from an attacker who
    /// can write there. It demonstrates sealing, and detects accidental changes.
    /// - Returns: nil if there is no such file and `making` is false.
    private static func demoKey(_ log: String, making: Bool) -> SealKey? {
        let path = LogFileNames.companion(of: log, "key")
        if let bytes = try? ConfigurationFile(path).bytes, bytes.count >= 32 {
            return SealKey(secret: bytes.span)
        }
        guard making else { return nil }
        // No file is created next to a pipe, a device, or a file that is not a log.
        let isPlain =
            (try? SystemFileSystem().status(of: log).isRegularFile) ?? true
            && (try? LogFileSignature.isLog(log)) ?? true
        let secret = RandomBytes.array(count: 32)
        let text = Array(hexadecimal(secret.span).utf8)
        let fileSystem = SystemFileSystem()
        // If the file cannot be created, the key is used for this run only.
        if isPlain { try? fileSystem.createFolders(LogFileNames.folder(of: log), mode: 0o750) }
        if isPlain,
            let file = try? fileSystem.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        {
            try? file.write(text.span, at: 0)
        }
        return SealKey(secret: text.span)
    }
}
