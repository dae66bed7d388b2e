#!/usr/bin/env python3
"""Sends attacks through a browser, and malformed requests.

    python3 attack_web.py GATEHOUSE     the built program
        [--whole]                       every combination in place of a selection

Cross-site requests of many forms lock no account and no address. A page that rebinds its host name
to 127.0.0.1 reads neither a demo nor the metrics. /verify never succeeds without a token, whatever
the method. Content codings, methods that are too long, and content without a length are refused as
RFC 9110 and RFC 9112 require. Starts servers in temporary folders, and prints a line for each
check.
"""

import argparse
import itertools
import json
import os
import re
import socket

from server import TIMEOUT, expect, free_port, serving

USERS = [("alice", "Alice", "correct horse battery"), ("bob", "Bob", "correct horse staple")]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND",
           "QUERY", "get", "Options", "FOO"]
# The address of a user whose browser sends the attacks.
VISITOR = "127.0.0.9"


class Reply:
    def __init__(self, raw):
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0][9:12]) if lines[0].startswith("HTTP/1.1 ") else 0
        self.fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            self.fields[name.lower()] = value

    @property
    def count(self):
        """The number of responses."""
        return len(re.findall(rb"HTTP/1\.1 \d\d\d ", self.raw))


def connect(port, source="127.0.0.1"):
    connection = socket.socket()
    connection.settimeout(TIMEOUT)
    connection.bind((source, 0))
    connection.connect(("127.0.0.1", port))
    return connection


