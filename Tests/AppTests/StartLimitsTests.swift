import POSIX
import Server
import Testing

@testable import App

struct StartLimitsTests {
    /// The demo's configuration with two workers and one thread for hashing.
    private func configuration() throws -> Configuration {
        var configuration = try Configuration.load(file: nil, environment: [:])
        configuration.server.workers = 2
        configuration.server.cpuBoundWork.maximumConcurrent = 1
        return configuration
    }

    private func limits(
        descriptors: Int = 1 << 20, threads: Int = 1000, hasMemory: Bool = true
    ) -> StartLimits {
        StartLimits(
            descriptors: descriptors,
            threads: { wanted, _ in
                ResourceProbe(threads: min(wanted, threads), hasMemory: hasMemory)
            })
    }

    @Test func `a configuration that fits the limits is not changed`() throws {
        var configuration = try configuration()
        #expect(try limits().fit(&configuration).isEmpty)
        #expect(configuration.server.workers == 2)
        #expect(configuration.server.maximumConnections == 10_000)
        #expect(configuration.server.excessConnections == 1024)
    }

    @Test(arguments: [(30, 1, 16), (29, 1, 15), (16, 1, 2)])
    func `defaults are reduced to the number of threads that can be created`(
        threads: Int, workers: Int, waiting: Int
    ) throws {
        var configuration = try configuration()
        let warnings = try limits(threads: threads).fit(&configuration)
        #expect(warnings.map(\.path) == ["server.workers"])
        #expect(configuration.server.workers == workers)
        #expect(configuration.server.ioBoundWork.maximumConcurrent == waiting)
    }

    @Test func `a start is refused if the threads do not suffice for the smallest defaults`() throws
    {
        var configuration = try configuration()
        let shortage = #expect(throws: StartLimits.Shortage.self) {
            try limits(threads: 15).fit(&configuration)
        }
        #expect(
            shortage?.message.hasPrefix("threads: at least 16 are required, and only 15") == true)
    }

    @Test func `a configured number of workers that does not fit is refused`() throws {
        var configuration = try configuration()
        configuration.workersAreDefault = false
        let shortage = #expect(throws: StartLimits.Shortage.self) {
            try limits(threads: 30).fit(&configuration)
        }
        #expect(
            shortage?.message.hasPrefix(
                "server.workers: 2 workers need 31 threads, and only 30 can be created; ")
                == true)
    }

    @Test func `a start is refused if the memory cannot be allocated`() throws {
        var configuration = try configuration()
        let shortage = #expect(throws: StartLimits.Shortage.self) {
            try limits(hasMemory: false).fit(&configuration)
        }
        #expect(shortage?.message.hasPrefix("memory: ") == true)
    }

    /// Of the descriptors 96, and 8 for two workers, are not available for connections.
    @Test(arguments: [
        (11_128, 10_000, 1024), (11_127, 9999, 1024), (1024, 805, 115), (232, 64, 64),
    ])
    func `the default maximum of connections is reduced to fit the descriptors`(
        descriptors: Int, maximum: Int, excess: Int
    ) throws {
        var configuration = try configuration()
        let warnings = try limits(descriptors: descriptors).fit(&configuration)
        #expect(warnings.isEmpty == (maximum == 10_000))
        #expect(configuration.server.maximumConnections == maximum)
        #expect(configuration.server.excessConnections == excess)
    }

    @Test func `a start is refused if the descriptors do not suffice for 64 connections`() throws {
        var configuration = try configuration()
        let shortage = #expect(throws: StartLimits.Shortage.self) {
            try limits(descriptors: 231).fit(&configuration)
        }
        #expect(
            shortage?.message.hasPrefix(
                "descriptors: at least 232 are required, and the limit is 231") == true)
    }

    @Test
    func `a configured maximum that does not fit is refused at a start, reduced at a reload`()
        throws
    {
        var configuration = try configuration()
        configuration.server.maximumConnections = 1000
        configuration.connectionsAreDefault = false
        let shortage = #expect(throws: StartLimits.Shortage.self) {
            try limits(descriptors: 1167).fit(&configuration)
        }
        #expect(
            shortage?.message.hasPrefix(
                "server.max_connections: 1000 connections need 1168 descriptors, and the limit is "
                    + "1167") == true)
        #expect(try limits(descriptors: 1168).fit(&configuration).isEmpty)
        #expect(configuration.server.maximumConnections == 1000)
        #expect(configuration.server.excessConnections == 64)
        configuration.server.excessConnections = 1024
        let warnings = limits(descriptors: 1167).fitReload(&configuration)
        #expect(warnings.map(\.path) == ["server.max_connections"])
        #expect(configuration.server.maximumConnections == 931)
    }
}
