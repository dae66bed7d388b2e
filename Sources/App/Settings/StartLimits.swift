import POSIX
import Server

/// The resource limits of this process, compared with what a configuration needs. Defaults are
/// reduced to fit the limits. A configured value that does not fit is refused.
struct StartLimits: Sendable {
    /// Which resource is missing, and how to provide it.
    struct Shortage: Error, Sendable, Equatable {
        let message: String
    }

    /// The number of descriptors that can be open at once.
    let descriptors: Int
    /// How many threads can be created, up to `wanted`, and whether `bytes` of memory can be had
    /// in addition.
    let threads: @Sendable (_ wanted: Int, _ bytes: Int) -> ResourceProbe

    /// Measures the limits of this process.
    /// - Parameter missing: the number of threads that a start has created before it measures, and
    ///   this process has not.
    static func measured(missingThreads missing: Int = 0) -> StartLimits {
        StartLimits(
            descriptors: ResourceLimits.raiseDescriptors(),
            threads: { wanted, bytes in
                let probe = ResourceProbe(threads: wanted + missing, bytes: bytes)
                return ResourceProbe(
                    threads: max(0, probe.threads - missing), hasMemory: probe.hasMemory)
            })
    }

    /// No limits.
    static let none = StartLimits(
        descriptors: .max, threads: { wanted, _ in ResourceProbe(threads: wanted, hasMemory: true) }
    )

    // MARK: Needs

    /// Threads besides those of the listeners: Dispatch's thread that waits for descriptors and
    /// timers, the log's maintenance, a sync of each of its two files, standard error, the journal
    /// of revocations, the service manager, the removal of expired entries, the watchdog, reloads,
    /// and two that stop the admin and metrics listeners. For each new dispatch queue add one:
    /// without a thread, callers of that queue would wait.
    private static let otherThreads = 12
    /// Descriptors besides those of the listeners: standard input, output and error, logs, journal,
    /// their locks and folders, archives that are being synced, Dispatch's own, and those of a
    /// reload.
    private static let otherDescriptors = 96
    /// A listener, an epoll instance and the two ends of a pipe.
    private static let descriptorsOfWorker = 4
    /// What a start needs before it has read its configuration.
    private static let fewestDescriptors = 64
    private static let fewestConnections = 64
    private static let fewestWaiting = 2
    /// Memory in bytes for the log's buffers, users, connections and received data.
    private static let bytes = 64 << 20
    private static let bytesOfWorker = 1 << 20

    private static func threads(of options: ServerOptions) -> Int {
        let workers = if case .unix = options.address.host { 1 } else { options.workers }
        return workers + options.cpuBoundWork.maximumConcurrent
            + options.ioBoundWork.maximumConcurrent
    }

    // MARK: Fitting

    /// To be checked before the configuration is read; nil if there are enough descriptors.
    var shortageOfDescriptors: Shortage? {
        guard descriptors < Self.fewestDescriptors else { return nil }
        return Shortage(
            message: "descriptors: at least \(Self.fewestDescriptors) are required, and the limit "
                + "is \(descriptors); raise the limit (ulimit -n, LimitNOFILE=)")
    }

    /// Reduces the configuration's defaults to fit the limits.
    /// - Returns: a warning for each reduced default.
    /// - Throws: a configured value, or the smallest default, does not fit.
    func fit(_ configuration: inout Configuration) throws(Shortage) -> [ConfigurationProblem] {
        let warnings = [try fitDescriptors(&configuration)].compactMap(\.self)
        return warnings + [try fitThreads(&configuration)].compactMap(\.self)
    }

