import App
import Foundation
import POSIX

/// Ends the program before it has begun.
func refuse(_ sentence: String, _ code: CInt) -> Never {
    GatehouseCommand.printError(sentence)
    exit(code)
}

ResourceLimits.keepMemoryPrivate()

// Where memory lacks, Swift traps: what reads arguments and configuration must have enough.
guard StartProbe.canReserve(48 << 20) else {
    // Without an allocation.
    let sentence: StaticString =
        "gatehouse: memory: less than 48 MiB are left; raise the limit (ulimit -v)\n"
    // Sound: as many bytes are written as the literal has.
    _ = unsafe write(2, sentence.utf8Start, sentence.utf8CodeUnitCount)
    exit(EX_OSERR)
}

// Before any file is opened, by whomever.
do throws(Errno) {
    try FileDescriptor.reserveStandardDescriptors()
} catch {
    refuse("standard input, output and error: \(error.description)", EX_OSERR)
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
            "cannot read its arguments in /proc/self/cmdline: \(error.description); is /proc mounted?",
            EX_OSFILE)
    }
}
exit(
    GatehouseCommand.run(
        Array(arguments.dropFirst()), environment: ProcessInfo.processInfo.environment
    ).rawValue)