def send(connection, data, pieces=1):
    """Sends data in pieces, and reads until the server closes the connection."""
    size = max(1, -(-len(data) // pieces))
    raw = b""
    try:
        for start in range(0, len(data), size):
            connection.sendall(data[start:start + size])
    except (BrokenPipeError, ConnectionResetError):
        # The server has responded without reading the rest.
        pass
    try:
        while piece := connection.recv(65536):
            raw += piece
    except ConnectionResetError:
        pass
    return Reply(raw)


def send_request(port, method, path, fields=(), body=None, host="sso.intranet", version="1.1",
                 source="127.0.0.1"):
    """Sends one request on a connection, with Connection: close."""
    lines = [f"{method} {path} HTTP/{version}", "Connection: close"]
    lines += [f"Host: {host}"] if host is not None else []
    lines += [f"{name}: {value}" for name, value in fields]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    data = "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")
    with connect(port, source) as connection:
        return send(connection, data)


def credentials(user="alice", password="a wrong one"):
    return json.dumps({"username": user, "password": password}).encode()


def port_of(server):
    return int(server.url.rsplit(":", 1)[1])


# The fields of a browser's request that a page of another site causes.
CROSS_SITE = [
    [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site"),
     ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "empty")],
    [("Origin", "https://evil.example")],
    [("Origin", "null")],
    [("Origin", "null"), ("Sec-Fetch-Site", "cross-site")],
    [("Sec-Fetch-Site", "cross-site")],
    [("Sec-Fetch-Site", "same-site")],
    [("Origin", "http://other.intranet"), ("Sec-Fetch-Site", "same-site")],
    [("Origin", "http://sso.intranet:81")],
    [("Origin", "https://sso.intranet:8443")],
    [("Origin", "http://sso.intranet.evil.example")],
    [("Origin", "http://evil.example/sso.intranet")],
    [("Origin", "http://sso.intranet@evil.example")],
    [("Origin", "http://sso.intranet"), ("Sec-Fetch-Site", "cross-site")],
    [("Origin", "http://sso.intranet"), ("Origin", "https://evil.example")],
    [("Origin", "http://sso.intranet https://evil.example")],
    [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
    [("Sec-Fetch-Site", "same-origin, cross-site")],
    [("Sec-Fetch-Site", "Same-Origin")],
    [("Sec-Fetch-Site", "")],
    [("Origin", "")],
    [("Origin", "file://")],
    [("Origin", "chrome-extension://abcdefghijklmnop")],
    [("Origin", "https://evil.example"), ("X-Forwarded-Host", "evil.example")],
    [("Origin", "https://evil.example"), ("Forwarded", "host=evil.example")],
    [("Origin", "https://evil.example"), ("Referer", "http://sso.intranet/")],
    [("ORIGIN", "https://evil.example"), ("sec-fetch-site", "none, none")],
]
BODIES = [
    ([], credentials()), ([("Content-Type", "application/json")], credentials()),
    ([("Content-Type", "text/plain")], credentials()),
    ([("Content-Type", "application/x-www-form-urlencoded")], b"username=alice&password=x"),
    ([("Content-Type", "multipart/form-data; boundary=x")], b"--x--"),
    ([("Content-Encoding", "gzip")], b"\x1f\x8b"), ([], b""), ([], b"not json"),
]
SAME_SITE = [
    [], [("Origin", "http://sso.intranet")], [("Origin", "https://sso.intranet")],
    [("Origin", "HTTPS://SSO.Intranet:443")], [("Sec-Fetch-Site", "same-origin")],
    [("Sec-Fetch-Site", "none")], [("Origin", "null"), ("Sec-Fetch-Site", "none")],
    [("Origin", "https://app.example"), ("Sec-Fetch-Site", "cross-site")],
]


def check_cross_site(program, whole):
    settings = {"server": {"cors_origins": ["https://app.example"]}}
    with serving(program, USERS, **settings) as server:
        port = port_of(server)
        shapes = list(itertools.product(CROSS_SITE, BODIES))
        if not whole:
            shapes = [(fields, BODIES[index % len(BODIES)])
                      for index, fields in enumerate(CROSS_SITE * 4)]
        for fields, (more, body) in shapes:
            reply = send_request(port, "POST", "/login", [*fields, *more], body, source=VISITOR)
            expect(reply.status == 403 and reply.body == b'{"error":"Cross-site request"}',
                   f"POST /login with {fields}: {reply.raw[:200]!r}")
        others = ["/refresh", "/logout", "/logout/all", "/resource", "/nowhere", "/health/live"]
        methods = [method for method in METHODS if method not in ("GET", "HEAD", "OPTIONS")]
        pairs = list(itertools.product(methods, [*others, "/login"], CROSS_SITE[:6]))
        for method, path, fields in pairs if whole else pairs[::7]:
            reply = send_request(port, method, path, fields, b"", source=VISITOR)
            expect(reply.status == 403, f"{method} {path} with {fields}: {reply.status}")
        # Neither the account nor the address has failures: an account is locked after five.
        for _ in range(4):
            reply = send_request(port, "POST", "/login", [], credentials("alice"), source=VISITOR)
            expect(reply.status == 401,
                   f"a wrong password after the cross-site requests: {reply.status}")
        for fields in SAME_SITE:
            right = credentials("alice", USERS[0][2])
            reply = send_request(port, "POST", "/login", fields, right, source=VISITOR)
            expect(reply.status == 200,
                   f"a login of the site's own page, {fields}: {reply.raw[:200]!r}")
        log = server.log()
        for name in ("authn_login_lock", "authn_login_throttled"):
            expect(name not in log, f"{name}, although there were no wrong passwords")
        events = [line for line in log.splitlines() if " | authn_cross_site " in line]
        expect(events, "the log has no event")
        for line in events:
            expect(re.match(r"\S+ \| WARNING \| security \| authn_cross_site reason=\w+ ", line)
                   and f" ip={VISITOR} " in line, f"unexpected line: {line}")
        expect(any(" origin=https://evil.example " in line for line in events),
               "no event has the origin")
        fails = len(re.findall(r"authn_login_fail (?!reason=wrong_password)\S*reason=", log))
        expect(fails == 0, "the body of a cross-site request was checked")
        print(f"{len(shapes) + (len(pairs) if whole else len(pairs[::7]))} cross-site requests: "
              "all refused, no lock, no failure counted")

        # The attacker chooses the origin. Each event must still be one short line.
        lines = len(log.splitlines())
        unusual = ["x" * 12000, "https://" + "a." * 3000 + "example", "\" user=1 \\", "a\tb | c",
                   "\xff\xfe\x85\xa0", "https://eyJhbGciOiJIUzI1NiJ9.e30.x", "=", "\xe2\x80\xa8"]
        for value in unusual:
            reply = send_request(port, "POST", "/login", [("Origin", value)], b"",
                                 source="127.0.0.8")
            expect(reply.status == 403, f"Origin {value[:30]!r}: {reply.status}")
        new = server.log().splitlines()[lines:]
        new = [line for line in new if "authn_cross_site" in line]
        expect(len(new) == len(unusual), f"{len(new)} lines for {len(unusual)} refusals")
        expect(all(len(line.encode()) <= 1024 for line in new), "a line is longer than 1 KiB")
        expect(not any("eyJ" in line for line in new), "the log contains a token")
        print(f"{len(unusual)} unusual origins: one short line each")


HOSTS = ["evil.example", "evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example",
         "evil.localhost", "localhost.", "127.0.0.2", "127.0.0.2:{port}", "0.0.0.0", "127.1",
         "2130706433",
         "0x7f.1", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "sso.intranet", "", ":{port}",
         "%31%32%37.0.0.1", "169.254.169.254"]
LOCAL = ["127.0.0.1", "127.0.0.1:{port}", "[::1]", "[::1]:{port}", "localhost", "localhost:1",
         "LOCALHOST:{port}"]


def check_rebinding(program):
    metrics = free_port()
    admin = {"admin": {"metrics": f"127.0.0.1:{metrics}"}}
    for users, places in (
        ((), [("demo", None, ["/resource", "/health/live", "/openapi.json", "/verify", "/x"]),
              ("metrics of a demo", metrics, ["/metrics", "/x"])]),
        (USERS, [("metrics in password mode", metrics, ["/metrics"])]),
    ):
        with serving(program, users, **admin) as server:
            for name, port, paths in places:
                port = port or port_of(server)
                check_hosts(port, paths)
                print(f"{name}: {len(HOSTS)} foreign hosts, in Host and in the target: all 421")
            if users:
                reply = send_request(port_of(server), "GET", "/health/live", host="evil.example")
                expect(reply.status == 200, f"a public host name in password mode: {reply.status}")
            else:
                body = b'{"user_id":1}'
                for host in HOSTS:
                    host = host.format(port=port_of(server))
                    reply = send_request(port_of(server), "POST", "/login", [], body, host)
                    expect(reply.status == 421, f"a login for {host}: {reply.status}")
                log = server.log()
                expect("authn_login" not in log, "a login with a foreign host name was checked")
                expect("http_refused reason=misdirected status=421" in log, "the log has no event")


def check_hosts(port, paths):
    for host, path in itertools.product(HOSTS, paths):
        host = host.format(port=port)
        targets = [(path, host)]
        if host and not host.startswith(":"):
            targets += [(f"http://{host}{path}", "localhost"), (f"HTTP://{host}{path}", host)]
        for target, named in targets:
            for method in ("GET", "HEAD", "OPTIONS", "POST"):
                reply = send_request(port, method, target, host=named)
                expect(reply.status == 421, f"{method} {target}, Host: {named}: {reply.status}")
            reply = send_request(port, "GET", target, host=named, version="1.0")
            expect(reply.status == 421, f"GET {target} HTTP/1.0, Host: {named}: {reply.status}")
    for host, path in itertools.product(LOCAL, paths):
        reply = send_request(port, "GET", path, host=host.format(port=port))
        expect(reply.status != 421, f"{path} for {host}: {reply.status}")
    # A request without Host does not come from a browser.
    expect(send_request(port, "GET", paths[0], host=None, version="1.0").status != 421, "HTTP/1.0")


def check_verify(program):
    with serving(program, USERS) as server:
        port, token = port_of(server), server.login(1)
        valid = [("Authorization", f"Bearer {token}")]
        invalid = [
            [], [("Authorization", "Basic YTpi")], [("Authorization", "Bearer x")], valid + valid,
            [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "GET"),
             ("Access-Control-Request-Headers", "authorization")],
            [("X-Forwarded-Method", "OPTIONS")], [("X-HTTP-Method-Override", "OPTIONS")],
            [("X-Original-Method", "OPTIONS")], [("Max-Forwards", "0")],
            [("Upgrade", "websocket"), ("X", "y")], [("Expect", "100-continue")],
        ]
        paths = ["/verify", "/verify?", "/verify?optional", "http://h/verify", "/verify?a=b"]
        count = 0
        for method, path in itertools.product(METHODS, paths):
            for fields in invalid:
                reply = send_request(port, method, path, fields)
                expect(reply.status in (400, 401),
                       f"{method} {path} with {fields}: {reply.status}")
                count += 1
            reply = send_request(port, method, path, valid + [("Origin", "https://evil.example"),
                                                              ("Sec-Fetch-Site", "cross-site")])
            expect(reply.status == 204 and reply.fields.get("x-auth-user-id") == "1",
                   f"{method} {path} with a token: {reply.status}")
        for body in (b"", b"x", b"x" * 60_000):
            expect(send_request(port, "POST", "/verify", [], body).status == 401,
                   "a body without a token")
            expect(send_request(port, "POST", "/verify", valid, body).status == 204,
                   "a body and a token")
        reply = send_request(port, "CONNECT", "h:443")
        expect(reply.status == 405, f"CONNECT: {reply.status}")
        print(f"/verify: {count} requests without a valid token, none successful")


