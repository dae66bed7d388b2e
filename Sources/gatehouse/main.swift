import App
import Foundation
import POSIX

// Before any file is opened, by whomever.
do throws(Errno) {
    try FileDescriptor.occupyStandardNumbers()
} catch {
    Command.say("standard input, output and error: \(error.words)")
    exit(EX_OSERR)
}

// Swift reads them in /proc. Where that is not mounted they are not there, and the program must not
// run as if nothing had been asked of it.
guard !CommandLine.arguments.isEmpty else {
    FileHandle.standardError.write(
        Data("gatehouse: cannot read its arguments: /proc is not mounted\n".utf8))
    exit(EX_OSFILE)
}
exit(
    Command.run(
        Array(CommandLine.arguments.dropFirst()), environment: ProcessInfo.processInfo.environment
    ).rawValue)
