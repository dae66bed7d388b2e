"""Tries to remove evidence from the audit log by flooding it.

    python3 attack_log_flood.py GATEHOUSE [--whole]

Clients without credentials flood from one address, from an IPv6 /64, from a /48 and from many
networks (which a trusted proxy names), and one client floods with one token. Afterwards the audit
log must have the evidence from before the flood, stay within its budget in bytes, have every
refusal in a line or in a summary, and name every user whose password was guessed. `log verify` must
accept both logs.
"""

import glob
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time

from server import TIMEOUT, expect, serving

BURST, RATE = 1 << 20, 500
USER_BURST, USER_RATE = 256 << 10, 100
USERS = 48


def check(condition, fact):
    expect(condition, fact)
    print(f"ok: {fact}")


class Flood:
    """Sends requests of `make`, pipelined, on some connections for some seconds."""

    def __init__(self, url, make, seconds, connections=2):
        host, port = url.removeprefix("http://").rsplit(":", 1)
        self.address = (host, int(port))
        self.make = make
        self.end = time.monotonic() + seconds
        self.responses = 0
        self.lock = threading.Lock()
        threads = [threading.Thread(target=self.run) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def run(self):
        responses = 0
        while time.monotonic() < self.end:
            with socket.create_connection(self.address, timeout=TIMEOUT) as client:
                while time.monotonic() < self.end:
                    batch = [self.make() for _ in range(64)]
                    client.sendall(b"".join(batch))
                    found, rest = 0, b""
                    while found < len(batch):
                        data = client.recv(1 << 18)
                        if not data:
                            break
                        rest += data
                        found += rest.count(b"HTTP/1.1 ")
                        rest = rest[-8:] if not rest.endswith(b"HTTP/1.1 ") else b""
                    responses += found
                    if found < len(batch):
                        break
        with self.lock:
            self.responses += responses


def get(address=None, token=None):
    lines = ["GET /resource HTTP/1.1", "Host: flood"]
    if address:
        lines.append(f"X-Forwarded-For: {address}")
    if token:
        lines.append(f"Authorization: Bearer {token}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def random_groups(count):
    return ":".join(f"{random.getrandbits(16):x}" for _ in range(count))


def read(folder, name):
    """All lines of a log, from the oldest file to the newest."""
    paths = sorted(glob.glob(os.path.join(folder, name + ".0*"))) + [os.path.join(folder, name)]
    lines = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            lines += file.read().splitlines()
    return lines


def size(lines):
    """The bytes of lines in a file."""
    return sum(len(line.encode()) + 1 for line in lines)


def is_summary(line):
    return " suppressed=" in line


def is_budgeted(line):
    """Whether a line is a refusal of a client without credentials, or a summary of such."""
    return re.search(r" \| (authn_token_rejected|authn_login_fail|authn_login_lock|http_refused|"
                     r"authn_login_throttled) ", line) is not None


def count_events(lines, event):
    """The number of events with a name, according to lines and summaries."""
    total = 0
    for line in lines:
        if f" | {event} " in line:
            match = re.search(r" suppressed=(\d+)", line)
            total += int(match.group(1)) if match else 1
    return total


def guess_passwords(server):
    """Guesses one password for each account, as fast as the server accepts it."""
    statuses = []
    for number in range(2, USERS + 2):
        while True:
            response = server.request("/login", "POST", json_body={"user_id": number,
                                                                   "password": "Winter2026!"},
                                      headers={"X-Forwarded-For": "203.0.113.9"})
            if response.status != 503:
                break
            time.sleep(0.05)
        statuses.append(response.status)
    return statuses


def add_users(folder):
    """Adds users that share one hash to the users file, which is faster than `user add`."""
    path = os.path.join(folder, "users.json")
    with open(path, encoding="utf-8") as file:
        users = json.load(file)
    model = users["users"][0]
    for number in range(2, USERS + 2):
        users["users"].append({**model, "id": number, "username": f"u{number}"})
    with open(path, "w", encoding="utf-8") as file:
        json.dump(users, file)


def check_flood(program, seconds):
    # Small files: without a budget the flood would fill many files, and a lost line is noticed.
    log = {"file": {"path": "app.log", "max_size": "1MiB", "keep": 2},
           "audit": {"path": "audit.log", "max_size": "128KiB"},
           "stderr": {"level": "CRITICAL"}}
    with serving(program, [("u1", "Ursula", "correct horse battery staple")], log=log,
                 server={"trusted_proxies": ["127.0.0.1"]},
                 login={"max_attempts": 0}) as server:
        add_users(server.folder)
        os.kill(server.process.pid, signal.SIGHUP)
        began = time.time()
        time.sleep(1)
        token = server.login()
        evidence = [line for line in read(server.folder, "audit.log")
                    if "authn_login_success" in line or "authn_token_created" in line]
        check(len(evidence) == 2, "a login is in the audit log")
        refused, reused = flood(server, token, seconds)
        server.stop()
        duration = time.time() - began
        audit = read(server.folder, "audit.log")
        check_evidence(audit, evidence)
        check_budgets(audit, duration, len(glob.glob(os.path.join(server.folder, "audit.log*"))))
        check_counts(audit, refused, reused)
        for name in ["audit.log", "app.log"]:
            verify(program, server.folder, name)


def flood(server, token, seconds):
    """Floods from different networks and with different tokens. Ends the session of the token.
    Returns the number of refused requests, and that of requests with the revoked token."""
    floods = {
        "one address": lambda: get("198.51.100.7"),
        "a /64": lambda: get(f"2001:db8:1:2:{random_groups(4)}"),
        "a /48": lambda: get(f"2001:db8:2:{random_groups(5)}"),
        "many networks": lambda: get(f"2001:{random_groups(7)}"),
        "many IPv4 addresses": lambda: get(".".join(
            str(random.randrange(1, 255)) for _ in range(4))),
    }
    refused = 0
    for name, make in floods.items():
        responses = Flood(server.url, make, seconds).responses
        refused += responses
        print(f"    {responses} refused requests from {name}")
    statuses = guess_passwords(server)
    check(statuses.count(401) == USERS, f"one password was guessed for each of {USERS} accounts")
    accepted = Flood(server.url, lambda: get(token=token), seconds).responses
    print(f"    {accepted} requests with one token")
    forged = Flood(server.url, lambda: get(token=token[:-6] + "AAAAAA"), seconds).responses
    refused += forged
    print(f"    {forged} requests with a forged token")
    server.request("/logout", "POST", token=token)
    reused = Flood(server.url, lambda: get(token=token), seconds).responses
    print(f"    {reused} requests with a revoked token")
    return refused, reused


def check_evidence(audit, evidence):
    check(set(evidence) <= set(audit), "the login before the flood is still in the audit log")
    named = {int(match.group(1)) for line in audit
             if (match := re.search(r"authn_login_fail user=(\d+)", line))}
    check(named >= set(range(2, USERS + 2)), "each account with a guessed password is named")
    check(any("session_logout" in line for line in audit), "the logout is in the audit log")


def check_budgets(audit, duration, files):
    spent = size(line for line in audit if is_budgeted(line))
    allowed = BURST + RATE * duration
    check(spent <= allowed,
          f"{spent} bytes of clients without credentials are at most {allowed:.0f}")
    reuse = size(line for line in audit if " | authn_token_reuse " in line)
    check(reuse <= USER_BURST + USER_RATE * duration,
          f"{reuse} bytes of one token are at most the budget of a user")
    check(all(len(line.encode()) < 1024 for line in audit if is_budgeted(line)),
          "each of these lines is shorter than 1 KiB")
    seals = sum(" | log_seal " in line for line in audit)
    check(seals <= duration / 10 + 3 + 2 * files, f"{seals} seals in {duration:.0f} s")


def check_counts(audit, refused, reused):
    check(count_events(audit, "authn_token_rejected") == refused,
          f"the audit log has all {refused} refusals, in lines or summaries")
    check(count_events(audit, "authn_token_reuse") == reused,
          f"and all {reused} uses of the revoked token")
    summaries = [line for line in audit if is_summary(line)]
    check(summaries and not any(re.search(r" user=", line) for line in summaries),
          f"{len(summaries)} summaries name no user")
    check(not any("authn_token_verified" in line for line in audit),
          "the audit log has no successful verification")


def verify(program, folder, name):
    done = subprocess.run(
        [os.path.abspath(program), "log", "verify", "--config",
         os.path.join(folder, "config.json"),
         *sorted(glob.glob(os.path.join(folder, name + ".0*"))), os.path.join(folder, name)],
        capture_output=True, timeout=TIMEOUT, check=False)
    check(done.returncode == 0 or name == "app.log" and done.returncode == 3,
          f"{name}: {done.stdout.decode().splitlines()[-1]}")


def run_session(connection, user):
    """Starts, refreshes and ends a session of the demo."""
    token = None
    for path in ["/login", "/refresh", "/refresh", "/logout", "/resource"]:
        fields = {"Content-Type": "application/json"} if path == "/login" else {
            "Authorization": f"Bearer {token}"}
        content = json.dumps({"user_id": user}) if path == "/login" else None
        connection.request("GET" if path == "/resource" else "POST", path, content, fields)
        with connection.getresponse() as response:
            body = response.read()
            expect(response.status == (401 if path == "/resource" else
                                       204 if path == "/logout" else 200),
                   f"{path}: {response.status}")
        if path in ["/login", "/refresh"]:
            token = json.loads(body)["token"]


def check_demo(program, count):
    """In demo mode a client can have sessions of any user, so all lines share one budget."""
    log = {"file": {"path": "app.log"}, "audit": {"path": "audit.log"}}
    with serving(program, log=log) as server:
        began = time.time()
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
        for index in range(count):
            run_session(connection, 1 + index % 2)
        connection.close()
        server.stop()
        audit = [line for line in read(server.folder, "audit.log") if " | security | " in line]
        spent = size(audit)
        allowed = BURST + RATE * (time.time() - began)
        whole = read(server.folder, "app.log")
        check(sum("session_logout" in line for line in whole) == count,
              f"the application log has all {count} sessions of the demo")
        check(spent <= allowed,
              f"{spent} bytes of the demo's sessions in the audit log are at most {allowed:.0f}")


def main():
    check_flood(sys.argv[1], 30 if "--whole" in sys.argv[2:] else 2)
    check_demo(sys.argv[1], 4000)


if __name__ == "__main__":
    main()
