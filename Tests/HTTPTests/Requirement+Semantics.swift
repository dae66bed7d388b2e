import HTTP

extension Requirement {
    /// RFC 9110, from its beginning to its end.
    static let ofSemantics: [Requirement] = foundations + fields + control + methods + statuses

    private static let foundations = [
        Requirement(
            "9110 §2.2", "What is sent matches the grammar."
        ) { answer in
            answer.fieldLines.allSatisfy {
                $0.wholeMatch(
                    of: /[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\x21-\x7E]([\t\x20-\x7E]*[\x21-\x7E])?/)
                    != nil
            }
        },
        Requirement("9110 §2.2", "What only another role may send is not sent.") { answer in
            ["host", "expect", "te", "authorization", "proxy-authenticate", "via", "age"]
                .allSatisfy { answer[$0] == nil }
        },
        Requirement(
            "9110 §2.3", "What this server makes for a client it can take from one.",
            shownBy:
                "begins with a password, is renewed, ends when asked, and all of that is on record",
            "is the client's own if it may stand in a log line"),
        Requirement(
            "9110 §2.4", "What is received means what the specification says it means.",
            shownBy: "is checked and ignored", "says where the body ends",
            "is found by method and path"),
        Requirement(
            "9110 §3.3", "Two requests of a connection are not taken for those of one user.",
            [
                (
                    get("/who", "Authorization: one") + get("/who"),
                    // The content of the second, which is another one, is looked at below.
                    .answers([200, 200])
                )
            ],
            tests: ["on one connection has its own credentials, or none"]),
        Requirement(
            "9110 §4.2.1", "An http URI without a host is refused.",
            [
                (get("http:///a"), .refused), (get("http://:80/a"), .refused),
                (get("http://?a"), .refused), (get("http://"), .refused),
            ]),
        Requirement(
            "9110 §4.2.2", "An https URI without a host is refused.",
            behindTrustedProxy: [
                (get("https:///a"), .refused), (get("https://:443/a"), .refused),
                (get("https://"), .refused),
            ]),
    ]

    private static let fields = [
        Requirement("9110 §5.3", "No field is sent twice.") { answer in
            let names = answer.fields.map(\.name)
            return Set(names).count == names.count
        },
        Requirement(
            "9110 §5.3", "No request is acted upon before all of its head is here.",
            [
                ("GET /a HTTP/1.1\r\nHost: h\r\n", .waits([])),
                ("GET /a HTTP/1.1\r\nHost: h\r\n\r", .waits([])),
                ("GET /a HTTP/1.1\r\nHost: h\r\nAuthorization: x", .waits([])),
                (get() + "GET /a HTTP/1.1\r\nHost: h\r\nX: y\r\n", .waits([200])),
            ]),
        Requirement(
            "9110 §5.4", "Fields larger than are wanted here are refused with 4xx.",
            [
                (get("/a", "X: " + String(repeating: "y", count: 20_000)), .ends([431])),
                (get("/a", String(repeating: "y", count: 20_000) + ": x"), .ends([431])),
                (get("/a", String(repeating: "x:\r\n", count: 101) + "x:"), .ends([431])),
                (post("Content-Length: " + String(repeating: "0", count: 20_000)), .ends([431])),
                (chunked("0\r\nX: " + String(repeating: "y", count: 20_000)), .ends([431])),
            ],
            tests: ["fits into the head, whose limit counts every line end"]),
        Requirement(
            "9110 §5.5", "White space around a value is no part of it.",
            [
                (get("/who", "Authorization: \t x  y \t "), .content("x  y")),
                (get("/who", "Authorization:x"), .content("x")),
                (post("Content-Length: \t 5 \t", "hello"), .content("hello")),
                (post("Transfer-Encoding:   chunked  ", "0\r\n\r\n"), .served),
            ]),
        Requirement(
            "9110 §5.5", "CR, LF or NUL in a value is refused.",
            [
                (get("/a", "X: a\0b"), .refused), (get("/a", "X: a\rb"), .refused),
                (get("/a", "X: a\nb"), .refused), (get("/a", "X: \0"), .refused),
                (chunked("0\r\nX: a\0b\r\n\r\n"), .refused),
            ],
            tests: ["has a value without control characters"]),
        Requirement("9110 §5.6.1.1", "No list that is sent has empty members.") { answer in
            guard let allowed = answer["allow"] else { return true }
            return allowed.split(separator: ",", omittingEmptySubsequences: false)
                .allSatisfy { !$0.allSatisfy(\.isWhitespace) }
        },
        // In Transfer-Encoding none is a reasonable number: a server in front that does not see the
        // coding for the comma sees the end of the message elsewhere (RFC 9112 §11.2).
        Requirement(
            "9110 §5.6.1.2",
            "Empty members of a list are ignored, but not where they can hide framing.",
            [
                (get("/a", "Connection: , ,close,"), .ends([200])),
                (get("/a", "Connection: ,"), .served),
                (post("Expect: ,100-continue,\r\nContent-Length: 5", "hello"), .content("hello")),
                (post("Expect: ,\r\nContent-Length: 5", "hello"), .content("hello")),
                (post("Transfer-Encoding: ,chunked", "0\r\n\r\n"), .refused),
            ]),
        Requirement("9110 §5.6.3", "No bad white space is sent.") { answer in
            answer.fieldLines.allSatisfy {
                !$0.contains(" :") && !$0.contains(" =") && !$0.contains("= ")
            }
        },
        Requirement(
            "9110 §5.6.3", "Bad white space where the grammar has it is read and removed.",
            [(chunked("5 \t; \ta\t = \t\"b\"\r\nhello\r\n0\r\n\r\n"), .content("hello"))]),
        Requirement(
            "9110 §5.6.4", "A quoted pair is what stands behind its backslash.",
            [(chunked("5;a=\"\\\"\\\\;\"\r\nhello\r\n0\r\n\r\n"), .content("hello"))],
            tests: ["is the right-most address of Forwarded that is not trusted"]),
        Requirement(
            "9110 §5.6.7", "A date that is sent is an IMF-fixdate, with no white space more.",
            tests: ["is written as an HTTP date, fractions dropped"]
        ) { answer in
            guard let date = answer["date"] else { return true }
            return date.wholeMatch(
                of:
                    /(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3][0-9] [A-Z][a-z]{2} [0-9]{4} [0-2][0-9]:[0-5][0-9]:[0-6][0-9] GMT/
            ) != nil
        },
    ]

