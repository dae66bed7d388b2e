#!/usr/bin/env python3
"""Restarts a server under load as systemd does: no request fails.

    python3 restart.py GATEHOUSE            three restarts, in about 15 s
    python3 restart.py GATEHOUSE --whole    thirty restarts

This script replaces systemd: it owns the listening socket, passes it to one process after
the other (LISTEN_FDS), and reads their notifications (NOTIFY_SOCKET). If `systemd-socket-activate`
(Debian: systemd) is installed, it passes the socket in one more test.
"""

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

from server import KEY, TIMEOUT, expect, free_port, http_request, wait_until

# A server that stops still answers connections that are idle for up to half a second. If the
# machine paused a client for longer, the failure of this client does not count.
MAXIMUM_IDLE = 0.3
RESOURCE = "/resource"
USER = b'{"user":{"id":1,"name":"Alice"}}'


def reserve(count):
    """Opens descriptors up to the third and `count` more, so that dup2 can replace these later."""
    while os.open("/dev/null", os.O_RDONLY) < 3 + count:
        pass


class Supervisor:
    """Replaces systemd: owns the sockets, starts the server, and receives its notifications."""

    def __init__(self, program, folder, sockets, names=None, abstract=False, **settings):
        self.command = [os.path.abspath(program), "--config", os.path.join(folder, "config.json")]
        self.folder = folder
        self.names = names
        self.settings = settings
        for index, listener in enumerate(sockets):
            os.dup2(listener.fileno(), 3 + index)
        self.count = len(sockets)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.settimeout(TIMEOUT)
        path = f"\0gatehouse-{os.getpid()}" if abstract else os.path.join(folder, "notify")
        self.notify.bind(path)
        self.path = path.replace("\0", "@")
        self.process = None

    def start(self, **variables):
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("GATESERVER_")}
        environment |= {"LISTEN_FDS": str(self.count), "NOTIFY_SOCKET": self.path}
        if self.names:
            environment["LISTEN_FDNAMES"] = ":".join(self.names)
        environment |= self.settings | variables
        # The program has the shell's process id: exec keeps it.
        with open(os.path.join(self.folder, "stderr"), "ab") as errors:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *self.command],
                cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=errors,
                stderr=errors, pass_fds=range(3, 3 + self.count))

    def receive_message(self):
        """The next message that is not from the watchdog, as a dictionary."""
        while True:
            message = dict(line.split("=", 1) for line in self.receive().splitlines())
            if "WATCHDOG" not in message:
                return message

    def receive(self):
        try:
            return self.notify.recv(4096).decode()
        except TimeoutError:
            raise SystemExit(f"FAILED: no notification for {TIMEOUT} s") from None

    def wait_until_ready(self):
        message = self.receive_message()
        expect(message.get("READY") == "1", f"{message} in place of READY=1")
        return message

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        message = self.receive_message()
        expect(message.get("STOPPING") == "1", f"{message} in place of STOPPING=1")
        expect(int(message["EXTEND_TIMEOUT_USEC"]) > 10_000_000,
               f"EXTEND_TIMEOUT_USEC in {message}")
        expect(self.process.wait(TIMEOUT) == 0, "the server did not stop with exit code 0")

    def close(self):
        self.notify.close()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def configure(folder, **sections):
    settings = {
        "server": {"host": "127.0.0.1", "port": 0, "workers": 2},
        "login": {"mode": "demo"},
        "token": {"keys": [{"id": "first", "secret": KEY}], "issuer": None},
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
    """Clients that send requests all the time, with pauses of different lengths, and count the
    outcomes."""

    def __init__(self, port, token):
        self.port = port
        self.fields = {"Authorization": f"Bearer {token}"}
        self.on_kept_connections = 0  # Responses.
        self.on_new_connections = 0
        self.with_close = 0
        self.late = 0  # Requests on connections that were idle for too long.
        self.failures = []
        self.longest = 0
        self.lock = threading.Lock()
        self.is_over = threading.Event()
        # Whether a client keeps its connection, and its pause in seconds.
        clients = ([(True, 0.002)] * 3 + [(True, pause) for pause in (0.05, 0.11, 0.19, 0.23)]
                   + [(False, 0.005)] * 3)
        self.threads = [threading.Thread(target=self.run, args=client, daemon=True)
                        for client in clients]
        for thread in self.threads:
            thread.start()

    def run(self, keeps, pause):
        connection, idle_since = None, 0
        while not self.is_over.is_set():
            began = time.monotonic()
            is_kept = connection is not None
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
            try:
                connection.request("GET", RESOURCE, headers=self.fields)
                response = connection.getresponse()
                body = response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                connection = None
                is_late = is_kept and began - idle_since > MAXIMUM_IDLE
                self.count_failure(f"{'a kept' if is_kept else 'a new'} connection: {error!r}",
                                   is_late)
                continue
            idle_since = time.monotonic()
            closes = response.getheader("Connection") == "close"
            with self.lock:
                self.longest = max(self.longest, idle_since - began)
                self.on_kept_connections += keeps
                self.on_new_connections += not keeps
                self.with_close += closes
                if (response.status, body) != (200, USER):
                    self.failures.append(f"{response.status} {body}")
            if closes or not keeps:
                connection.close()
                connection = None
            self.is_over.wait(pause)

    def count_failure(self, failure, is_late):
        with self.lock:
            if is_late:
                self.late += 1
            else:
                self.failures.append(failure)

    def end(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        expect(not self.failures, f"{len(self.failures)} requests failed: {self.failures[:5]}")


def check_restarts(program, count):
    """Restarts as `systemctl restart` does: the old process ends before the new one starts."""
    with tempfile.TemporaryDirectory() as folder, listening_socket() as listener:
        configure(folder)
        port = listener.getsockname()[1]
        supervisor = Supervisor(program, folder, [listener])
        load = None
        try:
            supervisor.start()
            message = supervisor.wait_until_ready()
            expect(message["STATUS"] == f"Listening on http://127.0.0.1:{port}", f"{message}")
            load = Load(port, login(port))
            times = []
            for _ in range(count):
                time.sleep(1)
                began = time.monotonic()
                supervisor.stop()
                ended = time.monotonic()
                supervisor.start()
                supervisor.wait_until_ready()
                times.append((ended - began, time.monotonic() - ended))
            time.sleep(1)
            load.end()
            supervisor.stop()
        finally:
            if load:
                load.is_over.set()
            supervisor.close()
        answered = load.on_kept_connections + load.on_new_connections
        expect(load.on_kept_connections > 100 and load.on_new_connections > 100,
               f"only {load.on_kept_connections} and {load.on_new_connections} requests")
        expect(load.with_close > 0, "no response had Connection: close")
        with open(os.path.join(folder, "app.log"), encoding="utf-8") as file:
            verified = file.read().count("authn_token_verified")
        # A late request may have been read, and its response lost.
        expect(answered <= verified <= answered + load.late,
               f"{answered} requests were answered, and {verified} are in the log")
        done = subprocess.run(
            [supervisor.command[0], "log", "verify", "--config", "config.json"], cwd=folder,
            capture_output=True, timeout=TIMEOUT, check=False)
        expect(done.returncode == 0, f"the log: {done.stdout.decode()}")
        stop, start = (max(column) for column in zip(*times))
        print(f"{count} restarts: {answered} requests, none failed, {load.late} late; "
              f"longest {load.longest:.2f} s; stop at most {stop:.2f} s, start {start:.2f} s")


def login(port):
    response = http_request(f"http://127.0.0.1:{port}/login", "POST", json_body={"user_id": 1})
    expect(response.status == 200, f"login: {response.status}")
    return response.json["token"]


def check_waiting_connection(program):
    """A client that connects while no process runs is served by the next one."""
    with tempfile.TemporaryDirectory() as folder, listening_socket() as listener:
        configure(folder)
        supervisor = Supervisor(program, folder, [listener], abstract=True)
        try:
            supervisor.start()
            supervisor.wait_until_ready()
            supervisor.stop()
            with socket.create_connection(listener.getsockname(), TIMEOUT) as client:
                client.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                supervisor.start()
                supervisor.wait_until_ready()
                expect(client.recv(4096).startswith(b"HTTP/1.1 200 "),
                       "the waiting client was not served")
            supervisor.stop()
        finally:
            supervisor.close()
    print("a client that connects between two processes is served by the second")


def check_notifications(program):
    """Checks the notifications: reloads with their time and outcome, and the watchdog."""
    with tempfile.TemporaryDirectory() as folder, listening_socket() as listener:
        configure(folder)
        supervisor = Supervisor(program, folder, [listener], WATCHDOG_USEC="400000")
        try:
            supervisor.start()
            supervisor.wait_until_ready()
            cases = [({}, False), ({"server": {"port": "eighty"}}, True), ({}, False)]
            for sections, fails in cases:
                configure(folder, **sections)
                before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                supervisor.process.send_signal(signal.SIGHUP)
                message = supervisor.receive_message()
                expect(message.get("RELOADING") == "1", f"{message} after SIGHUP")
                moment = int(message["MONOTONIC_USEC"])
                after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                expect(before <= moment <= after,
                       f"MONOTONIC_USEC is {moment}, not from {before} to {after}")
                status = supervisor.wait_until_ready()["STATUS"]
                expect(("failed" in status) == fails, f"after a reload: {status}")
            for _ in range(3):
                while "WATCHDOG=1" not in supervisor.receive():
                    pass
            # WATCHDOG_PID names another process.
            supervisor.stop()
            supervisor.start(WATCHDOG_PID="1")
            supervisor.wait_until_ready()
            supervisor.notify.settimeout(1)
            try:
                raise SystemExit(f"FAILED: unexpected: {supervisor.notify.recv(4096)}")
            except TimeoutError:
                supervisor.notify.settimeout(TIMEOUT)
            supervisor.stop()
        finally:
            supervisor.close()
    print("notifications of reloads and of the watchdog are as expected")


def check_named_sockets(program):
    """Several sockets, each used according to its name. Configured addresses are not bound."""
    with tempfile.TemporaryDirectory() as folder:
        first = listening_socket(reuse_port=True)
        port = first.getsockname()[1]
        second = listening_socket(reuse_port=True, port=port)
        metrics = listening_socket()
        admin = socket.socket(socket.AF_UNIX)
        path = os.path.join(folder, "passed.sock")
        admin.bind(path)
        os.chmod(path, 0o600)
        admin.listen()
        occupied = listening_socket()
        configure(folder, server={"port": occupied.getsockname()[1], "workers": 2},
                  admin={"socket": None, "metrics": None})
        supervisor = Supervisor(program, folder, [first, second, metrics, admin],
                                names=["gatehouse.socket", "gatehouse.socket", "metrics", "admin"])
        try:
            supervisor.start()
            supervisor.wait_until_ready()
            # The kernel assigns each connection to one of the two sockets.
            for _ in range(20):
                response = http_request(f"http://127.0.0.1:{port}/health/ready")
                expect(response.status == 200, f"{response.status}")
            page = http_request(f"http://127.0.0.1:{metrics.getsockname()[1]}/metrics")
            expect(b"gatehouse_" in page.body, f"metrics: {page.status}")
            configure(folder, admin={"socket": path, "metrics": None})
            done = subprocess.run(
                [os.path.abspath(program), "reload", "--config", "config.json"], cwd=folder,
                capture_output=True, timeout=TIMEOUT, check=False)
            expect(done.returncode == 0, f"reload: {done.stderr.decode()}")
            expect("RELOADING" in supervisor.receive_message(), "no notification of the reload")
            supervisor.wait_until_ready()
            supervisor.stop()
            expect(os.path.exists(path), f"{path}: removed, although it belongs to systemd")
        finally:
            supervisor.close()
            for each in (first, second, metrics, admin, occupied):
                each.close()
        with open(os.path.join(folder, "stderr"), encoding="utf-8") as file:
            stderr_text = file.read()
        expect(re.search(r"key=server.host reason=.*is not used", stderr_text),
               f"no warning: {stderr_text}")
    print("sockets are used according to their names")


def check_refusals(program):
    """A socket that cannot be served makes the start fail, with a message and exit code 78."""
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    not_listening = socket.socket()
    not_listening.bind(("127.0.0.1", 0))
    everywhere = listening_socket("0.0.0.0")
    usable = listening_socket()
    with tempfile.TemporaryFile() as file, tempfile.TemporaryDirectory() as folder:
        configure(folder)
        cases = [
            (datagrams, {}, "does not accept connections"),
            (not_listening, {}, "does not accept connections"),
            (file, {}, "is not a socket"), (everywhere, {}, "demo mode listens on 127.0.0.1"),
            (usable, {"LISTEN_FDS": "one"}, "is not a number from 0 to 1024"),
            (usable, {"LISTEN_FDS": "4"}, "is not open"),
            (usable, {"LISTEN_FDNAMES": "a:b"}, "does not have as many names"),
            (usable, {"LISTEN_FDNAMES": "admin"}, "is not a Unix domain socket"),
            (everywhere, {"LISTEN_FDNAMES": "metrics"}, "not on a loopback address"),
            (usable, {"LISTEN_FDNAMES": "metric"},
             'unknown name "metric"; write FileDescriptorName=admin or metrics'),
        ]
        for passed, variables, sentence in cases:
            supervisor = Supervisor(program, folder, [passed])
            try:
                open(os.path.join(folder, "stderr"), "wb").close()
                supervisor.start(**variables)
                expect(supervisor.process.wait(TIMEOUT) == 78,
                       f"{variables} {sentence}: {supervisor.process.returncode}")
            finally:
                supervisor.close()
                os.remove(supervisor.path)
            with open(os.path.join(folder, "stderr"), encoding="utf-8") as errors:
                stderr_text = errors.read()
            expect(sentence in stderr_text and stderr_text.count("\n") == 1,
                   f"{sentence}: not in {stderr_text!r}")
    for each in (datagrams, not_listening, everywhere, usable):
        each.close()
    print(f"{len(cases)} kinds of unusable sockets are refused")


def check_socket_activate(program):
    """systemd's own tool passes the socket to the server."""
    tool = shutil.which("systemd-socket-activate")
    if not tool:
        return print("systemd-socket-activate is not installed: skipped")
    with tempfile.TemporaryDirectory() as folder:
        configure(folder)
        port = free_port()
        with open(os.path.join(folder, "stderr"), "wb") as errors:
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
            token = wait_until(token, "the activation of the server")
            response = http_request(f"http://127.0.0.1:{port}{RESOURCE}", token=token)
            expect((response.status, response.body) == (200, USER), f"{response.status}")
            process.send_signal(signal.SIGTERM)
            expect(process.wait(TIMEOUT) == 0, "the server did not stop with exit code 0")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    print("a server started by systemd-socket-activate serves and stops")


def main():
    program = sys.argv[1]
    reserve(4)
    check_refusals(program)
    check_named_sockets(program)
    check_notifications(program)
    check_waiting_connection(program)
    check_socket_activate(program)
    check_restarts(program, 30 if "--whole" in sys.argv else 3)


if __name__ == "__main__":
    main()
