import Foundation

/// A folder of one test. It is removed with its content when this object is released, unless the
/// environment variable GATEHOUSE_TEST_FOLDERS names the folder in which test folders are kept.
package final class TemporaryFolder: Sendable {
    private static let keptFolder = ProcessInfo.processInfo.environment["GATEHOUSE_TEST_FOLDERS"]

    /// Whether other accounts can access a path: each folder above it must let them pass.
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

    /// Whether other accounts can access the folders of tests.
    package static var areOpenToOthers: Bool {
        let parent = keptFolder ?? FileManager.default.temporaryDirectory.path
        return isOpenToOthers(parent + "/folder")
    }

    package let path: String

    package init() throws {
        let parent =
            Self.keptFolder.map { URL(filePath: $0) } ?? FileManager.default.temporaryDirectory
        let url = parent.appending(path: "gatehouse-test-\(UUID().uuidString)")
        // Regardless of the umask: the server refuses a folder that others can change.
        try FileManager.default.createDirectory(
            at: url, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
        path = url.path
    }

    deinit {
        if Self.keptFolder == nil { try? FileManager.default.removeItem(atPath: path) }
    }

    package func path(_ name: String) -> String { "\(path)/\(name)" }

    /// Creates a file, and returns its path.
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

    /// The names in the folder, sorted, without the hidden ones.
    package var names: [String] { allNames.filter { !$0.hasPrefix(".") } }

    /// All names in the folder, sorted.
    package var allNames: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: path).sorted()) ?? []
    }
}
