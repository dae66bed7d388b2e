#!/usr/bin/env python3
"""Sends attacks through real proxies that share their connections to Gatehouse.

    python3 proxies.py GATEHOUSE                the built program
        [--only nginx,haproxy,apache]           not all of them
        [--vectors FOLDER]                      with the requests of its corpus/gunicorn.json, too;
                                                else of the folder that GATESERVER_VECTORS names
        [--whole]                               each attack also cut in two, at several places

Needs the Debian packages nginx, haproxy and apache2-bin. What is started here runs in a folder and
on ports of its own, and ends with this.

In front of Gatehouse stands each proxy with a pool of one connection or two, which every request
shares. While an attack is in and after it, somebody else asks through the same pool, and has to get
the response to that, and nothing besides. Between proxy and Gatehouse everything is read along: each
request that the proxy passes on bears a mark, and for each mark there has to be one response, under
the same id, and for no other bytes any.
"""

import argparse
import base64
import collections
import contextlib
import itertools
import json
import os
import re
import secrets
import selectors
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import attacks
from server import RUNNING_PROCESSES, TIMEOUT, expect, free_port, serving

# How long an attack is given to be answered before somebody else asks; nothing depends on it.
PAUSE = 0.03
MARK = "X-Passed"
# Of one proxy; each may take as long as somebody has patience to wait for a response.
MAXIMUM_FAILURES = 3
# Of what went over a connection, in a message about it.
SHOWN = 2000
REFUSALS = {400, 408, 413, 414, 417, 421, 431, 501, 505}


class Desynchronised(Exception):
    """A sentence, and the bytes."""


# What somebody else asks, and the response to it.
VICTIMS = [
    (b"GET /health/live HTTP/1.1\r\n", b"", 200, b'{"status":"ok"}'),
    (b"POST /login HTTP/1.1\r\nContent-Length: 13\r\n", b'{"user_id":0}', 400,
     b'{"error":"Invalid user_id"}'),
    (b"GET /resource HTTP/1.1\r\n", b"", 401, b'{"error":"Unauthorized"}'),
]


def responses(stream, methods):
    """The final responses in a stream, and the rest: status, id, whether it is the last, content.

    - methods: of the requests, in order.
    """
    found, rest = [], stream
    while (end := rest.find(b"\r\n\r\n")) >= 0:
        head = rest[:end]
        match = re.match(rb"HTTP/1\.[01] (\d{3})[ \r]", head + b"\r")
        if not match:
            break
        status = int(match.group(1))
        if status < 200:
            rest = rest[end + 4:]
            continue
        values = {name.strip().lower(): value.strip() for name, _, value in
                  (line.partition(b":") for line in head.split(b"\r\n")[1:])}
        method = methods[len(found)] if len(found) < len(methods) else b"GET"
        count = 0 if method == b"HEAD" or status == 204 else int(
            values.get(b"content-length", b"0"))
        if len(rest) < end + 4 + count:
            break
        content = rest[end + 4:end + 4 + count]
        last = values.get(b"connection", b"").lower() == b"close"
        found.append((status, values.get(b"x-request-id", b""), last, content))
        rest = rest[end + 4 + count:]
    return found, rest


class Link:
    """One connection between a proxy and Gatehouse, and all that went over it."""

    def __init__(self, proxy, server):
        self.sockets = {proxy: server, server: proxy}
        self.server = server
        self.asked = bytearray()
        self.answered = bytearray()
        self.ended = set()

    @property
    def is_open(self):
        return not self.ended