    private func fitThreads(_ configuration: inout Configuration) throws(Shortage)
        -> ConfigurationProblem?
    {
        let sides = [configuration.adminOptions, configuration.metricsOptions].compactMap(\.self)
        let others = Self.otherThreads + sides.map(Self.threads).reduce(0, +)
        let wanted = others + Self.threads(of: configuration.server)
        let bytes = Self.bytes + configuration.server.workers * Self.bytesOfWorker
        let probe = threads(wanted, bytes)
        guard probe.hasMemory else {
            throw Shortage(
                message: "memory: \(bytes >> 20) MiB besides \(probe.threads) threads are "
                    + "required, and cannot be allocated; raise the limit (ulimit -v)")
        }
        var missing = wanted - probe.threads
        guard missing > 0 else { return nil }
        let remedy = "raise the limit (ulimit -u, ulimit -v, TasksMax=, pids_limit)"
        guard configuration.workersAreDefault else {
            throw Shortage(
                message: "server.workers: \(configuration.server.workers) workers need \(wanted) "
                    + "threads, and only \(probe.threads) can be created; \(remedy), or lower "
                    + "server.workers")
        }
        let (workers, waiting) = (
            configuration.server.workers, configuration.server.ioBoundWork.maximumConcurrent
        )
        let fewerWorkers = min(missing, workers - 1)
        configuration.server.workers -= fewerWorkers
        missing -= fewerWorkers
        let fewerComputing = min(missing, configuration.server.cpuBoundWork.maximumConcurrent - 1)
        configuration.server.cpuBoundWork.maximumConcurrent -= fewerComputing
        missing -= fewerComputing
        let fewerWaiting = min(missing, waiting - Self.fewestWaiting)
        configuration.server.ioBoundWork.maximumConcurrent -= fewerWaiting
        missing -= fewerWaiting
        guard missing == 0 else {
            throw Shortage(
                message: "threads: at least \(probe.threads + missing) are required, and only "
                    + "\(probe.threads) can be created; \(remedy)")
        }
        return ConfigurationProblem(
            path: "server.workers",
            message: "reduced from \(workers) to \(configuration.server.workers), and concurrent "
                + "disk operations from \(waiting) to "
                + "\(configuration.server.ioBoundWork.maximumConcurrent): only \(probe.threads) "
                + "of \(wanted) threads can be created; \(remedy)")
    }

    private func fitDescriptors(
        _ configuration: inout Configuration
    ) throws(Shortage) -> ConfigurationProblem? {
        let sides = [configuration.adminOptions, configuration.metricsOptions].compactMap(\.self)
        let usual = configuration.server.maximumConnections
        let others =
            Self.otherDescriptors
            + (configuration.server.workers + sides.count) * Self.descriptorsOfWorker
            + sides.map { $0.maximumConnections + $0.excessConnections }.reduce(0, +)
        let free = descriptors - others
        guard free < usual + configuration.server.excessConnections else { return nil }
        let remedy = "raise the limit (ulimit -n, LimitNOFILE=)"
        if configuration.connectionsAreDefault {
            let excess = min(
                configuration.server.excessConnections, max(Self.fewestConnections, free / 8))
            let connections = min(usual, free - excess)
            guard connections >= Self.fewestConnections else {
                throw Shortage(
                    message: "descriptors: at least \(others + 2 * Self.fewestConnections) are "
                        + "required, and the limit is \(descriptors); \(remedy)")
            }
            configuration.server.maximumConnections = connections
            configuration.server.excessConnections = excess
            return ConfigurationProblem(
                path: "server.max_connections",
                message: "reduced from \(usual) to \(connections): only \(descriptors) descriptors "
                    + "can be open; \(remedy)")
        }
        guard free >= usual + min(usual, Self.fewestConnections) else {
            throw Shortage(
                message: "server.max_connections: \(usual) connections need "
                    + "\(others + usual + min(usual, Self.fewestConnections)) descriptors, and the "
                    + "limit is \(descriptors); \(remedy), or lower server.max_connections")
        }
        configuration.server.excessConnections = free - usual
        return nil
    }

    /// Reduces the connections of a reloaded configuration to fit the limits. A reload is not
    /// refused: a configured maximum that does not fit is reduced like a default.
    /// - Returns: a warning if the maximum was reduced.
    func fitReload(_ configuration: inout Configuration) -> [ConfigurationProblem] {
        do throws(Shortage) {
            return [try fitDescriptors(&configuration)].compactMap(\.self)
        } catch {
            configuration.connectionsAreDefault = true
            let warning = try? fitDescriptors(&configuration)
            return [warning].compactMap(\.self)
        }
    }
}
