extension Requirement {
    /// RFC 9112, from its beginning to its end.
    static let ofMessages: [Requirement] = parsing + framing + connections

    private static let parsing = [
        Requirement(
            "9112 §2.2", "A message is read as bytes, not as characters of some encoding.",
            [
                (get("/who", "Authorization: \u{FF}\u{C3}\u{28}"), .content("\u{FF}\u{C3}\u{28}")),
                (post("Content-Length: 2", "\u{C3}\u{28}"), .content("\u{C3}\u{28}")),
                // U+0D0A ends no line, in no encoding.
                (
                    get("/who", "Authorization: \u{E0}\u{B4}\u{8A}x"),
                    .content("\u{E0}\u{B4}\u{8A}x")
                ),
            ]),
        Requirement(
            "9112 §2.2", "Outside of content a CR that no LF follows makes the element invalid.",
            [
                ("GET /a HTTP/1.1\rHost: h\r\n\r\n", .refused),
                ("GET\r/a HTTP/1.1\r\nHost: h\r\n\r\n", .refused),
                ("GET /a HTTP/1.1\r\r\nHost: h\r\n\r\n", .refused),
                (get("/a", "X: a\rb"), .refused), (get("/a", "X: a\r"), .refused),
                (chunked("5\rhello\r\n0\r\n\r\n"), .refused),
                (chunked("5;a=\"\r\"\r\nhello\r\n0\r\n\r\n"), .refused),
                (chunked("0\r\nX: a\rb\r\n\r\n"), .refused),
                (post("Content-Length: 3", "a\rb"), .content("a\rb")),
            ],
            tests: ["is nothing but CR LF, wherever it stands"]),
        Requirement(
            "9112 §2.2", "A CR without LF is never sent outside of content."
        ) { answer in
            !([answer.statusLine] + answer.fieldLines).contains {
                $0.unicodeScalars.contains { $0 == "\r" || $0 == "\n" }
            }
        },
        Requirement(
            "9112 §2.2", "White space between start line and first field is not sent."
        ) { answer in answer.fieldLines.first.map { $0.first?.isWhitespace == false } ?? true },
        Requirement(
            "9112 §2.2", "White space between request line and first field is refused.",
            [
                ("GET /a HTTP/1.1\r\n Host: h\r\n\r\n", .refused),
                ("GET /a HTTP/1.1\r\n\tX: y\r\nHost: h\r\n\r\n", .refused),
                ("GET /a HTTP/1.1\r\n \r\nHost: h\r\n\r\n", .refused),
            ],
            tests: ["may not be folded onto the request line"]),
        Requirement(
            "9112 §3", "A target that is too long is refused with 414.",
            [
                (get("/" + String(repeating: "a", count: 20_000)), .ends([414])),
                // And one of the length that §3 recommends is not too long.
                (get("/a?" + String(repeating: "b", count: 7_980)), .served),
            ]),
        Requirement(
            "9112 §3", "A method that is longer than any that is known is refused with 501.",
            [
                (String(repeating: "A", count: 20_000) + " /a HTTP/1.1\r\n", .ends([501])),
                (String(repeating: "A", count: 20_000), .ends([501])),
            ]),
        Requirement(
            "9112 §3.2", "HTTP/1.1 without Host is refused with 400.",
            [
                ("GET /a HTTP/1.1\r\n\r\n", .refused), ("GET /a HTTP/1.2\r\n\r\n", .refused),
                ("GET http://h/a HTTP/1.1\r\n\r\n", .refused),
                ("OPTIONS * HTTP/1.1\r\n\r\n", .refused),
                ("GET /a HTTP/1.0\r\n\r\n", .ends([200])), (get(), .served),
            ]),
        Requirement(
            "9112 §3.2", "More than one Host is refused with 400, in any version.",
            [
                (get("/a", "Host: h"), .refused), (get("/a", "X: y\r\nhOST: i"), .refused),
                ("GET /a HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", .refused),
            ]),
        Requirement(
            "9112 §3.2", "A Host with an invalid value is refused with 400, in any version.",
            [
                ("GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", .refused),
                ("GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n", .refused),
                ("GET /a HTTP/1.1\r\nHost: u@h\r\n\r\n", .refused),
                ("GET /a HTTP/1.1\r\nHost: h:port\r\n\r\n", .refused),
                ("GET /a HTTP/1.1\r\nHost: a, b\r\n\r\n", .refused),
                ("GET /a HTTP/1.0\r\nHost: [::1\r\n\r\n", .refused),
                ("GET /a HTTP/1.1\r\nHost:\r\n\r\n", .served),
                ("GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", .served),
            ],
            tests: ["is refused if it is neither"]),
        Requirement(
            "9112 §3.2.2", "The absolute form is accepted.",
            [
                (get("http://h/a"), .served), (get("HTTP://h:80/a?b=c"), .served),
                ("GET http://h/a HTTP/1.0\r\n\r\n", .ends([200])),
                ("OPTIONS http://h HTTP/1.1\r\nHost: h\r\n\r\n", .answers([204])),
            ],
            tests: ["may be absolute, and is then the path it names"]),
        Requirement(
            "9112 §3.2.2", "What Host says means nothing beside an absolute form.",
            [
                ("GET http://h/a HTTP/1.1\r\nHost: other.example\r\n\r\n", .served),
                ("GET http://other.example/a HTTP/1.1\r\nHost:\r\n\r\n", .served),
            ]),
        Requirement(
            "9112 §4", "A status line has the space before the reason phrase."
        ) { answer in
            answer.statusLine.wholeMatch(of: /HTTP\/1\.1 [1-5][0-9][0-9] [\t\x20-\x7E]*/) != nil
        },
        Requirement(
            "9112 §5.1", "White space between a field's name and the colon is refused with 400.",
            [
                (get("/a", "X : y"), .refused), (get("/a", "X\t: y"), .refused),
                ("GET /a HTTP/1.1\r\nHost : h\r\n\r\n", .refused),
                (post("Content-Length : 5", "hello"), .refused),
                (post("Transfer-Encoding : chunked", "0\r\n\r\n"), .refused),
                (chunked("0\r\nX : y\r\n\r\n"), .refused),
            ]),
        Requirement("9112 §5.2", "No folded line is sent.") { answer in
            !answer.fieldLines.contains { $0.first.map(\.isWhitespace) ?? true }
        },
        Requirement(
            "9112 §5.2", "A folded line is refused with 400.",
            [
                (get("/a", "X: y\r\n z"), .refused), (get("/a", "X: y\r\n\tz"), .refused),
                (get("/a", "X:\r\n y"), .refused), (get("/a", "X: y\r\n "), .refused),
                (post("Content-Length: 1\r\n 0", "0123456789"), .refused),
                (chunked("0\r\nX: y\r\n z\r\n\r\n"), .refused),
            ]),
    ]

