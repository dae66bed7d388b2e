#!/usr/bin/env python3
"""The server under small limits: attack_limits.py PROGRAM [--whole]

Under any number of threads (RLIMIT_NPROC, pids.max), descriptors (RLIMIT_NOFILE) and any size of memory
(RLIMIT_AS) the program either serves or exits with a message within 5 seconds. One that serves responses
a health check and a login. SIGTERM ends it within `drain_timeout` and a second, though a client keeps a
request unfinished. A second SIGTERM ends it at once, with the log written to its end.

With --whole the values are dense. As root, processes that are limited in threads run as another user,
because the limit does not hold for root.
"""

import concurrent.futures
import contextlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

START = 5
DRAIN = 1.0
# What the machine may add to a time that is measured from outside.
TOLERANCE = 0.5
USERS = range(61234, 61242)
# The dynamic linker says this where the limit is too small for the program to begin.
NOT_BEGUN = re.compile("error while loading shared libraries|cannot enable executable stack")

SHORT = {
    "threads": [1, 2, 3, 4, 6, 10, 14, 15, 16, 17, 18, 19, 20, 26, 30, 32, 40, 64],
    "memory": [16, 64, 80, 100, 128, 150, 192, 256, 320, 400, 512, 600, 700, 1024, 4096],
    "descriptors": [3, 4, 5, 8, 16, 64, 100, 200, 232, 240, 300, 600, 1024, 4096],
}
WHOLE = {
    "threads": [*range(1, 64), 80, 100, 200],
    "memory": [*range(8, 800, 8), 1000, 1500, 2000, 4096],
    "descriptors": [*range(3, 300, 3), *range(300, 1300, 50), 4096, 20000],
}
KINDS = {"threads": resource.RLIMIT_NPROC, "memory": resource.RLIMIT_AS,
         "descriptors": resource.RLIMIT_NOFILE}
FAILURES = []


def expect(condition, what):
    """Notes a failure; the other cases are still tried."""
    if not condition:
        FAILURES.append(what)
        print(f"FAILED: {what}", flush=True)


class Case:
    """One start of the program under a limit."""

    def __init__(self, program, folder, user, limit=None, workers=0):
        self.folder = folder
        self.user = user
        self.limit = limit
        settings = {
            "server": {"port": 0, "workers": workers, "drain_timeout": f"{int(DRAIN)}s"},
            "login": {"mode": "demo"},
            "token": {"keys": [{"id": "k", "secret": "a key of the scripts under Tests, 32 bytes"}]},
            "admin": {"socket": None, "metrics": None},
            "log": {"file": {"path": "app.log"}, "stderr": {"level": "CRITICAL"}},
        }
        path = os.path.join(folder, "config.json")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(settings, file)
        self.errors = os.path.join(folder, "errors")
        with open(self.errors, "wb"):
            pass
        if user is not None:
            for name in (folder, path, self.errors):
                os.chown(name, user, user)
        self.arguments = [program, "--config", path]
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith("GATESERVER_")}
        with open(self.errors, "wb") as file:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                self.arguments, cwd=folder, stdin=subprocess.DEVNULL, stdout=file,
                stderr=file, preexec_fn=self.prepare, env=self.environment)

    def prepare(self):
        if self.user is not None:
            os.setgroups([])
            os.setgid(self.user)
        if self.limit is not None:
            kind, value = self.limit
            resource.setrlimit(kind, (value, value))
        if self.user is not None:
            os.setuid(self.user)

    def said(self):
        with open(self.errors, encoding="utf-8", errors="replace") as file:
            return file.read()

    def url(self):
        """Where it listens; None if it has ended, or says nothing in time."""
        end = time.monotonic() + START
        while time.monotonic() < end:
            if found := re.search(r"listening on http://127.0.0.1:(\d+)\n", self.said()):
                return int(found.group(1))
            if self.process.poll() is not None:
                return None
            time.sleep(0.02)
        return None

    def check(self):
        """What `check` says under the same limit, as an exit code and a text."""
        done = subprocess.run(
            [*self.arguments, "check"], cwd=self.folder, stdin=subprocess.DEVNULL, text=True,
            capture_output=True, preexec_fn=self.prepare, env=self.environment, timeout=START,
            check=False)
        return done.returncode, done.stdout + done.stderr

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def send_request(port, request):
    with socket.create_connection(("127.0.0.1", port), START) as connection:
        connection.sendall(request)
        response = b""
        while piece := connection.recv(4096):
            response += piece
    return response.split(b" ", 2)[1].decode() if response else "nothing"


LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
BODY = b'{"user_id":1}'
LOGIN = (b"POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json"
         b"\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)


def check(case, name):
    """Checks one start against the rules at the top of this file; returns its outcome."""
    port = case.url()
    if port is None:
        code = case.process.poll()
        said = case.said()
        if code is None:
            expect(False, f"{name}: neither serves nor ends within {START} s: {said!r}")
            return "hangs"
        if NOT_BEGUN.search(said) or code == -signal.SIGKILL and not said:
            return "does not begin"
        expect(code == 71 and said.startswith("gatehouse: "), f"{name}: exit {code}, {said!r}")
        return "says why"
    for what, request in (("health", LIVE), ("login", LOGIN)):
        try:
            status = send_request(port, request)
        except OSError as error:
            status = repr(error)
        expect(status == "200", f"{name}: {what} is {status}")
    with socket.create_connection(("127.0.0.1", port), START) as unfinished:
        unfinished.sendall(b"GET /health/live HTTP/1.1\r\nHo")
        time.sleep(0.05)
        began = time.monotonic()
        case.process.send_signal(signal.SIGTERM)
        try:
            code = case.process.wait(DRAIN + 10)
        except subprocess.TimeoutExpired:
            code = None
        took = time.monotonic() - began
    expect(code == 0 and took <= DRAIN + 1 + TOLERANCE,
           f"{name}: SIGTERM: exit {code} after {took:.1f} s: {case.said()!r}")
    return "serves"


def agree(case, outcome, name):
    """`check` is of the same opinion as the start."""
    wanted = {"serves": 0, "says why": 71}.get(outcome)
    code, said = case.check()
    expect(wanted in (None, code), f"{name}: {outcome}, and check: exit {code}, {said!r}")


def sweep(program, parent, kind, values):
    """All values of a limit, several at a time, each as a user of its own."""
    is_root = os.getuid() == 0
    unit = 1 << 20 if kind == "memory" else 1
    users = list(USERS) if is_root else [None]

    def run(lane):
        outcomes = []
        for value in values[lane::len(users)]:
            with tempfile.TemporaryDirectory(dir=parent) as folder:
                case = Case(program, folder, users[lane], (KINDS[kind], value * unit))
                try:
                    outcomes.append((value, check(case, f"{kind} {value}")))
                finally:
                    case.end()
                agree(case, outcomes[-1][1], f"{kind} {value}")
        return outcomes

    with concurrent.futures.ThreadPoolExecutor(len(users)) as pool:
        outcomes = sorted(sum(pool.map(run, range(len(users))), []))
    counts = {}
    for value, outcome in outcomes:
        counts.setdefault(outcome, []).append(value)
    print(f"{kind}: " + "; ".join(
        f"{outcome} with {', '.join(map(str, found)) if len(found) < 9 else f'{found[0]} to {found[-1]}'}"
        for outcome, found in counts.items()), flush=True)
    expect("serves" in counts, f"{kind}: serves with none")


@contextlib.contextmanager
def control_group():
    """A control group of our own whose number of tasks can be limited; None if there is none."""
    path = f"/sys/fs/cgroup/gatehouse-limits-{os.getpid()}"
    try:
        os.mkdir(path)
        with open(os.path.join(path, "pids.max"), "r+", encoding="ascii") as file:
            file.write("max")
    except OSError:
        with contextlib.suppress(OSError):
            os.rmdir(path)
        yield None
        return
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            os.rmdir(path)


def limited_tasks(program, parent, values):
    with control_group() as group:
        if group is None:
            print("pids.max: no control group can be made here; not tried", flush=True)
            return
        for value in values:
            with tempfile.TemporaryDirectory(dir=parent) as folder:
                with open(os.path.join(group, "pids.max"), "w", encoding="ascii") as file:
                    file.write(str(value))

                class Grouped(Case):
                    def prepare(self):
                        with open(os.path.join(group, "cgroup.procs"), "w",
                                  encoding="ascii") as file:
                            file.write("0")

                case = Grouped(program, folder, None)
                try:
                    print(f"pids.max {value}: {check(case, f'pids.max {value}')}", flush=True)
                finally:
                    case.end()


def chosen(program, parent):
    """What an operator has chosen is refused by name if it does not fit."""
    is_root = os.getuid() == 0
    user = USERS[0] if is_root else None
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        case = Case(program, folder, user, (resource.RLIMIT_NPROC, 40), workers=64)
        try:
            case.process.wait(START)
            said = case.said()
            expect(case.process.returncode == 71 and "server.workers: 64 workers need" in said,
                   f"64 workers with 40 threads: exit {case.process.returncode}, {said!r}")
        finally:
            case.end()
    print("chosen workers that do not fit are refused by name", flush=True)


def twice(program, parent):
    """A second signal ends the drain at once, and the log has its end."""
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        case = Case(program, folder, None)
        try:
            with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
                expect("drain_timeout" in file.read(), "the configuration has a drain timeout")
            port = case.url()
            expect(port is not None, f"does not start: {case.said()!r}")
            with socket.create_connection(("127.0.0.1", port), START) as unfinished:
                unfinished.sendall(b"GET /health/live HTTP/1.1\r\nHo")
                time.sleep(0.05)
                case.process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
                expect(case.process.poll() is None, "it does not wait for the unfinished request")
                began = time.monotonic()
                case.process.send_signal(signal.SIGINT)
                code = case.process.wait(DRAIN + 10)
                took = time.monotonic() - began
            expect(code == 0 and took < DRAIN - 0.3, f"second signal: exit {code}, {took:.2f} s")
            with open(os.path.join(folder, "app.log"), encoding="utf-8") as file:
                lines = file.read().splitlines()
            expect("sys_shutdown" in lines[-2] and "clean=false" in lines[-2],
                   f"the log ends with {lines[-2:]}")
            expect("log_seal" in lines[-1], f"the log ends with {lines[-1]}")
        finally:
            case.end()
    print(f"a second signal ends the drain after {took * 1000:.0f} ms", flush=True)


def main():
    program = os.path.abspath(sys.argv[1])
    values = WHOLE if "--whole" in sys.argv else SHORT
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o755)
        # Where other users may run it.
        copy = os.path.join(parent, "gatehouse")
        shutil.copy(program, copy)
        os.chmod(copy, 0o755)
        twice(copy, parent)
        chosen(copy, parent)
        for kind, numbers in values.items():
            sweep(copy, parent, kind, numbers)
        limited_tasks(copy, parent, [4, 12, 20, 40] if values is SHORT else range(2, 60, 2))
    if FAILURES:
        sys.exit(f"{len(FAILURES)} checks failed")


if __name__ == "__main__":
    main()
