#!/usr/bin/env python3
"""Starts the server with small limits: attack_limits.py PROGRAM [--whole]

With any limit of threads (RLIMIT_NPROC, pids.max), descriptors (RLIMIT_NOFILE) and memory
(RLIMIT_AS) the program either serves or exits with a message within 5 seconds. A server that serves
answers a health check and a login. SIGTERM ends it within `drain_timeout` and a second, even if a
client has sent an unfinished request. A second SIGTERM ends it at once, with a complete log.

--whole tests more values. As root, processes with a limit of threads run as another user, because
the limit does not apply to root.
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
# Allowance for delays of the machine between the server and this script.
TOLERANCE = 0.5
USERS = range(61234, 61242)
# The messages of the dynamic linker if the limit is too small to start the program.
NOT_STARTED = re.compile("error while loading shared libraries|cannot enable executable stack")

FEW_VALUES = {
    "threads": [1, 2, 3, 4, 6, 10, 14, 15, 16, 17, 18, 19, 20, 26, 30, 32, 40, 64],
    "memory": [16, 64, 80, 100, 128, 150, 192, 256, 320, 400, 512, 600, 700, 1024, 4096],
    "descriptors": [3, 4, 5, 8, 16, 64, 100, 200, 232, 240, 300, 600, 1024, 4096],
}
MANY_VALUES = {
    "threads": [*range(1, 64), 80, 100, 200],
    "memory": [*range(8, 800, 8), 1000, 1500, 2000, 4096],
    "descriptors": [*range(3, 300, 3), *range(300, 1300, 50), 4096, 20000],
}
KINDS = {"threads": resource.RLIMIT_NPROC, "memory": resource.RLIMIT_AS,
         "descriptors": resource.RLIMIT_NOFILE}
FAILURES = []


def expect(condition, what):
    """Records a failure, and continues with the other cases."""
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
            "token": {"keys": [
                {"id": "k", "secret": "a key of the scripts under Tests, 32 bytes"}]},
            "admin": {"socket": None, "metrics": None},
            "log": {"file": {"path": "app.log"}, "stderr": {"level": "CRITICAL"}},
        }
        path = os.path.join(folder, "config.json")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(settings, file)
        self.stderr_path = os.path.join(folder, "stderr")
        with open(self.stderr_path, "wb"):
            pass
        if user is not None:
            for name in (folder, path, self.stderr_path):
                os.chown(name, user, user)
        self.arguments = [program, "--config", path]
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith("GATESERVER_")}
        with open(self.stderr_path, "wb") as file:
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

    def stderr_text(self):
        with open(self.stderr_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_for_port(self):
        """The port; None if the server has ended, or does not listen in time."""
        end = time.monotonic() + START
        while time.monotonic() < end:
            if found := re.search(r"listening on http://127.0.0.1:(\d+)\n", self.stderr_text()):
                return int(found.group(1))
            if self.process.poll() is not None:
                return None
            time.sleep(0.02)
        return None

    def check(self):
        """The exit code and the output of `check` with the same limit."""
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
LOGIN = (b"POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
         b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)


def check(case, name):
    """Checks that a start follows the rules at the top of this file. Returns its outcome."""
    port = case.wait_for_port()
    if port is None:
        code = case.process.poll()
        output = case.stderr_text()
        if code is None:
            expect(False, f"{name}: neither serves nor exits within {START} s: {output!r}")
            return "hangs"
        if NOT_STARTED.search(output) or code == -signal.SIGKILL and not output:
            return "is not started"
        expect(code == 71 and output.startswith("gatehouse: "), f"{name}: exit {code}, {output!r}")
        return "exits with a message"
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
           f"{name}: SIGTERM: exit {code} after {took:.1f} s: {case.stderr_text()!r}")
    return "serves"


def check_agreement(case, outcome, name):
    """`check` has the same result as the start."""
    expected = {"serves": 0, "exits with a message": 71}.get(outcome)
    code, output = case.check()
    expect(expected in (None, code), f"{name}: {outcome}, and check: exit {code}, {output!r}")


def sweep(program, parent, kind, values):
    """Tests all values of a limit, several at a time, each as a different user."""
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
                check_agreement(case, outcomes[-1][1], f"{kind} {value}")
        return outcomes

    with concurrent.futures.ThreadPoolExecutor(len(users)) as pool:
        outcomes = sorted(sum(pool.map(run, range(len(users))), []))
    counts = {}
    for value, outcome in outcomes:
        counts.setdefault(outcome, []).append(value)
    summaries = []
    for outcome, found in counts.items():
        few = ", ".join(map(str, found))
        summaries.append(
            f"{outcome} with {few if len(found) < 9 else f'{found[0]} to {found[-1]}'}")
    print(f"{kind}: " + "; ".join(summaries), flush=True)
    expect("serves" in counts, f"{kind}: no value with which the server serves")


@contextlib.contextmanager
def control_group():
    """Creates a control group to limit the number of tasks. Yields its path, or None."""
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
            print("pids.max: no control group can be created; skipped", flush=True)
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


def check_configured_workers(program, parent):
    """If the limit is too low for server.workers, the message names this key."""
    is_root = os.getuid() == 0
    user = USERS[0] if is_root else None
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        case = Case(program, folder, user, (resource.RLIMIT_NPROC, 40), workers=64)
        try:
            case.process.wait(START)
            output = case.stderr_text()
            expect(case.process.returncode == 71 and "server.workers: 64 workers need" in output,
                   f"64 workers with 40 threads: exit {case.process.returncode}, {output!r}")
        finally:
            case.end()
    print("configured workers that do not fit are refused by name", flush=True)


def check_second_signal(program, parent):
    """A second signal ends the drain at once, with a complete log."""
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        case = Case(program, folder, None)
        try:
            with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
                expect("drain_timeout" in file.read(), "the configuration has a drain timeout")
            port = case.wait_for_port()
            expect(port is not None, f"the server does not start: {case.stderr_text()!r}")
            with socket.create_connection(("127.0.0.1", port), START) as unfinished:
                unfinished.sendall(b"GET /health/live HTTP/1.1\r\nHo")
                time.sleep(0.05)
                case.process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
                expect(case.process.poll() is None,
                       "the server does not wait for the unfinished request")
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
    values = MANY_VALUES if "--whole" in sys.argv else FEW_VALUES
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o755)
        # A copy that other users may run.
        copy = os.path.join(parent, "gatehouse")
        shutil.copy(program, copy)
        os.chmod(copy, 0o755)
        check_second_signal(copy, parent)
        check_configured_workers(copy, parent)
        for kind, numbers in values.items():
            sweep(copy, parent, kind, numbers)
        limited_tasks(copy, parent, [4, 12, 20, 40] if values is FEW_VALUES else range(2, 60, 2))
    if FAILURES:
        sys.exit(f"{len(FAILURES)} checks failed")


if __name__ == "__main__":
    main()
