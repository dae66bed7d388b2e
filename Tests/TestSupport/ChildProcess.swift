import Foundation
import Glibc

/// A program that runs beside the test; killed when the test lets go of it, or when the process of
/// the tests ends, however that ends.
package final class ChildProcess: Sendable {
    package enum Ending: Equatable, Sendable {
        case exited(CInt)
        case killed(by: CInt)
    }

    package enum Failure: Error {
        case cannotStart(CInt)
        case timedOut(standardError: String)
        /// It ended before it said what was waited for.
        case ended(standardError: String)
    }

    /// Seconds to wait for anything.
    private static let patience = TestScale.timeout + 10

    private static let starting = NSLock()

    package let processID: pid_t
    private let state = State()

    /// What its pipes have said, and how it ended. Not part of the process's own class: the threads
    /// that read the pipes hold it, and must not keep the process from being let go.
    ///
    /// `@unchecked Sendable` is sound: everything that changes is guarded by `condition`.
    private final class State: @unchecked Sendable {
        let condition = NSCondition()
        /// By descriptor: 1 and 2.
        var said: [CInt: [UInt8]] = [1: [], 2: []]
        var openPipes = 2
        var leash: CInt = -1
        var ending: Ending?

        func text(_ descriptor: CInt) -> String {
            String(decoding: said[descriptor]!, as: UTF8.self)
        }
    }

    /// - Parameters:
    ///   - folder: where it starts.
    ///   - environment: all of it; nothing is inherited.
    ///   - input: the path of what it reads as standard input.
    package init(
        _ program: String, _ arguments: [String], environment: [String: String], folder: String,
        input: String = "/dev/null"
    ) throws(Failure) {
        // One at a time: a pipe must not be inherited by a child that another test starts between
        // the making of the pipe and its mark.
        Self.starting.lock()
        defer { Self.starting.unlock() }
        var (output, errors, leash): ([CInt], [CInt], [CInt]) = ([-1, -1], [-1, -1], [-1, -1])
        guard pipe(&output) == 0, pipe(&errors) == 0, pipe(&leash) == 0 else {
            throw .cannotStart(errno)
        }
        for end in output + errors + leash { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY | O_NOCTTY, 0)
        posix_spawn_file_actions_adddup2(&actions, output[1], 1)
        posix_spawn_file_actions_adddup2(&actions, errors[1], 2)
        posix_spawn_file_actions_adddup2(&actions, leash[0], 3)
        // Nothing else: the sockets of a server that another test runs in this process would stay
        // open in the child after that server has closed them.
        for other in 4..<CInt(min(1024, sysconf(CInt(_SC_OPEN_MAX)))) {
            posix_spawn_file_actions_addclose(&actions, other)
        }

        // The child must take signals as any process does, whatever this one ignores or blocks.
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

        // The shell changes the folder and becomes the program: the process stays the same. What it
        // leaves behind kills the program when the other end of the leash is gone.
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
        close(leash[0])
        guard result == 0 else {
            close(output[0])
            close(errors[0])
            close(leash[1])
            throw .cannotStart(result)
        }
        self.processID = processID
        state.leash = leash[1]
        Self.collect(output[0], as: 1, state)
        Self.collect(errors[0], as: 2, state)
    }

    deinit { end() }

    /// Kills it, if it still runs.
    package func end() {
        if state.condition.withLock({ state.ending == nil }) { kill(SIGKILL) }
        _ = try? wait()
    }

    package func kill(_ signal: CInt) { Glibc.kill(processID, signal) }

    /// How many files and sockets it may have open from now on.
    package func limitDescriptors(to count: Int) throws {
        // Of util-linux: Swift's Glibc module does not show prlimit(2).
        let done = try Foundation.Process.run(
            URL(filePath: "/usr/bin/prlimit"),
            arguments: ["--pid", "\(processID)", "--nofile=\(count):\(count)"])
        done.waitUntilExit()
        guard done.terminationStatus == 0 else { throw Failure.cannotStart(EPERM) }
    }

    package var standardOutput: String { state.condition.withLock { state.text(1) } }

    package var standardError: String { state.condition.withLock { state.text(2) } }

    /// The first line on standard error that contains `text`, once it is there.
    package func errorLine(containing text: String) throws(Failure) -> String {
        let deadline = Date(timeIntervalSinceNow: Self.patience)
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

    /// Returns once `text` stands in what it has written to standard output.
    package func waitForOutput(_ text: String) throws(Failure) {
        let deadline = Date(timeIntervalSinceNow: Self.patience)
        let wanted = Data(text.utf8)
        state.condition.lock()
        defer { state.condition.unlock() }
        var searched = 0
        while true {
            let rest = Data(state.said[1]![searched...])
            if rest.range(of: wanted) != nil { return }
            searched += max(0, rest.count - wanted.count)
            guard state.openPipes > 0 else { throw .ended(standardError: state.text(2)) }
            guard state.condition.wait(until: deadline) else {
                throw .timedOut(standardError: state.text(2))
            }
        }
    }

    /// How it ended, once it has.
    @discardableResult
    package func wait() throws(Failure) -> Ending {
        let deadline = Date(timeIntervalSinceNow: Self.patience)
        state.condition.lock()
        defer { state.condition.unlock() }
        if let ending = state.ending { return ending }
        while state.openPipes > 0 {
            guard state.condition.wait(until: deadline) else {
                throw .timedOut(standardError: state.text(2))
            }
        }
        // Lets the leash go while the process's number is still its own.
        _ = write(state.leash, "\n", 1)
        close(state.leash)
        var status: CInt = 0
        while waitpid(processID, &status, 0) == -1, errno == EINTR {}
        // <sys/wait.h>: the low seven bits are the signal, the next eight what it exited with.
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
                        state.said[descriptor]! += bytes[..<count]
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