class Tap(threading.Thread):
    """Stands between a proxy and Gatehouse, changes nothing, and keeps everything."""

    def __init__(self, server_port, nonce):
        super().__init__(daemon=True)
        self.server_port = server_port
        self.mark = re.compile(
            rb"\r\n" + MARK.encode() + rb": " + nonce + rb" (\S+) ?([^\r\n]*)\r\n", re.IGNORECASE)
        self.links = []
        # No two requests of a run have the same id, whatever door they come through.
        self.numbers = itertools.count(1)
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.is_stopped = False

    def run(self):
        while not self.is_stopped:
            for key, _ in self.selector.select(0.2):
                if key.fileobj is self.listener:
                    proxy, _ = self.listener.accept()
                    server = socket.create_connection(("127.0.0.1", self.server_port))
                    link = Link(proxy, server)
                    self.links.append(link)
                    for end in (proxy, server):
                        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        self.selector.register(end, selectors.EVENT_READ, link)
                else:
                    self.pass_on(key.fileobj, key.data)

    def pass_on(self, end, link):
        other = link.sockets[end]
        try:
            data = end.recv(65536)
            if data:
                # Kept first: nobody may see the response before it is.
                (link.answered if end is link.server else link.asked).extend(data)
                other.sendall(data)
                return
            other.shutdown(socket.SHUT_WR)
        except OSError:
            link.ended.add(other)
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(other)
            other.close()
        link.ended.add(end)
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(end)
        if other in link.ended:
            end.close()
            other.close()

    def judge(self, link):
        """Whether everything asked on a link is answered; raises where more than that is."""
        asked, answered = bytes(link.asked), bytes(link.answered)
        marks = [match for match in self.mark.finditer(asked)
                 if asked.find(b"\r\n\r\n", match.end() - 2) >= 0]
        found, rest = responses(answered, [match.group(1) for match in marks])

        def fail(sentence):
            raise Desynchronised(
                f"{sentence}\npassed on: {asked[-SHOWN:]!r}\nanswered: {answered[-SHOWN:]!r}")

        if len(found) > len(marks):
            fail(f"{len(found)} responses to {len(marks)} requests")
        end = 0
        for index, (status, identity, is_last, _) in enumerate(found):
            given = marks[index].group(2).strip()
            start, end = end, asked.find(b"\r\n\r\n", marks[index].end() - 2)
            # A proxy may have been told by Connection to keep the field to itself.
            is_known = b"x-request-id: " + given.lower() + b"\r\n" in asked[start:end + 2].lower()
            is_refused = is_last and status in REFUSALS
            if (is_known and re.fullmatch(rb"[A-Za-z0-9._-]{1,64}", given) and identity != given
                    and not is_refused):
                fail(f"the response to {given!r} is under {identity!r}")
            if is_last and index + 1 < len(found):
                fail("something was answered behind the last response")
        if rest and not rest.startswith(b"HTTP/1.1 "):
            fail(f"bytes behind the responses: {rest[:100]!r}")
        is_refused = found and found[-1][2]
        return len(found) == len(marks) or is_refused or not link.is_open

    def stop(self):
        self.is_stopped = True
        self.join()
        self.listener.close()


def read_all(connection):
    data = bytearray()
    while part := connection.recv(65536):
        data += part
    return bytes(data)


class Door:
    """A port of a proxy, and the pool behind it."""

    def __init__(self, proxy, name, port, tap):
        self.proxy = proxy
        self.name = name
        self.port = port
        self.tap = tap
        self.settled = 0

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def ask_as_victim(self):
        number = next(self.tap.numbers)
        identity = b"victim-%d" % number
        line, body, status, content = VICTIMS[number % len(VICTIMS)]
        with self.connect() as connection:
            connection.sendall(
    line +
    b"Host: h\r\nX-Request-Id: " +
    identity +
    b"\r\nConnection: close\r\n\r\n" +
     body)
            try:
                data = read_all(connection)
            except OSError as error:
                data = repr(error).encode()
        found, rest = responses(data, [line.split()[0]])
        wanted = (status, identity, content)
        if rest or [(s, i, c) for s, i, _, c in found] != [wanted]:
            raise Desynchronised(f"{wanted!r} was expected, and this came: {data!r}")

    def attack(self, pieces):
        """Sends the pieces with somebody else asking after each, then once more."""
        got = b""
        number = next(self.tap.numbers)
        with self.connect() as connection:
            for piece in pieces:
                piece = piece.replace(b"@attack", b"attack-%d" % number)
                piece = piece.replace(b"@hidden", b"hidden-%d" % number)
                with contextlib.suppress(OSError):
                    connection.settimeout(TIMEOUT)
                    connection.sendall(piece)
                    connection.settimeout(PAUSE)
                    got += connection.recv(65536)
                self.ask_as_victim()
            with contextlib.suppress(OSError):
                connection.setblocking(False)
                got += connection.recv(65536)
        if b"victim-" in got:
            raise Desynchronised(f"the attacker has somebody else's response: {got!r}")
        self.ask_as_victim()
        self.settle()

    def settle(self):
        """Waits until all that was passed on is answered, and looks at it."""
        end = time.monotonic() + TIMEOUT
        while True:
            links = self.tap.links[self.settled:]
            if all([self.tap.judge(link) for link in links]):
                break
            if time.monotonic() > end:
                raise Desynchronised("; ".join(
                    f"{bytes(link.asked[-SHOWN:])!r} has got {bytes(link.answered[-SHOWN:])!r}, and "
                    "no more" for link in links if not self.tap.judge(link)))
            time.sleep(0.002)
        # What has ended is not looked at again.
        while self.settled < len(self.tap.links) and not self.tap.links[self.settled].is_open:
            self.settled += 1


