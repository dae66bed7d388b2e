import Foundation

/// A problem of a configuration: the place and the message.
package struct ConfigurationProblem: Error, Equatable, Sendable, CustomStringConvertible {
    /// The path of a setting, an environment variable or a file; empty for the file as a whole.
    package let path: String
    package let message: String

    /// The message without the quoted value that it may begin with. The value may be a secret in
    /// the wrong place, and the log has other readers than the configuration.
    var redacted: String {
        guard message.hasPrefix("\""), let end = message.range(of: "\" ", options: .backwards)
        else { return message }
        return "the value " + message[end.upperBound...]
    }

    package var description: String { path.isEmpty ? message : "\(path): \(message)" }
}
