#!/usr/bin/env python3
"""Checks README's stanzas for forward authentication with the proxies themselves.

    python3 forward_auth.py GATEHOUSE      the built program

Takes the stanzas from README.md, changes nothing in them but addresses, times and TLS, and runs nginx,
Traefik, and Caddy where it is installed, in front of an application that responses with the headers that it
got. Each runs twice: as README has it, with Gatehouse's own paths open, and without that part.
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

from server import TIMEOUT, expect, free_port, serving, sign_token, wait_until

README = os.path.join(os.path.dirname(__file__), "..", "..", "README.md")
# Where clients come from: not where the proxy does.
CLIENT = "127.0.0.2"
CHALLENGE = 'Bearer realm="gatehouse"'
INVALID = CHALLENGE + ', error="invalid_token", error_description='
USERS = [("alice", "Älice 100%", "of no consequence"), ("bob", "Bob", "of no consequence")]
# As a field can have it.
NAME_AS_SENT = "%C3%84lice 100%25"
FIELDS = ["X-Auth-User-Id", "X-Auth-User-Name", "X-Auth-Session", "X-Auth-Expires"]
# No application is told these by Gatehouse, and no client may tell it.
OTHER_FIELDS = ["X-Auth-Scope", "X-Auth-Key-Id"]
# The name in README's stanzas.
HOST = "app.example.com"


def stanzas(kind, heading="### Forward authentication"):
    with open(README, encoding="utf-8") as file:
        section = file.read().split(f"\n{heading}\n")[1].split("\n### ")[0]
    return re.findall(rf"```{kind}\n(.*?)```", section, re.DOTALL)


def guarding(text):
    """A stanza without the part that is marked as Gatehouse's own: what is left guards everything."""
    shorter, count = re.subn(
        r"\n *# Gatehouse's own:\n.*?(?=\n *# The application's:\n)", "", text, flags=re.DOTALL)
    expect(count == 1, "README's stanza does not mark one part as Gatehouse's own")
    return shorter


def replaced(text, old, new):
    expect(old in text, f"README's stanza has no {old!r}")
    return text.replace(old, new)


