#!/usr/bin/env python3
"""Tests the manual's configurations for forward authentication with the real proxies.

    python3 forward_auth.py GATEHOUSE      the built program

Takes the stanzas from the manual, and changes only addresses, times and TLS. Runs nginx, Traefik
and Caddy, if it is installed, in front of an application that returns the headers it received. Each
runs twice: as the manual has it, with Gatehouse's own paths open, and without that part.
"""

import collections
import contextlib
import hashlib
import http.client
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import manual
from server import TIMEOUT, expect, free_port, serving, sign_token, wait_until

# The address of clients. The proxy's address differs.
CLIENT = "127.0.0.2"
CHALLENGE = 'Bearer realm="gatehouse"'
INVALID = CHALLENGE + ', error="invalid_token", error_description='
USERS = [("alice", "Älice 100%", "of no consequence"), ("bob", "Bob", "of no consequence")]
# As it is encoded in a header field.
NAME_AS_SENT = "%C3%84lice 100%25"
FIELDS = ["X-Auth-User-Id", "X-Auth-User-Name", "X-Auth-Session", "X-Auth-Expires"]
# Gatehouse does not set these, and a client must not be able to.
OTHER_FIELDS = ["X-Auth-Scope", "X-Auth-Key-Id"]
# The host name in the manual's stanzas.
HOST = "app.example.com"


def stanzas(kind):
    return manual.stanzas("forward-auth", kind)


def guarding(text):
    """A stanza without the part that is marked as Gatehouse's own. The rest checks the token on all
    paths."""
    shorter, count = re.subn(
        r"\n *# Gatehouse's own:\n.*?(?=\n *# The application's:\n)", "", text, flags=re.DOTALL)
    expect(count == 1, "the manual's stanza does not mark one part as Gatehouse's own")
    return shorter


def replaced(text, old, new):
    expect(old in text, f"the manual's stanza has no {old!r}")
    return text.replace(old, new)


