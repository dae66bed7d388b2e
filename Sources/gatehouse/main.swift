import App
import Foundation
import POSIX

/// Ends the program before it has begun.
func refuse(_ sentence: String, _ code: CInt) -> Never {
    Command.say(sentence)
    exit(code)
}

// Before any file is opened, by whomever.
do throws(Errno) {
    try FileDescriptor.occupyStandardNumbers()
} catch {
    refuse("standard input, output and error: \(error.words)", EX_OSERR)
}

// Swift looks for them on its stack, by /proc/self/maps, and has none where that is not mounted or a
// library that was loaded before stands in the way. The program must not run as if nothing had been
// asked of it.
var arguments = CommandLine.arguments
if arguments.isEmpty {
    do throws(Errno) {
        arguments = try processArguments()
    } catch {
        refuse(
            "cannot read its arguments in /proc/self/cmdline: \(error.words); is /proc mounted?",
            EX_OSFILE)
    }
}
exit(
    Command.run(
        Array(arguments.dropFirst()), environment: ProcessInfo.processInfo.environment
    ).rawValue)
