import Foundation
import TestSupport

extension TemporaryFolder {
    /// The log's files: archives from the oldest to the newest, then the current file.
    var logFiles: [String] {
        let names = names.filter { $0.hasPrefix("app.log") }
        return names.filter { $0 != "app.log" } + names.filter { $0 == "app.log" }
    }

    /// The content of all files of the log, in order.
    func log() throws -> String { try logFiles.map { try content($0) }.joined() }

    func move(_ name: String, to newName: String) throws {
        try FileManager.default.moveItem(atPath: path(name), toPath: path(newName))
    }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: path(name)) }

    /// Nil if there is no such file.
    func size(_ name: String) -> Int? {
        var status = stat()
        return stat(path(name), &status) == 0 ? Int(status.st_size) : nil
    }
}

/// The request ids in a log in the text format: one for each line whose last field is `rid`.
func recordedIDs(in text: String) -> [String] {
    text.utf8.split(separator: UInt8(ascii: "\n")).compactMap { line in
        guard let space = line.lastIndex(of: UInt8(ascii: " ")) else { return nil }
        let word = line[line.index(after: space)...]
        return word.starts(with: "rid=".utf8) ? String(word.dropFirst(4)) : nil
    }
}
