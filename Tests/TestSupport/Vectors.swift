import Foundation

/// The published test vectors that are too large to be typed into a test: a folder outside of the
/// repository, named by the environment variable GATEHOUSE_VECTORS. Without it the tests that need
/// a file of it are skipped.
///
///     nist/        SHA256ShortMsg.rsp, SHA256LongMsg.rsp, SHA256Monte.rsp of the NIST CAVP
///     wycheproof/  hmac_sha256_test.json and others of C2SP/wycheproof, testvectors_v1
package enum Vectors {
    package static let folder = ProcessInfo.processInfo.environment["GATEHOUSE_VECTORS"]

    package static var areAvailable: Bool { folder != nil }

    package static func contents(of path: String) throws -> Data {
        try Data(contentsOf: URL(filePath: folder ?? ".").appending(path: path))
    }
}
