extension Requirement {
    /// The requirements of RFC 9112, in the order of its sections.
    static let ofMessages: [Requirement] = parsing + framing + connections

    private static let parsing = [
        Requirement(
            "9112 §2.2", "A message is parsed as bytes, not as characters of an encoding.",
            [
                (get("/who", "Authorization: \u{FF}\u{C3}\u{28}"), .content("\u{FF}\u{C3}\u{28}")),
                (post("Content-Length: 2", "\u{C3}\u{28}"), .content("\u{C3}\u{28}")),
                // U+0D0A in UTF-8 contains no line end.
                (
                    get("/who", "Authorization: \u{E0}\u{B4}\u{8A}x"),
                    .content("\u{E0}\u{B4}\u{8A}x")
                ),
            ]),
        Requirement(
            "9112 §2.2", "A CR without LF outside of content makes the element invalid.",
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
            tests: ["any other line end is rejected in every line of a message"]),
        Requirement(
            "9112 §2.2", "A CR without LF is never sent outside of content."
        ) { answer in
            !([answer.statusLine] + answer.fieldLines).contains {
                $0.unicodeScalars.contains { $0 == "\r" || $0 == "\n" }
            }
        },
        Requirement(
            "9112 §2.2", "No white space is sent between the start line and the first field."
        ) { answer in answer.fieldLines.first.map { $0.first?.isWhitespace == false } ?? true },
        Requirement(
            "9112 §2.2", "White space between the request line and the first field is rejected.",
            [
                ("GET /a HTTP/1.1\r\n Host: h\r\n\r\n", .refused),
                ("GET /a HTTP/1.1\r\n\tX: y\r\nHost: h\r\n\r\n", .refused),
                ("GET /a HTTP/1.1\r\n \r\nHost: h\r\n\r\n", .refused),
            ],
            tests: ["a field line cannot be folded onto the request line"]),
        Requirement(
            "9112 §3", "A target that is too long is rejected with 414.",
            [
                (get("/" + String(repeating: "a", count: 20_000)), .ends([414])),
                // A target of the length that §3 recommends is accepted.
                (get("/a?" + String(repeating: "b", count: 7_980)), .served),
            ]),
        Requirement(
            "9112 §3", "A method longer than any known one is rejected with 501.",
            [
                (String(repeating: "A", count: 20_000) + " /a HTTP/1.1\r\n", .ends([501])),
                (String(repeating: "A", count: 20_000), .ends([501])),
            ]),
        Requirement(
            "9112 §3.2", "HTTP/1.1 without Host is rejected with 400.",
            [
                ("GET /a HTTP/1.1\r\n\r\n", .refused), ("GET /a HTTP/1.2\r\n\r\n", .refused),
                ("GET http://h/a HTTP/1.1\r\n\r\n", .refused),
                ("OPTIONS * HTTP/1.1\r\n\r\n", .refused),
                ("GET /a HTTP/1.0\r\n\r\n", .ends([200])), (get(), .served),
            ]),
        Requirement(
            "9112 §3.2", "More than one Host is rejected with 400, in any version.",
            [
                (get("/a", "Host: h"), .refused), (get("/a", "X: y\r\nhOST: i"), .refused),
                ("GET /a HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", .refused),
            ]),
        Requirement(
            "9112 §3.2", "A Host with an invalid value is rejected with 400, in any version.",
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
            tests: ["an invalid Host value is rejected"]),
        Requirement(
            "9112 §3.2.2", "Absolute-form is accepted.",
            [
                (get("http://h/a"), .served), (get("HTTP://h:80/a?b=c"), .served),
                ("GET http://h/a HTTP/1.0\r\n\r\n", .ends([200])),
                ("OPTIONS http://h HTTP/1.1\r\nHost: h\r\n\r\n", .answers([204])),
            ],
            tests: ["an absolute target counts as its path"]),
        Requirement(
            "9112 §3.2.2", "Host is ignored if the target is in absolute-form.",
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
            "9112 §5.1", "White space between a field's name and the colon is rejected with 400.",
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
            "9112 §5.2", "A folded line is rejected with 400.",
            [
                (get("/a", "X: y\r\n z"), .refused), (get("/a", "X: y\r\n\tz"), .refused),
                (get("/a", "X:\r\n y"), .refused), (get("/a", "X: y\r\n "), .refused),
                (post("Content-Length: 1\r\n 0", "0123456789"), .refused),
                (chunked("0\r\nX: y\r\n z\r\n\r\n"), .refused),
            ]),
    ]

