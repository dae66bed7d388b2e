"""Forges the logs of a server without the key. A forged line must never be reported as proven.

    python3 attack_forged_log.py GATEHOUSE [--whole]

Each case starts a server in a folder of its own, changes the log's folder as a process of the same
account could, and runs `gatehouse log verify`. A case passes if no file that contains the forged
line is reported as intact: exit code 1, or exit code 3 with the file and the line in the report.
"""

import concurrent.futures
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

from server import RUNNING_PROCESSES, expect, free_port, wait_until

MARK = "203.0.113.66"
FORGED = ("2026-11-29T03:00:00.000Z | INFO | security | authn_login_success user=2 "
          f"ip={MARK} rid=c1f4ce4a8f2ce0cb\n")
OPENING = "2026-11-29T03:00:00.000Z | INFO | log | log_open file=app.log\n"
ROTATION = "2026-11-29T03:00:00.000Z | INFO | log | log_rotate file={} reason=size\n"


class Case:
    """A server with both logs, in a folder of its own."""

    def __init__(self, gatehouse, folder):
        self.gatehouse, self.folder = gatehouse, folder
        self.port = free_port()
        self.process = None
        key = subprocess.run([gatehouse, "secret"], capture_output=True, check=True).stdout
        self.write("token.key", key)
        self.write("config.json", json.dumps({
            "server": {"host": "127.0.0.1", "port": self.port, "workers": 1},
            "token": {"keys": [{"id": "k1", "secret_file": "token.key"}]},
            "login": {"mode": "demo"},
            "log": {"file": {"path": "logs/app.log"}, "stderr": {"level": "CRITICAL"},
                    "seal_interval": "100ms"}}).encode())

    def write(self, name, data):
        with open(os.path.join(self.folder, name), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(data)

    def path(self, name):
        return os.path.join(self.folder, "logs", name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def start(self):
        self.process = subprocess.Popen(
            [self.gatehouse, "--config", os.path.join(self.folder, "config.json")],
            stderr=subprocess.DEVNULL)
        RUNNING_PROCESSES.add(self.process)
        wait_until(self.is_up, "the start of a server")

    def is_up(self):
        expect(self.process.poll() is None, "the server did not start")
        try:
            self.request("/health/live")
            return True
        except OSError:
            return None

    def request(self, path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", body,
            {"Content-Type": "application/json"} if body else {})
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.read()

    def login(self):
        self.request("/login", b'{"user_id":1}')

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(20)
        RUNNING_PROCESSES.discard(self.process)

    def wait_for_seal(self):
        """Waits until the server has checked its files and written a seal."""
        time.sleep(1.3)
        self.login()
        time.sleep(0.3)

    def verify(self):
        done = subprocess.run(
            [self.gatehouse, "log", "verify", "--json", "--config",
             os.path.join(self.folder, "config.json")], capture_output=True, check=False)
        return done.returncode, json.loads(done.stdout or b"{}")

    def last_seal(self, log):
        return [line for line in self.read(log).splitlines() if " log_seal " in line][-1]


def foreign_seal(case, log, lines):
    """A seal with the attacker's own key, which continues the chain of the last seal."""
    last = case.last_seal(log)
    sequence = int(re.search(r"sequence=(\d+)", last).group(1)) + 1
    previous = re.search(r"mac=([0-9a-f]{64})", last).group(1)
    count = lines.count("\n")
    head = (f"2026-11-29T03:00:01.000Z | INFO | log | log_seal sequence={sequence} n={count} "
            f"sum={0:016x} reason=interval key=deadbeef previous={previous}")
    digest = hashlib.sha256((lines + head).encode()).digest()
    code = hmac.new(b"attacker", bytes.fromhex(previous) + sequence.to_bytes(8, "big") + digest,
                    "sha256").hexdigest()
    return f"{head} mac={code}\n"


# The text that is written after the log's lines, or instead of them.
FORGERIES = {
    "lines": lambda case, log: FORGED,
    "without a line feed": lambda case, log: FORGED[:-1],
    "after a log_open": lambda case, log: OPENING + FORGED,
    "after a log_rotate": lambda case, log: ROTATION.format(log + ".000001") + FORGED,
    "after a log_retention": lambda case, log: (
        "2026-11-29T03:00:00.000Z | INFO | log | log_retention n=1 "
        f"file={log}.000001 sequence=1 reason=count\n" + FORGED),
    "with a seal of another key": lambda case, log: FORGED + foreign_seal(case, log, FORGED),
    "with a copy of the last seal": lambda case, log: FORGED + case.last_seal(log) + "\n",
}


def append(case, log, text):
    with open(case.path(log), "a", encoding="utf-8") as file:
        file.write(text)


def replace(case, log, text):
    with open(case.path("new"), "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(case.path("new"), case.path(log))


def move_and_replace(case, log, text):
    os.rename(case.path(log), case.path(log + ".000001"))
    replace(case, log, text)


def copy_and_add(case, log, text):
    replace(case, log, case.read(log) + text)


def overwrite(case, log, text):
    with open(case.path(log), "w", encoding="utf-8") as file:
        file.write(text)


def overwrite_longer(case, log, text):
    overwrite(case, log, text + FORGED * 50)


def hard_link(case, log, text):
    with open(case.path("other"), "w", encoding="utf-8") as file:
        file.write(text)
    os.unlink(case.path(log))
    os.link(case.path("other"), case.path(log))


def restore_older(case, log, text):
    """Replaces the log with its lines up to the first seal and the forged lines."""
    lines = case.read(log).splitlines(keepends=True)
    end = next(i for i, line in enumerate(lines) if " log_seal " in line) + 1
    replace(case, log, "".join(lines[:end]) + text)


WAYS = {"appended": append, "replaced": replace, "replaced after a rename": move_and_replace,
        "appended to a copy": copy_and_add, "overwritten": overwrite,
        "overwritten with more": overwrite_longer, "through a hard link": hard_link,
        "appended to an older log": restore_older}


def attack(gatehouse, moment, log, way, forgery):
    with tempfile.TemporaryDirectory() as folder:
        case = Case(gatehouse, folder)
        case.start()
        case.login()
        case.wait_for_seal()
        if not os.path.exists(case.path(log)):
            case.stop()
            return None
        if moment == "killed":
            case.stop(signal.SIGKILL)
        elif moment == "stopped":
            case.stop()
        WAYS[way](case, log, FORGERIES[forgery](case, log))
        if moment == "running":
            case.wait_for_seal()
        else:
            case.start()
            case.wait_for_seal()
        case.stop()
        code, report = case.verify()
        return find_problem(case, code, report)


def find_problem(case, code, report):
    """The problem with the result of a verification, or an empty text."""
    faults = report.get("faults", [])
    if code == 1:
        return "" if faults else "exit 1 without a fault"
    # The report must name every forged line in a file of the log. It need not name others.
    names = [file["name"] for file in report.get("files", [])]
    for name in names:
        for number, line in enumerate(case.read(name).splitlines(), 1):
            if MARK in line and not any(
                    fault["file"] == fault["last_file"] == name
                    and fault["line"] <= number <= fault["last_line"] for fault in faults):
                return f"exit {code}, and line {number} of {name} is not named"
    return "" if code == 3 else f"exit {code}"


# MARK: Changes that must leave the log intact

def run_server(case):
    case.start()
    case.wait_for_seal()
    case.stop()


def logrotate_create(case):
    case.start()
    case.login()
    os.rename(case.path("app.log"), case.path("app.log.1"))
    with open(case.path("app.log"), "w", encoding="utf-8"):
        pass
    case.process.send_signal(signal.SIGHUP)
    case.wait_for_seal()
    case.stop()


def logrotate_without_signal(case):
    case.start()
    case.login()
    os.rename(case.path("app.log"), case.path("app.log.1"))
    case.wait_for_seal()
    case.stop()


def rotated_between(case):
    run_server(case)
    os.rename(case.path("app.log"), case.path("app.log.1"))
    run_server(case)


def restored(case):
    run_server(case)
    shutil.copytree(os.path.join(case.folder, "logs"), os.path.join(case.folder, "backup"),
                    ignore=shutil.ignore_patterns("*.sock"))
    shutil.rmtree(os.path.join(case.folder, "logs"))
    os.rename(os.path.join(case.folder, "backup"), os.path.join(case.folder, "logs"))
    run_server(case)


INTACT = {"two runs": lambda case: (run_server(case), run_server(case)), "logrotate, create":
          logrotate_create, "logrotate, no signal": logrotate_without_signal,
          "moved between two runs": rotated_between, "restored from a backup": restored}


def find_problem_after_kill(gatehouse):
    """After a kill no line is lost, and those after the last seal are reported as not proven."""
    with tempfile.TemporaryDirectory() as folder:
        case = Case(gatehouse, folder)
        case.start()
        case.wait_for_seal()
        for _ in range(5):
            case.login()
        case.stop(signal.SIGKILL)
        before = case.read("app.log")
        run_server(case)
        code, report = case.verify()
        if not case.read("app.log").startswith(before.rstrip("\n")):
            return "the next start changed lines of the killed server"
        named = [fault for fault in report["faults"] if fault["kind"] == "not proven"]
        is_sealed = " log_seal " in before.splitlines()[-1]
        return "" if code == (0 if is_sealed else 3) and bool(named) != is_sealed else (
            f"exit {code}: {report['faults']}")


def main():
    gatehouse = os.path.abspath(sys.argv[1])
    whole = "--whole" in sys.argv[2:]
    cases = [(moment, log, way, forgery)
             for log in ("app.log", "audit.log") for moment in ("running", "stopped", "killed")
             for way in WAYS for forgery in FORGERIES]
    if not whole:
        # One case for each moment and each log.
        cases = [("running", "app.log", "replaced after a rename", "lines"),
                 ("stopped", "app.log", "appended", "with a seal of another key"),
                 ("killed", "app.log", "replaced", "after a log_rotate"),
                 ("running", "audit.log", "replaced after a rename", "lines")]
    failures = 0

    def print_result(name, problem):
        nonlocal failures
        failures += bool(problem)
        print(f"{'FAILED' if problem else 'passed'}: {name}{': ' + problem if problem else ''}",
              flush=True)

    # Each case spends most of its time waiting.
    with concurrent.futures.ThreadPoolExecutor(6 if whole else 2) as pool:
        done = pool.map(lambda case: attack(gatehouse, *case), cases)
        for (moment, log, way, forgery), problem in zip(cases, done):
            if problem is not None:
                print_result(f"{log}, {moment}: {way} {forgery}", problem)
    for name, run in list(INTACT.items())[:None if whole else 2]:
        with tempfile.TemporaryDirectory() as folder:
            case = Case(gatehouse, folder)
            run(case)
            code, report = case.verify()
            print_result(f"intact: {name}", "" if code == 0 else f"exit {code}: {report}")
    print_result("killed: no line is lost, and the unproven ones are named",
                 find_problem_after_kill(gatehouse))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
