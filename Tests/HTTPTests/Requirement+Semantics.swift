import HTTP

extension Requirement {
    /// The requirements of RFC 9110, in the order of its sections.
    static let ofSemantics: [Requirement] = foundations + fields + control + methods + statuses

    private static let foundations = [
        Requirement(
            "9110 §2.2", "All that is sent matches the grammar."
        ) { answer in
            answer.fieldLines.allSatisfy {
                $0.wholeMatch(
                    of: /[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\x21-\x7E]([\t\x20-\x7E]*[\x21-\x7E])?/)
                    != nil
            }
        },
        Requirement("9110 §2.2", "Fields that only other roles may send are not sent.") { answer in
            ["host", "expect", "te", "authorization", "proxy-authenticate", "via", "age"]
                .allSatisfy { answer[$0] == nil }
        },
        Requirement(
            "9110 §2.3", "The server accepts from clients what it generates for them.",
            shownBy:
                "login, refresh and logout work as documented and are logged",
            "a valid X-Request-Id of the client is used"),
        Requirement(
            "9110 §2.4", "Received elements have the meaning that the specification gives them.",
            shownBy: "chunk extensions are validated and ignored",
            "Content-Length determines the end of the body",
            "a route is found by method and path"),
        Requirement(
            "9110 §3.3", "Two requests on one connection are not attributed to one user.",
            [
                (
                    get("/who", "Authorization: one") + get("/who"),
                    // The contents are different; the named test checks them.
                    .answers([200, 200])
                )
            ],
            tests: ["requests on one connection each have their own credentials"]),
        Requirement(
            "9110 §4.2.1", "An http URI without a host is rejected.",
            [
                (get("http:///a"), .refused), (get("http://:80/a"), .refused),
                (get("http://?a"), .refused), (get("http://"), .refused),
            ]),
        Requirement(
            "9110 §4.2.2", "An https URI without a host is rejected.",
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
            "9110 §5.3", "No request is processed before its head is complete.",
            [
                ("GET /a HTTP/1.1\r\nHost: h\r\n", .waits([])),
                ("GET /a HTTP/1.1\r\nHost: h\r\n\r", .waits([])),
                ("GET /a HTTP/1.1\r\nHost: h\r\nAuthorization: x", .waits([])),
                (get() + "GET /a HTTP/1.1\r\nHost: h\r\nX: y\r\n", .waits([200])),
            ]),
        Requirement(
            "9110 §5.4", "Fields larger than the limit are rejected with 4xx.",
            [
                (get("/a", "X: " + String(repeating: "y", count: 20_000)), .ends([431])),
                (get("/a", String(repeating: "y", count: 20_000) + ": x"), .ends([431])),
                (get("/a", String(repeating: "x:\r\n", count: 101) + "x:"), .ends([431])),
                (post("Content-Length: " + String(repeating: "0", count: 20_000)), .ends([431])),
                (chunked("0\r\nX: " + String(repeating: "y", count: 20_000)), .ends([431])),
            ],
            tests: ["the size limit of a head includes every line end"]),
        Requirement(
            "9110 §5.5", "White space around a value is not part of it.",
            [
                (get("/who", "Authorization: \t x  y \t "), .content("x  y")),
                (get("/who", "Authorization:x"), .content("x")),
                (post("Content-Length: \t 5 \t", "hello"), .content("hello")),
                (post("Transfer-Encoding:   chunked  ", "0\r\n\r\n"), .served),
            ]),
        Requirement(
            "9110 §5.5", "CR, LF or NUL in a value is rejected.",
            [
                (get("/a", "X: a\0b"), .refused), (get("/a", "X: a\rb"), .refused),
                (get("/a", "X: a\nb"), .refused), (get("/a", "X: \0"), .refused),
                (chunked("0\r\nX: a\0b\r\n\r\n"), .refused),
            ],
            tests: ["a field value contains no control characters"]),
        Requirement("9110 §5.6.1.1", "No list is sent with empty elements.") { answer in
            guard let allowed = answer["allow"] else { return true }
            return allowed.split(separator: ",", omittingEmptySubsequences: false)
                .allSatisfy { !$0.allSatisfy(\.isWhitespace) }
        },
        // No empty elements are accepted in Transfer-Encoding. A proxy that does not recognize the
        // coding because of a comma finds the end of the message elsewhere (RFC 9112 §11.2).
        Requirement(
            "9110 §5.6.1.2",
            "Empty list elements are ignored, except where they can hide framing.",
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
            "9110 §5.6.3", "Bad white space is removed where the grammar allows it.",
            [(chunked("5 \t; \ta\t = \t\"b\"\r\nhello\r\n0\r\n\r\n"), .content("hello"))]),
        Requirement(
            "9110 §5.6.4", "A quoted pair is the character after its backslash.",
            [(chunked("5;a=\"\\\"\\\\;\"\r\nhello\r\n0\r\n\r\n"), .content("hello"))],
            tests: ["the client is the rightmost untrusted address of Forwarded"]),
        Requirement(
            "9110 §5.6.7", "A date is sent as an IMF-fixdate, without additional white space.",
            tests: ["a timestamp is written as an HTTP date without fractions"]
        ) { answer in
            guard let date = answer["date"] else { return true }
            let format =
                #/
                (Mon|Tue|Wed|Thu|Fri|Sat|Sun),\ [0-3][0-9]\ [A-Z][a-z]{2}\ [0-9]{4}
                \ [0-2][0-9]:[0-5][0-9]:[0-6][0-9]\ GMT
                /#
            return date.wholeMatch(of: format) != nil
        },
    ]

