import App
import Foundation
import POSIX

/// Exits before the program has started.
func refuse(_ sentence: String, _ code: CInt) -> Never {
    GatehouseCommand.printError(sentence)
    exit(code)
}

ResourceLimits.protectMemory()

// Swift traps when an allocation fails, so reading the arguments and the configuration must have
// enough memory.
guard ResourceProbe.canReserve(48 << 20) else {
    // Must not allocate memory.
    let sentence: StaticString =
        "gatehouse: memory: less than 48 MiB is left; raise the limit (ulimit -v)\n"
    // Sound: the count is the length of the literal.
    _ = unsafe write(2, sentence.utf8Start, sentence.utf8CodeUnitCount)
    exit(EX_OSERR)
}

// Before any file is opened, which could get the number of a standard descriptor that is closed.
do throws(Errno) {
    try FileDescriptor.reserveStandardDescriptors()
} catch {
    refuse("standard input, output and error: cannot be opened: \(error.description)", EX_OSERR)
}

// Swift finds the arguments on its stack with the help of /proc/self/maps. It finds none if /proc
// is not mounted or if a preloaded library changes the layout. The program must not run as if it
// had no arguments.
var arguments = CommandLine.arguments
if arguments.isEmpty {
    do throws(Errno) {
        arguments = try processArguments()
    } catch {
        refuse(
            "/proc/self/cmdline: cannot be read for the arguments: \(error.description); mount "
                + "/proc",
            EX_OSFILE)
    }
}
exit(
    GatehouseCommand.run(
        Array(arguments.dropFirst()), environment: ProcessInfo.processInfo.environment
    ).rawValue)
