#!/usr/bin/env python3
"""One client that wants all of a server: attack_connections.py PROGRAM [--whole]

- heads, bodies, idle, responses: a network opens as many connections as it can and keeps them busy with
  request heads that never end, bodies that never end, nothing, or responses that it does not take.
  Clients of other networks get more than 95 % of their requests answered.
- sync: a user's ended tokens come back as fast as they can, on a disk whose syncs take 50 ms each. Each
  is CRITICAL, and on the disk before its answer. Others are as fast as before.
- logins: the same with `log.durability: synced` and logins.

The slow disk is a library of Swift that is loaded before the program (LD_PRELOAD); `sync` and `logins`
are not tried where there is no `swiftc`. By default it takes about 25 seconds; with --whole five times
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

import house
from house import expect, serving

MAXIMUM = 300
OTHERS = [f"127.9.0.{number}" for number in range(1, 9)]
SHARE = 0.95
SYNC = 0.05
SLOW = """
import Glibc
@_cdecl("fdatasync") public func fdatasync(_ number: CInt) -> CInt { usleep(50_000); return fsync(number) }
"""
USERS = [("alice", "Alice", "correct horse battery alice"), ("bob", "Bob", "correct horse battery bob")]


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
    """Keeps MAXIMUM connections of one network, and replaces those that it loses."""

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
            # Those that the server has ended, or soon will.
            for _ in range(len(self.held)):
                connection, since = self.held.popleft()
                if now - since > 8 or self.has_ended(connection):
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
    def has_ended(connection):
        try:
            answer = connection.recv(12, socket.MSG_PEEK)
            return answer in (b"", b"HTTP/1.1 503")
        except BlockingIOError:
            return False
        except OSError:
            return True

    def stop(self):
        self.must_stop = True
        self.thread.join()
        for connection, _ in self.held:
            connection.close()


def others(port, seconds):
    """How the requests of others end, each on a connection of its own."""
    outcomes = collections.Counter()
    times = []
    end = time.monotonic() + seconds
    index = 0
    while time.monotonic() < end:
        began = time.monotonic()
        index += 1
        try:
            with connect(port, OTHERS[index % len(OTHERS)]) as connection:
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
    # As many as no socket takes without a reader.
    "responses": b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 250,
}


def everything(program, seconds, workers):
    with serving(program, server={"max_connections": MAXIMUM, "workers": workers}) as server:
        port = port_of(server)
        for name, first in KINDS.items():
            attacker = Attacker(port, first)
            # Until all are open, and the server has done what it can for them.
            time.sleep(3 if name == "responses" else 1)
            outcomes, median = others(port, seconds)
            attacker.stop()
            share = outcomes["200"] / sum(outcomes.values())
            print(f"{name}: {len(attacker.held)} of {attacker.opened} connections held by one network, "
                  f"{workers} workers; others: {dict(outcomes)}, median {median * 1000:.1f} ms",
                  flush=True)
            expect(share > SHARE, f"{name}: {share:.0%} of the others' requests are answered")


@contextlib.contextmanager
def slow_disk():
    """The environment of a program whose syncs take their time; None where there is no compiler."""
    compiler = shutil.which("swiftc")
    if compiler is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "slow.swift")
        with open(source, "w", encoding="utf-8") as file:
            file.write(SLOW)
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

    def ask(self, method, path, token=None, body=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def login(self, name):
        status, body = self.ask(
            "POST", "/login", body={"username": name, "password": f"correct horse battery {name}"})
        expect(status == 200, f"login of {name}: {status} {body!r}")
        return json.loads(body)["token"]


def measure(port, token, seconds):
    """Requests a second, and the time that 90 of 100 take at most."""
    times = []
    end = time.monotonic() + seconds

    def client():
        connection = Connection(port)
        while time.monotonic() < end:
            began = time.monotonic()
            status, _ = connection.ask("GET", "/resource", token)
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


def beside(name, port, good, seconds, attack):
    """Others beside an attack, and before it."""
    quiet, quiet_time = measure(port, good, seconds)
    stop = threading.Event()
    answered = collections.Counter()

    def run(part):
        connection = Connection(port)
        while not stop.is_set():
            began = time.monotonic()
            attack(connection, part)
            answered["all"] += 1
            answered["slowly"] += time.monotonic() - began >= SYNC * 0.9

    threads = [threading.Thread(target=run, args=(part,), daemon=True) for part in range(8)]
    for thread in threads:
        thread.start()
    loud, loud_time = measure(port, good, seconds)
    stop.set()
    for thread in threads:
        thread.join()
    print(f"{name}: others {quiet:.0f}/s before and {loud:.0f}/s beside it, 90 % within "
          f"{quiet_time * 1000:.1f} and {loud_time * 1000:.1f} ms; {answered['all']} answers waited "
          f"for, {answered['slowly']} of them for a sync", flush=True)
    expect(answered["slowly"] >= answered["all"] * 0.9 > 0, f"{name}: answers do not wait for the disk")
    expect(loud_time < SYNC / 2, f"{name}: others wait {loud_time * 1000:.1f} ms")


def syncs(program, seconds):
    with slow_disk() as library:
        if library is None:
            print("sync, logins: not tried, there is no swiftc", flush=True)
            return
        with serving(program, USERS) as server:
            port = port_of(server)
            client = Connection(port)
            good = client.login("alice")
            ended = [client.login("bob") for _ in range(8)]
            expect(client.ask("POST", "/logout/all", ended[0])[0] == 204, "logout/all")

            def replay(connection, part):
                status, _ = connection.ask("GET", "/resource", ended[part])
                expect(status == 401, f"an ended token: {status}")

            beside("sync", port, good, seconds, replay)
        with serving(program, USERS, log={"durability": "synced", "file": {"path": "app.log"},
                                          "stderr": {"level": "CRITICAL"}}) as server:
            port = port_of(server)
            good = Connection(port).login("alice")
            beside("logins", port, good, seconds, lambda connection, _: connection.login("bob"))


def main():
    program = sys.argv[1]
    longer = 5 if "--whole" in sys.argv else 1
    everything(program, 2 * longer, 2)
    if longer > 1:
        everything(program, 2 * longer, 1)
    syncs(program, 2 * longer)


if __name__ == "__main__":
    house.PATIENCE = 60
    main()
