#!/usr/bin/env python3
"""Sends attacks through real proxies that share their connections to Gatehouse.

    python3 proxies.py GATEHOUSE        the built program
        [--only nginx,haproxy,apache]   only these proxies
        [--vectors FOLDER]              also the requests of its corpus/gunicorn.json; without the
                                        option, of the folder in GATEHOUSE_VECTORS
        [--whole]                       each attack also cut in two, at several places

Needs the Debian packages nginx, haproxy and apache2-bin. The processes run in a temporary folder,
on ports of their own, and end with this script.

Each proxy has a pool of one or two connections to Gatehouse, which all requests share. During an
attack and after it another client sends requests through the same pool. It must get the responses
to its own requests and no others. A relay between proxy and Gatehouse records all bytes. The proxy
adds a mark to each request that it forwards. For each mark there must be one response with the same
request id, and no other bytes.
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

from ambiguous_requests import attacks
from server import RUNNING_PROCESSES, TIMEOUT, expect, free_port, serving

# How long to wait for a response to an attack before the other client sends a request. The result
# does not depend on it.
PAUSE = 0.03
MARK = "X-Passed"
# Maximum for one proxy. Each failure may take TIMEOUT.
MAXIMUM_FAILURES = 3
# The number of bytes of a connection that a message shows.
SHOWN = 2000
REFUSALS = {400, 408, 413, 414, 417, 421, 431, 501, 505}


class Desynchronized(Exception):
    """A request received the response to another one. The message shows the bytes."""


# The requests of the other client, and their responses.
VICTIMS = [
    (b"GET /health/live HTTP/1.1\r\n", b"", 200, b'{"status":"ok"}'),
    (b"POST /login HTTP/1.1\r\nContent-Length: 13\r\n", b'{"user_id":0}', 400,
     b'{"error":"Invalid user_id"}'),
    (b"GET /resource HTTP/1.1\r\n", b"", 401, b'{"error":"Unauthorized"}'),
]


def responses(stream, methods):
    """The final responses in a stream, and the bytes after them.

    - methods: of the requests, in order.
    - Returns: for each response its status, its request id, whether it has `Connection: close`, and
      its body.
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


class RelayedConnection:
    """One connection between a proxy and Gatehouse, and all bytes that were sent on it."""

    def __init__(self, proxy, server):
        self.sockets = {proxy: server, server: proxy}
        self.server = server
        self.from_proxy = bytearray()
        self.from_server = bytearray()
        self.ended = set()

    @property
    def is_open(self):
        return not self.ended


class Relay(threading.Thread):
    """Forwards all bytes between a proxy and Gatehouse, and records them."""

    def __init__(self, server_port, nonce):
        super().__init__(daemon=True)
        self.server_port = server_port
        self.mark = re.compile(
            rb"\r\n" + MARK.encode() + rb": " + nonce + rb" (\S+) ?([^\r\n]*)\r\n", re.IGNORECASE)
        self.connections = []
        # Request ids are unique in a run, whichever port of the proxy the request arrives at.
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
                    connection = RelayedConnection(proxy, server)
                    self.connections.append(connection)
                    for end in (proxy, server):
                        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        self.selector.register(end, selectors.EVENT_READ, connection)
                else:
                    self.forward(key.fileobj, key.data)

    def forward(self, end, connection):
        other = connection.sockets[end]
        try:
            data = end.recv(65536)
            if data:
                # Recorded before it is forwarded: a client must not see unrecorded bytes.
                is_server = end is connection.server
                record = connection.from_server if is_server else connection.from_proxy
                record.extend(data)
                other.sendall(data)
                return
            other.shutdown(socket.SHUT_WR)
        except OSError:
            connection.ended.add(other)
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(other)
            other.close()
        connection.ended.add(end)
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(end)
        if other in connection.ended:
            end.close()
            other.close()

    def is_answered(self, connection):
        """Whether all requests on a connection have responses. Raises if there are other bytes."""
        requests, response_bytes = bytes(connection.from_proxy), bytes(connection.from_server)
        marks = [match for match in self.mark.finditer(requests)
                 if requests.find(b"\r\n\r\n", match.end() - 2) >= 0]
        found, rest = responses(response_bytes, [match.group(1) for match in marks])

        def fail(sentence):
            raise Desynchronized(
                f"{sentence}\nrequests: {requests[-SHOWN:]!r}\n"
                f"responses: {response_bytes[-SHOWN:]!r}")

        if len(found) > len(marks):
            fail(f"{len(found)} responses to {len(marks)} requests")
        end = 0
        for index, (status, identity, is_last, _) in enumerate(found):
            given = marks[index].group(2).strip()
            start, end = end, requests.find(b"\r\n\r\n", marks[index].end() - 2)
            # With a Connection field a client can make the proxy drop X-Request-Id.
            field = b"x-request-id: " + given.lower() + b"\r\n"
            is_known = field in requests[start:end + 2].lower()
            is_refused = is_last and status in REFUSALS
            if (is_known and re.fullmatch(rb"[A-Za-z0-9._-]{1,64}", given) and identity != given
                    and not is_refused):
                fail(f"the response to {given!r} has the request id {identity!r}")
            if is_last and index + 1 < len(found):
                fail("a response follows one with Connection: close")
        if rest and not rest.startswith(b"HTTP/1.1 "):
            fail(f"bytes after the responses: {rest[:100]!r}")
        is_refused = found and found[-1][2]
        return len(found) == len(marks) or is_refused or not connection.is_open

    def stop(self):
        self.is_stopped = True
        self.join()
        self.listener.close()