    private static let framing = [
        Requirement(
            "9112 §6.1", "The chunked coding is understood.",
            [
                (chunked("5\r\nhello\r\n0\r\n\r\n"), .content("hello")),
                (
                    post("transfer-encoding:\tCHUNKED ", "1\r\nh\r\n1\r\ni\r\n0\r\n\r\n"),
                    .content("hi")
                ),
            ],
            tests: ["is put together"]),
        Requirement(
            "9112 §6.1",
            "No Transfer-Encoding is sent: not with 1xx, 204 or to CONNECT, not to HTTP/1.0, never."
        ) { $0["transfer-encoding"] == nil },
        Requirement(
            "9112 §6.1", "After Content-Length beside Transfer-Encoding the connection ends.",
            [
                (post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), .refused),
                (post("Transfer-Encoding: chunked\r\nContent-Length: 0", "0\r\n\r\n"), .refused),
                (post("Transfer-Encoding: x\r\nContent-Length: 5", "hello"), .refused),
            ],
            tests: ["is refused, and nothing behind it is served"]),
        Requirement(
            "9112 §6.1",
            "Transfer-Encoding in HTTP/1.0 is faulty framing, and the connection ends.",
            [
                (
                    post(
                        "Connection: keep-alive\r\nTransfer-Encoding: chunked", "0\r\n\r\n",
                        version: "1.0"), .refused
                ),
                (
                    post(
                        "Connection: keep-alive\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
                        "0\r\n\r\n", version: "1.0"), .refused
                ),
            ]),
        Requirement(
            "9112 §6.2", "Content-Length and Transfer-Encoding are not sent together."
        ) { $0["content-length"] == nil || $0["transfer-encoding"] == nil },
        Requirement(
            "9112 §6.3", "Transfer-Encoding that does not end in chunked is refused with 400.",
            [
                (post("Transfer-Encoding: gzip", "hello"), .refused),
                (post("Transfer-Encoding: chunked, gzip", "0\r\n\r\n"), .refused),
                (post("Transfer-Encoding: identity", "0\r\n\r\n"), .refused),
                (post("Transfer-Encoding: xchunked", "0\r\n\r\n"), .refused),
                (post("Transfer-Encoding:", "0\r\n\r\n"), .refused),
                (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x", "0\r\n\r\n"), .refused),
                // Chunked is last and what comes before it unknown: that is another error.
                (post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"), .ends([501])),
            ],
            tests: ["is refused unless it ends in chunked, once"]),
        Requirement(
            "9112 §6.3", "An invalid Content-Length is refused with 400, and the connection ends.",
            [
                (post("Content-Length: -1"), .refused),
                (post("Content-Length: +5", "hello"), .refused),
                (post("Content-Length: 5, 6", "hello"), .refused),
                (post("Content-Length: 5\r\nContent-Length: 6", "hello"), .refused),
                (post("Content-Length: 0x5", "hello"), .refused),
                (post("Content-Length:"), .refused),
                (post("Content-Length: 5 5", "hello"), .refused),
                (post("Content-Length: five", "hello", version: "1.0"), .refused),
                // RFC 9110 §8.6 leaves this one to the recipient.
                (post("Content-Length: 5, 5", "hello"), .refused),
            ],
            tests: ["is digits and nothing else", "comes once, be it the same twice"]),
        Requirement(
            "9112 §6.3",
            "With fewer bytes than Content-Length says a message is incomplete, and the connection ends.",
            [(post("Content-Length: 5", "hell"), .waits([])), (chunked("5\r\nhell"), .waits([]))],
            tests: [
                "that ends inside a request is refused",
                "with its content is refused, after another time than with its head",
            ]),
        Requirement(
            "9112 §7.1", "The chunked coding is undone.",
            [
                (
                    chunked("4\r\nhell\r\nB\r\no, world!!!\r\n000\r\nX: y\r\n\r\n"),
                    .content("hello, world!!!")
                ),
                (chunked("2\r\n\r\n\r\n0\r\n\r\n"), .content("\r\n")),
            ]),
        Requirement(
            "9112 §7.1", "A chunk size that fits no integer is an error, not another size.",
            [
                (chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), .refused),
                (chunked("fffffffffffffffff\r\nhello\r\n0\r\n\r\n"), .refused),
                (chunked("ffffffffffffffff\r\nhello\r\n0\r\n\r\n"), .ends([413])),
                (chunked("8000000000000005\r\nhello\r\n0\r\n\r\n"), .ends([413])),
                (chunked("100000005\r\nhello\r\n0\r\n\r\n"), .ends([413])),
            ],
            tests: ["has no size that no buffer has"]),
        Requirement(
            "9112 §7.1.1", "Chunk extensions that nobody knows are ignored.",
            [
                (chunked("5;a;b=c;d=\"e;\\\"\"\r\nhello\r\n0;z\r\n\r\n"), .content("hello")),
                (chunked("5 ; a = b\r\nhello\r\n0\r\n\r\n"), .content("hello")),
            ],
            tests: ["is checked and ignored"]),
        Requirement(
            "9112 §7.1.2", "A trailer field does not get among the fields of the head.",
            [
                (
                    "GET /who HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                        + "Trailer: Authorization\r\n\r\n0\r\nAuthorization: late\r\n\r\n",
                    .content("-")
                ),
                (chunked("0\r\nConnection: close\r\n\r\n"), .served),
                (chunked("0\r\nExpect: fish\r\n\r\n"), .served),
                (chunked("0\r\nContent-Length: 5\r\n\r\n"), .refused),
            ],
            tests: ["is checked and dropped", "is known behind a body, and not from its trailers"]),
        Requirement("9112 §7.4", "TE is not sent, nor anything about it.") { $0["te"] == nil },
    ]

