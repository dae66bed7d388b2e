import POSIX
import Server

/// What the system lets this process have, held against what a configuration needs. Defaults are
/// made to fit; what an operator has chosen is refused if it does not.
struct StartLimits: Sendable {
    /// What is lacking, and what to do about it.
    struct Shortage: Error, Sendable, Equatable {
        let sentence: String
    }

    /// Descriptors that can be open at once.
    let descriptors: Int
    /// Threads that can be made, up to the number that was asked for, beside `bytes` of memory.
    let threads: @Sendable (_ wanted: Int, _ bytes: Int) -> StartProbe

    /// Of the process as it is.
    /// - Parameter missing: threads that a start has made before it measures, and this process has
    ///   not.
    static func measured(missingThreads missing: Int = 0) -> StartLimits {
        StartLimits(
            descriptors: ResourceLimits.raiseDescriptors(),
            threads: { wanted, bytes in
                let probe = StartProbe(threads: wanted + missing, bytes: bytes)
                return StartProbe(
                    threads: max(0, probe.threads - missing), hasMemory: probe.hasMemory)
            })
    }

    /// Nothing is limited.
    static let none = StartLimits(
        descriptors: .max, threads: { wanted, _ in StartProbe(threads: wanted, hasMemory: true) })

    // MARK: Needs

    /// Threads beside those of the listeners: the one in which Dispatch waits for descriptors and
    /// timers, the log's upkeep, a sync of each of its two files, standard error, the journal of
    /// revocations, the service manager, the sweep, the watchdog, reloads, and two that stop the
    /// small listeners. A new queue needs one more: its callers wait while it has no thread.
    private static let otherThreads = 12
    /// Beside those of the listeners: standard input, output and error, logs, journal, their locks
    /// and folders, full files that wait for the disk, Dispatch's own, and a reload's.
    private static let otherDescriptors = 96
    /// A listener, an epoll instance and a pipe.
    private static let descriptorsOfWorker = 4
    /// What a start reads before it knows its configuration.
    private static let fewestDescriptors = 64
    private static let fewestConnections = 64
    private static let fewestWaiting = 2
    /// For the log's buffers, users, connections and what clients send.
    private static let bytes = 64 << 20
    private static let bytesOfWorker = 1 << 20

    private static func threads(of options: ServerOptions) -> Int {
        let workers = if case .unix = options.address.host { 1 } else { options.workers }
        return workers + options.cpuBoundWork.maximumConcurrent
            + options.ioBoundWork.maximumConcurrent
    }

    // MARK: Fitting

    /// Before anything is read.
    var shortageOfDescriptors: Shortage? {
        guard descriptors < Self.fewestDescriptors else { return nil }
        return Shortage(
            sentence: "descriptors: \(Self.fewestDescriptors) are needed at least, and the limit "
                + "is \(descriptors); raise the limit (ulimit -n, LimitNOFILE=)")
    }

    /// Makes the configuration's defaults fit the limits.
    /// - Returns: what was made smaller than usual.
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
                sentence: "memory: \(bytes >> 20) MiB beside \(probe.threads) threads are needed, "
                    + "and cannot be had; raise the limit (ulimit -v)")
        }
        var missing = wanted - probe.threads
        guard missing > 0 else { return nil }
        let remedy = "raise the limit (ulimit -u, ulimit -v, TasksMax=, pids_limit)"
        guard configuration.workersAreDefault else {
            throw Shortage(
                sentence: "server.workers: \(configuration.server.workers) workers need \(wanted) "
                    + "threads, and \(probe.threads) can be made; \(remedy), or lower "
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
                sentence: "threads: \(probe.threads + missing) are needed at least, and "
                    + "\(probe.threads) can be made; \(remedy)")
        }
        return ConfigurationProblem(
            path: "server.workers",
            message: "\(configuration.server.workers) instead of \(workers), and "
                + "\(configuration.server.ioBoundWork.maximumConcurrent) requests at a time instead of \(waiting) "
                + "wait for the disk: \(probe.threads) threads can be made, \(wanted) are usual; "
                + remedy)
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
                    sentence: "descriptors: \(others + 2 * Self.fewestConnections) are needed at "
                        + "least, and the limit is \(descriptors); \(remedy)")
            }
            configuration.server.maximumConnections = connections
            configuration.server.excessConnections = excess
            return ConfigurationProblem(
                path: "server.max_connections",
                message: "\(connections) instead of \(usual): \(descriptors) descriptors can be "
                    + "open; \(remedy)")
        }
        guard free >= usual + min(usual, Self.fewestConnections) else {
            throw Shortage(
                sentence: "server.max_connections: \(usual) connections need "
                    + "\(others + usual + min(usual, Self.fewestConnections)) descriptors, and the "
                    + "limit is \(descriptors); \(remedy), or lower server.max_connections")
        }
        configuration.server.excessConnections = free - usual
        return nil
    }

    /// At a reload nothing is refused: what was chosen for more than there is gets what there is.
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
