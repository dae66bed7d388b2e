"""Tries to flush evidence out of the audit log, and to hide behind a flood.

    python3 attack_log_flood.py GATEHOUSE [--whole]

Clients without credentials flood from one address, from an IPv6 /64, from a /48 and from many networks
(which a trusted proxy names), and a client floods with one token. Then the evidence of before has to be
in the audit log, its bytes within the budget, every refusal in a line or in a summary, every user whose
password was tried named, and `log verify` content with both files.
"""

import glob
import http.client
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time

from server import TIMEOUT, expect, serving


BURST, RATE = 1 << 20, 500
USER_BURST, USER_RATE = 256 << 10, 100
USERS = 48


def checked(condition, what):
    expect(condition, what)
    print(f"ok: {what}")


class Flood:
    """Requests of `make`, pipelined, on some connections for some seconds."""

    def __init__(self, url, make, seconds, connections=2):
        host, port = url.removeprefix("http://").rsplit(":", 1)
        self.place = (host, int(port))
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
            with socket.create_connection(self.place, timeout=TIMEOUT) as client:
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


def groups(count):
    return ":".join(f"{random.getrandbits(16):x}" for _ in range(count))


def read(folder, name):
    """All lines of a log, from the oldest file to the newest."""
    paths = sorted(glob.glob(os.path.join(folder, name + ".0*"))) + [os.path.join(folder, name)]
    lines = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            lines += file.read().splitlines()
    return lines


def is_own(line):
    return " | log | " in line


def is_summary(line):
    return " suppressed=" in line


def is_budgeted(line):
    """A refusal of the flood, or a summary of such."""
    return re.search(r" \| (authn_token_rejected|authn_login_fail|authn_login_lock|http_refused|"
                     r"authn_login_throttled) ", line) is not None


def told(lines, event):
    """How many events of a name the lines tell of."""
    total = 0
    for line in lines:
        if f" | {event} " in line:
            match = re.search(r" suppressed=(\d+)", line)
            total += int(match.group(1)) if match else 1
    return total


def spray(server):
    """One guess at each account, as fast as the server takes them."""
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


def users_file(folder, program):
    """Many users with one hash each, cheaper than adding them one by one."""
    path = os.path.join(folder, "users.json")
    with open(path, encoding="utf-8") as file:
        users = json.load(file)
    model = users["users"][0]
    for number in range(2, USERS + 2):
        users["users"].append({**model, "id": number, "username": f"u{number}"})
    with open(path, "w", encoding="utf-8") as file:
        json.dump(users, file)


