import Logging
import Testing

struct LevelTests {
    @Test(
        arguments: [
            ("DEBUG", .debug), ("INFO", .info), ("WARNING", .warning), ("ERROR", .error),
            ("CRITICAL", .critical), ("debug", .debug), ("Info", .info), ("WARN", .warning),
            ("warn", .warning),
        ] as [(String, Level)])
    func `a level is recognized by its name in any case`(name: String, level: Level) {
        #expect(Level(name: name) == level)
    }

    @Test(arguments: ["", " INFO", "INFO ", "WARNIN", "NOTICE", "ALL", "0", "1"])
    func `any other name is not a level`(name: String) {
        #expect(Level(name: name) == nil)
    }

    @Test func `the name of a level is read back, and levels are ordered by severity`() {
        #expect(Level.allCases.map { Level(name: "\($0.name)") } == Level.allCases)
        #expect(Level.allCases.sorted() == [.debug, .info, .warning, .error, .critical])
    }
}

struct AreaTests {
    @Test func `an area is recognized by its exact name only`() {
        let names = ["app", "http", "security", "log", "config"]
        #expect(names.map { Area(name: $0) } == [.app, .http, .security, .log, .config])
        #expect(Area.allCases.map { "\($0.name)" } == names)
        for name in ["", "App", "HTTP", "security ", "auth"] { #expect(Area(name: name) == nil) }
    }
}

struct LogLevelsTests {
    @Test(arguments: Level.allCases)
    func `a level for all areas admits events at that level and above`(threshold: Level) {
        let levels = LogLevels(all: threshold)
        for level in Level.allCases {
            for area in Area.allCases where area != .security {
                #expect(levels.isEnabled(level, area) == (level >= threshold))
            }
        }
    }

    @Test func `each area can have a level of its own`() {
        let levels = LogLevels(all: .warning, areas: [.http: .debug, .config: .critical])
        #expect(levels.isEnabled(.debug, .http))
        #expect(!levels.isEnabled(.error, .config))
        #expect(levels.isEnabled(.critical, .config))
        for area in [Area.app, .security, .log] {
            #expect(!levels.isEnabled(.info, area))
            #expect(levels.isEnabled(.warning, area))
        }
    }

    @Test func `security events from WARNING on are admitted at every level`() {
        let levels = LogLevels(all: .critical, areas: [.security: .critical])
        let enabled = Level.allCases.filter { levels.isEnabled($0, .security) }
        #expect(enabled == [.warning, .error, .critical])
        let verbose = LogLevels(all: .critical, areas: [.security: .debug])
        #expect(verbose.isEnabled(.debug, .security))
    }

    @Test func `a change of levels replaces all earlier levels`() {
        let levels = LogLevels(all: .debug, areas: [.http: .error])
        levels.set(all: .error, areas: [.app: .info])
        #expect(!levels.isEnabled(.warning, .http))
        #expect(!levels.isEnabled(.warning, .log))
        #expect(levels.isEnabled(.info, .app))
        levels.set(all: .info, areas: [:])
        #expect(levels.isEnabled(.info, .http))
        #expect(!levels.isEnabled(.debug, .app))
    }
}
