import Foundation
import Server
import TestSupport
import Testing

@testable import App

private let secret = "0123456789abcdef0123456789ABCDEF"

/// The problems of a configuration file with this content and of these variables, one text each.
/// The temporary folder is removed from paths.
private func problems(
    _ content: String?, _ environment: [String: String] = [:]
) throws -> [String] {
    let folder = try TemporaryFolder()
    let file = try content.map { try folder.file("c.json", $0) }
    do throws(Configuration.Invalid) {
        _ = try Configuration.load(file: file, environment: environment)
        return []
    } catch {
        return error.problems.map { $0.description.replacing(folder.path + "/", with: "") }
    }
}

private func keys(_ keys: String) -> String { "{\"token\":{\"keys\":\(keys)}}" }

struct ConfigurationProblemTests {
    @Test(
        arguments: [
            (
                #"{"server":{"host":"example.org"}}"#,
                #"server.host: "example.org" is not an IP address; write 127.0.0.1 or ::1"#
            ),
            (#"{"server":{"host":5}}"#, "server.host: 5 is not a string"),
            (
                #"{"server":{"port":70000}}"#,
                "server.port: 70000 is out of range; allowed: 0 to 65535"
            ),
            (#"{"server":{"port":-1}}"#, "server.port: -1 is out of range; allowed: 0 to 65535"),
            (#"{"server":{"port":"80"}}"#, #"server.port: "80" is not a whole number"#),
            (#"{"server":{"port":80.5}}"#, "server.port: 80.5 is not a whole number"),
            (#"{"server":{"port":true}}"#, "server.port: true is not a whole number"),
            (#"{"server":{"port":null}}"#, "server.port: null is not a whole number"),
            (#"{"server":{"port":[80]}}"#, "server.port: a list is not a whole number"),
            (#"{"server":{"port":{}}}"#, "server.port: an object is not a whole number"),
            (
                #"{"server":{"workers":257}}"#,
                "server.workers: 257 is out of range; allowed: 0 to 256"
            ),
            (
                #"{"server":{"max_connections":0}}"#,
                "server.max_connections: 0 is out of range; allowed: 1 to 1000000"
            ),
            (
                #"{"server":{"max_header":"1B"}}"#,
                "server.max_header: 1B is out of range; allowed: 1KiB to 1MiB"
            ),
            (
                #"{"server":{"max_body":"1GiB"}}"#,
                "server.max_body: 1GiB is out of range; allowed: 1KiB to 16MiB"
            ),
            (
                #"{"server":{"max_body":65536}}"#,
                "server.max_body: 65536 is not a size; write 64KiB"
            ),
            (
                #"{"server":{"header_timeout":"soon"}}"#,
                #"server.header_timeout: "soon" is not a duration; write 10s"#
            ),
            (
                #"{"server":{"body_timeout":20}}"#,
                "server.body_timeout: 20 is not a duration; write 20s"
            ),
            (
                #"{"server":{"idle_timeout":"2h"}}"#,
                "server.idle_timeout: 2h is out of range; allowed: 100ms to 1h"
            ),
            (
                #"{"server":{"write_timeout":"0s"}}"#,
                "server.write_timeout: 0s is out of range; allowed: 100ms to 1h"
            ),
            (
                #"{"server":{"drain_timeout":"99ms"}}"#,
                "server.drain_timeout: 99ms is out of range; allowed: 100ms to 1h"
            ),
            (#"{"token":{"ttl":"2d"}}"#, "token.ttl: 2d is out of range; allowed: 1s to 1d"),
            (
                #"{"token":{"ttl":"half an hour"}}"#,
                #"token.ttl: "half an hour" is not a duration; write 30m"#
            ),
            (
                #"{"token":{"session":"366d"}}"#,
                "token.session: 366d is out of range; allowed: 1s to 365d"
            ),
            (
                #"{"token":{"session":"29m"}}"#,
                "token.session: is shorter than token.ttl; write at least token.ttl"
            ),
            (#"{"token":{"leeway":"6m"}}"#, "token.leeway: 6m is out of range; allowed: 0s to 5m"),
            (#"{"token":{"issuer":5}}"#, "token.issuer: 5 is neither a string nor null"),
            (#"{"token":{"issuer":""}}"#, "token.issuer: cannot be empty; write null for none"),
            (
                #"{"token":{"audience":["a"]}}"#,
                "token.audience: a list is neither a string nor null"
            ),
            (
                #"{"token":{"require_session":"true"}}"#,
                #"token.require_session: "true" is neither true nor false"#
            ),
            (
                #"{"login":{"mode":"open"}}"#,
                #"login.mode: "open" is not one of demo, password"#
            ),
            (
                #"{"log":{"level":"LOUD"}}"#,
                #"log.level: "LOUD" is not a level; write DEBUG, INFO, WARNING, ERROR or CRITICAL"#
            ),
            (
                #"{"log":{"areas":{"http":3}}}"#,
                "log.areas.http: 3 is not a level; write DEBUG, INFO, WARNING, ERROR or CRITICAL"
            ),
            (#"{"log":{"areas":{"disk":"INFO"}}}"#, "log.areas.disk: unknown key"),
            (#"{"log":{"areas":"INFO"}}"#, "log.areas: a string is not an object"),
            (
                #"{"log":{"file":{"max_size":"10 apples"}}}"#,
                #"log.file.max_size: "10 apples" is not a size; write 10MiB"#
            ),
            (
                #"{"log":{"file":{"max_size":"1KiB"}}}"#,
                "log.file.max_size: 1KiB is out of range; allowed: 4KiB to 1024GiB"
            ),
            (
                #"{"log":{"file":{"keep":-1}}}"#,
                "log.file.keep: -1 is out of range; allowed: 0 to 100000"
            ),
            (#"{"log":{"file":{"path":""}}}"#, "log.file.path: cannot be empty"),
            (
                #"{"log":{"on_failure":"stop"}}"#,
                #"log.on_failure: "stop" is not one of serve, refuse"#
            ),
            (#"{"log":{"on_failure":false}}"#, "log.on_failure: false is not a string"),
            (
                #"{"log":{"format":"xml"}}"#,
                #"log.format: "xml" is not one of text, json, logfmt"#
            ),
            (#"{"log":{"format":null}}"#, "log.format: null is not a string"),
            (
                #"{"log":{"durability":"always"}}"#,
                #"log.durability: "always" is not one of written, synced"#
            ),
            (
                #"{"log":{"authn_token_verified":"none"}}"#,
                #"log.authn_token_verified: "none" is not one of all, sample, off"#
            ),
            (
                #"{"log":{"file":{"rotate":"weekly"}}}"#,
                #"log.file.rotate: "weekly" is not one of daily, never"#
            ),
            (
                #"{"log":{"file":{"keep_age":"59s"}}}"#,
                "log.file.keep_age: 59s is out of range; allowed: 1m to 36500d"
            ),
            (
                #"{"log":{"file":{"keep_age":90}}}"#,
                "log.file.keep_age: 90 is not a duration; write 90d"
            ),
            (
                #"{"log":{"file":{"keep_size":"1B"}}}"#,
                "log.file.keep_size: 1B is out of range; allowed: 4KiB to 1048576GiB"
            ),
            (
                #"{"log":{"file":{"keep_size":"much"}}}"#,
                #"log.file.keep_size: "much" is not a size; write 1GiB"#
            ),
            (#"{"log":{"seal":"yes"}}"#, #"log.seal: "yes" is neither true nor false"#),
            (
                #"{"log":{"seal_interval":"99ms"}}"#,
                "log.seal_interval: 99ms is out of range; allowed: 100ms to 1h"
            ),
            (
                #"{"log":{"seal_interval":1}}"#,
                "log.seal_interval: 1 is not a duration; write 1s"
            ),
            (
                #"{"token":{"refresh":"never"}}"#,
                #"token.refresh: "never" is not one of rotate, extend"#
            ),
            (
                #"{"login":{"mode":"none"}}"#,
                #"login.mode: "none" is not one of demo, password"#
            ),
            (#"{"login":{"users_file":""}}"#, "login.users_file: cannot be empty"),
            (#"{"login":{"users_file":null}}"#, "login.users_file: null is not a string"),
            (
                #"{"login":{"iterations":999}}"#,
                "login.iterations: 999 is out of range; allowed: 1000 to 10000000"
            ),
            (
                #"{"login":{"iterations":10000001}}"#,
                "login.iterations: 10000001 is out of range; allowed: 1000 to 10000000"
            ),
            (
                #"{"login":{"max_attempts":1001}}"#,
                "login.max_attempts: 1001 is out of range; allowed: 0 to 1000"
            ),
            (
                #"{"login":{"max_attempts":-1}}"#,
                "login.max_attempts: -1 is out of range; allowed: 0 to 1000"
            ),
            (
                #"{"login":{"window":"500ms"}}"#,
                "login.window: 500ms is out of range; allowed: 1s to 1d"
            ),
            (
                #"{"login":{"lockout":"25h"}}"#,
                "login.lockout: 25h is out of range; allowed: 1s to 1d"
            ),
            (
                #"{"login":{"lockout":900}}"#,
                "login.lockout: 900 is not a duration; write 15m"
            ),
            (#"{"admin":{"socket":""}}"#, "admin.socket: cannot be empty; write null for none"),
            (#"{"admin":{"socket":7}}"#, "admin.socket: 7 is neither a string nor null"),
            (
                #"{"admin":{"metrics":"0.0.0.0:9090"}}"#,
                #"admin.metrics: "0.0.0.0:9090" is not a loopback address; "#
                    + "metrics have no password, write 127.0.0.1:9090"
            ),
            (
                #"{"admin":{"metrics":"[2001:db8::1]:9090"}}"#,
                #"admin.metrics: "[2001:db8::1]:9090" is not a loopback address; "#
                    + "metrics have no password, write 127.0.0.1:9090"
            ),
            (
                #"{"admin":{"metrics":"127.0.0.1"}}"#,
                #"admin.metrics: "127.0.0.1" is not an address and a port; write 127.0.0.1:9090"#
            ),
            (
                #"{"admin":{"metrics":"::1:9090"}}"#,
                #"admin.metrics: "::1:9090" is not an address and a port; write 127.0.0.1:9090"#
            ),
            (
                #"{"admin":{"metrics":"127.0.0.1:65536"}}"#,
                #"admin.metrics: "127.0.0.1:65536" is not an address and a port; "#
                    + "write 127.0.0.1:9090"
            ),
            (#"{"state":{"revocations":""}}"#, "state.revocations: cannot be empty"),
            (#"{"state":{"revocations":null}}"#, "state.revocations: null is not a string"),
            (
                #"{"server":{"trusted_proxies":"10.0.0.0/8"}}"#,
                "server.trusted_proxies: a string is not a list"
            ),
            (
                #"{"server":{"trusted_proxies":["::1",7]}}"#,
                "server.trusted_proxies[1]: 7 is not a string"
            ),
            (
                #"{"server":{"cors_origins":"https://a"}}"#,
                "server.cors_origins: a string is not a list"
            ),
            (
                #"{"server":{"cors_origins":["https://a",{}]}}"#,
                "server.cors_origins[1]: an object is not a string"
            ),
            (
                #"{"server":{"cors_origins":["https://A.example"]}}"#,
                #"server.cors_origins[0]: "https://A.example" contains uppercase letters, and "#
                    + "browsers send lowercase; write https://a.example"
            ),
            (
                #"{"server":{"proxy_protocol":true}}"#,
                "server.proxy_protocol: has no effect without trusted proxies; list them in "
                    + "server.trusted_proxies"
            ),
            (
                #"{"server":{"proxy_protocol":"v2"}}"#,
                "server.proxy_protocol: \"v2\" is neither true nor false"
            ),
            (
                #"{"server":{"proxy_protocol":true,"trusted_proxies":[7]}}"#,
                "server.trusted_proxies[0]: 7 is not a string"
            ),
            (#"{"log":7}"#, "log: a number is not an object"),
            (#"{"lgo":{}}"#, "lgo: unknown key; did you mean log?"),
            (
                #"{"server":{"hots":"::1"}}"#,
                "server.hots: unknown key; did you mean server.host?"
            ),
            (
                #"{"log":{"file":{"maxsize":"1MiB"}}}"#,
                "log.file.maxsize: unknown key; did you mean log.file.max_size?"
            ),
            (
                #"{"log":{"file":{"size":{"max":1}}}}"#,
                "log.file.size.max: unknown key"
            ),
            (#"{"log.level":"INFO"}"#, "log.level: contains a dot in a name; write nested objects"),
            // An empty name must not be a second spelling of server.port.
            (#"{"":{"server":{"port":1}}}"#, #""": unknown key"#),
            (#"{"log":{"":1}}"#, #"log."": unknown key"#),
            ("[]", "the file must contain one JSON object"),
            ("null", "the file must contain one JSON object"),
        ])
    func `a wrong setting is reported once, with its path and what is allowed`(
        content: String, problem: String
    ) throws {
        #expect(try problems(content) == [problem])
    }

    @Test
    func `a wrong environment variable is reported under the path of its setting`() throws {
        let cases = [
            (
                "LOG_FILE_MAX_SIZE", "10 apples",
                #"log.file.max_size: "10 apples" is not a size; write 10MiB"#
            ),
            ("SERVER_PORT", "+80", #"server.port: "+80" is not a whole number"#),
            ("SERVER_PORT", "", #"server.port: "" is not a whole number"#),
            ("SERVER_PORT", "99999", "server.port: 99999 is out of range; allowed: 0 to 65535"),
            (
                "TOKEN_REQUIRE_SESSION", "yes",
                #"token.require_session: "yes" is neither true nor false"#
            ),
            (
                "TOKEN_KEYS", "my-secret-key",
                "token.keys: the value of GATEHOUSE_TOKEN_KEYS is not a JSON array"
            ),
            (
                "TOKEN_KEYS", "{}",
                "token.keys: the value of GATEHOUSE_TOKEN_KEYS is not a JSON array"
            ),
            ("LOG_FILE", "x", "GATEHOUSE_LOG_FILE: unknown variable"),
            ("PORT", "80", "GATEHOUSE_PORT: unknown variable"),
            (
                "SERVER_PROT", "80",
                "GATEHOUSE_SERVER_PROT: unknown variable; did you mean GATEHOUSE_SERVER_PORT?"
            ),
            ("PORT", "http://10.0.0.1:80", "GATEHOUSE_PORT: unknown variable"),
            (
                "LOG_AREAS", "DEBUG",
                "log.areas: the value of GATEHOUSE_LOG_AREAS is not a JSON object"
            ),
            ("LOG_AREAS", "[]", "log.areas: the value of GATEHOUSE_LOG_AREAS is not a JSON object"),
            ("LOG_AREAS", #"{"disk":"INFO"}"#, "log.areas.disk: unknown key"),
            (
                "LOG_AREAS", #"{"http":3}"#,
                "log.areas.http: 3 is not a level; write DEBUG, INFO, WARNING, ERROR or CRITICAL"
            ),
        ]
        for (name, value, problem) in cases {
            #expect(try problems(nil, ["GATEHOUSE_" + name: value]) == [problem])
        }
        #expect(try problems(nil, ["gatehouse_port": "80", "GATEHOUS_PORT": "80"]) == [])
    }

    @Test(
        arguments: [
            "GATEHOUSE", "GATEHOUSE_METRICS", "GATEHOUSE_REDIS_MASTER", "GATEHOUSE_API_2",
            "GATEHOUSE_SERVER", "GATEHOUSE_LOG_FILE", "GATEHOUSE_SERVICE", "GATEHOUSE_PORT",
            "GATEHOUSE_CONFIG",
        ])
    func `variables that Kubernetes sets for a service named like the program are ignored`(
        service: String
    ) throws {
        let url = "tcp://10.0.171.239:8080"
        let given = [
            "SERVICE_HOST": "10.0.171.239", "SERVICE_PORT": "8080", "SERVICE_PORT_HTTP": "8080",
            "SERVICE_PORT_METRICS_2": "9090", "PORT": url, "PORT_8080_TCP": url,
            "PORT_8080_TCP_PROTO": "tcp", "PORT_8080_TCP_PORT": "8080",
            "PORT_8080_TCP_ADDR": "10.0.171.239", "PORT_53_UDP": "udp://10.0.171.239:53",
            "PORT_53_UDP_PROTO": "udp", "PORT_1_SCTP_ADDR": "2001:db8::1",
            "PORT_1_SCTP": "sctp://[2001:db8::1]:1",
        ]
        let all = Dictionary(uniqueKeysWithValues: given.map { ("\(service)_\($0)", $1) })
        #expect(try problems(nil, all) == [])
        for url in ["udp://10.0.0.1:53", "sctp://[2001:db8::1]:1"] {
            #expect(try problems(nil, ["\(service)_PORT": url]) == [])
        }
    }

    @Test func `a variable that differs from the form of Kubernetes is unknown`() throws {
        let url = "tcp://10.0.171.239:8080"
        for name in [
            "SERVICE", "SERVICE_HOSTS", "SERVICE_HOST_NAME", "SERVICE_PORT_", "SERVICE_PORT_http",
            "SERVICE_NAME", "PORT_", "PORT_8080", "PORT_TCP", "PORT_80A_TCP", "PORT_8080_TCP_",
            "PORT_8080_TCP_HOST", "PORT_8080_HTTP", "PORT_8080_tcp", "PORT_123456_TCP",
            "x_PORT", "SERVICE_HOST", "API_PORT_80_TCP_ADDR", "PORTS",
        ] {
            let variable = "GATEHOUSE_" + name
            let found = try problems(nil, [variable: url])
            #expect(found == ["\(variable): unknown variable"], "\(name)")
        }
        for (name, value) in [
            ("SERVICE_HOST", "example.com"), ("API_SERVICE_PORT", "http"), ("API_PORT", "8080"),
            ("API_PORT", "tcp://10.0.0.1"), ("API_PORT", "http://10.0.0.1:80"),
            ("API_PORT_80_TCP", "10.0.0.1:80"), ("API_PORT_80_TCP_PROTO", "TCP"),
            ("API_PORT_80_TCP_ADDR", ""),
        ] {
            let variable = "GATEHOUSE_" + name
            let found = try problems(nil, [variable: value])
            #expect(found == ["\(variable): unknown variable"], "\(name)")
        }
    }

    @Test func `a value decides whether a variable is a setting or set by Kubernetes`() throws {
        // `server.port`, in the namespace of a service called gatehouse-server.
        #expect(
            try problems(nil, ["GATEHOUSE_SERVER_PORT": "eighty"])
                == [#"server.port: "eighty" is not a whole number"#])
        #expect(
            try problems(nil, ["GATEHOUSE_SERVER_PORT": "http://10.0.0.1:80"])
                == [#"server.port: "http://10.0.0.1:80" is not a whole number"#])
        let configuration = try Configuration.load(
            file: nil, environment: ["GATEHOUSE_SERVER_PORT": "8081"])
        #expect(configuration.server.address.port == 8081)
        let beside = try Configuration.load(
            file: nil, environment: ["GATEHOUSE_SERVER_PORT": "tcp://10.0.0.1:8080"])
        #expect(beside.server.address.port == 8080)
        // No variable of another setting has a name that Kubernetes could set.
        for path in configuration.settings.keys where path != "server.port" {
            let variable = "GATEHOUSE_" + path.uppercased().replacing(".", with: "_")
            for value in ["10.0.0.1", "80", "tcp", "tcp://10.0.0.1:80"] {
                #expect(!KubernetesVariable.matches(variable, value), "\(path)")
            }
        }
    }

    @Test func `all problems of a configuration are reported at once`() throws {
        let content = #"""
            {"server":{"port":-1,"prot":80},
             "token":{"keys":[{"id":"a","secret":"short"}],"ttl":"x"},
             "login":{"mode":"passwords"},"log":{"file":{"max_size":"big"}},"x":1}
            """#
        #expect(
            try problems(content, ["GATEHOUSE_NOTHING": ""]) == [
                "server.port: -1 is out of range; allowed: 0 to 65535",
                "token.keys[0]: the secret has 5 bytes; HS256 requires at least 32: "
                    + "make one with `gatehouse secret`",
                #"token.ttl: "x" is not a duration; write 30m"#,
                #"login.mode: "passwords" is not one of demo, password"#,
                #"log.file.max_size: "big" is not a size; write 10MiB"#,
                "server.prot: unknown key; did you mean server.port?", "x: unknown key",
                "GATEHOUSE_NOTHING: unknown variable",
            ])
    }

    @Test func `a problem of a token key is reported without the key`() throws {
        let good = #"{"id":"a","secret":"\#(secret)"}"#
        let cases = [
            ("{}", "token.keys: an object is not a list"),
            (#""\#(secret)""#, "token.keys: a string is not a list"),
            (
                "[]",
                "token.keys: has 0 keys; write 1 to 16, or leave it out for a random key"
            ),
            (
                "[\(good),\(good)]",
                #"token.keys[1].id: "a" is also the id of token.keys[0]; give each key its own id"#
            ),
            (
                #"["\#(secret)"]"#,
                "token.keys[0]: a string is not an object with id and secret_file"
            ),
            (#"[\#(good),{"id":"b"}]"#, "token.keys[1]: needs either secret or secret_file"),
            (
                #"[{"id":"a","secret":"\#(secret)","secret_file":"f"}]"#,
                "token.keys[0]: needs either secret or secret_file"
            ),
            (
                #"[{"secret":"\#(secret)"}]"#,
                #"token.keys[0].id: is missing; write a name such as "2026-11""#
            ),
            (
                #"[{"id":"a b","secret":"\#(secret)"}]"#,
                #"token.keys[0].id: "a b" is not a key id; write 1 to 64 of A-Z a-z 0-9 . _ -"#
            ),
            (
                #"[{"id":5,"secret":"\#(secret)"}]"#,
                "token.keys[0].id: a number is not a string"
            ),
            (
                #"[{"id":"a","secret":"\#(secret)","alg":"none"}]"#,
                "token.keys[0].alg: unknown key"
            ),
            (
                #"[{"id":"a","secret":"\#(secret)","secretfile":"f"}]"#,
                "token.keys[0].secretfile: unknown key; did you mean token.keys[0].secret_file?"
            ),
            (
                #"[{"id":"a","secret":"\#(secret.dropLast())"}]"#,
                "token.keys[0]: the secret has 31 bytes; HS256 requires at least 32: "
                    + "make one with `gatehouse secret`"
            ),
            (
                #"[{"id":"a","secret":""}]"#,
                "token.keys[0]: the secret has 0 bytes; HS256 requires at least 32: "
                    + "make one with `gatehouse secret`"
            ),
            (
                #"[{"id":"a","secret":"\#(String(repeating: "x", count: 40))"}]"#,
                "token.keys[0]: the secret is a single repeated byte; "
                    + "make one with `gatehouse secret`"
            ),
            (
                #"[{"id":"a","secret":"replace-me-with-the-output-of-gatehouse-secret"}]"#,
                "token.keys[0]: the secret is printed in the documentation; "
                    + "make one with `gatehouse secret`"
            ),
            (
                #"[{"id":"a","secret_file":"token.key"}]"#,
                "token.keys[0].secret_file: cannot be read: No such file or directory"
            ),
        ]
        for (list, problem) in cases {
            #expect(try problems(keys(list)) == [problem])
            if list.hasPrefix("[") {
                #expect(try problems(nil, ["GATEHOUSE_TOKEN_KEYS": list]) == [problem])
            }
        }
    }

    @Test func `a problem of the seal secret is reported without the secret`() throws {
        func log(_ members: String) -> String { "{\"log\":{\(members)}}" }
        let cases = [
            (
                #""seal_secret":"\#(secret.dropLast())""#,
                "log.seal_secret: has 31 bytes; at least 32 are required: "
                    + "make one with `gatehouse secret`"
            ),
            (
                #""seal_secret":"""#,
                "log.seal_secret: has 0 bytes; at least 32 are required: "
                    + "make one with `gatehouse secret`"
            ),
            (
                #""seal_secret":"\#(String(repeating: "x", count: 40))""#,
                "log.seal_secret: the secret is a single repeated byte; "
                    + "make one with `gatehouse secret`"
            ),
            (
                #""seal_secret":"replace-me-with-the-output-of-gatehouse-secret""#,
                "log.seal_secret: the secret is printed in the documentation; "
                    + "make one with `gatehouse secret`"
            ),
            (
                #""seal_secret":"\#(secret)","seal_secret_file":"f""#,
                "log.seal_secret: needs either seal_secret or seal_secret_file"
            ),
            (
                #""seal_secret_file":"seal.key""#,
                "log.seal_secret_file: cannot be read: No such file or directory"
            ),
            (
                #""seal_secret":["\#(secret)"]"#,
                "log.seal_secret: a list is neither a string nor null"
            ),
        ]
        for (members, problem) in cases {
            #expect(try problems(log(members)) == [problem])
        }
        #expect(
            try problems(nil, ["GATEHOUSE_LOG_SEAL_SECRET": "0123456789"])
                == [
                    "log.seal_secret: has 10 bytes; at least 32 are required: "
                        + "make one with `gatehouse secret`"
                ])
    }

    @Test
    func `two settings that name one file are a problem, as is a name reserved for the log`() throws
    {
        let list = #"[{"id":"a","secret":"\#(secret)"}]"#
        func document(_ log: String, _ journal: String, _ users: String, _ socket: String) -> String
        {
            """
            {"token":{"keys":\(list)},"log":{"file":{"path":"\(log)"}},
             "state":{"revocations":"\(journal)"},"login":{"users_file":"\(users)"},
             "admin":{"socket":"\(socket)"}}
            """
        }
        #expect(try problems(document("l", "j", "u", "s")) == [])
        #expect(
            try problems(document("c.json", "./x", "x", "y/../x")) == [
                "admin.socket: is the same file as login.users_file; write another path",
                "log.file.path: is the same file as the configuration file; write another path",
                "state.revocations: is the same file as login.users_file; write another path",
                "state.revocations: is the same file as admin.socket; write another path",
            ])
        #expect(
            try problems(document("l", ".l.state", "l.000017", ".l.lock")) == [
                "login.users_file: is l.000017, which is reserved for the log; write another path",
                "admin.socket: is .l.lock, which is reserved for the log; write another path",
                "state.revocations: is .l.state, which is reserved for the log; write another path",
            ])
        let folder = try TemporaryFolder()
        try folder.file("token.key", secret)
        let environment = [
            "GATEHOUSE_TOKEN_KEYS":
                #"[{"id":"a","secret_file":"\#(folder.path("token.key"))"}]"#,
            "GATEHOUSE_LOG_FILE_PATH": folder.path("./token.key"),
        ]
        #expect(
            try problems(nil, environment) == [
                "log.file.path: is the same file as token.keys[0].secret_file; write another path"
            ])
    }

    @Test func `no problem shows a secret that was written in a wrong place`() throws {
        let contents = [
            keys("\"\(secret)\""), keys("[\"\(secret)\"]"), "{\"token\":\"\(secret)\"}",
            "{\"token\":{\"secret\":\"\(secret)\"}}", "{\"secret\":\"\(secret)\"}",
            keys(#"[{"id":"a","secret":["\#(secret)"]}]"#),
            keys(#"[{"id":"a","key":"\#(secret)"}]"#),
            keys(#"[{"id":"a","secret":"\#(secret)","secret":"\#(secret)"}]"#),
            keys(#"[{"id":"a","secret":"\#(secret)"}"#), "\"\(secret)\"", secret,
            keys(#"[{"id":"a b","secret":"\#(secret)"}]"#),
            "{\"log\":{\"seal_secret_file\":\"\(secret)\"}}",
            "{\"log\":{\"seal_secret\":{\"secret\":\"\(secret)\"}}}",
            "{\"log\":{\"seal_key\":\"\(secret)\"}}",
            "{\"log\":{\"seal_secret\":\"\(secret.dropLast())\"}}",
        ]
        for content in contents {
            let found = try problems(content)
            #expect(!found.isEmpty, "\(content)")
            #expect(!found.joined().contains("0123456789"), "\(content)")
        }
        for name in [
            "TOKEN_KEYS", "TOKEN_SECRET", "SECRET", "TOKEN_KEYS_0_SECRET", "LOG_SEAL_SECRET_FILE",
            "SEAL_SECRET",
        ] {
            let found = try problems(nil, ["GATEHOUSE_\(name)": secret])
            #expect(found.count == 1)
            #expect(!found.joined().contains("0123456789"))
        }
    }

    @Test func `demo mode refuses every address but the two loopback addresses`() throws {
        for host in [
            "0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "::ffff:127.0.0.1", "127.0.0.2",
            "127.255.255.254",
        ] {
            #expect(
                try problems("{\"login\":{\"mode\":\"demo\"},\"server\":{\"host\":\"\(host)\"}}")
                    == ["server.host: demo mode listens on 127.0.0.1 or ::1 only"])
        }
        for host in ["127.0.0.1", "::1", "0:0:0:0:0:0:0:1", "localhost"] {
            #expect(try problems(nil, ["GATEHOUSE_SERVER_HOST": host]) == [])
        }
    }

    @Test(
        arguments: [
            ("", "c.json:1: unexpected end of the file"),
            ("{", "c.json:1: unexpected end of the file"),
            ("{\n  \"log\": {\n    \"level\": oops\n  }\n}\n", "c.json:3: invalid JSON"),
            ("{\"a\":1}\n\n{}", "c.json:3: unexpected content after the object"),
            ("{\n\"log\":{},\n\"log\":{}}", "c.json:3: duplicate name in an object"),
            ("{\n\"a\":\"\\x\"}", "c.json:2: invalid escape sequence"),
            ("// no comments\n{}", "c.json:1: invalid JSON"),
            ("{\"a\":1,\n}", "c.json:2: invalid JSON"),
        ])
    func `a syntax error is reported with the file and the line`(
        content: String, problem: String
    ) throws {
        #expect(try problems(content) == [problem])
    }

    @Test func `a configuration file that cannot be read is reported by its path`() throws {
        let folder = try TemporaryFolder()
        func problems(_ path: String) -> [String] {
            do throws(Configuration.Invalid) {
                _ = try Configuration.load(file: path, environment: [:])
                return []
            } catch {
                return error.problems.map(\.description)
            }
        }
        let missing = folder.path("missing.json")
        #expect(problems(missing) == ["\(missing): cannot be read: No such file or directory"])
        #expect(problems(folder.path) == ["\(folder.path): cannot be read: Is a directory"])
        let large = try folder.file("large.json", String(repeating: " ", count: 1 << 20 + 1))
        #expect(problems(large) == ["\(large): is larger than 1MiB"])
        let closed = try folder.file("closed.json", "{}", mode: 0o000)
        // root can read every file.
        if geteuid() != 0 {
            #expect(problems(closed) == ["\(closed): cannot be read: Permission denied"])
        }
    }
}