def attack(program, seconds):
    # Small files: were all of it kept, there would be many, and were any of it lost, it would show.
    log = {"file": {"path": "app.log", "max_size": "1MiB", "keep": 2},
           "audit": {"path": "audit.log", "max_size": "128KiB"},
           "stderr": {"level": "CRITICAL"}}
    with serving(program, [("u1", "Ursula", "correct horse battery staple")], log=log,
                 server={"trusted_proxies": ["127.0.0.1"]},
                 login={"max_attempts": 0}) as server:
        users_file(server.folder, program)
        os.kill(server.process.pid, 1)
        begun = time.time()
        time.sleep(1)
        token = server.login()
        evidence = [line for line in read(server.folder, "audit.log")
                    if "authn_login_success" in line or "authn_token_created" in line]
        checked(len(evidence) == 2, "a login is in the audit log")

        floods = {
            "one address": lambda: get("198.51.100.7"),
            "a /64": lambda: get(f"2001:db8:1:2:{groups(4)}"),
            "a /48": lambda: get(f"2001:db8:2:{groups(5)}"),
            "many networks": lambda: get(f"2001:{groups(7)}"),
            "many IPv4 addresses": lambda: get(".".join(
                str(random.randrange(1, 255)) for _ in range(4))),
        }
        refused = 0
        for name, make in floods.items():
            flood = Flood(server.url, make, seconds)
            refused += flood.responses
            print(f"    {flood.responses} refused requests from {name}")
        statuses = spray(server)
        checked(statuses.count(401) == USERS, f"{USERS} accounts had one guess each")
        good = Flood(server.url, lambda: get(token=token), seconds).responses
        print(f"    {good} requests with one token")
        bad = Flood(server.url, lambda: get(token=token[:-6] + "AAAAAA"), seconds).responses
        refused += bad
        print(f"    {bad} requests with a forged one")
        server.request("/logout", "POST", token=token)
        reused = Flood(server.url, lambda: get(token=token), seconds).responses
        print(f"    {reused} requests with one that was logged out")
        server.stop()
        lasted = time.time() - begun

        audit = read(server.folder, "audit.log")
        lines = set(audit)
        checked(all(line in lines for line in evidence), "the login of before is still there")
        named = {int(match.group(1)) for line in audit
                 if (match := re.search(r"authn_login_fail user=(\d+)", line))}
        checked(named >= set(range(2, USERS + 2)), "every user of the spray is named")
        checked(any("session_logout" in line for line in audit), "the logout is there")

        spent = sum(len(line.encode()) + 1 for line in audit if is_budgeted(line))
        allowed = BURST + RATE * lasted
        checked(spent <= allowed,
                f"{spent} bytes without credentials are no more than {allowed:.0f}")
        reuse = sum(len(line.encode()) + 1 for line in audit if " | authn_token_reuse " in line)
        checked(reuse <= USER_BURST + USER_RATE * lasted,
                f"{reuse} bytes with one token are no more than a user's budget")
        checked(all(len(line.encode()) < 1024 for line in audit if is_budgeted(line)),
                "no such line is over 1 KiB")
        seals = sum(" | log_seal " in line for line in audit)
        files = len(glob.glob(os.path.join(server.folder, "audit.log*")))
        checked(seals <= lasted / 10 + 3 + 2 * files, f"{seals} seals in {lasted:.0f} s")

        checked(told(audit, "authn_token_rejected") == refused,
                f"all {refused} refusals are told of in the audit log")
        checked(told(audit, "authn_token_reuse") == reused, "and all that came back")
        summaries = [line for line in audit if is_summary(line)]
        checked(summaries and not any(re.search(r" user=", line) for line in summaries),
                f"{len(summaries)} summaries name no user")
        checked(not any("authn_token_verified" in line for line in audit),
                "no verification is in the audit log")
        for name in ["audit.log", "app.log"]:
            done = subprocess.run(
                [os.path.abspath(program), "log", "verify", "--config",
                 os.path.join(server.folder, "config.json"),
                 *sorted(glob.glob(os.path.join(server.folder, name + ".0*"))),
                 os.path.join(server.folder, name)],
                capture_output=True, timeout=TIMEOUT, check=False)
            checked(done.returncode == 0 or name == "app.log" and done.returncode == 3,
                    f"{name}: {done.stdout.decode().splitlines()[-1]}")


def session(connection, user):
    """Begins, renews and ends a session of the demo."""
    token = None
    for path in ["/login", "/refresh", "/refresh", "/logout", "/resource"]:
        fields = {"Content-Type": "application/json"} if path == "/login" else {
            "Authorization": f"Bearer {token}"}
        body = json.dumps({"user_id": user}) if path == "/login" else None
        connection.request("GET" if path == "/resource" else "POST", path, body, fields)
        with connection.getresponse() as response:
            response = response.read()
            expect(response.status == (401 if path == "/resource" else
                                       204 if path == "/logout" else 200),
                   f"{path}: {response.status}")
        if path in ["/login", "/refresh"]:
            token = json.loads(response)["token"]


def demo(program, count):
    """In the demo everyone can have sessions of any user: all their lines share one budget."""
    log = {"file": {"path": "app.log"}, "audit": {"path": "audit.log"}}
    with serving(program, log=log) as server:
        begun = time.time()
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
        for index in range(count):
            session(connection, 1 + index % 2)
        connection.close()
        server.stop()
        audit = [line for line in read(server.folder, "audit.log") if " | security | " in line]
        spent = sum(len(line.encode()) + 1 for line in audit)
        allowed = BURST + RATE * (time.time() - begun)
        whole = read(server.folder, "app.log")
        checked(sum("session_logout" in line for line in whole) == count,
                f"the demo's log has all {count} sessions")
        checked(spent <= allowed,
                f"{spent} bytes of the demo's sessions in the audit log are no more than "
                f"{allowed:.0f}")


def main():
    attack(sys.argv[1], 30 if "--whole" in sys.argv[2:] else 2)
    demo(sys.argv[1], 4000)


main()