    private static let control = [
        Requirement("9110 §6.2", "The version of a response is the one that it conforms to.") {
            $0.statusLine.hasPrefix("HTTP/1.1 ")
        },
        Requirement("9110 §6.5.1", "No trailer field is sent or announced.") { answer in
            answer["trailer"] == nil && answer["transfer-encoding"] == nil
        },
        Requirement(
            "9110 §6.5.1", "A trailer field is not merged into the fields of the head.",
            [
                (
                    "GET /who HTTP/1.1\r\nHost: h\r\nAuthorization: early\r\n"
                        + "Transfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: late\r\n\r\n",
                    .content("early")
                )
            ],
            tests: ["trailer fields are validated and discarded"]),
        Requirement(
            "9110 §6.6.1", "Every response with 2xx, 3xx or 4xx has a Date.",
            tests: ["a response over IPv4 has the common header fields"]
        ) { $0.status < 200 || $0["date"] != nil },
        Requirement(
            "9110 §7.1", "Only CONNECT may use authority-form, and only OPTIONS asterisk-form.",
            [
                (get("*"), .refused), ("POST * HTTP/1.1\r\nHost: h\r\n\r\n", .refused),
                ("CONNECT * HTTP/1.1\r\nHost: h\r\n\r\n", .refused), (get("h:80"), .refused),
                ("OPTIONS h:80 HTTP/1.1\r\nHost: h\r\n\r\n", .refused),
                ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", .answers([204])),
            ]),
        Requirement(
            "9110 §7.4", "An https URI is rejected on a connection without TLS.",
            [
                (get("https://h/a"), .ends([421])), (get("HTTPS://h:443/a?b"), .ends([421])),
                ("GET https://h/a HTTP/1.0\r\n\r\n", .ends([421])),
                ("OPTIONS https://h HTTP/1.1\r\nHost: h\r\n\r\n", .ends([421])),
                (get("ftp://h/a"), .refused), (get("urn:a"), .refused),
            ]),
        Requirement(
            "9110 §7.4",
            "An https URI from a trusted proxy is served, because the proxy terminates TLS.",
            behindTrustedProxy: [(get("https://h/a"), .served)]),
        Requirement(
            "9110 §7.6.1",
            "Connection-specific fields would be listed in Connection; none are sent."
        ) { answer in
            ["keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"]
                .allSatisfy { answer[$0] == nil }
        },
        Requirement(
            "9110 §7.6.1", "Connection lists no field that is for all recipients."
        ) { ["close", "keep-alive", nil].contains($0["connection"]) },
        Requirement(
            "9110 §7.8",
            "Upgrade is ignored, in HTTP/1.0 too: the protocol is never switched.",
            [
                (get("/a", "Connection: upgrade\r\nUpgrade: websocket"), .served),
                (
                    get(
                        "/a",
                        "Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\n"
                            + "HTTP2-Settings: AAMAAABk"
                    ), .served
                ),
                ("GET /a HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x/1\r\n\r\n", .ends([200])),
            ]),
        Requirement(
            "9110 §8.6", "Content-Length in a response to HEAD is that of GET.",
            tests: ["the response to HEAD is that to GET without the content"]
        ) { answer in
            // Every HEAD request of the table that gets 200 is for the content `a`.
            answer.method != .head || answer.status != 200 || answer["content-length"] == "1"
        },
        Requirement("9110 §8.6", "1xx and 204 have no Content-Length.") { answer in
            !(100..<200 ~= answer.status || answer.status == 204) || answer["content-length"] == nil
        },
        Requirement("9110 §8.6", "Content-Length is the size of the content.") { answer in
            answer.content.isEmpty
                || answer["content-length"] == "\(answer.content.unicodeScalars.count)"
        },
        Requirement(
            "9110 §8.6", "A large Content-Length neither overflows nor loses precision.",
            [
                (post("Content-Length: 18446744073709551621", "hello"), .ends([413])),
                (post("Content-Length: 4294967301", "hello"), .ends([413])),
                (post("Content-Length: " + String(repeating: "9", count: 1000)), .ends([413])),
                (
                    post("Content-Length: " + String(repeating: "0", count: 1000) + "5", "hello"),
                    .content("hello")
                ),
            ],
            tests: ["a Content-Length over the limit is rejected before the body arrives"]),
        Requirement(
            "9110 §8.7", "Content-Location in a request is ignored.",
            [
                (get("/a", "Content-Location: /none"), .content("a")),
                (
                    post("Content-Location: http://h/a\r\nContent-Length: 5", "hello"),
                    .content("hello")
                ),
            ]),
        Requirement("9110 §8.8.2.1", "No Last-Modified is sent, so none is in the future.") {
            $0["last-modified"] == nil
        },
        Requirement("9110 §8.8.3", "No entity tag is sent, so none is wrongly strong.") {
            $0["etag"] == nil
        },
    ]