@contextlib.contextmanager
def running(command, ports, folder):
    said_path = os.path.join(folder, "said")
    with open(said_path, "wb") as said:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    RUNNING_PROCESSES.add(process)

    def said():
        with open(said_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    try:
        end = time.monotonic() + TIMEOUT
        for port in ports:
            while True:
                expect(process.poll() is None, f"{command[0]} ended: {said()}")
                expect(time.monotonic() < end, f"{command[0]} does not listen: {said()}")
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                time.sleep(0.02)
        yield
        expect(process.poll() is None, f"{command[0]} ended by itself: {said()}")
    finally:
        process.terminate()
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        RUNNING_PROCESSES.discard(process)


# Each of these gives the command and its two doors: one as strict as the proxy is by itself, one as
# lax as it can be told to be.

def nginx(program, folder, tap, nonce):
    ports = {name: free_port() for name in (
        "reading the body first", "passing it on as it comes")}
    places = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    servers = "".join(f"""
server {{
    listen 127.0.0.1:{port};
    {extra}
    location / {{
        proxy_pass http://pool;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_set_header {MARK} "{nonce} $request_method $http_x_request_id";
    }}
}}""" for port, extra in zip(ports.values(), (
        "", "proxy_request_buffering off; ignore_invalid_headers off; underscores_in_headers on; "
        "merge_slashes off; client_max_body_size 0;")))
    config = f"""
{"user root;" if os.geteuid() == 0 else ""}
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr crit;
events {{}}
http {{
access_log off; keepalive_requests 1000000;
{places}
upstream pool {{ server 127.0.0.1:{tap.port}; keepalive 1; keepalive_requests 1000000; }}
{servers}
}}
"""
    path = write(folder, "nginx.conf", config)
    return [program, "-p", folder, "-c", path, "-e", "stderr"], ports


def haproxy(program, folder, tap, nonce):
    ports = {"strict": free_port(), "accepting what is invalid": free_port()}
    fronts = "".join(f"""
frontend front{port}
    bind 127.0.0.1:{port}
    {extra}
    http-request set-header {MARK} "{nonce} %[method] %[req.hdr(x-request-id)]"
    default_backend pool
""" for port, extra in zip(ports.values(), ("", "option accept-invalid-http-request")))
    config = f"""
global
    nbthread 1
    maxconn 500
defaults
    mode http
    timeout connect 10s
    timeout client 30s
    timeout server 30s
    timeout http-request 30s
{fronts}
backend pool
    http-reuse always
    server gatehouse 127.0.0.1:{tap.port} pool-max-conn 1 pool-purge-delay 60s
"""
    return [program, "-db", "-f", write(folder, "haproxy.cfg", config)], ports


def apache(program, folder, tap, nonce):
    ports = {"strict": free_port(), "unsafe": free_port()}
    modules = "/usr/lib/apache2/modules"
    hosts = "".join(f"""
<VirtualHost 127.0.0.1:{port}>
    {extra}
    ProxyPreserveHost On
    AllowEncodedSlashes NoDecode
    RequestHeader set {MARK} "expr={nonce} %{{REQUEST_METHOD}} %{{HTTP:X-Request-Id}}"
    # Two, because one would have everybody wait for the attacker.
    ProxyPass / http://127.0.0.1:{tap.port}/ max=2 ttl=60 keepalive=On nocanon
</VirtualHost>
""" for port, extra in zip(ports.values(), (
        "", "HttpProtocolOptions Unsafe LenientMethods Allow0.9\nSetEnv proxy-sendchunks 1\n"
        "MergeSlashes Off")))
    # It does not serve as root.
    user = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
    config = f"""
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/pid
Mutex sem
ErrorLog /dev/null
ServerName localhost
{user}
{"".join(f"LoadModule {name}_module {modules}/mod_{name}.so{chr(10)}" for name in (
    "mpm_event", "authz_core", "headers", "env", "proxy", "proxy_http"))}
StartServers 1
ServerLimit 1
ThreadLimit 32
ThreadsPerChild 32
MaxRequestWorkers 32
MaxConnectionsPerChild 0
Timeout 30
KeepAlive On
MaxKeepAliveRequests 0
{"".join(f"Listen 127.0.0.1:{port}{chr(10)}" for port in ports.values())}
{hosts}
"""
    return [program, "-DFOREGROUND", "-f", write(folder, "apache.conf", config)], ports


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


# The program, its Debian package, and what configures it.
PROXIES = {
    "nginx": ("nginx", "nginx", nginx),
    "haproxy": ("haproxy", "haproxy", haproxy),
    "apache": ("apache2", "apache2-bin", apache),
}


def check_itself():
    """That what should be found is found."""
    tap = Tap(0, b"nonce")
    request = b"GET / HTTP/1.1\r\nX-Request-Id: a\r\nX-Passed: nonce GET a\r\n\r\n"
    response = b"HTTP/1.1 200 OK\r\nX-Request-Id: a\r\nContent-Length: 2\r\n\r\n{}"
    last = response.replace(b"200 OK", b"400 Bad Request\r\nConnection: close")

    def verdict(asked, answered):
        link = Link(None, None)
        link.asked += asked
        link.answered += answered
        try:
            return tap.judge(link)
        except Desynchronised:
            return "desynchronised"

    for asked, answered, wanted in (
        (request, response, True), (request * 3, response * 3, True), (request * 2, response, False),
        (request, response[:-1], False), (request[:-1], b"", True), (request * 2, last, True),
        (request, response * 2, "desynchronised"), (b"", response, "desynchronised"),
        (request, response + b"{}", "desynchronised"), (request * 2, last + response, "desynchronised"),
        (request, response.replace(b": a", b": b"), "desynchronised"),
        (request * 2, response + response.replace(b": a", b": b"), "desynchronised"),
    ):
        found = verdict(asked, answered)
        expect(found == wanted, f"{found} about {asked!r} and {answered!r}")
    tap.listener.close()


def check_log(server, tap):
    """What Gatehouse says that it has answered is what was asked."""
    handled = collections.Counter(
        re.findall(r"\| http_request .* rid=(\S+)", server.log()))
    answered, served, lost = (collections.Counter() for _ in range(3))
    for link in tap.links:
        marks = list(tap.mark.finditer(bytes(link.asked)))
        found, _ = responses(bytes(link.answered), [match.group(1) for match in marks])
        for status, identity, is_last, _ in found:
            answered[identity.decode()] += 1
            # Else the log may have it as `http_refused`, of which it leaves out what is repeated.
            if not (is_last and status in REFUSALS):
                served[identity.decode()] += 1
        # The proxy went away before the response to it.
        lost.update(match.group(2).decode("latin1").strip() for match in marks[len(found):])
    more, less = handled - answered - lost, served - handled
    if more:
        raise Desynchronised(f"requests were served that nobody passed on: {dict(more)}")
    if less or not served:
        raise Desynchronised(f"responses that are not in the log: {dict(less)}")


def try_proxy(name, program, gatehouse, corpus):
    """All attacks through one proxy: what failed, and how it went in a sentence."""
    configure = PROXIES[name][2]
    started = time.monotonic()
    nonce = secrets.token_hex(8)
    failures = []
    # With passwords, because a demo responses to names of this machine alone.
    with serving(
        gatehouse, users=[("alice", "Alice", "of no consequence")],
        server={"trusted_proxies": ["127.0.0.1"], "workers": 1},
        log={"level": "DEBUG", "file": {"path": "app.log", "level": "DEBUG"}},
    ) as server, tempfile.TemporaryDirectory() as folder:
        tap = Tap(int(server.url.rsplit(":", 1)[1]), nonce.encode())
        tap.start()
        command, ports = configure(program, folder, tap, nonce)
        with running(command, ports.values(), folder):
            doors = [Door(name, door, port, tap) for door, port in ports.items()]
            for door in doors:
                # Without attacks everybody has the connection of whoever came before.
                for _ in range(6):
                    door.ask_as_victim()
            links = len(tap.links)
            expect(links <= 2, f"{name}: {links} connections for a few requests in a row")
            for title, pieces in corpus:
                for door in doors:
                    if len(failures) >= MAXIMUM_FAILURES:
                        break
                    try:
                        door.attack(pieces)
                    except Desynchronised as error:
                        failures.append(
                            f"{name}, {door.name}: {title}\nsent: {pieces!r}\n{error}")
                        # What is spoilt is not to spoil what comes behind it.
                        door.settled = len(tap.links)
        tap.stop()
        try:
            check_log(server, tap)
        except Desynchronised as error:
            failures.append(f"{name}: {error}")
        marks = sum(len(tap.mark.findall(bytes(link.asked))) for link in tap.links)
    return failures, (
        f"{name}: {len(corpus)} attacks, {marks} requests passed on over {len(tap.links)} "
        f"connections, in {time.monotonic() - started:.1f} s")


def gunicorn_corpus(folder):
    path = os.path.join(folder, "corpus", "gunicorn.json")
    with open(path, encoding="utf-8") as file:
        for item in json.load(file):
            yield item["id"], [base64.b64decode(item["raw_b64"])]


def cuts(name, pieces):
    """An attack in two parts, with somebody else in between."""
    whole = b"".join(pieces)
    size = len(whole)
    for place in sorted({size // 4, size // 2, whole.find(b"\r\n\r\n") + 4, size - 1}):
        yield f"{name}, cut at {place}", [whole[:place], whole[place:]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("gatehouse")
    parser.add_argument("--only", default=",".join(PROXIES))
    parser.add_argument("--vectors", default=os.environ.get("GATESERVER_VECTORS"))
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args()
    names = options.only.split(",")
    for name in names:
        expect(name in PROXIES, f"--only knows {', '.join(PROXIES)}, and not {name}")
    programs = {}
    for name in names:
        program, package, _ = PROXIES[name]
        programs[name] = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin")
        expect(programs[name], f"{program} is not installed: apt-get install {package}, or leave "
                               "it out with --only")
    check_itself()
    corpus = list(attacks.attacks())
    if options.vectors:
        corpus += gunicorn_corpus(options.vectors)
    if options.whole:
        corpus += [cut for attack in corpus for cut in cuts(*attack)]

    unharmed = set()

    def run(name):
        try:
            failures, summary = try_proxy(name, programs[name], options.gatehouse, corpus)
        # The end of a thread is nobody's exit code.
        except BaseException as error:  # pylint: disable=broad-exception-caught
            failures, summary = [f"{name}: {error!r}"], f"{name}: not finished"
        print("\n".join([f"{failure}\n" for failure in failures] + [summary]), flush=True)
        if not failures:
            unharmed.add(name)

    threads = [threading.Thread(target=run, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(unharmed == set(names), "a shared connection was desynchronised, or not tried")


if __name__ == "__main__":
    main()
