import Foundation

/// A folder of the test's own, removed with everything in it when the test lets go of it; or left for
/// whoever named, in `GATEHOUSE_TEST_FOLDERS`, where such folders are to be.
package final class TemporaryFolder: Sendable {
    private static let keptIn = ProcessInfo.processInfo.environment["GATEHOUSE_TEST_FOLDERS"]

    /// Whether other accounts can come to a path: each folder above it lets them through.
    package static func isOpenToOthers(_ path: String) -> Bool {
        var folder = URL(filePath: path).deletingLastPathComponent()
        while folder.path != "/" {
            let mode =
                try? FileManager.default.attributesOfItem(atPath: folder.path)[
                    .posixPermissions] as? Int
            guard let mode, mode & 0o001 != 0 else { return false }
            folder.deleteLastPathComponent()
        }
        return true
    }

    /// The same for every folder of a test.
    package static var areOpenToOthers: Bool {
        let parent = keptIn ?? FileManager.default.temporaryDirectory.path
        return isOpenToOthers(parent + "/folder")
    }

    package let path: String

    package init() throws {
        let parent =
            Self.keptIn.map { URL(filePath: $0) } ?? FileManager.default.temporaryDirectory
        let url = parent.appending(path: "gatehouse-test-\(UUID().uuidString)")
        // Whatever the umask is: a folder that others can change is refused.
        try FileManager.default.createDirectory(
            at: url, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
        path = url.path
    }

    deinit {
        if Self.keptIn == nil { try? FileManager.default.removeItem(atPath: path) }
    }

    package func path(_ name: String) -> String { "\(path)/\(name)" }

    /// Makes a file, and returns its path.
    @discardableResult
    package func file(_ name: String, _ content: String, mode: Int = 0o600) throws -> String {
        let path = path(name)
        try Data(content.utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        return path
    }

    package func content(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: path(name))), as: UTF8.self)
    }

    /// The names in it, sorted; without the hidden ones.
    package var names: [String] { allNames.filter { !$0.hasPrefix(".") } }

    /// All of them.
    package var allNames: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: path).sorted()) ?? []
    }
}