@contextlib.contextmanager
def application():
    """Serves an application that responds with the request it received, as JSON."""

    class Echo(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self):
            length = int(self.headers.get("Content-Length") or 0)
            received = json.dumps({
                "method": self.command, "path": self.path, "headers": self.headers.items(),
                "body": hashlib.sha256(self.rfile.read(length)).hexdigest(),
            }).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(received)))
            self.end_headers()
            self.wfile.write(received)

        do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = do_PROPFIND = respond

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def running(command, folder, port, environment=None):
    """Runs a proxy. The block begins when the proxy listens."""
    path = os.path.join(folder, "output")
    with open(path, "wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            env={**os.environ, **(environment or {})})

    def listening():
        with open(path, encoding="utf-8", errors="replace") as file:
            expect(process.poll() is None, f"{command[0]} ended: {file.read()}")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.connect()
        except OSError:
            return None
        finally:
            connection.close()
        return True

    try:
        wait_until(listening, f"the start of {command[0]}")
        yield
    finally:
        process.terminate()
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def nginx(server, application_port, part=str, cached_for=None):
    """nginx with the manual's stanza.
    - part: a function that selects a part of the stanza.
    - cached_for: the seconds for which responses of /verify are cached, by the second stanza.
    """
    main, cache = stanzas("nginx")
    main = replaced(part(main), "127.0.0.1:9000", f"127.0.0.1:{application_port}")
    with tempfile.TemporaryDirectory() as folder:
        if cached_for:
            cache = replaced(cache, "/run/nginx-gatehouse", f"{folder}/cache")
            cache = replaced(cache, "204 5s", f"204 {cached_for}s")
            path, rest = cache.split("\n", 1)
            main = path + "\n" + replaced(main, "internal;", "internal;\n" + rest)
        with nginx_with(main, server, folder) as port:
            yield port


@contextlib.contextmanager
def nginx_with(main, server, folder):
    port = free_port()
    main = replaced(main, "127.0.0.1:8080", server.url.removeprefix("http://"))
    main = replaced(main, "listen 443 ssl;", f"listen 127.0.0.1:{port};")
    temporary_folders = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(f"{folder}/nginx.conf", "w", encoding="utf-8") as file:
        file.write(
            ("user root;\n" if os.geteuid() == 0 else "")
            + f"daemon off;\nworker_processes 1;\npid {folder}/pid;\n"
            "error_log stderr warn;\nevents {}\n"
            f"http {{\naccess_log off;\n{temporary_folders}{main}}}\n")
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    command = [program, "-p", folder, "-c", f"{folder}/nginx.conf", "-e", "stderr"]
    with running(command, folder, port):
        yield port


@contextlib.contextmanager
def caddy(server, application_port, part=str):
    [stanza] = stanzas("caddyfile")
    stanza = part(stanza)
    port = free_port()
    stanza = replaced(stanza, "127.0.0.1:8080", server.url.removeprefix("http://"))
    stanza = replaced(stanza, "127.0.0.1:9000", f"127.0.0.1:{application_port}")
    stanza = replaced(stanza, f"{HOST} {{", f"http://{HOST}:{port} {{\nbind 127.0.0.1")
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/Caddyfile", "w", encoding="utf-8") as file:
            file.write("{\nadmin off\nauto_https off\n}\n" + stanza)
        command = ["caddy", "run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"]
        home = {name: folder for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        with running(command, folder, port, home):
            yield port


@contextlib.contextmanager
def traefik(server, application_port, part=str):
    [stanza] = stanzas("yaml")
    stanza = part(stanza)
    port = free_port()
    stanza = replaced(stanza, "http://127.0.0.1:8080", server.url)
    stanza = replaced(stanza, "http://127.0.0.1:9000", f"http://127.0.0.1:{application_port}")
    stanza = replaced(stanza, "      tls: {}\n", "")
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/dynamic.yml", "w", encoding="utf-8") as file:
            file.write(stanza)
        program = os.path.join(os.path.dirname(sys.executable), "traefik")
        expect(os.path.exists(program), "no Traefik; pip install -r Tests/Scripts/requirements.txt")
        command = [
            program,
            f"--entryPoints.websecure.address=127.0.0.1:{port}",
            f"--providers.file.filename={folder}/dynamic.yml", "--providers.file.watch=false",
            "--global.checkNewVersion=false", "--global.sendAnonymousUsage=false",
        ]
        with running(command, folder, port, {"HOME": folder}):
            # Traefik listens before it has read its routers.
            wait_until(lambda: send_request(port).status != 404 or None, "the routers of Traefik")
            yield port


Response = collections.namedtuple("Response", "status headers body")


def send_request(port, method="GET", path="/some/page?q=1", token=None, headers=(), body=None):
    """Sends one request on a connection of its own. `headers` may have a name twice."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", port, timeout=TIMEOUT, source_address=(CLIENT, 0))
    try:
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", HOST)
        for name, value in headers:
            connection.putheader(name, value)
        if token is not None:
            connection.putheader("Authorization", f"Bearer {token}")
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return Response(response.status, response.headers, response.read())
    finally:
        connection.close()


def forwarded(response, request):
    """The request as the application received it; `request` describes it for a failure."""
    expect(response.status == 200, f"{request}: {response.status} {response.body[:200]!r}")
    received = json.loads(response.body)
    received["headers"] = [(name.lower(), value) for name, value in received["headers"]]
    return received


def values(received, name):
    return [value for other, value in received["headers"] if other == name.lower()]


def check_valid_token(server, port, others=()):
    """Checks what the application receives with a valid token.
    - others: further fields about the user, which the proxy removes from a client's request.
    """
    before, logged = time.time(), len(server.log())
    token = server.login(1)
    received = forwarded(send_request(port, token=token), "a valid token")
    expect((received["method"], received["path"]) == ("GET", "/some/page?q=1"),
           f"the application received {received['method']} {received['path']}")
    expect(values(received, "X-Auth-User-Id") == ["1"], "X-Auth-User-Id")
    expect(values(received, "X-Auth-User-Name") == [NAME_AS_SENT], "X-Auth-User-Name")
    [session], [expires] = values(received, "X-Auth-Session"), values(received, "X-Auth-Expires")
    expect(re.fullmatch("[A-Za-z0-9_-]{22}", session), f"X-Auth-Session: {session}")
    expect(0 <= int(expires) - int(before) - 1800 <= TIMEOUT, f"X-Auth-Expires: {expires}")
    expect(values(received, "Authorization") == [], "the application sees the token")

    # The client's own fields about the user are removed, whatever their spelling.
    forged = [(name, "2") for name in FIELDS] + [(name.lower(), "3") for name in FIELDS]
    forged += [(name.replace("-", "_"), "4") for name in FIELDS]
    forged += [(name.replace("-", "_", 1), "5") for name in FIELDS]
    forged += [(name[:3] + name[3:].replace("-", "_"), "6") for name in FIELDS]
    forged += [("Forwarded", "for=192.0.2.1"), ("X-Forwarded-For", "192.0.2.2")]
    forged += [(name, "7") for name in (*OTHER_FIELDS, *others)]
    received = forwarded(send_request(port, token=token, headers=forged),
                         "a valid token and forged fields")
    about_user = [item for item in received["headers"] if re.fullmatch("x[-_]auth[-_].*", item[0])]
    expect(sorted(about_user) == sorted([
        ("x-auth-user-id", "1"), ("x-auth-user-name", NAME_AS_SENT), ("x-auth-session", session),
        ("x-auth-expires", expires)]), f"the application received {about_user}")
    lines = server.log()[logged:].splitlines()
    verified = [line for line in lines if "authn_token_verified" in line]
    expect(verified, "the request to /verify is not in the log")
    for line in verified:
        expect(f" ip={CLIENT} " in line, f"the log has another client address: {line}")

    for method in ("OPTIONS", "PATCH", "PROPFIND"):
        received = forwarded(send_request(port, method, token=token), method)
        expect(received["method"] == method, f"the application received {received['method']}")
    for method, size in (("POST", 0), ("POST", 5), ("POST", 500_000), ("PUT", 100), ("DELETE", 0)):
        body = os.urandom(size)
        response = send_request(port, method, token=token, body=body)
        received = forwarded(response, f"{method} with {size} bytes")
        expect(received["method"] == method, f"the application received {received['method']}")
        expect(received["body"] == hashlib.sha256(body).hexdigest(),
               f"{method}: the application received another body")
    return token


def check_refused(server, port, gone, malformed):
    """Checks that requests without a valid token do not reach the application.
    - gone, malformed: the statuses for an unknown user and for malformed credentials.
    """
    def refuse(what, status, challenge=None, **request):
        response = send_request(port, **request)
        expect(response.status == status, f"{what}: {response.status} {response.body[:200]!r}")
        header = response.headers["WWW-Authenticate"]
        expect(challenge is None or header == challenge,
               f"{what}: WWW-Authenticate: {header}")
        expect(b'"headers"' not in response.body, f"{what}: the request reached the application")

    now = int(time.time())
    refuse("no token", 401, CHALLENGE)
    for method in ("OPTIONS", "HEAD", "PUT", "PROPFIND"):
        refuse(f"{method} without a token", 401, CHALLENGE, method=method)
    preflight = [("Origin", "https://other.example"), ("Access-Control-Request-Method", "POST")]
    refuse("a preflight request", 401, CHALLENGE, method="OPTIONS", headers=preflight)
    refuse("no token, with a body", 401, CHALLENGE, method="POST", body=b"x" * 1000)
    refuse("another scheme", 401, CHALLENGE, headers=[("Authorization", "Basic YTpi")])
    refuse("a token that is not a JWT", 401, INVALID + '"The token is invalid"', token="abc")
    forged = sign_token({"user_id": 1, "exp": now + 600}, "another key")
    refuse("another key", 401, INVALID + '"The token is invalid"', token=forged)
    expired = sign_token({"user_id": 1, "exp": now - 1})
    refuse("an expired token", 401, INVALID + '"The token expired"', token=expired)
    refuse("forged fields without a token", 401, CHALLENGE,
           headers=[(name, "1") for name in FIELDS])
    refuse("an unknown user", gone, token=sign_token({"user_id": 99, "exp": now + 600}))
    refuse("malformed credentials", malformed, token="a b")
    old = server.login(1)
    forwarded(send_request(port, token=old), "before the logout")
    expect(server.request("/logout", "POST", token=old).status == 204, "the logout")
    refuse("after the logout", 401, INVALID + '"The token was revoked"', token=old)


def check_guarding(server, port, gone, malformed):
    """The stanza without Gatehouse's own paths, which then belong to the application."""
    token = check_valid_token(server, port)
    check_refused(server, port, gone, malformed)
    for path in ("/login", "/refresh", "/logout", "/logout/all"):
        expect(send_request(port, "POST", path).status == 401, f"{path} is open")
        forwarded(send_request(port, "POST", path, token=token), f"{path} of the application")


def check_queries_and_cookies(port, token, longest):
    """Queries and cookies of any form do not make the request to /verify fail.
    - longest: the length in bytes of a query or a cookie that the proxy accepts.
    """
    for query in ("q=100%", "q=50%off", "a=1&a=2", "%00", "scope=x&max_age=0", "q" * longest):
        received = forwarded(send_request(port, path=f"/page?{query}", token=token),
                             f"the query {query[:20]}")
        expect(received["path"] == f"/page?{query}",
               f"the application received {received['path'][:40]}")
    cookies = ["a=" + "b" * longest, "a=\"; b=\xff", "a=b"]
    for cookie in cookies:
        received = forwarded(send_request(port, token=token, headers=[("Cookie", cookie)]),
                             "a request with a cookie")
        expect(len(values(received, "Cookie")) == 1, "the application did not receive the cookie")


def log_in(port, headers=(), password="of no consequence", user="alice"):
    body = json.dumps({"username": user, "password": password}).encode()
    fields = [("Content-Type", "application/json"), *headers]
    return send_request(port, "POST", "/login", headers=fields, body=body)


def check_cross_site_logins(port):
    """Pages of this host may log in, pages of other hosts may not."""
    for origin in (f"https://{HOST}", f"http://{HOST}"):
        expect(log_in(port, [("Origin", origin)]).status == 200, f"a page of {origin}")
    for origin in ("https://evil.example", "null", f"https://{HOST}.evil.example"):
        response = log_in(port, [("Origin", origin), ("X-Forwarded-Host", "evil.example")])
        expect(response.status == 403, f"a page of {origin}: {response.status}")
        expect(json.loads(response.body) == {"error": "Cross-site request"},
               f"a page of {origin}: {response.body!r}")
    response = log_in(port, [("Sec-Fetch-Site", "cross-site")])
    expect(response.status == 403, f"a page of another site: {response.status}")


def check_addresses(server, port, logged):
    """After a position in the log all events have the client's address, despite forged fields."""
    forged = [("Forwarded", "for=192.0.2.1"), ("X-Forwarded-For", "192.0.2.2")]
    expect(log_in(port, forged).status == 200, "a login with forged fields")
    for line in server.log()[logged:].splitlines():
        if " | security | " in line:
            expect(f" ip={CLIENT} " in line, f"the log has another client address: {line}")


def check_own(server, port):
    """Only Gatehouse's own paths can be reached without a token."""
    logged = len(server.log())
    response = log_in(port)
    expect(response.status == 200, f"/login: {response.status} {response.body!r}")
    token = json.loads(response.body)["token"]
    expect(response.headers["Cache-Control"] == "no-store", "/login: Cache-Control")
    forwarded(send_request(port, token=token), "a token of this login")
    response = send_request(port, "POST", "/refresh", token=token)
    expect(response.status == 200, f"/refresh: {response.status} {response.body!r}")
    expect(send_request(port, "POST", "/logout", token=token).status == 204, "/logout")
    expect(send_request(port, token=token).status == 401, "a token after the logout")
    # As another user: /logout/all also revokes all tokens without an iat claim.
    token = json.loads(log_in(port, user="bob").body)["token"]
    expect(send_request(port, "POST", "/logout/all", token=token).status == 204, "/logout/all")
    response = log_in(port, password="a wrong one")
    expect(response.status == 401, f"a wrong password: {response.status}")
    expect(response.headers["WWW-Authenticate"] == CHALLENGE, "a wrong password: no challenge")

    check_cross_site_logins(port)
    check_addresses(server, port, logged)

    for path in ("/", "/login/", "/loginx", "/login/x", "/logout/", "/logout/all/x", "/refresh/x",
                 "/verify", "/verify?q", "/_verify", "/resource", "/health/live", "/openapi.json",
                 "/metrics", "/x/../login/y", "//login/x", "/login%2fx"):
        status = send_request(port, path=path).status
        expect(status in (400, 401, 403, 404), f"{path} is open: {status}")


def check_no_host(port, token, path="/page"):
    """Tests HTTP/1.0 clients and health checks that send no Host."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    connection._http_vsn, connection._http_vsn_str = 10, "HTTP/1.0"
    try:
        connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Authorization", f"Bearer {token}")
        connection.endheaders()
        response = connection.getresponse()
        expect(response.status == 200, f"HTTP/1.0 without Host: {response.status}")
        response.read()
    finally:
        connection.close()


def check_plain(server):
    """The stanza for a host that serves only Gatehouse."""
    stanza = manual.stanzas("proxies", "nginx")[0]
    stanza = replaced(stanza, "sso.example.com", HOST)
    with tempfile.TemporaryDirectory() as folder, nginx_with(stanza, server, folder) as port:
        logged = len(server.log())
        token = json.loads(log_in(port).body)["token"]
        expect(send_request(port, path="/resource", token=token).status == 200, "a valid token")
        expect(send_request(port, path="/verify").status == 401, "/verify without a token")
        check_cross_site_logins(port)
        check_addresses(server, port, logged)
        check_no_host(port, token, "/resource")


def connections(port):
    """The number of connections of this machine to a port, including those in TIME-WAIT."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return sum(int(row[2].split(":")[1], 16) == port for row in rows)


def check_keepalive(server, port, token):
    gatehouse_port = int(server.url.rsplit(":", 1)[1])
    before = connections(gatehouse_port)
    for _ in range(50):
        forwarded(send_request(port, token=token), "one of 50 requests")
    more = connections(gatehouse_port) - before
    expect(more <= 2, f"{more} connections for 50 requests to /verify")


def check_cache(server, application_port):
    seconds = 2
    with nginx(server, application_port, cached_for=seconds) as port:
        def is_accepted(token):
            status = send_request(port, token=token).status
            expect(status in (200, 401), f"with a cache: {status}")
            return status == 200

        def check_end(token, end, what):
            """Sends requests until the token is refused, which must be soon after its end.

            nginx counts whole seconds, hence one more. A response is as old as the request for it,
            so a slow machine gets as much more time as its slowest response took.
            """
            last, slowest, accepted = 0, 0, True
            while accepted:
                start = time.time()
                expect(start - end < TIMEOUT, f"{what} is still accepted")
                accepted = is_accepted(token)
                slowest = max(slowest, time.time() - start)
                last = start if accepted else last
                time.sleep(0.05)
            limit = seconds + 1 + slowest
            expect(last - end <= limit,
                   f"{what} was accepted for {last - end:.1f} s; at most {limit:.1f}")

        check_valid_token(server, port)
        # A cached response belongs to one user, with all its fields.
        tokens = {user: server.login(user) for user in (1, 2)}
        for user in (1, 2, 1, 2):
            received = forwarded(send_request(port, token=tokens[user]), "a cached response")
            expect(values(received, "X-Auth-User-Id") == [str(user)],
                   "the cached response of another user")
        verifications = server.log().count("authn_token_verified")
        for _ in range(10):
            expect(is_accepted(tokens[2]), "a cached response")
        expect(server.log().count("authn_token_verified") - verifications <= 1,
               "responses are not cached")

        # A revoked token is accepted until its response expires, as the manual says. A machine
        # that is too slow to see that moment is not tested for it.
        token = server.login(1)
        sent = time.time()
        expect(is_accepted(token), "a valid token")
        server.request("/logout", "POST", token=token)
        revoked = time.time()
        is_cached = is_accepted(token)
        expect(is_cached or time.time() > sent + seconds - 1, "the response was not cached")
        check_end(token, revoked, "a revoked token")
        expect(not is_accepted(token), "a revoked token is accepted again")

        # The same applies to an expired token.
        expires = time.time() + 3
        token = sign_token({"user_id": 1, "exp": expires})
        expect(is_accepted(token), "a token that expires soon")
        check_end(token, expires, "an expired token")
        # A refusal is not cached for longer either.
        early = sign_token({"user_id": 1, "nbf": time.time() + 2, "exp": time.time() + 60})
        expect(not is_accepted(early), "a token that is not yet valid is accepted")
        wait_until(lambda: is_accepted(early) or None, "the acceptance of a token after its nbf")


def main():
    program = sys.argv[1]
    trusting = {"trusted_proxies": ["127.0.0.1"]}
    # No limit, because the tests send wrong passwords.
    unlimited = {"max_attempts": 0}
    with application() as upstream, serving(
        program, users=USERS, server=trusting, login=unlimited
    ) as server:
        check_plain(server)
        with nginx(server, upstream) as port:
            token = check_valid_token(server, port)
            check_keepalive(server, port, token)
            check_queries_and_cookies(port, token, 7000)
            check_no_host(port, token)
            check_own(server, port)
        with nginx(server, upstream, guarding) as port:
            check_guarding(server, port, gone=403, malformed=403)
        print("nginx: tokens are accepted and refused as the manual says")
        check_cache(server, upstream)
        print("nginx with a cache: no response is used for longer than the manual says")
        proxies = [("Traefik", traefik, 14_000)]
        if shutil.which("caddy"):
            proxies.append(("Caddy", caddy, 20_000))
        else:
            print("Caddy: not installed, skipped")
        for name, start, longest in proxies:
            with start(server, upstream) as port:
                others = ["X-Auth-Anything", "X_Auth_Anything", "x-auth-anything-else"]
                check_queries_and_cookies(port, check_valid_token(server, port, others), longest)
                check_own(server, port)
            with start(server, upstream, guarding) as port:
                check_guarding(server, port, gone=404, malformed=400)
            print(f"{name}: tokens are accepted and refused as the manual says")


if __name__ == "__main__":
    main()
