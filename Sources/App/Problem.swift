import Foundation

/// Something wrong with a configuration: which key, and what.
package struct Problem: Error, Equatable, Sendable, CustomStringConvertible {
    package let path: String
    package let sentence: String

    /// The sentence without the value that it may begin with, in quotation marks: somebody may have
    /// written a secret in the wrong place, and the log is for others' eyes.
    var withoutValue: String {
        guard sentence.hasPrefix("\""), let end = sentence.range(of: "\" ", options: .backwards)
        else { return sentence }
        return "the value " + sentence[end.upperBound...]
    }

    package var description: String { path.isEmpty ? sentence : "\(path): \(sentence)" }
}
