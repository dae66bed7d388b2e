#!/usr/bin/env python3
"""Attacks of one client that tries to use up a server: attack_connections.py PROGRAM [--whole]

- heads, bodies, idle, responses: one network opens as many connections as it can. It keeps them
  busy with unfinished request heads, unfinished bodies, nothing, or responses that it does not
  read. Clients of other networks get responses to more than
  95 % of their requests.
- sync: the revoked tokens of a user are sent as fast as possible, on a disk whose syncs take 50 ms.
  Each use is a CRITICAL event that is on disk before its response. Other clients must not get
  slower.
- logins: the same with `log.durability: synced` and logins.

The slow disk is a library, written in Swift, that is loaded before the program (LD_PRELOAD). `sync`
and `logins` are skipped where there is no `swiftc`. Takes about 25 seconds; with --whole five times
as long.
"""

import collections
import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from server import expect, serving

MAXIMUM = 300
OTHER_ADDRESSES = [f"127.9.0.{number}" for number in range(1, 9)]
MINIMUM_SHARE = 0.95
SYNC_DURATION = 0.05
SLOW_SYNC = """
import Glibc
@_cdecl("fdatasync") public func fdatasync(_ descriptor: CInt) -> CInt {
    usleep(50_000)
    return fsync(descriptor)
}
"""
USERS = [("alice", "Alice", "correct horse battery alice"),
         ("bob", "Bob", "correct horse battery bob")]


def port_of(server):
    return int(server.url.rsplit(":", 1)[1])


def connect(port, source, receive_buffer=None):
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.bind((source, 0))
    connection.settimeout(2)
    connection.connect(("127.0.0.1", port))
    return connection


class Attacker:
    """Keeps MAXIMUM connections of one network open, and replaces those that the server closes."""

    def __init__(self, port, first):
        self.port = port
        self.first = first
        self.held = collections.deque()
        self.opened = 0
        self.must_stop = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.must_stop:
            now = time.monotonic()
            # Connections that the server has closed, or will close soon.
            for _ in range(len(self.held)):
                connection, since = self.held.popleft()
                if now - since > 8 or self.is_closed(connection):
                    connection.close()
                else:
                    self.held.append((connection, since))
            for _ in range(MAXIMUM + 50 - len(self.held)):
                try:
                    connection = connect(self.port, "127.8.0.1", 4096)
                    connection.send(self.first)
                    connection.setblocking(False)
                    self.held.append((connection, now))
                    self.opened += 1
                except OSError:
                    break
            time.sleep(0.01)

    @staticmethod
    def is_closed(connection):
        try:
            response = connection.recv(12, socket.MSG_PEEK)
            return response in (b"", b"HTTP/1.1 503")
        except BlockingIOError:
            return False
        except OSError:
            return True

    def stop(self):
        self.must_stop = True
        self.thread.join()
        for connection, _ in self.held:
            connection.close()