    private static let control = [
        Requirement("9110 §6.2", "The version that is sent is the one that is spoken.") {
            $0.statusLine.hasPrefix("HTTP/1.1 ")
        },
        Requirement("9110 §6.5.1", "No trailer field is sent, and none announced.") { answer in
            answer["trailer"] == nil && answer["transfer-encoding"] == nil
        },
        Requirement(
            "9110 §6.5.1", "A trailer field is not taken for one of the head.",
            [
                (
                    "GET /who HTTP/1.1\r\nHost: h\r\nAuthorization: early\r\n"
                        + "Transfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: late\r\n\r\n",
                    .content("early")
                )
            ],
            tests: ["is checked and dropped"]),
        Requirement(
            "9110 §6.6.1", "Every response with 2xx, 3xx or 4xx has a Date.",
            tests: ["answers over IPv4, with what every response has"]
        ) { $0.status < 200 || $0["date"] != nil },
        Requirement(
            "9110 §7.1", "The authority form is for CONNECT alone, the asterisk for OPTIONS alone.",
            [
                (get("*"), .refused), ("POST * HTTP/1.1\r\nHost: h\r\n\r\n", .refused),
                ("CONNECT * HTTP/1.1\r\nHost: h\r\n\r\n", .refused), (get("h:80"), .refused),
                ("OPTIONS h:80 HTTP/1.1\r\nHost: h\r\n\r\n", .refused),
                ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", .answers([204])),
            ]),
        Requirement(
            "9110 §7.4", "An https URI is refused on a connection that nobody has secured.",
            [
                (get("https://h/a"), .ends([421])), (get("HTTPS://h:443/a?b"), .ends([421])),
                ("GET https://h/a HTTP/1.0\r\n\r\n", .ends([421])),
                ("OPTIONS https://h HTTP/1.1\r\nHost: h\r\n\r\n", .ends([421])),
                (get("ftp://h/a"), .refused), (get("urn:a"), .refused),
            ]),
        Requirement(
            "9110 §7.4", "A trusted gateway may have secured it.",
            behindTrustedProxy: [(get("https://h/a"), .served)]),
        Requirement(
            "9110 §7.6.1", "Fields about the connection are listed in Connection; there are none."
        ) { answer in
            ["keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"]
                .allSatisfy { answer[$0] == nil }
        },
        Requirement(
            "9110 §7.6.1", "Connection lists nothing that is for all recipients."
        ) { ["close", "keep-alive", nil].contains($0["connection"]) },
        Requirement(
            "9110 §7.8",
            "Nothing is switched to another protocol: Upgrade is ignored, in HTTP/1.0 too.",
            [
                (get("/a", "Connection: upgrade\r\nUpgrade: websocket"), .served),
                (
                    get(
                        "/a",
                        "Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk"
                    ), .served
                ),
                ("GET /a HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x/1\r\n\r\n", .ends([200])),
            ]),
        Requirement(
            "9110 §8.6", "Content-Length to HEAD is that to GET.",
            tests: ["to HEAD is that to GET without the content"]
        ) { answer in
            // All that is asked for with HEAD here has the content `a`.
            answer.method != .head || answer.status != 200 || answer["content-length"] == "1"
        },
        Requirement("9110 §8.6", "There is no Content-Length with 1xx and 204.") { answer in
            !(100..<200 ~= answer.status || answer.status == 204) || answer["content-length"] == nil
        },
        Requirement("9110 §8.6", "Content-Length is as much as comes.") { answer in
            answer.content.isEmpty
                || answer["content-length"] == "\(answer.content.unicodeScalars.count)"
        },
        Requirement(
            "9110 §8.6", "A large Content-Length overflows nothing and loses no digit.",
            [
                (post("Content-Length: 18446744073709551621", "hello"), .ends([413])),
                (post("Content-Length: 4294967301", "hello"), .ends([413])),
                (post("Content-Length: " + String(repeating: "9", count: 1000)), .ends([413])),
                (
                    post("Content-Length: " + String(repeating: "0", count: 1000) + "5", "hello"),
                    .content("hello")
                ),
            ],
            tests: ["over the limit is refused before the body comes, however many digits it has"]),
        Requirement(
            "9110 §8.7", "Content-Location in a request changes nothing about it.",
            [
                (get("/a", "Content-Location: /none"), .content("a")),
                (
                    post("Content-Location: http://h/a\r\nContent-Length: 5", "hello"),
                    .content("hello")
                ),
            ]),
        Requirement("9110 §8.8.2.1", "No Last-Modified is sent, hence none in the future.") {
            $0["last-modified"] == nil
        },
        Requirement("9110 §8.8.3", "No entity tag is sent, hence none that claims too much.") {
            $0["etag"] == nil
        },
    ]

