import App
import Foundation

exit(
    Command.run(
        Array(CommandLine.arguments.dropFirst()), environment: ProcessInfo.processInfo.environment
    ).rawValue)
