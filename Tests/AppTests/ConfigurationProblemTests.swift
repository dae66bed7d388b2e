import Foundation
import Server
import TestSupport
import Testing

@testable import App

private let secret = "0123456789abcdef0123456789ABCDEF"

/// What is wrong with a file of this content and this environment, a sentence each.
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

@Suite("What is wrong with a configuration")
struct ConfigurationProblemTests {
    @Test(
        "is told once, with the key's path, the value, and what it should be",
        arguments: [
            (
                #"{"server":{"host":"example.org"}}"#,
                #"server.host: "example.org" is not an IP address; write 127.0.0.1 or ::1"#
            ),
            (#"{"server":{"host":5}}"#, "server.host: 5 is not a string"),
            (#"{"server":{"port":70000}}"#, "server.port: 70000 is not from 0 to 65535"),
            (#"{"server":{"port":-1}}"#, "server.port: -1 is not from 0 to 65535"),
            (#"{"server":{"port":"80"}}"#, #"server.port: "80" is not a whole number"#),
            (#"{"server":{"port":80.5}}"#, "server.port: 80.5 is not a whole number"),
            (#"{"server":{"port":true}}"#, "server.port: true is not a whole number"),
            (#"{"server":{"port":null}}"#, "server.port: null is not a whole number"),
            (#"{"server":{"port":[80]}}"#, "server.port: a list is not a whole number"),
            (#"{"server":{"port":{}}}"#, "server.port: an object is not a whole number"),
            (#"{"server":{"workers":257}}"#, "server.workers: 257 is not from 0 to 256"),
            (
                #"{"server":{"max_connections":0}}"#,
                "server.max_connections: 0 is not from 1 to 1000000"
            ),
            (#"{"server":{"max_header":"1B"}}"#, "server.max_header: 1B is not from 1KiB to 1MiB"),
            (
                #"{"server":{"max_body":"1GiB"}}"#,
                "server.max_body: 1GiB is not from 1KiB to 16MiB"
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
                "server.idle_timeout: 2h is not from 100ms to 1h"
            ),
            (
                #"{"server":{"write_timeout":"0s"}}"#,
                "server.write_timeout: 0s is not from 100ms to 1h"
            ),
            (
                #"{"server":{"drain_timeout":"99ms"}}"#,
                "server.drain_timeout: 99ms is not from 100ms to 1h"
            ),
            (#"{"token":{"ttl":"2d"}}"#, "token.ttl: 2d is not from 1s to 1d"),
            (
                #"{"token":{"ttl":"half an hour"}}"#,
                #"token.ttl: "half an hour" is not a duration; write 30m"#
            ),
            (#"{"token":{"session":"366d"}}"#, "token.session: 366d is not from 1s to 365d"),
            (
                #"{"token":{"session":"29m"}}"#,
                "token.session: a session cannot be shorter than its tokens (token.ttl)"
            ),
            (#"{"token":{"leeway":"6m"}}"#, "token.leeway: 6m is not from 0s to 5m"),
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
                #"login.mode: "open" is none of "demo", "password""#
            ),
            (
                #"{"log":{"level":"LOUD"}}"#,
                #"log.level: "LOUD" is not a level; write DEBUG, INFO, WARNING, ERROR or CRITICAL"#
            ),
            (
                #"{"log":{"areas":{"http":3}}}"#,
                "log.areas.http: 3 is not a level; write DEBUG, INFO, WARNING, ERROR or CRITICAL"
            ),
            (#"{"log":{"areas":{"disk":"INFO"}}}"#, "log.areas.disk: no setting has this name"),
            (#"{"log":{"areas":"INFO"}}"#, "log.areas: a string is not an object"),
            (
                #"{"log":{"file":{"max_size":"10 apples"}}}"#,
                #"log.file.max_size: "10 apples" is not a size; write 10MiB"#
            ),
            (
                #"{"log":{"file":{"max_size":"1KiB"}}}"#,
                "log.file.max_size: 1KiB is not from 4KiB to 1024GiB"
            ),
            (#"{"log":{"file":{"keep":-1}}}"#, "log.file.keep: -1 is not from 0 to 100000"),
            (#"{"log":{"file":{"path":""}}}"#, "log.file.path: cannot be empty"),
            (
                #"{"log":{"on_failure":"stop"}}"#,
                #"log.on_failure: "stop" is none of "serve", "refuse""#
            ),
            (#"{"log":{"on_failure":false}}"#, "log.on_failure: false is not a string"),
            (
                #"{"log":{"format":"xml"}}"#,
                #"log.format: "xml" is none of "text", "json", "logfmt""#
            ),
            (#"{"log":{"format":null}}"#, "log.format: null is not a string"),
            (
                #"{"log":{"durability":"always"}}"#,
                #"log.durability: "always" is none of "written", "synced""#
            ),
            (
                #"{"log":{"authn_token_verified":"none"}}"#,
                #"log.authn_token_verified: "none" is none of "all", "sample", "off""#
            ),
            (
                #"{"log":{"file":{"rotate":"weekly"}}}"#,
                #"log.file.rotate: "weekly" is none of "daily", "never""#
            ),
            (
                #"{"log":{"file":{"keep_age":"59s"}}}"#,
                "log.file.keep_age: 59s is not from 1m to 36500d"
            ),
            (
                #"{"log":{"file":{"keep_age":90}}}"#,
                "log.file.keep_age: 90 is not a duration; write 90d"
            ),
            (
                #"{"log":{"file":{"keep_size":"1B"}}}"#,
                "log.file.keep_size: 1B is not from 4KiB to 1048576GiB"
            ),
            (
                #"{"log":{"file":{"keep_size":"much"}}}"#,
                #"log.file.keep_size: "much" is not a size; write 1GiB"#
            ),
            (#"{"log":{"seal":"yes"}}"#, #"log.seal: "yes" is neither true nor false"#),
            (
                #"{"log":{"seal_interval":"99ms"}}"#,
                "log.seal_interval: 99ms is not from 100ms to 1h"
            ),
            (
                #"{"log":{"seal_interval":1}}"#,
                "log.seal_interval: 1 is not a duration; write 1s"
            ),
            (
                #"{"token":{"refresh":"never"}}"#,
                #"token.refresh: "never" is none of "rotate", "extend""#
            ),
            (
                #"{"login":{"mode":"none"}}"#,
                #"login.mode: "none" is none of "demo", "password""#
            ),
            (#"{"login":{"users_file":""}}"#, "login.users_file: cannot be empty"),
            (#"{"login":{"users_file":null}}"#, "login.users_file: null is not a string"),
            (
                #"{"login":{"iterations":999}}"#,
                "login.iterations: 999 is not from 1000 to 10000000"
            ),
            (
                #"{"login":{"iterations":10000001}}"#,
                "login.iterations: 10000001 is not from 1000 to 10000000"
            ),
            (
                #"{"login":{"max_attempts":1001}}"#,
                "login.max_attempts: 1001 is not from 0 to 1000"
            ),
            (#"{"login":{"max_attempts":-1}}"#, "login.max_attempts: -1 is not from 0 to 1000"),
            (#"{"login":{"window":"500ms"}}"#, "login.window: 500ms is not from 1s to 1d"),
            (#"{"login":{"lockout":"25h"}}"#, "login.lockout: 25h is not from 1s to 1d"),
            (
                #"{"login":{"lockout":900}}"#,
                "login.lockout: 900 is not a duration; write 15m"
            ),
            (#"{"admin":{"socket":""}}"#, "admin.socket: cannot be empty; write null for none"),
            (#"{"admin":{"socket":7}}"#, "admin.socket: 7 is neither a string nor null"),
            (
                #"{"admin":{"metrics":"0.0.0.0:9090"}}"#,
                #"admin.metrics: "0.0.0.0:9090" is not a loopback address; it has no password"#
            ),
            (
                #"{"admin":{"metrics":"[2001:db8::1]:9090"}}"#,
                #"admin.metrics: "[2001:db8::1]:9090" is not a loopback address; "#
                    + "it has no password"
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
                "server.proxy_protocol: is read from trusted proxies only; name them in "
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
            (#"{"lgo":{}}"#, "lgo: no setting has this name"),
            (#"{"log":{"file":{"maxsize":"1MiB"}}}"#, "log.file.maxsize: no setting has this name"),
            (
                #"{"log":{"file":{"size":{"max":1}}}}"#,
                "log.file.size.max: no setting has this name"
            ),
            (#"{"log.level":"INFO"}"#, "log.level: a name has no dots; write objects in objects"),
            // Not a second spelling of server.port.
            (#"{"":{"server":{"port":1}}}"#, #""": no setting has this name"#),
            (#"{"log":{"":1}}"#, #"log."": no setting has this name"#),
            ("[]", "the file must hold one object"), ("null", "the file must hold one object"),
        ])
    func oneProblem(content: String, problem: String) throws {
        #expect(try problems(content) == [problem])
    }

    @Test("with its environment is told in the same words")
    func environment() throws {
        let cases = [
            (
                "LOG_FILE_MAX_SIZE", "10 apples",
                #"log.file.max_size: "10 apples" is not a size; write 10MiB"#
            ),
            ("SERVER_PORT", "+80", #"server.port: "+80" is not a whole number"#),
            ("SERVER_PORT", "", #"server.port: "" is not a whole number"#),
            ("SERVER_PORT", "99999", "server.port: 99999 is not from 0 to 65535"),
            (
                "TOKEN_REQUIRE_SESSION", "yes",
                #"token.require_session: "yes" is neither true nor false"#
            ),
            ("TOKEN_KEYS", "my-secret-key", "token.keys: not a list in JSON"),
            ("TOKEN_KEYS", "{}", "token.keys: not a list in JSON"),
            ("LOG_FILE", "x", "GATEHOUSE_LOG_FILE: no setting has this name"),
            ("PORT", "80", "GATEHOUSE_PORT: no setting has this name"),
            ("PORT", "http://10.0.0.1:80", "GATEHOUSE_PORT: no setting has this name"),
            ("LOG_AREAS", "DEBUG", "log.areas: not an object in JSON"),
            ("LOG_AREAS", "[]", "log.areas: not an object in JSON"),
            ("LOG_AREAS", #"{"disk":"INFO"}"#, "log.areas.disk: no setting has this name"),
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
    func `is not what Kubernetes says of a service whose name begins with gatehouse`(
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

    @Test func `has each variable that Kubernetes would not make`() throws {
        let url = "tcp://10.0.171.239:8080"
        for name in [
            "SERVICE", "SERVICE_HOSTS", "SERVICE_HOST_NAME", "SERVICE_PORT_", "SERVICE_PORT_http",
            "SERVICE_NAME", "PORT_", "PORT_8080", "PORT_TCP", "PORT_80A_TCP", "PORT_8080_TCP_",
            "PORT_8080_TCP_HOST", "PORT_8080_HTTP", "PORT_8080_tcp", "PORT_123456_TCP",
            "x_PORT", "SERVICE_HOST", "API_PORT_80_TCP_ADDR", "PORTS",
        ] {
            let variable = "GATEHOUSE_" + name
            let found = try problems(nil, [variable: url])
            #expect(found == ["\(variable): no setting has this name"], "\(name)")
        }
        for (name, value) in [
            ("SERVICE_HOST", "example.com"), ("API_SERVICE_PORT", "http"), ("API_PORT", "8080"),
            ("API_PORT", "tcp://10.0.0.1"), ("API_PORT", "http://10.0.0.1:80"),
            ("API_PORT_80_TCP", "10.0.0.1:80"), ("API_PORT_80_TCP_PROTO", "TCP"),
            ("API_PORT_80_TCP_ADDR", ""),
        ] {
            let variable = "GATEHOUSE_" + name
            let found = try problems(nil, [variable: value])
            #expect(found == ["\(variable): no setting has this name"], "\(name)")
        }
    }

    @Test func `never is a setting that was taken for a variable of Kubernetes`() throws {
        // `server.port`, beside a service that is called gatehouse-server.
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
        // No other setting's variable has such a name.
        for path in configuration.settings.keys where path != "server.port" {
            let variable = "GATEHOUSE_" + path.uppercased().replacing(".", with: "_")
            for value in ["10.0.0.1", "80", "tcp", "tcp://10.0.0.1:80"] {
                #expect(!KubernetesVariable.isOne(variable, value), "\(path)")
            }
        }
    }

    @Test("is told all at once")
    func all() throws {
        let content = #"""
            {"server":{"port":-1,"prot":80},"token":{"keys":[{"id":"a","secret":"short"}],"ttl":"x"},
             "login":{"mode":"passwords"},"log":{"file":{"max_size":"big"}},"x":1}
            """#
        #expect(
            try problems(content, ["GATEHOUSE_NOTHING": ""]) == [
                "server.port: -1 is not from 0 to 65535",
                "token.keys[0]: the secret has 5 bytes; HS256 wants at least 32: "
                    + "make one with `gatehouse secret`",
                #"token.ttl: "x" is not a duration; write 30m"#,
                #"login.mode: "passwords" is none of "demo", "password""#,
                #"log.file.max_size: "big" is not a size; write 10MiB"#,
                "server.prot: no setting has this name", "x: no setting has this name",
                "GATEHOUSE_NOTHING: no setting has this name",
            ])
    }

    @Test("with its keys is told without them")
    func keyProblems() throws {
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
                #"token.keys[1].id: "a" is also the id of token.keys[0]; give each key its own"#
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
                #"token.keys[0].id: is missing; write a name, as in "2026-11""#
            ),
            (
                #"[{"id":"a b","secret":"\#(secret)"}]"#,
                #"token.keys[0].id: "a b" is not 1 to 64 of A-Z a-z 0-9 . _ -"#
            ),
            (
                #"[{"id":5,"secret":"\#(secret)"}]"#,
                "token.keys[0].id: a number is not a string"
            ),
            (
                #"[{"id":"a","secret":"\#(secret)","alg":"none"}]"#,
                "token.keys[0].alg: no setting has this name"
            ),
            (
                #"[{"id":"a","secret":"\#(secret.dropLast())"}]"#,
                "token.keys[0]: the secret has 31 bytes; HS256 wants at least 32: "
                    + "make one with `gatehouse secret`"
            ),
            (
                #"[{"id":"a","secret":""}]"#,
                "token.keys[0]: the secret has 0 bytes; HS256 wants at least 32: "
                    + "make one with `gatehouse secret`"
            ),
            (
                #"[{"id":"a","secret":"\#(String(repeating: "x", count: 40))"}]"#,
                "token.keys[0]: the secret is one byte over and over; "
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

    @Test("with the seal's secret is told without it")
    func sealSecretProblems() throws {
        func log(_ members: String) -> String { "{\"log\":{\(members)}}" }
        let cases = [
            (
                #""seal_secret":"\#(secret.dropLast())""#,
                "log.seal_secret: has 31 bytes; at least 32 are wanted: "
                    + "make one with `gatehouse secret`"
            ),
            (
                #""seal_secret":"""#,
                "log.seal_secret: has 0 bytes; at least 32 are wanted: "
                    + "make one with `gatehouse secret`"
            ),
            (
                #""seal_secret":"\#(String(repeating: "x", count: 40))""#,
                "log.seal_secret: the secret is one byte over and over; make one with `gatehouse secret`"
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
                    "log.seal_secret: has 10 bytes; at least 32 are wanted: "
                        + "make one with `gatehouse secret`"
                ])
    }

    @Test("is told of each file that two settings name, and of the log's own files")
    func sharedFiles() throws {
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
                "admin.socket: is the same file as login.users_file",
                "log.file.path: is the same file as the configuration file",
                "state.revocations: is the same file as login.users_file",
                "state.revocations: is the same file as admin.socket",
            ])
        #expect(
            try problems(document("l", ".l.state", "l.000017", ".l.lock")) == [
                "login.users_file: is l.000017, a name that the log needs",
                "admin.socket: is .l.lock, a name that the log needs",
                "state.revocations: is .l.state, a name that the log needs",
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
                "log.file.path: is the same file as token.keys[0].secret_file"
            ])
    }

    @Test("never shows a secret, wherever it was put by mistake")
    func secrets() throws {
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

    @Test("with its address is told, if it is open to others in the demo")
    func demoAddress() throws {
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
        "with its JSON is told with the line",
        arguments: [
            ("", "c.json:1: the file ends too early"), ("{", "c.json:1: the file ends too early"),
            ("{\n  \"log\": {\n    \"level\": oops\n  }\n}\n", "c.json:3: not JSON"),
            ("{\"a\":1}\n\n{}", "c.json:3: something follows the object"),
            ("{\n\"log\":{},\n\"log\":{}}", "c.json:3: a name that is there twice"),
            ("{\n\"a\":\"\\x\"}", "c.json:2: a backslash that begins no escape"),
            ("// no comments\n{}", "c.json:1: not JSON"), ("{\"a\":1,\n}", "c.json:2: not JSON"),
        ])
    func brokenJSON(content: String, problem: String) throws {
        #expect(try problems(content) == [problem])
    }

    @Test("with its file is told before anything is read")
    func files() throws {
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
        // The superuser reads everything.
        if geteuid() != 0 {
            #expect(problems(closed) == ["\(closed): cannot be read: Permission denied"])
        }
    }
}
