"""Requests that two servers may read differently, which proxies.py sends through real proxies.

Each attack is a name and its bytes, in pieces. After each piece another client sends a request.
`HIDDEN` is a request that is part of a body, is rejected, or is another request of the attacker. It
must never be answered to another client.
"""
"""
"""

HIDDEN = b"GET /health/ready HTTP/1.1\r\nHost: h\r\nX-Request-Id: @hidden\r\n\r\n"
# If this is parsed as a request, the next request on the connection becomes part of it.
OPEN = b"GET /health/ready HTTP/1.1\r\nHost: h\r\nX-Request-Id: @hidden\r\nX-Swallow: "
GREEDY = b"POST /login HTTP/1.1\r\nHost: h\r\nX-Request-Id: @hidden\r\nContent-Length: 300\r\n\r\n"
END = b"0\r\n\r\n"


def head(*fields, line=b"POST /login HTTP/1.1", host=b"Host: h"):
    # The field in the middle is for tests in which a folded line follows the request line.
    lines = [line, *([host] if host else []), b"X-Request-Id: @attack", b"Accept: */*", *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def length(data):
    return b"Content-Length: %d" % len(data)


CHUNKED = b"Transfer-Encoding: chunked"


def both_framings():
    """CL.TE and TE.CL, and variants that make one of the two fields look like another field."""
    inside = END + HIDDEN
    for name, first, second in (
        ("length, coding", length(inside), CHUNKED), ("coding, length", CHUNKED, length(inside)),
        ("coding, no length", CHUNKED, b"Content-Length: 0"),
        ("coding, wrong length", CHUNKED, b"Content-Length: x"),
    ):
        yield name, head(first, second) + inside
    yield "the length ends in a chunk", head(b"Content-Length: 4", CHUNKED) + chunk(HIDDEN) + END
    yield "the length ends in a chunk that swallows", (
        head(CHUNKED, b"Content-Length: 4") + chunk(GREEDY) + END)
    yield "a length of 0 before chunks", (
        head(b"Content-Length: 0", CHUNKED) + chunk(OPEN) + END)
    yield "the last chunk, then half a request", (
        head(length(END + OPEN), CHUNKED) + END + OPEN)
    for line in (
        b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: chunked",
        b" Transfer-Encoding: chunked",
        b"\tTransfer-Encoding: chunked", b"Transfer-Encoding:\r\n chunked",
        b"Transfer-Encoding\r\n: chunked", b"X: y\nTransfer-Encoding: chunked",
        b"X: y\rTransfer-Encoding: chunked", b"X: y\r\r\nTransfer-Encoding: chunked",
        b"X: y\n\rTransfer-Encoding: chunked", b"X: y\r\n\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\n", b"Transfer-Encoding: chunked\r",
        b"Transfer-Encoding:chunked", b"Transfer-Encoding:\tchunked",
        b"Transfer-Encoding: chunked\t",
        b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding: chunked\x0b",
        b"Transfer-Encoding: \x0cchunked", b"Transfer-Encoding: \x00chunked",
        b"Transfer-Encoding: chunked\x00", b"Transfer-Encoding\x00: chunked",
        b"\x00Transfer-Encoding: chunked", b"\x0bTransfer-Encoding: chunked",
        b"Transfer-Encoding: \xa0chunked", b"\xa0Transfer-Encoding: chunked",
        b"Transfer-Encoding\xa0: chunked", b"Transfer-Encoding: \xc2\x85chunked",
        b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunkedx",
        b"Transfer-Encoding: chun ked", b"Transfer-Encoding: \"chunked\"",
        b"Transfer-Encoding: 'chunked'", b"Transfer-Encoding: chunked;q=1",
        b"Transfer-Encoding: chunked; ", b"Transfer-Encoding: ,chunked",
        b"Transfer-Encoding: chunked,", b"Transfer-Encoding: , chunked ,",
        b"Transfer-Encoding: x, chunked", b"Transfer-Encoding: chunked, x",
        b"Transfer-Encoding: identity, chunked", b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: identity",
        b"Transfer-Encoding: gzip", b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding:", b"Transfer-Encoding: ", b"Transfer-Encoding: cHuNkEd",
        b"TRANSFER-ENCODING: chunked", b"Transfer_Encoding: chunked", b"Transfer Encoding: chunked",
        b"Transfer-Encoding; chunked", b"Transfer-Encoding chunked",
        b"\"Transfer-Encoding\": chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-encoding: ",
        b"X: y\r\n : z\r\nTransfer-Encoding: chunked", b": \r\nTransfer-Encoding: chunked",
        b"Foo: bar\r\n\tTransfer-Encoding: chunked",
    ):
        yield f"a length and {line!r}", head(length(inside), line) + inside
        yield f"only {line!r}", head(line) + END + HIDDEN


def lengths():
    body = b'{"user_id":0}'
    count = len(body)
    for value in (
        b"+%d", b"-%d", b"%d, %d", b"%d,%d", b"%d %d", b"0x%x", b"0%d", b"000000000000000000000%d",
        b"%d.0", b"%de0", b"%d;", b"%d,", b",%d", b" %d", b"\t%d\t", b"%d\x00", b"\x0b%d",
        b"%d\x0c",
        b"\"%d\"", b"'%d'", b"%d_0", b"%dx", b"\xd9\xa1", b"%d\r", b"%d\n",
    ):
        text = value % ((count,) * value.count(b"%"))
        yield f"Content-Length: {text!r}", head(b"Content-Length: " + text) + body + HIDDEN
    for first, second in ((count, count), (count, 0), (0, count), (count, count + len(HIDDEN))):
        fields = (b"Content-Length: %d" % first, b"Content-Length: %d" % second)
        yield f"two lengths, {first} and {second}", head(*fields) + body + HIDDEN
    for value in (
        b"", b" ", b"-0", b"0, %d" % count, b"%d, 0" % count, b"18446744073709551616",
        b"18446744073709551629", b"4294967309", b"9223372036854775808", b"99999999999999999999999",
    ):
        yield f"Content-Length: {value!r} with a body", (
            head(b"Content-Length: " + value) + body + HIDDEN)
    for line in (
        b"Content-Length : %d", b" Content-Length: %d", b"Content-Length:\r\n %d",
        b"Content_Length: %d",
        b"Content-Length\x00: %d", b"X: y\nContent-Length: %d", b"X: y\rContent-Length: %d",
        b"Content-Length\r\n: %d", b"Content-Length %d", b"Content Length: %d",
        b"Content-Length: 1\r\n %d", b"CONTENT-LENGTH: %d\r\ncontent-length: 0",
    ):
        yield f"{line!r}", head(line % count) + body + HIDDEN


def chunks():
    def attack(name, *body):
        return name, head(CHUNKED) + b"".join(body) + HIDDEN

    data = b"x" * 16
    for size in (
        b"+10", b"-10", b"0x10", b"10 ", b" 10", b"\t10", b"10\t", b"1_0", b"10h", b"10;", b"10;a",
        b"10;a=b", b"10 ; a = \"b\"", b"10;a=\"\r\n\"", b"10;a\nb", b"10;\n", b"10\n", b"10\r",
        b"10\x00", b"10;a\x00", b"0000000000000000000000010", b"10000000000000010",
        b"ffffffffffffffff0000000000000010", b"8000000000000010", b"ffffffffffffffff", b"100000010",
        b"7fffffff", b"", b"x", b"\"10\"", b"10, 10", b"\xd9\xa1\xd9\xa0", b"G0", b"1\x000",
        b"10;" + b"a" * 2000,
    ):
        yield attack(f"a chunk size {size[:24]!r}", size, b"\r\n", data, b"\r\n", END)
    for end in (b"", b"\n", b"\r", b"\n\r", b"\r\r\n", b"xx", b"\x00\x00", b"\r\n\r\n", b" \r\n"):
        yield attack(f"a chunk that ends in {end!r}", b"10\r\n", data, end, END)
    for last in (
        b"0\n\r\n", b"0\r\n\n", b"0\n\n", b"0\r\r\n\r\n", b"0\r\n\r", b"0\r\n\r\r\n",
        b"00\r\n\r\n", b"0 \r\n\r\n",
        b"-0\r\n\r\n", b"0;a\n\r\n", b"0\r\nX: y\r\n\r\n", b"0\r\nX: y\n\r\n",
        b"0\r\nX : y\r\n\r\n",
        b"0\r\nContent-Length: 100\r\n\r\n", b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"0\r\nHost: other\r\n\r\n", b"0\r\nX: y\r\n z\r\n\r\n", b"0\r\nno colon\r\n\r\n",
        b"0\r\n: y\r\n\r\n", b"0\r\nX: \x00\r\n\r\n", b"0\r\nX: y\rZ: z\r\n\r\n",
        b"0\r\nX-Request-Id: other\r\n\r\n",
        b"0\r\nConnection: close\r\n\r\n", b"0\r\n",
    ):
        yield attack(f"a last chunk {last!r}", chunk(data), last)
    yield attack("chunks of one byte", *[chunk(b"x")] * 50, END)
    yield "a request in a chunk", head(CHUNKED) + chunk(HIDDEN) + END
    yield "a request in a chunk, without a last chunk", head(CHUNKED) + chunk(HIDDEN)
    yield "a chunk in pieces", head(CHUNKED) + b"10\r", b"\n" + data[:8], data[8:] + b"\r\n" + END
    yield "a chunk and an end in pieces", head(CHUNKED) + chunk(data), b"0\r\n", b"\r\n" + HIDDEN


def versions():
    inside = END + HIDDEN
    for version in (b"1.0", b"1.2", b"0.9", b"2.0", b"1.10", b"1.", b"01.1"):
        line = b"POST /login HTTP/" + version
        yield f"{line!r}, chunked", head(CHUNKED, line=line) + inside
        yield f"{line!r}, both", head(CHUNKED, length(inside), line=line) + inside
        yield f"{line!r}, both, keep-alive", (
            head(length(inside), CHUNKED, b"Connection: keep-alive", line=line) + inside)
    yield "HTTP/1.0 without Host", head(line=b"GET /health/live HTTP/1.0", host=None) + HIDDEN
    yield "HTTP/1.0, keep-alive, pipelined", (
        head(b"Connection: keep-alive", line=b"GET /health/live HTTP/1.0") + HIDDEN)
    yield "HTTP/0.9", b"GET /health/live\r\n" + HIDDEN
    yield "HTTP/0.9, no CR", b"GET /health/live\n" + HIDDEN
    yield "HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN


def targets():
    for target in (
        b"http://h/health/live", b"http://other.example/health/live", b"https://h/health/live",
        b"http://h:80/health/live", b"http://u@h/health/live", b"http:///health/live", b"http://h",
        b"http://h?a", b"HTTP://h/health/live", b"ftp://h/health/live", b"*", b"h:80",
        b"//h/health/live",
        b"/health/live#f", b"/health/live?a#f", b"/health/../health/live",
        b"/health/%2e%2e/health/live",
        b"/health//live", b"/health/live%00", b"/health/live%", b"/health/live%0d%0aX:%20y",
        b"\\health",
        b"/health/live\x00", b"/health/live\xc3\xa9", b"/health/live?\xff", b"/a b",
        b"/health/live HTTP/1.1",
        b"/" + b"a" * 9000, b"/health/live HTTP/1.1\r\nX: y HTTP/1.1",
    ):
        for method in (b"GET", b"OPTIONS"):
            yield f"{method.decode()} {target[:40]!r}", (
                head(line=method + b" " + target + b" HTTP/1.1"))
    for line in (
        b"CONNECT h:80 HTTP/1.1", b"CONNECT / HTTP/1.1", b"TRACE /health/live HTTP/1.1",
        b" GET /health/live HTTP/1.1", b"GET  /health/live HTTP/1.1",
        b"GET\t/health/live\tHTTP/1.1",
        b"GET /health/live HTTP/1.1 ", b"GET /health/live  HTTP/1.1", b"get /health/live HTTP/1.1",
        b"G\x00T /health/live HTTP/1.1", b"GET\x0b/health/live HTTP/1.1",
        b"GET: /health/live HTTP/1.1",
        b"GE,T /health/live HTTP/1.1", b"\r\nGET /health/live HTTP/1.1",
        b"\nGET /health/live HTTP/1.1",
        b"\r\n\r\nGET /health/live HTTP/1.1", b"GET /health/live HTTP/1.1\nX: y",
        b"GET /health/live HTTP/1.1\rX: y", b"GET /health/live HTTP/1.1\n",
        b"GET /health/live HTTP/1.1\r\n ",
    ):
        yield f"{line!r}", head(line=line) + HIDDEN


def hosts():
    line = b"GET http://a.example/health/live HTTP/1.1"
    yield "the target has another host", head(line=line, host=b"Host: b.example")
    for host in (
        None, b"Host:", b"Host: a\r\nHost: b", b"Host: a, b", b"Host: a b", b"Host : a",
        b" Host: a", b"Host: a/b",
        b"Host: a\x00b", b"Host: a@b", b"Host: [::1", b"Host: a:b", b"Host: a:80:80",
        b"X: y\r\n Host: a",
        b"Host: a\r\n b", b"Host: a\nHost: b", b"Host: a\rHost: b",
    ):
        yield f"{host!r}", head(line=b"GET /health/live HTTP/1.1", host=host) + HIDDEN


def fields():
    for line in (
        b"X Y: z", b"X\x00Y: z", b"X: \x00", b"X: \x01", b"X: \x7f", b": y", b":", b"X",
        b"X: y\r\n z", b"X: y\n z",
        b"X:\r\n\ty", b"X\r\n: y", b"X: y\r", b"X: y\n", b"X: y\r\n\n",
        b"X: y\n\n" + HIDDEN, b"X: y\r\r\n",
        b"X(y): z", b"X\xe9: y", b"X: \xff\xfe", b"X: " + b"y" * 20_000, b"X_Y: z", b"{X}: y",
        b"@: y",
    ):
        yield f"{line[:40]!r}", head(line, line=b"GET /health/live HTTP/1.1") + HIDDEN
    for value in (
        b"Content-Length", b"close, Content-Length", b"Transfer-Encoding", b"Host", b"X-Request-Id",
        b"keep-alive, Transfer-Encoding", b"Connection", b"upgrade", b"TE",
    ):
        connection = b"Connection: " + value
        yield f"{connection!r}, a length", head(connection, length(HIDDEN)) + HIDDEN
        yield f"{connection!r}, chunked", head(connection, CHUNKED) + chunk(HIDDEN) + END
    for upgrade in (b"h2c", b"websocket", b"TLS/1.0"):
        extra = (b"Connection: Upgrade, HTTP2-Settings",
                 b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")
        line = b"GET /health/live HTTP/1.1"
        yield f"an upgrade to {upgrade!r}", head(b"Upgrade: " + upgrade, *extra, line=line) + HIDDEN
        yield f"an upgrade to {upgrade!r} and a body", (
            head(b"Upgrade: " + upgrade, *extra, length(HIDDEN), line=line) + HIDDEN)
    yield "TE", head(b"TE: trailers, chunked", b"Connection: TE", line=b"GET /health/live HTTP/1.1")


def bodies():
    body = b'{"user_id":0}'
    for method in (b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"PUT", b"FOO", b"TRACE"):
        line = method + b" /health/live HTTP/1.1"
        name = method.decode()
        yield f"{name} with a body", head(length(HIDDEN), line=line) + HIDDEN
        yield f"{name} with chunks", head(CHUNKED, line=line) + chunk(HIDDEN) + END
        yield f"{name} with half a body", head(length(HIDDEN * 2), line=line) + HIDDEN
        yield f"{name} with more than its body", head(length(HIDDEN), line=line) + HIDDEN * 2
    for expectation in (
        b"100-continue", b"100-Continue, 100-continue", b"fish", b"", b"\r\n 100-continue",
        b"100-continue\r\nExpect: x",
    ):
        field = b"Expect: " + expectation
        yield f"{field!r} and a body", head(field, length(body)) + body
        yield f"{field!r}, a body in a later piece", head(field, length(HIDDEN)), HIDDEN
        yield f"{field!r}, chunks in a later piece", head(field, CHUNKED), chunk(HIDDEN) + END
        yield f"{field!r} and a request in place of a body", (
            head(field, b"Content-Length: 300") + HIDDEN)
    yield "an unfinished body", head(b"Content-Length: 300") + body
    yield "a body in several pieces", head(length(HIDDEN)), HIDDEN[:20], HIDDEN[20:]
    yield "a head in two pieces", HIDDEN[:20], HIDDEN[20:]
    yield "a body that is too large", head(b"Content-Length: 70000"), b"x" * 70_000
    yield "chunks that are too large", head(CHUNKED), chunk(b"x" * 70_000) + END
    yield "a body that is too large and a request", head(b"Content-Length: 70000") + HIDDEN * 900
    yield "no length and a body", head() + body


def pipelines():
    plain = head(line=b"GET /health/live HTTP/1.1")
    yield "three requests", plain + HIDDEN + plain
    yield "a request, then bytes that are not a request", (
        plain + b"\x00\x01\x02\r\n\r\n" + HIDDEN)
    yield "a request, then half of one", plain + OPEN
    yield "a request, then one that is ambiguous", (
        plain + head(length(END + HIDDEN), CHUNKED) + END + HIDDEN)
    yield "a body, then empty lines", head(length(b"{}")) + b"{}\r\n\r\n\r\n" + HIDDEN
    yield "a body, then a line feed", head(length(b"{}")) + b"{}\n" + HIDDEN
    yield "close, then a request", (
        head(b"Connection: close", line=b"GET /health/live HTTP/1.1") + HIDDEN)
    yield "HEAD, then requests", head(line=b"HEAD /openapi.json HTTP/1.1") + HIDDEN + plain
    yield "404, 405 and 400 in a row", (
        head(line=b"GET /x HTTP/1.1") + head(line=b"DELETE /login HTTP/1.1")
        + head(length(b"{")) + b"{" + HIDDEN)
    yield "twenty at once", HIDDEN * 20
    yield "a response", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + HIDDEN
    yield "noise", bytes((i * 73 + 41) % 256 for i in range(600)) + b"\r\n\r\n" + HIDDEN


def attacks():
    """All attacks: the name and the pieces of each."""
    groups = (both_framings, lengths, chunks, versions, targets, hosts, fields, bodies, pipelines)
    for group in groups:
        for name, *pieces in group():
            yield f"{group.__name__}: {name}", pieces