    private static let methods = [
        Requirement(
            "9110 §9.1", "GET and HEAD are supported.",
            [(get(), .served), ("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n", .answers([200]))],
            tests: ["HEAD is answered as GET without the content"]),
        Requirement(
            "9110 §9.2.1", "No safe method changes state.",
            shownBy: "405 lists the methods of the path",
            "the document lists exactly the endpoints of the router"),
        Requirement(
            "9110 §9.3.2", "A response to HEAD has no content.",
            [
                ("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n" + get(), .answers([200, 200])),
                ("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n" + get(), .answers([404, 200])),
                ("HEAD /echo HTTP/1.1\r\nHost: h\r\n\r\n" + get(), .answers([405, 200])),
            ],
            tests: [
                "the rejection of a HEAD request has no content, unlike that of a later message"
            ]),
        Requirement("9110 §9.3.2", "No response to HEAD in the table has content.") {
            $0.method != .head || $0.content.isEmpty
        },
        Requirement(
            "9110 §9.3.6", "CONNECT to an empty or invalid port is rejected.",
            [
                ("CONNECT h: HTTP/1.1\r\nHost: h\r\n\r\n", .refused),
                ("CONNECT h HTTP/1.1\r\nHost: h\r\n\r\n", .refused),
                ("CONNECT h:x HTTP/1.1\r\nHost: h\r\n\r\n", .refused),
                ("CONNECT h:-1 HTTP/1.1\r\nHost: h\r\n\r\n", .refused),
                ("CONNECT h:123456 HTTP/1.1\r\nHost: h\r\n\r\n", .refused),
                // CONNECT to a valid port is rejected too: tunnels are not supported.
                ("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", .answers([405])),
                ("CONNECT h:0 HTTP/1.1\r\nHost: h\r\n\r\n", .answers([405])),
            ]),
        Requirement("9110 §9.3.6", "No 2xx is sent to CONNECT, with or without a length.") {
            $0.method != .connect || $0.status >= 400
        },
        Requirement(
            "9110 §10.1.1", "The expectation 100-continue is ignored in HTTP/1.0.",
            [
                (
                    post("Expect: 100-continue\r\nContent-Length: 5", "hello", version: "1.0"),
                    .ends([200])
                ),
                (post("Expect: 100-continue\r\nContent-Length: 5", "", version: "1.0"), .waits([])),
            ]),
        Requirement(
            "9110 §10.1.1",
            "A client that waits for 100 gets it, or a final status, before it sends the content.",
            [
                (post("Expect: 100-continue\r\nContent-Length: 5"), .waits([100])),
                (post("Expect: 100-continue\r\nTransfer-Encoding: chunked"), .waits([100])),
                (post("Expect: 100-continue\r\nContent-Length: 70000"), .ends([413])),
                (post("Expect: 100-continue\r\nContent-Length: 5\r\nContent-Length: 6"), .refused),
                (post("Expect: fish\r\nContent-Length: 5"), .ends([417])),
            ],
            tests: [
                "100-continue is answered once, before the body",
                "a client that expects 100-continue gets it before it sends the content",
            ]),
        Requirement(
            "9110 §10.1.1", "A final status follows 100 once the content has arrived.",
            [(post("Expect: 100-continue\r\nContent-Length: 5", "hello"), .content("hello"))],
            tests: ["100-continue is answered once, before the body"]),
        Requirement("9110 §10.1.5", "No product information is sent.") { answer in
            answer["server"] == nil && answer["user-agent"] == nil
        },
        Requirement("9110 §10.2.1", "405 has Allow.") { answer in
            answer.status != 405 || !(answer["allow"] ?? "").isEmpty
        },
    ]