@contextlib.contextmanager
def application():
    """Answers with what it was asked, as JSON."""

    class Echo(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def response(self):
            length = int(self.headers.get("Content-Length") or 0)
            seen = json.dumps({
                "method": self.command, "path": self.path, "headers": self.headers.items(),
                "body": hashlib.sha256(self.rfile.read(length)).hexdigest(),
            }).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(seen)))
            self.end_headers()
            self.wfile.write(seen)

        do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = do_PROPFIND = response

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
    """A proxy, from when it listens to its end."""
    path = os.path.join(folder, "said")
    with open(path, "wb") as said:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
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
        wait_until(listening, f"a start of {command[0]}")
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
    """nginx with README's stanza, and with that for a cache if verdicts are to be kept so many seconds.
    - part: which part of the stanza.
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
    places = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(f"{folder}/nginx.conf", "w", encoding="utf-8") as file:
        file.write(
            ("user root;\n" if os.geteuid() == 0 else "")
            + f"daemon off;\nworker_processes 1;\npid {folder}/pid;\n"
            "error_log stderr warn;\nevents {}\n"
            f"http {{\naccess_log off;\n{places}{main}}}\n")
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
        places = {name: folder for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
        with running(command, folder, port, places):
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
            # It listens before it has read its routers.
            wait_until(lambda: send_request(port).status != 404 or None, "the routers of Traefik")
            yield port


Response = collections.namedtuple("Response", "status headers body")


def send_request(port, method="GET", path="/some/page?q=1", token=None, headers=(), body=None):
    """One request on a connection of its own; `headers` may name one twice."""
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


def passed(response, what):
    """What the application saw."""
    expect(response.status == 200, f"{what}: {response.status} {response.body[:200]!r}")
    seen = json.loads(response.body)
    seen["headers"] = [(name.lower(), value) for name, value in seen["headers"]]
    return seen


def values(seen, name):
    return [value for other, value in seen["headers"] if other == name.lower()]


def check_good(server, port, others=()):
    """
    - others: further fields about the user, of which the proxy removes a client's.
    """
    before, logged = time.time(), len(server.log())
    token = server.login(1)
    seen = passed(send_request(port, token=token), "a good token")
    expect((seen["method"], seen["path"]) == ("GET", "/some/page?q=1"), "another request")
    expect(values(seen, "X-Auth-User-Id") == ["1"], "X-Auth-User-Id")
    expect(values(seen, "X-Auth-User-Name") == [NAME_AS_SENT], "X-Auth-User-Name")
    [session], [expires] = values(seen, "X-Auth-Session"), values(seen, "X-Auth-Expires")
    expect(re.fullmatch("[A-Za-z0-9_-]{22}", session), f"X-Auth-Session: {session}")
    expect(0 <= int(expires) - int(before) - 1800 <= TIMEOUT, f"X-Auth-Expires: {expires}")
    expect(values(seen, "Authorization") == [], "the application sees the token")

    # What the client says about itself does not arrive, however it is spelt.
    lies = [(name, "2") for name in FIELDS] + [(name.lower(), "3") for name in FIELDS]
    lies += [(name.replace("-", "_"), "4") for name in FIELDS]
    lies += [(name.replace("-", "_", 1), "5") for name in FIELDS]
    lies += [(name[:3] + name[3:].replace("-", "_"), "6") for name in FIELDS]
    lies += [("Forwarded", "for=192.0.2.1"), ("X-Forwarded-For", "192.0.2.2")]
    lies += [(name, "7") for name in (*OTHER_FIELDS, *others)]
    seen = passed(send_request(port, token=token, headers=lies), "a good token and lies")
    told = [item for item in seen["headers"] if re.fullmatch("x[-_]auth[-_].*", item[0])]
    expect(sorted(told) == sorted([
        ("x-auth-user-id", "1"), ("x-auth-user-name", NAME_AS_SENT), ("x-auth-session", session),
        ("x-auth-expires", expires)]), f"the application was told {told}")
    lines = server.log()[logged:].splitlines()
    verified = [line for line in lines if "authn_token_verified" in line]
    expect(verified, "the question is not in the log")
    for line in verified:
        expect(f" ip={CLIENT} " in line, f"the log has another client: {line}")

    for method in ("OPTIONS", "PATCH", "PROPFIND"):
        seen = passed(send_request(port, method, token=token), method)
        expect(seen["method"] == method, "another method")
    for method, size in (("POST", 0), ("POST", 5), ("POST", 500_000), ("PUT", 100), ("DELETE", 0)):
        body = os.urandom(size)
        response = send_request(port, method, token=token, body=body)
        seen = passed(response, f"{method} with {size} bytes")
        expect(seen["method"] == method, "another method")
        expect(seen["body"] == hashlib.sha256(body).hexdigest(), f"{method}: another body")
    return token


def check_refused(server, port, gone, malformed):
    """
    - gone, malformed: the statuses for a user who is gone and for credentials that break the grammar.
    """
    def refuse(what, status, challenge=None, **request):
        response = send_request(port, **request)
        expect(response.status == status, f"{what}: {response.status} {response.body[:200]!r}")
        got = response.headers["WWW-Authenticate"]
        expect(challenge is None or got == challenge, f"{what}: WWW-Authenticate: {got}")
        expect(b'"headers"' not in response.body, f"{what}: the application was asked")

    now = int(time.time())
    refuse("no token", 401, CHALLENGE)
    for method in ("OPTIONS", "HEAD", "PUT", "PROPFIND"):
        refuse(f"{method} without a token", 401, CHALLENGE, method=method)
    preflight = [("Origin", "https://other.example"), ("Access-Control-Request-Method", "POST")]
    refuse("a preflight request", 401, CHALLENGE, method="OPTIONS", headers=preflight)
    refuse("no token, with a body", 401, CHALLENGE, method="POST", body=b"x" * 1000)
    refuse("another scheme", 401, CHALLENGE, headers=[("Authorization", "Basic YTpi")])
    refuse("no token at all", 401, INVALID + '"The token is invalid"', token="abc")
    forged = sign_token({"user_id": 1, "exp": now + 600}, "another key")
    refuse("another key", 401, INVALID + '"The token is invalid"', token=forged)
    expired = sign_token({"user_id": 1, "exp": now - 1})
    refuse("an expired token", 401, INVALID + '"The token expired"', token=expired)
    refuse("lies alone", 401, CHALLENGE, headers=[(name, "1") for name in FIELDS])
    refuse("a user who is gone", gone, token=sign_token({"user_id": 99, "exp": now + 600}))
    refuse("a token that is none", malformed, token="a b")
    old = server.login(1)
    passed(send_request(port, token=old), "before the logout")
    expect(server.request("/logout", "POST", token=old).status == 204, "the logout")
    refuse("after the logout", 401, INVALID + '"The token was revoked"', token=old)


def check_guarding(server, port, gone, malformed):
    """The same without Gatehouse's own paths: they are the application's, too."""
    token = check_good(server, port)
    check_refused(server, port, gone, malformed)
    for path in ("/login", "/refresh", "/logout", "/logout/all"):
        expect(send_request(port, "POST", path).status == 401, f"{path} is open")
        passed(send_request(port, "POST", path, token=token), f"{path} of the application")


def check_pages(port, token, longest):
    """Whatever a page's address and cookies are, the question about it is a good one.
    - longest: of a query or a cookie, in bytes, that the proxy itself takes.
    """
    for query in ("q=100%", "q=50%off", "a=1&a=2", "%00", "scope=x&max_age=0", "q" * longest):
        seen = passed(send_request(port, path=f"/page?{query}", token=token), f"the query {query[:20]}")
        expect(seen["path"] == f"/page?{query}", f"another query: {seen['path'][:40]}")
    cookies = ["a=" + "b" * longest, "a=\"; b=\xff", "a=b"]
    for cookie in cookies:
        seen = passed(send_request(port, token=token, headers=[("Cookie", cookie)]), "a page with a cookie")
        expect(len(values(seen, "Cookie")) == 1, "the application has lost a cookie")


def log_in(port, headers=(), password="of no consequence", user="alice"):
    body = json.dumps({"username": user, "password": password}).encode()
    fields = [("Content-Type", "application/json"), *headers]
    return send_request(port, "POST", "/login", headers=fields, body=body)


def check_pages_that_log_in(port):
    """A page of this very host may log in, those of others may not."""
    for origin in (f"https://{HOST}", f"http://{HOST}"):
        expect(log_in(port, [("Origin", origin)]).status == 200, f"a page of {origin}")
    for origin in ("https://evil.example", "null", f"https://{HOST}.evil.example"):
        response = log_in(port, [("Origin", origin), ("X-Forwarded-Host", "evil.example")])
        expect(response.status == 403, f"a page of {origin}: {response.status}")
        expect(json.loads(response.body) == {"error": "Cross-site request"}, "another refusal")
    response = log_in(port, [("Sec-Fetch-Site", "cross-site")])
    expect(response.status == 403, f"a page of another site: {response.status}")


def check_addresses(server, port, logged):
    """What the log has since a place in it came from the client's address, whatever the client says."""
    lies = [("Forwarded", "for=192.0.2.1"), ("X-Forwarded-For", "192.0.2.2")]
    expect(log_in(port, lies).status == 200, "a login with lies")
    for line in server.log()[logged:].splitlines():
        if " | security | " in line:
            expect(f" ip={CLIENT} " in line, f"the log has another client: {line}")


