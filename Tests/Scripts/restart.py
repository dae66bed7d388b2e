#!/usr/bin/env python3
"""Restarts a server under load as systemd does it: no request fails.

    python3 restart.py GATEHOUSE            three restarts, in about 15 s
    python3 restart.py GATEHOUSE --whole    thirty, each with other clients' luck

This script plays systemd: it holds the listening socket, hands it to one process after the other
(LISTEN_FDS), and reads what they say of themselves (NOTIFY_SOCKET). With `systemd-socket-activate`
(Debian: systemd), where it is installed, systemd hands it over itself.
"""

import collections
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import house
from house import expect

PATIENCE = 60
# A connection may be idle for half a second when the server stops and still be answered. A client that
# this machine has kept from running for longer has not shown anything.
PUNCTUAL = 0.3
RESOURCE = "/resource"
USER = b'{"user":{"id":1,"name":"Alice"}}'


def reserve(count):
    """Keeps the descriptors from the third on for what is handed over."""
    while os.open("/dev/null", os.O_RDONLY) < 3 + count:
        pass


class Supervisor:
    """What systemd is to the server: its socket's owner, and whom it tells how it is."""

    def __init__(self, program, folder, sockets, names=None, abstract=False, **settings):
        self.command = [os.path.abspath(program), "--config", os.path.join(folder, "config.json")]
        self.folder = folder
        self.names = names
        self.settings = settings
        for index, listener in enumerate(sockets):
            os.dup2(listener.fileno(), 3 + index)
        self.count = len(sockets)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.settimeout(PATIENCE)
        path = f"\0gatehouse-{os.getpid()}" if abstract else os.path.join(folder, "notify")
        self.notify.bind(path)
        self.path = path.replace("\0", "@")
        self.process = None

    def start(self, **variables):
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("GATEHOUSE_")}
        environment |= {"LISTEN_FDS": str(self.count), "NOTIFY_SOCKET": self.path}
        if self.names:
            environment["LISTEN_FDNAMES"] = ":".join(self.names)
        environment |= self.settings | variables
        # The shell's number is the program's: exec keeps it.
        with open(os.path.join(self.folder, "errors"), "ab") as errors:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *self.command],
                cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=errors,
                stderr=errors, pass_fds=range(3, 3 + self.count))

    def heard(self):
        """The next message, but for signs of life."""
        while True:
            message = dict(line.split("=", 1) for line in self.listen().splitlines())
            if "WATCHDOG" not in message:
                return message

    def listen(self):
        try:
            return self.notify.recv(4096).decode()
        except TimeoutError:
            raise SystemExit(f"FAILED: nothing was heard for {PATIENCE} s") from None

    def is_ready(self):
        message = self.heard()
        expect(message.get("READY") == "1", f"in place of READY=1 it says {message}")
        return message

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        message = self.heard()
        expect(message.get("STOPPING") == "1", f"in place of STOPPING=1 it says {message}")
        expect(int(message["EXTEND_TIMEOUT_USEC"]) > 10_000_000, f"{message}")
        expect(self.process.wait(PATIENCE) == 0, "the server did not stop cleanly")

    def end(self):
        self.notify.close()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def configure(folder, **sections):
    settings = {
        "server": {"host": "127.0.0.1", "port": 0, "workers": 2},
        "login": {"mode": "demo"},
        "token": {"keys": [{"id": "first", "secret": house.KEY}], "issuer": None},
        "log": {"file": {"path": "app.log"}, "stderr": {"level": "WARNING"}},
        "state": {"revocations": "revocations.journal"},
    } | sections
    path = os.path.join(folder, "config.json")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
              encoding="utf-8") as file:
        json.dump(settings, file)


def listening_socket(host="127.0.0.1", backlog=4096, reuse_port=False, port=0):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    listener.listen(backlog)
    return listener