def read_all(connection):
    data = bytearray()
    while part := connection.recv(65536):
        data += part
    return bytes(data)


class ProxyPort:
    """A port of a proxy, and the connections of its pool."""

    def __init__(self, proxy, name, port, relay):
        self.proxy = proxy
        self.name = name
        self.port = port
        self.relay = relay
        self.finished = 0

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def send_victim_request(self):
        number = next(self.relay.numbers)
        identity = b"victim-%d" % number
        line, body, status, content = VICTIMS[number % len(VICTIMS)]
        with self.connect() as connection:
            connection.sendall(
                line + b"Host: h\r\nX-Request-Id: " + identity
                + b"\r\nConnection: close\r\n\r\n" + body)
            try:
                data = read_all(connection)
            except OSError as error:
                data = repr(error).encode()
        found, rest = responses(data, [line.split()[0]])
        expected = (status, identity, content)
        if rest or [(s, i, c) for s, i, _, c in found] != [expected]:
            raise Desynchronized(f"expected {expected!r}, received {data!r}")

    def attack(self, pieces):
        """Sends the pieces. After each one, and at the end, the other client sends a request."""
        received = b""
        number = next(self.relay.numbers)
        with self.connect() as connection:
            for piece in pieces:
                piece = piece.replace(b"@attack", b"attack-%d" % number)
                piece = piece.replace(b"@hidden", b"hidden-%d" % number)
                with contextlib.suppress(OSError):
                    connection.settimeout(TIMEOUT)
                    connection.sendall(piece)
                    connection.settimeout(PAUSE)
                    received += connection.recv(65536)
                self.send_victim_request()
            with contextlib.suppress(OSError):
                connection.setblocking(False)
                received += connection.recv(65536)
        if b"victim-" in received:
            raise Desynchronized(f"the attacker received another client's response: {received!r}")
        self.send_victim_request()
        self.wait_for_responses()

    def wait_for_responses(self):
        """Waits until all forwarded requests are answered, and checks the responses."""
        end = time.monotonic() + TIMEOUT
        while True:
            connections = self.relay.connections[self.finished:]
            if all([self.relay.is_answered(connection) for connection in connections]):
                break
            if time.monotonic() > end:
                raise Desynchronized("; ".join(
                    f"{bytes(connection.from_proxy[-SHOWN:])!r} has only the response "
                    f"{bytes(connection.from_server[-SHOWN:])!r}"
                    for connection in connections if not self.relay.is_answered(connection)))
            time.sleep(0.002)
        # Closed connections are not checked again.
        connections = self.relay.connections
        while self.finished < len(connections) and not connections[self.finished].is_open:
            self.finished += 1