    private static let framing = [
        Requirement(
            "9112 §6.1", "The chunked coding is supported.",
            [
                (chunked("5\r\nhello\r\n0\r\n\r\n"), .content("hello")),
                (
                    post("transfer-encoding:\tCHUNKED ", "1\r\nh\r\n1\r\ni\r\n0\r\n\r\n"),
                    .content("hi")
                ),
            ],
            tests: ["chunks are joined to one body"]),
        Requirement(
            "9112 §6.1",
            "No Transfer-Encoding is sent: not with 1xx or 204, not to CONNECT or HTTP/1.0, never."
        ) { $0["transfer-encoding"] == nil },
        Requirement(
            "9112 §6.1",
            "After Content-Length together with Transfer-Encoding the connection ends.",
            [
                (post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), .refused),
                (post("Transfer-Encoding: chunked\r\nContent-Length: 0", "0\r\n\r\n"), .refused),
                (post("Transfer-Encoding: x\r\nContent-Length: 5", "hello"), .refused),
            ],
            tests: ["ambiguous framing is rejected, and nothing after it is served"]),
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
            "9112 §6.3", "Transfer-Encoding that does not end in chunked is rejected with 400.",
            [
                (post("Transfer-Encoding: gzip", "hello"), .refused),
                (post("Transfer-Encoding: chunked, gzip", "0\r\n\r\n"), .refused),
                (post("Transfer-Encoding: identity", "0\r\n\r\n"), .refused),
                (post("Transfer-Encoding: xchunked", "0\r\n\r\n"), .refused),
                (post("Transfer-Encoding:", "0\r\n\r\n"), .refused),
                (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x", "0\r\n\r\n"), .refused),
                // Chunked is last, but the coding before it is unknown: a different error.
                (post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"), .ends([501])),
            ],
            tests: ["a Transfer-Encoding that does not end in a single chunked is rejected"]),
        Requirement(
            "9112 §6.3", "An invalid Content-Length is rejected with 400, and the connection ends.",
            [
                (post("Content-Length: -1"), .refused),
                (post("Content-Length: +5", "hello"), .refused),
                (post("Content-Length: 5, 6", "hello"), .refused),
                (post("Content-Length: 5\r\nContent-Length: 6", "hello"), .refused),
                (post("Content-Length: 0x5", "hello"), .refused),
                (post("Content-Length:"), .refused),
                (post("Content-Length: 5 5", "hello"), .refused),
                (post("Content-Length: five", "hello", version: "1.0"), .refused),
                // RFC 9110 §8.6 leaves this case to the recipient.
                (post("Content-Length: 5, 5", "hello"), .refused),
            ],
            tests: [
                "a Content-Length other than decimal digits is rejected",
                "a second Content-Length is rejected, even with the same value",
            ]),
        Requirement(
            "9112 §6.3",
            "A message shorter than its Content-Length is incomplete, and the connection ends.",
            [(post("Content-Length: 5", "hell"), .waits([])), (chunked("5\r\nhell"), .waits([]))],
            tests: [
                "a connection that ends inside a request is rejected",
                "an incomplete body is rejected after the body timeout",
            ]),
        Requirement(
            "9112 §7.1", "The chunked coding is decoded.",
            [
                (
                    chunked("4\r\nhell\r\nB\r\no, world!!!\r\n000\r\nX: y\r\n\r\n"),
                    .content("hello, world!!!")
                ),
                (chunked("2\r\n\r\n\r\n0\r\n\r\n"), .content("\r\n")),
            ]),
        Requirement(
            "9112 §7.1", "A chunk size that overflows an integer is an error, not another size.",
            [
                (chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), .refused),
                (chunked("fffffffffffffffff\r\nhello\r\n0\r\n\r\n"), .refused),
                (chunked("ffffffffffffffff\r\nhello\r\n0\r\n\r\n"), .ends([413])),
                (chunked("8000000000000005\r\nhello\r\n0\r\n\r\n"), .ends([413])),
                (chunked("100000005\r\nhello\r\n0\r\n\r\n"), .ends([413])),
            ],
            tests: ["a chunk size larger than the body limit is rejected as too large"]),
        Requirement(
            "9112 §7.1.1", "Unknown chunk extensions are ignored.",
            [
                (chunked("5;a;b=c;d=\"e;\\\"\"\r\nhello\r\n0;z\r\n\r\n"), .content("hello")),
                (chunked("5 ; a = b\r\nhello\r\n0\r\n\r\n"), .content("hello")),
            ],
            tests: ["chunk extensions are validated and ignored"]),
        Requirement(
            "9112 §7.1.2", "A trailer field is not merged into the fields of the head.",
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
            tests: [
                "trailer fields are validated and discarded",
                "the client of a chunked request comes from the head, not from the trailers",
            ]),
        Requirement("9112 §7.4", "TE is not sent.") { $0["te"] == nil },
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
            tests: ["Content-Length frames the body for every method"]),
        Requirement(
            "9112 §9.3", "The close option is sent if, and only if, the connection ends."
        ) { answer in answer.isLast == (answer["connection"] == "close") },
        Requirement(
            "9112 §9.3.2", "Responses have the order of their requests.",
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
                "pipelined requests are served in order",
                "two thousand pipelined requests are answered in order",
                "an offloaded handler keeps the order of the requests on its connection",
            ]),
        Requirement(
            "9112 §9.6",
            "After close from the client the connection ends, and no further request is served.",
            [
                (get("/a", "Connection: close"), .ends([200])),
                (get("/a", "Connection: x, CLOSE"), .ends([200])),
                (get() + get("/x", "Connection: close") + get(), .ends([200, 404])),
                (post("Connection: close\r\nContent-Length: 5", "hello"), .ends([200])),
            ],
            tests: [
                "the connection ends after the response if the client asks for it",
                "a closed connection serves no further request",
            ]),
        Requirement(
            "9112 §9.6",
            "After close from the server the connection ends, and no further request is served.",
            [("GET /a HTTP/1.0\r\n\r\n" + get(), .ends([200])), ("\0", .refused)],
            tests: [
                "a parse error is answered with its status and ends the connection",
                "a client can read its rejection while it is still sending",
                "a stop waits for an offloaded handler, and its response is the last",
            ]),
    ]
}
