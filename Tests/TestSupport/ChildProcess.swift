import Foundation
import Glibc

/// A child process. It is killed when this object is released, or when the test process ends for
/// any reason.
package final class ChildProcess: Sendable {
    package enum Ending: Equatable, Sendable {
        case exited(CInt)
        case killed(by: CInt)
    }

    package enum Failure: Error {
        case cannotStart(CInt)
        case timedOut(standardError: String)
        /// The process ended before it wrote the expected text.
        case ended(standardError: String)
    }

    /// The timeout of every wait, in seconds.
    private static let timeout = TestScale.timeout + 10

    private static let starting = NSLock()

    package let processID: pid_t
    private let state = State()

    /// The output of the child, and how it ended. A class of its own: the threads that read the
    /// pipes hold it, and must not keep the `ChildProcess` alive.
    ///
    /// Sound: `@unchecked Sendable`, because everything that changes is guarded by `condition`.
    private final class State: @unchecked Sendable {
        let condition = NSCondition()
        /// The output by descriptor: 1 and 2.
        var output: [CInt: [UInt8]] = [1: [], 2: []]
        var openPipes = 2
        /// The writing end of a pipe whose reading end a watcher of the child holds.
        var lifeline: CInt = -1
        var ending: Ending?

        func text(_ descriptor: CInt) -> String {
            String(decoding: output[descriptor]!, as: UTF8.self)
        }
    }

    /// - Parameters:
    ///   - folder: the working folder.
    ///   - environment: the complete environment; nothing is inherited.
    ///   - input: the path of the file that becomes standard input.
    package init(
        _ program: String, _ arguments: [String], environment: [String: String], folder: String,
        input: String = "/dev/null"
    ) throws(Failure) {
        // One start at a time: between pipe(2) and FD_CLOEXEC, a child of another test could
        // inherit the pipe.
        Self.starting.lock()
        defer { Self.starting.unlock() }
        var (output, errors, lifeline): ([CInt], [CInt], [CInt]) = ([-1, -1], [-1, -1], [-1, -1])
        guard pipe(&output) == 0, pipe(&errors) == 0, pipe(&lifeline) == 0 else {
            throw .cannotStart(errno)
        }
        for end in output + errors + lifeline { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY | O_NOCTTY, 0)
        posix_spawn_file_actions_adddup2(&actions, output[1], 1)
        posix_spawn_file_actions_adddup2(&actions, errors[1], 2)
        posix_spawn_file_actions_adddup2(&actions, lifeline[0], 3)
        // Close everything else: the sockets of a server that another test runs in this process
        // would stay open in the child after that server has closed them.
        for other in 4..<CInt(min(1024, sysconf(CInt(_SC_OPEN_MAX)))) {
            posix_spawn_file_actions_addclose(&actions, other)
        }

        // The child must handle signals as any process does, whatever this one ignores or blocks.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        // The shell changes the folder and executes the program, in the same process. Its
        // background job kills the program when the other end of the lifeline is closed.
        let watch = "(read word <&3 || kill -9 $$) >/dev/null 2>&1 &"
        let become = #"exec 3<&- && cd "$0" && exec "$@""#
        let shell = ["/bin/sh", "-c", "\(watch) \(become)", folder, program]
        var argumentPointers = (shell + arguments).map { strdup($0) } + [nil]
        var variablePointers = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argumentPointers + variablePointers { free(pointer) } }
        var processID: pid_t = 0
        let result = posix_spawn(
            &processID, shell[0], &actions, &attributes, &argumentPointers, &variablePointers)
        close(output[1])
        close(errors[1])
        close(lifeline[0])
        guard result == 0 else {
            close(output[0])
            close(errors[0])
            close(lifeline[1])
            throw .cannotStart(result)
        }
        self.processID = processID
        state.lifeline = lifeline[1]
        Self.collect(output[0], as: 1, state)
        Self.collect(errors[0], as: 2, state)
    }

    deinit { stop() }

    /// Kills the process if it is still running.
    package func stop() {
        if state.condition.withLock({ state.ending == nil }) { kill(SIGKILL) }
        _ = try? wait()
    }

    package func kill(_ signal: CInt) { Glibc.kill(processID, signal) }

    /// Limits the number of files and sockets that it may have open.
    package func limitDescriptors(to count: Int) throws {
        // A program of util-linux: Swift's Glibc module does not import prlimit(2).
        let prlimit = try Foundation.Process.run(
            URL(filePath: "/usr/bin/prlimit"),
            arguments: ["--pid", "\(processID)", "--nofile=\(count):\(count)"])
        prlimit.waitUntilExit()
        guard prlimit.terminationStatus == 0 else { throw Failure.cannotStart(EPERM) }
    }

    package var standardOutput: String { state.condition.withLock { state.text(1) } }

    package var standardError: String { state.condition.withLock { state.text(2) } }

    /// Waits for a line on standard error that contains `text`, and returns the first one.
    package func errorLine(containing text: String) throws(Failure) -> String {
        let deadline = Date(timeIntervalSinceNow: Self.timeout)
        state.condition.lock()
        defer { state.condition.unlock() }
        while true {
            let lines = state.text(2).split(separator: "\n", omittingEmptySubsequences: false)
            if let line = lines.dropLast().first(where: { $0.contains(text) }) {
                return String(line)
            }
            guard state.openPipes > 0 else { throw .ended(standardError: state.text(2)) }
            guard state.condition.wait(until: deadline) else {
                throw .timedOut(standardError: state.text(2))
            }
        }
    }

    /// Returns after `text` was written to standard output.
    package func waitForOutput(_ text: String) throws(Failure) {
        let deadline = Date(timeIntervalSinceNow: Self.timeout)
        let wanted = Data(text.utf8)
        state.condition.lock()
        defer { state.condition.unlock() }
        var searched = 0
        while true {
            let rest = Data(state.output[1]![searched...])
            if rest.range(of: wanted) != nil { return }
            searched += max(0, rest.count - wanted.count)
            guard state.openPipes > 0 else { throw .ended(standardError: state.text(2)) }
            guard state.condition.wait(until: deadline) else {
                throw .timedOut(standardError: state.text(2))
            }
        }
    }

    /// Waits for the end of the process.
    /// - Returns: how it ended.
    @discardableResult
    package func wait() throws(Failure) -> Ending {
        let deadline = Date(timeIntervalSinceNow: Self.timeout)
        state.condition.lock()
        defer { state.condition.unlock() }
        if let ending = state.ending { return ending }
        while state.openPipes > 0 {
            guard state.condition.wait(until: deadline) else {
                throw .timedOut(standardError: state.text(2))
            }
        }
        // The watcher must end while the process ID still belongs to the child.
        _ = write(state.lifeline, "\n", 1)
        close(state.lifeline)
        var status: CInt = 0
        while waitpid(processID, &status, 0) == -1, errno == EINTR {}
        // <sys/wait.h>: the low seven bits are the signal, the next eight the exit code.
        let signal = status & 0x7F
        let ending: Ending = signal == 0 ? .exited(status >> 8 & 0xFF) : .killed(by: signal)
        state.ending = ending
        return ending
    }

    /// Reads a pipe to its end, on a thread of its own.
    private static func collect(_ pipe: CInt, as descriptor: CInt, _ state: State) {
        Thread.detachNewThread {
            var bytes = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = read(pipe, &bytes, bytes.count)
                if count == -1, errno == EINTR { continue }
                state.condition.withLock {
                    if count > 0 {
                        state.output[descriptor]! += bytes[..<count]
                    } else {
                        state.openPipes -= 1
                    }
                    state.condition.broadcast()
                }
                if count <= 0 { break }
            }
            close(pipe)
        }
    }
}