def check_own(server, port):
    """Gatehouse's own paths are open, and no other is."""
    logged = len(server.log())
    response = log_in(port)
    expect(response.status == 200, f"/login: {response.status} {response.body!r}")
    token = json.loads(response.body)["token"]
    expect(response.headers["Cache-Control"] == "no-store", "/login: Cache-Control")
    passed(send_request(port, token=token), "a token of this login")
    response = send_request(port, "POST", "/refresh", token=token)
    expect(response.status == 200, f"/refresh: {response.status} {response.body!r}")
    expect(send_request(port, "POST", "/logout", token=token).status == 204, "/logout")
    expect(send_request(port, token=token).status == 401, "a token after the logout")
    # Of another user: it also ends all tokens that do not say when they began.
    token = json.loads(log_in(port, user="bob").body)["token"]
    expect(send_request(port, "POST", "/logout/all", token=token).status == 204, "/logout/all")
    response = log_in(port, password="a wrong one")
    expect(response.status == 401, f"a wrong password: {response.status}")
    expect(response.headers["WWW-Authenticate"] == CHALLENGE, "a wrong password: no challenge")

    check_pages_that_log_in(port)
    check_addresses(server, port, logged)

    for path in ("/", "/login/", "/loginx", "/login/x", "/logout/", "/logout/all/x", "/refresh/x",
                 "/verify", "/verify?q", "/_verify", "/resource", "/health/live", "/openapi.json",
                 "/metrics", "/x/../login/y", "//login/x", "/login%2fx"):
        status = send_request(port, path=path).status
        expect(status in (400, 401, 403, 404), f"{path} is open: {status}")


def check_no_host(port, token, path="/page"):
    """An old client, or a probe, that sends no Host."""
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
    """The stanza for a host that is Gatehouse alone."""
    [stanza, *_] = stanzas("nginx", "## Running it")
    stanza = replaced(stanza, "sso.example.com", HOST)
    with tempfile.TemporaryDirectory() as folder, nginx_with(stanza, server, folder) as port:
        logged = len(server.log())
        token = json.loads(log_in(port).body)["token"]
        expect(send_request(port, path="/resource", token=token).status == 200, "a good token")
        expect(send_request(port, path="/verify").status == 401, "a verdict without a token")
        check_pages_that_log_in(port)
        check_addresses(server, port, logged)
        check_no_host(port, token, "/resource")