class Load:
    """Clients that ask all the time, each in its way, and count what happens to them."""

    def __init__(self, port, token):
        self.port = port
        self.fields = {"Authorization": f"Bearer {token}"}
        self.counts = collections.Counter()
        self.failures = []
        self.longest = 0
        self.lock = threading.Lock()
        self.is_over = threading.Event()
        ways = ([(True, 0.002)] * 3 + [(True, pause) for pause in (0.05, 0.11, 0.19, 0.23)]
                + [(False, 0.005)] * 3)
        self.threads = [threading.Thread(target=self.run, args=way, daemon=True)
                        for way in ways]
        for thread in self.threads:
            thread.start()

    def run(self, keeps, pause):
        connection, idle_since = None, 0
        while not self.is_over.is_set():
            began = time.monotonic()
            is_old = connection is not None
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            try:
                connection.request("GET", RESOURCE, headers=self.fields)
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                connection = None
                if is_old and began - idle_since > PUNCTUAL:
                    self.count("late")
                else:
                    with self.lock:
                        self.failures.append(
                            f"{'an old' if is_old else 'a new'} connection: {error!r}")
                continue
            idle_since = time.monotonic()
            ends = answer.getheader("Connection") == "close"
            with self.lock:
                self.longest = max(self.longest, idle_since - began)
                self.counts["kept" if keeps else "anew"] += 1
                self.counts["told to close"] += ends
                if (answer.status, body) != (200, USER):
                    self.failures.append(f"{answer.status} {body}")
            if ends or not keeps:
                connection.close()
                connection = None
            self.is_over.wait(pause)

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def end(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        expect(not self.failures, f"{len(self.failures)} requests failed: {self.failures[:5]}")


def restarts(program, count):
    """As `systemctl restart` does it: the old one ends before the new one begins."""
    with tempfile.TemporaryDirectory() as folder, listening_socket() as listener:
        configure(folder)
        port = listener.getsockname()[1]
        supervisor = Supervisor(program, folder, [listener])
        load = None
        try:
            supervisor.start()
            said = supervisor.is_ready()
            expect(said["STATUS"] == f"Listening on http://127.0.0.1:{port}", f"{said}")
            load = Load(port, login(port))
            times = []
            for _ in range(count):
                time.sleep(1)
                began = time.monotonic()
                supervisor.stop()
                ended = time.monotonic()
                supervisor.start()
                supervisor.is_ready()
                times.append((ended - began, time.monotonic() - ended))
            time.sleep(1)
            load.end()
            supervisor.stop()
        finally:
            if load:
                load.is_over.set()
            supervisor.end()
        answered = load.counts["kept"] + load.counts["anew"]
        expect(load.counts["kept"] > 100 and load.counts["anew"] > 100, f"a load of {load.counts}")
        expect(load.counts["told to close"] > 0, "nobody was told that an answer was the last one")
        with open(os.path.join(folder, "app.log"), encoding="utf-8") as file:
            verified = file.read().count("authn_token_verified")
        # One more for each that came too late: its question was read, and its answer lost its way.
        expect(answered <= verified <= answered + load.counts["late"],
               f"{answered} requests were answered, and {verified} are in the log")
        done = subprocess.run(
            [supervisor.command[0], "log", "verify", "--config", "config.json"], cwd=folder,
            capture_output=True, timeout=PATIENCE, check=False)
        expect(done.returncode == 0, f"the log: {done.stdout.decode()}")
        stop, start = (max(column) for column in zip(*times))
        print(f"{count} restarts: {answered} requests, none failed, {load.counts['late']} late; "
              f"longest {load.longest:.2f} s; stop at most {stop:.2f} s, start {start:.2f} s")


def login(port):
    answer = house.ask(f"http://127.0.0.1:{port}/login", "POST", json_body={"user_id": 1})
    expect(answer.status == 200, f"login: {answer.status}")
    return answer.json["token"]


def waits_for_the_next(program):
    """Who connects while no process runs is served by the next one; the queue is never emptied."""
    with tempfile.TemporaryDirectory() as folder, listening_socket() as listener:
        configure(folder)
        supervisor = Supervisor(program, folder, [listener], abstract=True)
        try:
            supervisor.start()
            supervisor.is_ready()
            supervisor.stop()
            with socket.create_connection(listener.getsockname(), PATIENCE) as client:
                client.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                supervisor.start()
                supervisor.is_ready()
                expect(client.recv(4096).startswith(b"HTTP/1.1 200 "), "who waited was not served")
            supervisor.stop()
        finally:
            supervisor.end()
    print("a connection between two processes waits for the second")


def tells(program):
    """What systemd hears: reloads with their moment, good or not, and signs of life."""
    with tempfile.TemporaryDirectory() as folder, listening_socket() as listener:
        configure(folder)
        supervisor = Supervisor(program, folder, [listener], WATCHDOG_USEC="400000")
        try:
            supervisor.start()
            supervisor.is_ready()
            for sections, note in [({}, False), ({"server": {"port": "eighty"}}, True), ({}, False)]:
                configure(folder, **sections)
                before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                supervisor.process.send_signal(signal.SIGHUP)
                message = supervisor.heard()
                expect(message.get("RELOADING") == "1", f"at SIGHUP it says {message}")
                moment = int(message["MONOTONIC_USEC"])
                after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                expect(before <= moment <= after, "MONOTONIC_USEC is another time")
                status = supervisor.is_ready()["STATUS"]
                expect(("failed" in status) == note, f"after a reload: {status}")
            for _ in range(3):
                while "WATCHDOG=1" not in supervisor.listen():
                    pass
            # Meant for another process.
            supervisor.stop()
            supervisor.start(WATCHDOG_PID="1")
            supervisor.is_ready()
            supervisor.notify.settimeout(1)
            try:
                raise SystemExit(f"FAILED: nobody has asked for {supervisor.notify.recv(4096)}")
            except TimeoutError:
                supervisor.notify.settimeout(PATIENCE)
            supervisor.stop()
        finally:
            supervisor.end()
    print("reloads and signs of life are told")


def doors(program):
    """Several sockets, each in its place by its name; the configured addresses are not bound."""
    with tempfile.TemporaryDirectory() as folder:
        first = listening_socket(reuse_port=True)
        port = first.getsockname()[1]
        second = listening_socket(reuse_port=True, port=port)
        metrics = listening_socket()
        admin = socket.socket(socket.AF_UNIX)
        path = os.path.join(folder, "handed.sock")
        admin.bind(path)
        os.chmod(path, 0o600)
        admin.listen()
        taken = listening_socket()
        configure(folder, server={"port": taken.getsockname()[1], "workers": 2},
                  admin={"socket": None, "metrics": None})
        supervisor = Supervisor(program, folder, [first, second, metrics, admin],
                                names=["gatehouse.socket", "gatehouse.socket", "metrics", "admin"])
        try:
            supervisor.start()
            supervisor.is_ready()
            # Each goes to one of the two sockets.
            for _ in range(20):
                answer = house.ask(f"http://127.0.0.1:{port}/health/ready")
                expect(answer.status == 200, f"{answer.status}")
            page = house.ask(f"http://127.0.0.1:{metrics.getsockname()[1]}/metrics")
            expect(b"gatehouse_" in page.body, f"metrics: {page.status}")
            configure(folder, admin={"socket": path, "metrics": None})
            done = subprocess.run(
                [os.path.abspath(program), "reload", "--config", "config.json"], cwd=folder,
                capture_output=True, timeout=PATIENCE, check=False)
            expect(done.returncode == 0, f"reload: {done.stderr.decode()}")
            expect("RELOADING" in supervisor.heard(), "a reload was not told")
            supervisor.is_ready()
            supervisor.stop()
            expect(os.path.exists(path), "the admin's socket was removed, and is systemd's")
        finally:
            supervisor.end()
            for each in (first, second, metrics, admin, taken):
                each.close()
        with open(os.path.join(folder, "errors"), encoding="utf-8") as file:
            said = file.read()
        expect(re.search(r"key=server.host reason=.*is not used", said), f"no warning: {said}")
    print("sockets have their places by name")


def refuses(program):
    """Whatever is handed over and cannot be served is said, with exit code 78."""
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    everywhere = listening_socket("0.0.0.0")
    good = listening_socket()
    with tempfile.TemporaryFile() as file, tempfile.TemporaryDirectory() as folder:
        configure(folder)
        cases = [
            (datagrams, {}, "takes no connections"), (silent, {}, "takes no connections"),
            (file, {}, "is not a socket"), (everywhere, {}, "demo mode listens on 127.0.0.1"),
            (good, {"LISTEN_FDS": "one"}, "no number of sockets"),
            (good, {"LISTEN_FDS": "4"}, "is not open"),
            (good, {"LISTEN_FDNAMES": "a:b"}, "not as many names"),
            (good, {"LISTEN_FDNAMES": "admin"}, "is not a Unix domain socket"),
            (everywhere, {"LISTEN_FDNAMES": "metrics"}, "not on a loopback address"),
            (good, {"LISTEN_FDNAMES": "metric"},
             'unknown name "metric"; write FileDescriptorName=admin or metrics'),
        ]
        for handed, variables, sentence in cases:
            supervisor = Supervisor(program, folder, [handed])
            try:
                open(os.path.join(folder, "errors"), "wb").close()
                supervisor.start(**variables)
                expect(supervisor.process.wait(PATIENCE) == 78,
                       f"{variables} {sentence}: {supervisor.process.returncode}")
            finally:
                supervisor.end()
                os.remove(supervisor.path)
            with open(os.path.join(folder, "errors"), encoding="utf-8") as errors:
                said = errors.read()
            expect(sentence in said and said.count("\n") == 1, f"{sentence}: it says {said!r}")
    for each in (datagrams, silent, everywhere, good):
        each.close()
    print(f"{len(cases)} kinds of wrong sockets are refused")


def activated(program):
    """systemd's own hand."""
    tool = shutil.which("systemd-socket-activate")
    if not tool:
        return print("systemd-socket-activate is not installed: left out")
    with tempfile.TemporaryDirectory() as folder:
        configure(folder)
        port = house.free_port()
        with open(os.path.join(folder, "errors"), "wb") as errors:
            process = subprocess.Popen(
                [tool, "-l", f"127.0.0.1:{port}", os.path.abspath(program), "--config",
                 os.path.join(folder, "config.json")],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, cwd=folder)
        try:
            def token():
                try:
                    return login(port)
                except OSError:
                    return None
            token = house.until(token, "an activation")
            answer = house.ask(f"http://127.0.0.1:{port}{RESOURCE}", token=token)
            expect((answer.status, answer.body) == (200, USER), f"{answer.status}")
            process.send_signal(signal.SIGTERM)
            expect(process.wait(PATIENCE) == 0, "the server did not stop cleanly")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    print("systemd-socket-activate starts it")


def main():
    program = sys.argv[1]
    reserve(4)
    refuses(program)
    doors(program)
    tells(program)
    waits_for_the_next(program)
    activated(program)
    restarts(program, 30 if "--whole" in sys.argv else 3)


if __name__ == "__main__":
    main()