    private static let methods = [
        Requirement(
            "9110 §9.1", "GET and HEAD are there.",
            [(get(), .served), ("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n", .answers([200]))],
            tests: ["for GET serves HEAD, without the content"]),
        Requirement(
            "9110 §9.2.1", "What changes something cannot be done by a safe method.",
            shownBy: "is not there for another method, and the answer says for which it is",
            "lists the endpoints that the router has, and no others"),
        Requirement(
            "9110 §9.3.2", "A response to HEAD has no content.",
            [
                ("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n" + get(), .answers([200, 200])),
                ("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n" + get(), .answers([404, 200])),
                ("HEAD /echo HTTP/1.1\r\nHost: h\r\n\r\n" + get(), .answers([405, 200])),
            ],
            tests: ["of a HEAD has no content, of what comes after a HEAD it has"]),
        Requirement("9110 §9.3.2", "Nor has any other response to HEAD.") {
            $0.method != .head || $0.content.isEmpty
        },
        Requirement(
            "9110 §9.3.6", "CONNECT to an empty or invalid port is refused.",
            [
                ("CONNECT h: HTTP/1.1\r\nHost: h\r\n\r\n", .refused),
                ("CONNECT h HTTP/1.1\r\nHost: h\r\n\r\n", .refused),
                ("CONNECT h:x HTTP/1.1\r\nHost: h\r\n\r\n", .refused),
                ("CONNECT h:-1 HTTP/1.1\r\nHost: h\r\n\r\n", .refused),
                ("CONNECT h:123456 HTTP/1.1\r\nHost: h\r\n\r\n", .refused),
                // Any other is, too: there is no tunnel here.
                ("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", .answers([405])),
                ("CONNECT h:0 HTTP/1.1\r\nHost: h\r\n\r\n", .answers([405])),
            ]),
        Requirement("9110 §9.3.6", "No 2xx is sent to CONNECT, with or without a length.") {
            $0.method != .connect || $0.status >= 400
        },
        Requirement(
            "9110 §10.1.1", "In HTTP/1.0 the expectation of 100 is ignored.",
            [
                (
                    post("Expect: 100-continue\r\nContent-Length: 5", "hello", version: "1.0"),
                    .ends([200])
                ),
                (post("Expect: 100-continue\r\nContent-Length: 5", "", version: "1.0"), .waits([])),
            ]),
        Requirement(
            "9110 §10.1.1",
            "Who waits for 100 gets it, or a final status, before the content has come.",
            [
                (post("Expect: 100-continue\r\nContent-Length: 5"), .waits([100])),
                (post("Expect: 100-continue\r\nTransfer-Encoding: chunked"), .waits([100])),
                (post("Expect: 100-continue\r\nContent-Length: 70000"), .ends([413])),
                (post("Expect: 100-continue\r\nContent-Length: 5\r\nContent-Length: 6"), .refused),
                (post("Expect: fish\r\nContent-Length: 5"), .ends([417])),
            ],
            tests: [
                "is answered once, before the body",
                "says that it will read the content to a client that asks first",
            ]),
        Requirement(
            "9110 §10.1.1", "After 100 comes a final status, once the content is here.",
            [(post("Expect: 100-continue\r\nContent-Length: 5", "hello"), .content("hello"))],
            tests: ["is answered once, before the body"]),
        Requirement("9110 §10.1.5", "Nothing is sent that advertises.") { answer in
            answer["server"] == nil && answer["user-agent"] == nil
        },
        Requirement("9110 §10.2.1", "405 has Allow.") { answer in
            answer.status != 405 || !(answer["allow"] ?? "").isEmpty
        },
    ]

