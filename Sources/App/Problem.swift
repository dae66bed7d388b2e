/// Something wrong with a configuration: which key, and what.
package struct Problem: Error, Equatable, Sendable, CustomStringConvertible {
    package let path: String
    package let sentence: String

    package var description: String { path.isEmpty ? sentence : "\(path): \(sentence)" }
}
