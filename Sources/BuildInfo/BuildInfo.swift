private import CBuildInfo

/// What the build knows of itself. A target of its own, so that another commit compiles this file alone.
package enum BuildInfo {
    /// The git commit that was built, if `GATEHOUSE_COMMIT` was set for `swift build`; else `unknown`.
    package static let commit: String = gatehouseCommit
}
