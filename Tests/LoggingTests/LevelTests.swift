import Logging
import Testing

@Suite("A level")
struct LevelTests {
    @Test(
        "is known by its name in any case",
        arguments: [
            ("DEBUG", .debug), ("INFO", .info), ("WARNING", .warning), ("ERROR", .error),
            ("CRITICAL", .critical), ("debug", .debug), ("Info", .info), ("WARN", .warning),
            ("warn", .warning),
        ] as [(String, Level)])
    func names(name: String, level: Level) {
        #expect(Level(name: name) == level)
    }

    @Test(
        "is nothing else", arguments: ["", " INFO", "INFO ", "WARNIN", "NOTICE", "ALL", "0", "1"])
    func strangers(name: String) {
        #expect(Level(name: name) == nil)
    }

    @Test("has the name that it is read by, and a place in the order")
    func order() {
        #expect(Level.allCases.map { Level(name: "\($0.name)") } == Level.allCases)
        #expect(Level.allCases.sorted() == [.debug, .info, .warning, .error, .critical])
    }
}

@Suite("An area")
struct AreaTests {
    @Test("is known by its name alone")
    func names() {
        let names = ["app", "http", "security", "log", "config"]
        #expect(names.map { Area(name: $0) } == [.app, .http, .security, .log, .config])
        #expect(Area.allCases.map { "\($0.name)" } == names)
        for name in ["", "App", "HTTP", "security ", "auth"] { #expect(Area(name: name) == nil) }
    }
}

@Suite("The levels of a log")
struct LogLevelsTests {
    @Test("let through what is as grave, for every area", arguments: Level.allCases)
    func oneForAll(threshold: Level) {
        let levels = LogLevels(all: threshold)
        for level in Level.allCases {
            for area in Area.allCases where area != .security {
                #expect(levels.isEnabled(level, area) == (level >= threshold))
            }
        }
    }

    @Test("can differ from area to area")
    func areas() {
        let levels = LogLevels(all: .warning, areas: [.http: .debug, .config: .critical])
        #expect(levels.isEnabled(.debug, .http))
        #expect(!levels.isEnabled(.error, .config))
        #expect(levels.isEnabled(.critical, .config))
        for area in [Area.app, .security, .log] {
            #expect(!levels.isEnabled(.info, area))
            #expect(levels.isEnabled(.warning, area))
        }
    }

    @Test("let security events through from WARNING on, whatever they are set to")
    func security() {
        let levels = LogLevels(all: .critical, areas: [.security: .critical])
        let enabled = Level.allCases.filter { levels.isEnabled($0, .security) }
        #expect(enabled == [.warning, .error, .critical])
        let verbose = LogLevels(all: .critical, areas: [.security: .debug])
        #expect(verbose.isEnabled(.debug, .security))
    }

    @Test("can be changed, and forget what they were")
    func change() {
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