    private static let statuses = [
        Requirement(
            "9110 §11.2", "A challenge names each of its parameters once.",
            shownBy: "is told so where the token has expired, which is nothing to worry about",
            "is asked for one where it has no credentials that are known here"),
        Requirement(
            "9110 §11.5", "The realm is sent as a quoted string.",
            shownBy: "is asked for one where it has no credentials that are known here",
            "is refused with one answer, whatever is wrong"),
        Requirement(
            "9110 §11.6.1", "401 has a challenge.",
            shownBy: "is asked for one where it has no credentials that are known here",
            "is refused for a token that cannot be believed, which the log knows by a fingerprint",
            "is refused with one answer, whatever is wrong"),
        Requirement(
            "9110 §12.5.3", "415 for a media type does not speak of content codings.",
            shownBy: "for a type that is not JSON"),
        Requirement(
            "9110 §14.2", "Range is ignored, whatever its unit and the method.",
            [
                (get("/a", "Range: bytes=0-0"), .content("a")),
                (get("/a", "Range: fish=1-2"), .content("a")),
                (get("/a", "Range: bytes=9-9\r\nIf-Range: \"x\""), .content("a")),
                (post("Range: bytes=0-1\r\nContent-Length: 5", "hello"), .content("hello")),
            ]),
        Requirement(
            "9110 §14.4", "Content-Range in a request is ignored.",
            [(post("Content-Range: bytes 0-4/10\r\nContent-Length: 5", "hello"), .content("hello"))]
        ),
        Requirement(
            "9110 §15.2", "No 1xx is sent to HTTP/1.0.",
            [
                (post("Expect: 100-continue\r\nContent-Length: 5", "", version: "1.0"), .waits([])),
                (
                    post("Expect: 100-continue\r\nTransfer-Encoding: chunked", "", version: "1.0"),
                    .refused
                ),
            ],
            tests: ["is not answered where nothing is waited for"]),
        Requirement(
            "9110 §15.5.2", "401 has a challenge that the resource knows.",
            shownBy: "is asked for one where it has no credentials that are known here"),
        Requirement(
            "9110 §15.5.6", "405 lists the methods that the resource has.",
            [("DELETE /a HTTP/1.1\r\nHost: h\r\n\r\n", .answers([405]))],
            tests: ["is not there for another method, and the answer says for which it is"]),
    ]
}