    private static let connections = [
        Requirement(
            "9112 §9.3", "All of a request's content is read, or the connection ends.",
            [
                ("GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", .served),
                (
                    "DELETE /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
                    .answers([405])
                ),
                ("HEAD /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", .answers([200])),
                ("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", .answers([404])),
                (post("Content-Length: 70000", "hello"), .ends([413])),
                (post("Expect: fish\r\nContent-Length: 5", "hello"), .ends([417])),
            ],
            tests: ["holds for every method, so that the next request is found"]),
        Requirement(
            "9112 §9.3", "A connection that does not go on says close, and no other does."
        ) { answer in answer.isLast == (answer["connection"] == "close") },
        Requirement(
            "9112 §9.3.2", "Responses come in the order of the requests.",
            [
                (
                    get() + get("/x") + "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n" + get("/none"),
                    .answers([200, 404, 200, 204])
                ),
                (
                    get() + post("Content-Length: 5", "hello") + get("/x") + "\0",
                    .ends([200, 200, 404, 400])
                ),
            ],
            tests: [
                "serves its requests one after the other, in their order",
                "answers two thousand requests that come at once, in their order",
                "keeps the order of the requests on its connection, and their bytes",
            ]),
        Requirement(
            "9112 §9.6",
            "After close from the client the connection ends, and nothing more is served.",
            [
                (get("/a", "Connection: close"), .ends([200])),
                (get("/a", "Connection: x, CLOSE"), .ends([200])),
                (get() + get("/x", "Connection: close") + get(), .ends([200, 404])),
                (post("Connection: close\r\nContent-Length: 5", "hello"), .ends([200])),
            ],
            tests: [
                "ends the connection when the client asks for it, after the answer",
                "that has ended serves nothing more",
            ]),
        Requirement(
            "9112 §9.6",
            "After close from the server the connection ends, and nothing more is served.",
            [("GET /a HTTP/1.0\r\n\r\n" + get(), .ends([200])), ("\0", .refused)],
            tests: [
                "is answered with the error's status, and ends the connection",
                "lets a client read its refusal, though it goes on sending",
                "answers the request that a handler is at, and says that it was the last",
            ]),
    ]
}
