import Audit
import Glibc
import POSIX

/// What a command answers. Each text is written at once, and to its end, or what kept it from that is
/// remembered: a command goes on with what it has begun, and then exits with `inputOutput`.
enum StandardOutput {
    private static let failed = Monitor<ReadingError?>(nil)

    /// A line, or some, without the last one's end.
    static func show(_ lines: String) { write(lines + "\n") }

    /// That nobody reads it any more, as behind `| head`, is no failure.
    static func write(_ text: String) {
        let bytes = Array(text.utf8)
        do throws(ReadingError) {
            try Output(1).write(bytes.span)
        } catch {
            failed.withLock { $0 = $0 ?? error }
        }
    }

    /// The exit code of a command that has come to another; says so where not all was written. A code
    /// that tells of something else that is wrong stays.
    static func finish(_ code: GatehouseCommand.ExitCode) -> GatehouseCommand.ExitCode {
        guard let failure = failed.withLock({ $0.take() }) else { return code }
        GatehouseCommand.printError(failure.sentence)
        return code == .success ? .inputOutput : code
    }
}