@contextlib.contextmanager
def running(command, ports, folder):
    output_path = os.path.join(folder, "output")
    with open(output_path, "wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    RUNNING_PROCESSES.add(process)

    def output():
        with open(output_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    try:
        end = time.monotonic() + TIMEOUT
        for port in ports:
            while True:
                expect(process.poll() is None, f"{command[0]} ended: {output()}")
                expect(time.monotonic() < end, f"{command[0]} does not listen: {output()}")
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                time.sleep(0.02)
        yield
        expect(process.poll() is None, f"{command[0]} ended by itself: {output()}")
    finally:
        process.terminate()
        try:
            process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        RUNNING_PROCESSES.discard(process)


# Each of these returns the command and two ports of the proxy: one with its default configuration,
# and one that is as lenient as it can be configured.

def nginx(program, folder, relay, nonce):
    ports = {name: free_port() for name in (
        "buffering", "not buffering")}
    temporary_folders = "".join(
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
{temporary_folders}
upstream pool {{ server 127.0.0.1:{relay.port}; keepalive 1; keepalive_requests 1000000; }}
{servers}
}}
"""
    path = write(folder, "nginx.conf", config)
    return [program, "-p", folder, "-c", path, "-e", "stderr"], ports


def haproxy(program, folder, relay, nonce):
    ports = {"strict": free_port(), "accept-invalid": free_port()}
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
    server gatehouse 127.0.0.1:{relay.port} pool-max-conn 1 pool-purge-delay 60s
"""
    return [program, "-db", "-f", write(folder, "haproxy.cfg", config)], ports


def apache(program, folder, relay, nonce):
    ports = {"strict": free_port(), "unsafe": free_port()}
    modules = "/usr/lib/apache2/modules"
    hosts = "".join(f"""
<VirtualHost 127.0.0.1:{port}>
    {extra}
    ProxyPreserveHost On
    AllowEncodedSlashes NoDecode
    RequestHeader set {MARK} "expr={nonce} %{{REQUEST_METHOD}} %{{HTTP:X-Request-Id}}"
    # Two connections, because with one all clients would wait for the attacker.
    ProxyPass / http://127.0.0.1:{relay.port}/ max=2 ttl=60 keepalive=On nocanon
</VirtualHost>
""" for port, extra in zip(ports.values(), (
        "", "HttpProtocolOptions Unsafe LenientMethods Allow0.9\nSetEnv proxy-sendchunks 1\n"
        "MergeSlashes Off")))
    # Apache refuses to serve as root.
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


# The program, its Debian package, and the function that configures it.
PROXIES = {
    "nginx": ("nginx", "nginx", nginx),
    "haproxy": ("haproxy", "haproxy", haproxy),
    "apache": ("apache2", "apache2-bin", apache),
}


def check_itself():
    """Checks that the relay detects responses that belong to no request."""
    relay = Relay(0, b"nonce")
    request = b"GET / HTTP/1.1\r\nX-Request-Id: a\r\nX-Passed: nonce GET a\r\n\r\n"
    response = b"HTTP/1.1 200 OK\r\nX-Request-Id: a\r\nContent-Length: 2\r\n\r\n{}"
    last = response.replace(b"200 OK", b"400 Bad Request\r\nConnection: close")

    def result_of(requests, response_bytes):
        connection = RelayedConnection(None, None)
        connection.from_proxy += requests
        connection.from_server += response_bytes
        try:
            return relay.is_answered(connection)
        except Desynchronized:
            return "desynchronized"

    for requests, response_bytes, expected in (
        (request, response, True), (request * 3, response * 3, True),
        (request * 2, response, False),
        (request, response[:-1], False), (request[:-1], b"", True), (request * 2, last, True),
        (request, response * 2, "desynchronized"), (b"", response, "desynchronized"),
        (request, response + b"{}", "desynchronized"),
        (request * 2, last + response, "desynchronized"),
        (request, response.replace(b": a", b": b"), "desynchronized"),
        (request * 2, response + response.replace(b": a", b": b"), "desynchronized"),
    ):
        found = result_of(requests, response_bytes)
        expect(found == expected, f"{found} for {requests!r} and {response_bytes!r}")
    relay.listener.close()


def check_log(server, relay):
    """Checks that the requests in Gatehouse's log are those that the proxy has forwarded."""
    handled = collections.Counter(
        re.findall(r"\| http_request .* rid=(\S+)", server.log()))
    response_bytes, served, abandoned = (collections.Counter() for _ in range(3))
    for connection in relay.connections:
        marks = list(relay.mark.finditer(bytes(connection.from_proxy)))
        found, _ = responses(bytes(connection.from_server), [match.group(1) for match in marks])
        for status, identity, is_last, _ in found:
            response_bytes[identity.decode()] += 1
            # A refusal may be in the log as `http_refused`, which is not written for repeats.
            if not (is_last and status in REFUSALS):
                served[identity.decode()] += 1
        # The proxy closed the connection before the response.
        abandoned.update(match.group(2).decode("latin1").strip() for match in marks[len(found):])
    unexpected, missing = handled - response_bytes - abandoned, served - handled
    if unexpected:
        raise Desynchronized(
            f"the log has requests that no proxy has forwarded: {dict(unexpected)}")
    if missing or not served:
        raise Desynchronized(f"the log does not have these requests: {dict(missing)}")


def try_proxy(name, program, gatehouse, corpus):
    """Sends all attacks through one proxy. Returns the failures, and a summary."""
    configure = PROXIES[name][2]
    started = time.monotonic()
    nonce = secrets.token_hex(8)
    failures = []
    # In password mode, because a demo accepts only host names of this machine.
    with serving(
        gatehouse, users=[("alice", "Alice", "of no consequence")],
        server={"trusted_proxies": ["127.0.0.1"], "workers": 1},
        log={"level": "DEBUG", "file": {"path": "app.log", "level": "DEBUG"}},
    ) as server, tempfile.TemporaryDirectory() as folder:
        relay = Relay(int(server.url.rsplit(":", 1)[1]), nonce.encode())
        relay.start()
        command, ports = configure(program, folder, relay, nonce)
        with running(command, ports.values(), folder):
            proxy_ports = [ProxyPort(name, mode, port, relay) for mode, port in ports.items()]
            for proxy_port in proxy_ports:
                # Without attacks all requests use the connections of the pool.
                for _ in range(6):
                    proxy_port.send_victim_request()
            connections = len(relay.connections)
            expect(connections <= 2,
                   f"{name}: {connections} connections for consecutive requests; at most 2")
            for title, pieces in corpus:
                for proxy_port in proxy_ports:
                    if len(failures) >= MAXIMUM_FAILURES:
                        break
                    try:
                        proxy_port.attack(pieces)
                    except Desynchronized as error:
                        failures.append(
                            f"{name}, {proxy_port.name}: {title}\nsent: {pieces!r}\n{error}")
                        # The connections of this attack are not checked again.
                        proxy_port.finished = len(relay.connections)
        relay.stop()
        try:
            check_log(server, relay)
        except Desynchronized as error:
            failures.append(f"{name}: {error}")
        marks = sum(len(relay.mark.findall(bytes(connection.from_proxy)))
                    for connection in relay.connections)
    return failures, (
        f"{name}: {len(corpus)} attacks, {marks} requests forwarded over {len(relay.connections)} "
        f"connections, in {time.monotonic() - started:.1f} s")


def gunicorn_corpus(folder):
    path = os.path.join(folder, "corpus", "gunicorn.json")
    with open(path, encoding="utf-8") as file:
        for item in json.load(file):
            yield item["id"], [base64.b64decode(item["raw_b64"])]


def cuts(name, pieces):
    """An attack cut in two, at several places. The other client sends a request in between."""
    data = b"".join(pieces)
    size = len(data)
    for place in sorted({size // 4, size // 2, data.find(b"\r\n\r\n") + 4, size - 1}):
        yield f"{name}, cut at {place}", [data[:place], data[place:]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("gatehouse")
    parser.add_argument("--only", default=",".join(PROXIES))
    parser.add_argument("--vectors", default=os.environ.get("GATESERVER_VECTORS"))
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args()
    names = options.only.split(",")
    for name in names:
        expect(name in PROXIES, f"--only {name}: unknown; use {', '.join(PROXIES)}")
    programs = {}
    for name in names:
        program, package, _ = PROXIES[name]
        programs[name] = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin")
        expect(programs[name], f"{program} is not installed: apt-get install {package}, or leave "
                               "it out with --only")
    check_itself()
    corpus = list(attacks())
    if options.vectors:
        corpus += gunicorn_corpus(options.vectors)
    if options.whole:
        corpus += [cut for attack in corpus for cut in cuts(*attack)]

    successful = set()

    def run(name):
        try:
            failures, summary = try_proxy(name, programs[name], options.gatehouse, corpus)
        # An exception in a thread does not change the exit code of the script.
        except BaseException as error:  # pylint: disable=broad-exception-caught
            failures, summary = [f"{name}: {error!r}"], f"{name}: not finished"
        print("\n".join([f"{failure}\n" for failure in failures] + [summary]), flush=True)
        if not failures:
            successful.add(name)

    threads = [threading.Thread(target=run, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(successful == set(names),
           "a shared connection was desynchronized, or a proxy was not tested")


if __name__ == "__main__":
    main()