def connections(port):
    """Connections of this machine to a port, those that were closed a moment ago included."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return sum(int(row[2].split(":")[1], 16) == port for row in rows)


def check_keepalive(server, port, token):
    gatehouse_port = int(server.url.rsplit(":", 1)[1])
    before = connections(gatehouse_port)
    for _ in range(50):
        passed(send_request(port, token=token), "one of many")
    more = connections(gatehouse_port) - before
    expect(more <= 2, f"{more} connections for 50 questions")


def check_cache(server, application_port):
    seconds = 2
    with nginx(server, application_port, cached_for=seconds) as port:
        def gets_in(token):
            status = send_request(port, token=token).status
            expect(status in (200, 401), f"with a cache: {status}")
            return status == 200

        def check_end(token, end, what):
            """Asks wait_until the token gets in no more, which has to be soon after its end.

            nginx counts in whole seconds, hence one more; and a verdict is as old as its question, so a
            machine that is slow to response gets as much time as its slowest response took.
            """
            last, slowest, is_in = 0, 0, True
            while is_in:
                start = time.time()
                expect(start - end < TIMEOUT, f"{what} gets in for ever")
                is_in = gets_in(token)
                slowest = max(slowest, time.time() - start)
                last = start if is_in else last
                time.sleep(0.05)
            limit = seconds + 1 + slowest
            expect(last - end <= limit, f"{what} got in for {last - end:.1f} s, not {limit:.1f}")

        check_good(server, port)
        # A kept verdict is one user's, and keeps what belongs to it.
        tokens = {user: server.login(user) for user in (1, 2)}
        for user in (1, 2, 1, 2):
            seen = passed(send_request(port, token=tokens[user]), "a kept verdict")
            expect(values(seen, "X-Auth-User-Id") == [str(user)], "another user's verdict")
        questions = server.log().count("authn_token_verified")
        for _ in range(10):
            expect(gets_in(tokens[2]), "a kept verdict")
        expect(server.log().count("authn_token_verified") - questions <= 1, "nothing is kept")

        # Revoked: still in for a moment, and no longer than README says. On a machine that is too slow
        # to see the moment, it is not asked for.
        token = server.login(1)
        asked = time.time()
        expect(gets_in(token), "a good token")
        server.request("/logout", "POST", token=token)
        revoked = time.time()
        is_kept = gets_in(token)
        expect(is_kept or time.time() > asked + seconds - 1, "the verdict was not kept")
        check_end(token, revoked, "a revoked token")
        expect(not gets_in(token), "a refusal was forgotten")

        # Expired: the same.
        expires = time.time() + 3
        token = sign_token({"user_id": 1, "exp": expires})
        expect(gets_in(token), "a token that is good for a moment")
        check_end(token, expires, "an expired token")
        # One that is refused at first is not refused for long.
        early = sign_token({"user_id": 1, "nbf": time.time() + 2, "exp": time.time() + 60})
        expect(not gets_in(early), "a token that is not good yet")
        wait_until(lambda: gets_in(early) or None, "a token's beginning")


def main():
    program = sys.argv[1]
    trusting = {"trusted_proxies": ["127.0.0.1"]}
    # Wrong passwords are tried, and not the throttle.
    patient = {"max_attempts": 0}
    with application() as upstream, serving(
        program, users=USERS, server=trusting, login=patient
    ) as server:
        check_plain(server)
        with nginx(server, upstream) as port:
            token = check_good(server, port)
            check_keepalive(server, port, token)
            check_pages(port, token, 7000)
            check_no_host(port, token)
            check_own(server, port)
        with nginx(server, upstream, guarding) as port:
            check_guarding(server, port, gone=403, malformed=403)
        print("nginx: tokens pass and are refused as README says")
        check_cache(server, upstream)
        print("nginx with a cache: no verdict outlives what README says")
        proxies = [("Traefik", traefik, 14_000)]
        if shutil.which("caddy"):
            proxies.append(("Caddy", caddy, 20_000))
        else:
            print("Caddy: not installed, not tried")
        for name, start, longest in proxies:
            with start(server, upstream) as port:
                others = ["X-Auth-Anything", "X_Auth_Anything", "x-auth-anything-else"]
                check_pages(port, check_good(server, port, others), longest)
                check_own(server, port)
            with start(server, upstream, guarding) as port:
                check_guarding(server, port, gone=404, malformed=400)
            print(f"{name}: tokens pass and are refused as README says")


if __name__ == "__main__":
    main()
