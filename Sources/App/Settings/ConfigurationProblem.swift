import Foundation

/// Something wrong with a configuration: which key, and what.
package struct ConfigurationProblem: Error, Equatable, Sendable, CustomStringConvertible {
    package let path: String
    package let message: String

    /// The sentence without the value that it may begin with, in quotation marks: somebody may have
    /// written a secret in the wrong place, and the log is for others' eyes.
    var redacted: String {
        guard message.hasPrefix("\""), let end = message.range(of: "\" ", options: .backwards)
        else { return message }
        return "the value " + message[end.upperBound...]
    }

    package var description: String { path.isEmpty ? message : "\(path): \(message)" }
}