def check_coding(program):
    codings = ["gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "identity, gzip", "gzip,",
               "gzip;q=0", "*", "x"]
    with serving(program, admin={"socket": "admin.sock"}) as server:
        port = port_of(server)
        body = b'{"user_id":1}'
        for coding in codings:
            reply = send_request(port, "POST", "/login", [("Content-Encoding", coding)], body,
                                 "localhost")
            expect(reply.status == 415 and reply.fields.get("accept-encoding") == "identity"
                   and reply.body == b'{"error":"Unsupported media type"}',
                   f"Content-Encoding: {coding}: {reply.raw[:300]!r}")
        for coding in ("identity", "Identity", "", "identity, identity"):
            reply = send_request(port, "POST", "/login", [("Content-Encoding", coding)], body,
                                 "localhost")
            expect(reply.status == 200, f"Content-Encoding: {coding}: {reply.status}")
        for line in ("POST /introspect", "POST /revoke", "POST /issue", "POST /standing",
                     "PUT /log-level"):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(TIMEOUT)
                connection.connect(os.path.join(server.folder, "admin.sock"))
                reply = send(connection, (
                    f"{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Encoding: gzip\r\n"
                    "Content-Length: 2\r\n\r\n{}").encode())
            expect(reply.status == 415 and reply.fields.get("accept-encoding") == "identity",
                   f"{line}: {reply.raw[:200]!r}")
        print(f"{len(codings)} content codings: 415, with the accepted one")


