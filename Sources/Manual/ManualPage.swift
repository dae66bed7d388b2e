/// A page of the manual: Markdown that is embedded in the program, so that it describes the version
/// that prints it.
package struct ManualPage: Sendable {
    /// How `gatehouse help` and links name it; also the file's name without `.md`.
    package let name: String
    /// The heading of level 1.
    package let title: String
    /// The complete Markdown.
    package let text: String

    private init(_ name: String, _ bytes: [UInt8]) {
        self.name = name
        text = String(decoding: bytes, as: UTF8.self)
        title =
            text.split(separator: "\n").first.map { String($0.drop { "# ".contains($0) }) } ?? name
    }

    /// In the order in which a new operator reads them. A test compares the list with the folder.
    package static let all: [ManualPage] = [
        ManualPage("quick-start", PackageResources.quick_start_md),
        ManualPage("configuration", PackageResources.configuration_md),
        ManualPage("commands", PackageResources.commands_md),
        ManualPage("endpoints", PackageResources.endpoints_md),
        ManualPage("tokens", PackageResources.tokens_md),
        ManualPage("sessions", PackageResources.sessions_md),
        ManualPage("users", PackageResources.users_md),
        ManualPage("keys", PackageResources.keys_md),
        ManualPage("revocation", PackageResources.revocation_md),
        ManualPage("throttling", PackageResources.throttling_md),
        ManualPage("logging", PackageResources.logging_md),
        ManualPage("log-events", PackageResources.log_events_md),
        ManualPage("sealing", PackageResources.sealing_md),
        ManualPage("proxies", PackageResources.proxies_md),
        ManualPage("forward-auth", PackageResources.forward_auth_md),
        ManualPage("systemd", PackageResources.systemd_md),
        ManualPage("container", PackageResources.container_md),
        ManualPage("admin-api", PackageResources.admin_api_md),
        ManualPage("metrics", PackageResources.metrics_md),
        ManualPage("operation", PackageResources.operation_md),
        ManualPage("files", PackageResources.files_md),
        ManualPage("backup-and-upgrade", PackageResources.backup_and_upgrade_md),
        ManualPage("troubleshooting", PackageResources.troubleshooting_md),
        ManualPage("security-model", PackageResources.security_model_md),
        ManualPage("limits", PackageResources.limits_md),
        ManualPage("performance", PackageResources.performance_md),
        ManualPage("contributing", PackageResources.contributing_md),
        ManualPage("changelog", PackageResources.changelog_md),
    ]

    /// Nil for an unknown name. Names are compared exactly.
    package static func named(_ name: String) -> ManualPage? { all.first { $0.name == name } }

    /// The headings of level 2, in order.
    package var sections: [String] {
        sectionTexts.map { section in
            String(section.prefix { $0 != "\n" }.dropFirst("## ".count))
        }
    }

    /// The section with this heading of level 2, heading included; nil if there is none.
    package func section(_ heading: String) -> String? {
        sectionTexts.first { $0.hasPrefix("## \(heading)\n") }
    }

    /// Each ends with one line end. A heading in a code block is text.
    private var sectionTexts: [String] {
        var found: [String] = []
        var isInCode = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") { isInCode.toggle() }
            if !isInCode, line.hasPrefix("## ") {
                found.append("")
            }
            if !found.isEmpty { found[found.count - 1] += "\(line)\n" }
        }
        return found.map { section in
            let end = section.lastIndex { $0 != "\n" }
            return section[...(end ?? section.startIndex)] + "\n"
        }
    }
}
