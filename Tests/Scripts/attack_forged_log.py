"""Forges the logs of a server without having the key: what no server wrote is never proven.

    python3 attack_forged_log.py GATEHOUSE [--whole]

Each case starts a server in a folder of its own, changes the log's folder as a process of the same
account could, and runs `gatehouse log verify`. A case is good if the forged line is in no file that
a verification calls intact: exit code 1, or 3 with the file and the line by name. Cases that an
operator or logrotate(8) may cause must stay intact.
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
    """A server with both logs, and a folder for it."""

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
        wait_until(self.is_up, "a server")

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

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(20)
        RUNNING_PROCESSES.discard(self.process)

    def look(self):
        """Long enough for the server to look at its files, and to seal."""
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
    """A seal of a key of the attacker's own, that goes on from the last one."""
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


# What is put behind or in the place of the log's lines.
FORGERIES = {
    "lines": lambda case, log: FORGED,
    "without a line end": lambda case, log: FORGED[:-1],
    "behind an opening": lambda case, log: OPENING + FORGED,
    "behind a rotation": lambda case, log: ROTATION.format(log + ".000001") + FORGED,
    "behind a retention": lambda case, log: (
        "2026-11-29T03:00:00.000Z | INFO | log | log_retention n=1 "
        f"file={log}.000001 sequence=1 reason=count\n" + FORGED),
    "with a seal of another key": lambda case, log: FORGED + foreign_seal(case, log, FORGED),
    "with our last seal": lambda case, log: FORGED + case.last_seal(log) + "\n",
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


def older(case, log, text):
    """The log as it was at its first seal, and forged lines behind that."""
    lines = case.read(log).splitlines(keepends=True)
    end = next(i for i, line in enumerate(lines) if " log_seal " in line) + 1
    replace(case, log, "".join(lines[:end]) + text)


WAYS = {"appended": append, "in its place": replace, "in its place, the log moved":
        move_and_replace, "a copy of the log and": copy_and_add, "written over it": overwrite,
        "written over it, longer": overwrite_longer, "through a hard link": hard_link,
        "an older log and": older}


def attack(gatehouse, moment, log, way, forgery):
    with tempfile.TemporaryDirectory() as folder:
        case = Case(gatehouse, folder)
        case.start()
        case.login()
        case.look()
        if not os.path.exists(case.path(log)):
            case.end()
            return None
        if moment == "killed":
            case.end(signal.SIGKILL)
        elif moment == "stopped":
            case.end()
        WAYS[way](case, log, FORGERIES[forgery](case, log))
        if moment == "running":
            case.look()
        else:
            case.start()
            case.look()
        case.end()
        code, report = case.verify()
        return judge(case, code, report)


def judge(case, code, report):
    """A sentence about what is wrong, or an empty one."""
    faults = report.get("faults", [])
    if code == 1:
        return "" if faults else "tampered, without a fault"
    # Lines that are in no file of the log need no name, and the others do.
    names = [file["name"] for file in report.get("files", [])]
    for name in names:
        for number, line in enumerate(case.read(name).splitlines(), 1):
            if MARK in line and not any(
                    fault["file"] == fault["last_file"] == name
                    and fault["line"] <= number <= fault["last_line"] for fault in faults):
                return f"exit {code}, and line {number} of {name} is not named"
    return "" if code == 3 else f"exit {code}"


# MARK: What must stay intact

def clean(case):
    case.start()
    case.look()
    case.end()


def logrotate_create(case):
    case.start()
    case.login()
    os.rename(case.path("app.log"), case.path("app.log.1"))
    with open(case.path("app.log"), "w", encoding="utf-8"):
        pass
    case.process.send_signal(signal.SIGHUP)
    case.look()
    case.end()


def logrotate_without_signal(case):
    case.start()
    case.login()
    os.rename(case.path("app.log"), case.path("app.log.1"))
    case.look()
    case.end()


def rotated_between(case):
    clean(case)
    os.rename(case.path("app.log"), case.path("app.log.1"))
    clean(case)


def restored(case):
    clean(case)
    shutil.copytree(os.path.join(case.folder, "logs"), os.path.join(case.folder, "backup"),
                    ignore=shutil.ignore_patterns("*.sock"))
    shutil.rmtree(os.path.join(case.folder, "logs"))
    os.rename(os.path.join(case.folder, "backup"), os.path.join(case.folder, "logs"))
    clean(case)


INTACT = {"two runs": lambda case: (clean(case), clean(case)), "logrotate, create":
          logrotate_create, "logrotate, no signal": logrotate_without_signal,
          "moved between two runs": rotated_between, "restored from a backup": restored}


def killed(gatehouse):
    """A server that was killed has lost no line, and those after its last seal are named."""
    with tempfile.TemporaryDirectory() as folder:
        case = Case(gatehouse, folder)
        case.start()
        case.look()
        for _ in range(5):
            case.login()
        case.end(signal.SIGKILL)
        before = case.read("app.log")
        clean(case)
        code, report = case.verify()
        if not case.read("app.log").startswith(before.rstrip("\n")):
            return "the start changed what the killed one wrote"
        named = [fault for fault in report["faults"] if fault["kind"] == "not proven"]
        isSealed = " log_seal " in before.splitlines()[-1]
        return "" if code == (0 if isSealed else 3) and bool(named) != isSealed else (
            f"exit {code}: {report['faults']}")


def main():
    gatehouse = os.path.abspath(sys.argv[1])
    whole = "--whole" in sys.argv[2:]
    cases = [(moment, log, way, forgery)
             for log in ("app.log", "audit.log") for moment in ("running", "stopped", "killed")
             for way in WAYS for forgery in FORGERIES]
    if not whole:
        # Each way and each forgery at one moment at least.
        usual = [("running", "in its place, the log moved", "lines"),
                 ("stopped", "appended", "with a seal of another key"),
                 ("killed", "in its place", "behind a rotation")]
        cases = [("app.log", *rest) for rest in usual] + [("audit.log", *usual[0])]
        cases = [(moment, log, way, forgery) for log, moment, way, forgery in cases]
    failures = 0

    def say(name, problem):
        nonlocal failures
        failures += bool(problem)
        print(f"{'FAILED' if problem else 'good'}: {name}{': ' + problem if problem else ''}",
              flush=True)

    # A case waits most of its time.
    with concurrent.futures.ThreadPoolExecutor(6 if whole else 2) as pool:
        done = pool.map(lambda case: attack(gatehouse, *case), cases)
        for (moment, log, way, forgery), problem in zip(cases, done):
            if problem is not None:
                say(f"{log}, {moment}: {way} {forgery}", problem)
    for name, run in list(INTACT.items())[:None if whole else 2]:
        with tempfile.TemporaryDirectory() as folder:
            case = Case(gatehouse, folder)
            run(case)
            code, report = case.verify()
            say(f"intact: {name}", "" if code == 0 else f"exit {code}: {report}")
    say("killed: no line is lost, and those that are not proven are named", killed(gatehouse))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