def check_methods(program):
    with serving(program) as server:
        port = port_of(server)
        for size, pieces in itertools.product((16_384, 16_385, 20_000, 300_000), (1, 3, 50)):
            with connect(port) as connection:
                reply = send(
                    connection, b"A" * size + b" / HTTP/1.1\r\nHost: localhost\r\n\r\n", pieces)
            expect(reply.status == 501 and reply.fields.get("connection") == "close",
                   f"a method of {size} bytes: {reply.raw[:100]!r}")
        for start in (b"GET /", b"A /", b"POST http://localhost/", b"GET /?", b"A" * 8000 + b" /"):
            with connect(port) as connection:
                reply = send(connection, start + b"a" * 17_000 + b" HTTP/1.1\r\n\r\n")
            expect(reply.status == 414, f"a target after {start[:20]!r}: {reply.raw[:100]!r}")
        reply = send_request(port, "A" * 8000, "/resource", host="localhost")
        expect(reply.status == 405, f"an unknown method: {reply.status}")
        log = server.log()
        expect("http_refused reason=method_too_long status=501" in log, "the log has no event")
        print("methods longer than a head: 501; such targets: 414")


def check_length(program):
    hidden = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving(program) as server:
        port = port_of(server)
        for version, more in ((b"1.1", b""), (b"1.0", b"Connection: keep-alive\r\n")):
            for rest in (hidden, b'{"user_id":1}', b""):
                with connect(port) as connection:
                    reply = send(connection, b"POST /login HTTP/" + version
                                 + b"\r\nHost: localhost\r\n" + more + b"\r\n" + rest)
                expect(reply.status == 411 and reply.count == 1
                       and reply.fields.get("connection") == "close",
                       f"no Content-Length: {reply.raw!r}")
        print("411 closes the connection, and the following bytes are not handled")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--whole", action="store_true")
    arguments = parser.parse_args()
    program = arguments.program
    check_cross_site(program, arguments.whole)
    check_rebinding(program)
    check_verify(program)
    check_coding(program)
    check_methods(program)
    check_length(program)


if __name__ == "__main__":
    main()