    private static let statuses = [
        Requirement(
            "9110 §11.2", "A challenge names each of its parameters once.",
            shownBy: "an expired token is reported as expired and logged at INFO",
            "other credentials count as none and get a bare challenge"),
        Requirement(
            "9110 §11.5", "The realm is sent as a quoted-string.",
            shownBy: "other credentials count as none and get a bare challenge",
            "a failed login gets the same answer whatever is wrong"),
        Requirement(
            "9110 §11.6.1", "401 has a challenge.",
            shownBy: "other credentials count as none and get a bare challenge",
            "an untrusted token is refused, and the log has its fingerprint",
            "a failed login gets the same answer whatever is wrong"),
        Requirement(
            "9110 §12.5.3", "A 415 for a media type does not mention content codings.",
            shownBy: "a media type other than JSON is refused"),
        Requirement(
            "9110 §14.2", "Range is ignored for every unit and method.",
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
            tests: ["100-continue is not answered if no content is awaited"]),
        Requirement(
            "9110 §15.5.2", "401 has a challenge that applies to the resource.",
            shownBy: "other credentials count as none and get a bare challenge"),
        Requirement(
            "9110 §15.5.6", "405 lists the methods of the resource.",
            [("DELETE /a HTTP/1.1\r\nHost: h\r\n\r\n", .answers([405]))],
            tests: ["405 lists the methods of the path"]),
    ]
}