def request_from_others(port, seconds):
    """Sends requests from other networks, each on a separate connection. Returns the number of each
    outcome, and the median time in seconds."""
    outcomes = collections.Counter()
    times = []
    end = time.monotonic() + seconds
    index = 0
    while time.monotonic() < end:
        began = time.monotonic()
        index += 1
        try:
            with connect(port, OTHER_ADDRESSES[index % len(OTHER_ADDRESSES)]) as connection:
                connection.sendall(
                    b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                outcomes[connection.recv(4096)[9:12].decode() or "closed"] += 1
        except OSError as error:
            outcomes[type(error).__name__] += 1
        times.append(time.monotonic() - began)
        time.sleep(0.01)
    times.sort()
    return outcomes, times[len(times) // 2]


KINDS = {
    "heads": b"GET /resource HTTP/1.1\r\nX: ",
    "bodies": b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
              b"Content-Length: 4000\r\n\r\n{",
    "idle": b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n",
    # More responses than the socket buffers can contain while the client does not read.
    "responses": b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 250,
}


def check_connection_attacks(program, seconds, workers):
    with serving(program, server={"max_connections": MAXIMUM, "workers": workers}) as server:
        port = port_of(server)
        for name, first in KINDS.items():
            attacker = Attacker(port, first)
            # Wait until all connections are open and the server has reacted to them.
            time.sleep(3 if name == "responses" else 1)
            outcomes, median = request_from_others(port, seconds)
            attacker.stop()
            share = outcomes["200"] / sum(outcomes.values())
            print(f"{name}: one network holds {len(attacker.held)} of {attacker.opened} "
                  f"connections, {workers} workers; other networks: {dict(outcomes)}, "
                  f"median {median * 1000:.1f} ms", flush=True)
            expect(share > MINIMUM_SHARE,
                   f"{name}: {share:.0%} of the requests from other networks were answered")


@contextlib.contextmanager
def slow_disk():
    """Makes syncs slow in programs that are started. Yields None where there is no compiler."""
    compiler = shutil.which("swiftc")
    if compiler is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "slow.swift")
        with open(source, "w", encoding="utf-8") as file:
            file.write(SLOW_SYNC)
        library = os.path.join(folder, "slow.so")
        done = subprocess.run(
            [compiler, "-O", "-emit-library", "-parse-as-library", "-o", library, source],
            capture_output=True, text=True, check=False)
        expect(done.returncode == 0, f"swiftc: {done.stderr}")
        os.environ["LD_PRELOAD"] = library
        try:
            yield library
        finally:
            del os.environ["LD_PRELOAD"]


class Connection:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def request(self, method, path, token=None, body=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        return response.status, response.read()

    def login(self, name):
        status, body = self.request(
            "POST", "/login", body={"username": name, "password": f"correct horse battery {name}"})
        expect(status == 200, f"login of {name}: {status} {body!r}")
        return json.loads(body)["token"]


def measure(port, token, seconds):
    """Requests a second, and the 90th percentile of their time in seconds."""
    times = []
    end = time.monotonic() + seconds

    def client():
        connection = Connection(port)
        while time.monotonic() < end:
            began = time.monotonic()
            status, _ = connection.request("GET", "/resource", token)
            expect(status == 200, f"GET /resource: {status}")
            times.append(time.monotonic() - began)
            time.sleep(0.002)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    return len(times) / seconds, times[len(times) * 9 // 10]


def check_under_attack(name, port, good, seconds, attack):
    """Measures other clients before and during an attack."""
    quiet, quiet_time = measure(port, good, seconds)
    stop = threading.Event()
    durations = []

    def run(part):
        connection = Connection(port)
        while not stop.is_set():
            began = time.monotonic()
            attack(connection, part)
            durations.append(time.monotonic() - began)

    threads = [threading.Thread(target=run, args=(part,), daemon=True) for part in range(8)]
    for thread in threads:
        thread.start()
    loud, loud_time = measure(port, good, seconds)
    stop.set()
    for thread in threads:
        thread.join()
    after_sync = sum(duration >= SYNC_DURATION * 0.9 for duration in durations)
    print(f"{name}: other clients {quiet:.0f} requests/s before and {loud:.0f} during the attack, "
          f"90 % within {quiet_time * 1000:.1f} and {loud_time * 1000:.1f} ms; "
          f"{len(durations)} responses, {after_sync} of them after a sync", flush=True)
    expect(after_sync >= len(durations) * 0.9 > 0,
           f"{name}: responses do not wait for the disk")
    expect(loud_time < SYNC_DURATION / 2,
           f"{name}: other clients wait {loud_time * 1000:.1f} ms")


def check_slow_disk(program, seconds):
    with slow_disk() as library:
        if library is None:
            print("sync, logins: skipped, there is no swiftc", flush=True)
            return
        with serving(program, USERS) as server:
            port = port_of(server)
            client = Connection(port)
            good = client.login("alice")
            revoked = [client.login("bob") for _ in range(8)]
            expect(client.request("POST", "/logout/all", revoked[0])[0] == 204, "logout/all")

            def replay(connection, part):
                status, _ = connection.request("GET", "/resource", revoked[part])
                expect(status == 401, f"a revoked token: {status}")

            check_under_attack("sync", port, good, seconds, replay)
        with serving(program, USERS, log={"durability": "synced", "file": {"path": "app.log"},
                                          "stderr": {"level": "CRITICAL"}}) as server:
            port = port_of(server)
            good = Connection(port).login("alice")
            check_under_attack(
                "logins", port, good, seconds, lambda connection, _: connection.login("bob"))


def main():
    program = sys.argv[1]
    factor = 5 if "--whole" in sys.argv else 1
    check_connection_attacks(program, 2 * factor, 2)
    if factor > 1:
        check_connection_attacks(program, 2 * factor, 1)
    check_slow_disk(program, 2 * factor)


if __name__ == "__main__":
    main()
