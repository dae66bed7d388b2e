private import CBuildInfo

/// Facts about the build. A target of its own, so that a new commit compiles only this file.
package enum BuildInfo {
    /// The git commit that was built: `GATEHOUSE_COMMIT` of `swift build`, or `unknown` without it.
    package static let commit: String = gatehouseCommit
}
