import Audit
import Glibc
import POSIX

/// The output of a command. Each text is written immediately and completely, or the failure is
/// remembered: the command finishes its work and then exits with `inputOutput`.
enum StandardOutput {
    private static let failed = Monitor<ReadingError?>(nil)

    /// Prints one or more lines; the last needs no line end.
    static func show(_ lines: String) { write(lines + "\n") }

    /// A closed reader, as in `| head`, is not a failure.
    static func write(_ text: String) {
        let bytes = Array(text.utf8)
        do throws(ReadingError) {
            try Output(1).write(bytes.span)
        } catch {
            failed.withLock { $0 = $0 ?? error }
        }
    }

    /// The final exit code of a command. If output was lost, prints a message and replaces
    /// `success` by `inputOutput`; another failure's code stays.
    static func finish(_ code: GatehouseCommand.ExitCode) -> GatehouseCommand.ExitCode {
        guard let failure = failed.withLock({ $0.take() }) else { return code }
        GatehouseCommand.printError(failure.sentence)
        return code == .success ? .inputOutput : code
    }
}
