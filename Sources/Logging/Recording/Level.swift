/// The severity of an event.
@usableFromInline
package enum Level: UInt8, Sendable, CaseIterable, Comparable {
    case debug, info, warning, error, critical

    package var name: StaticString {
        switch self {
        case .debug: "DEBUG"
        case .info: "INFO"
        case .warning: "WARNING"
        case .error: "ERROR"
        case .critical: "CRITICAL"
        }
    }

    /// The level with this name, in any case; `WARN` is read as WARNING. Nil for any other name.
    package init?(name: String) {
        let name = name.uppercased()
        if name == "WARN" {
            self = .warning
        } else if let level = Level.allCases.first(where: { "\($0.name)" == name }) {
            self = level
        } else {
            return nil
        }
    }

    @usableFromInline
    package static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
}

/// What an event is about. Each area can have a level of its own.
@usableFromInline
package enum Area: UInt8, Sendable, CaseIterable {
    case app, http, security, log, config

    package var name: StaticString {
        switch self {
        case .app: "app"
        case .http: "http"
        case .security: "security"
        case .log: "log"
        case .config: "config"
        }
    }

    /// The area with this name; nil for any other name.
    package init?(name: String) {
        guard let area = Area.allCases.first(where: { "\($0.name)" == name }) else { return nil }
        self = area
    }
}
