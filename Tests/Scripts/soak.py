#!/usr/bin/env python3
"""A mixed load on a Gatehouse that lives as it would, and an account of it to the last request.

    python3 soak.py GATEHOUSE [--seconds S | --minutes M | --whole] [--rate R]

Good, bad, slow, aborting and pipelining clients, logins, renewals, replays, logouts, a log that
is rotated again and again, SIGHUP, and a key that is added: for 14 seconds, for as long as is asked
for, or for 20 minutes (`--whole`). Every answer is checked whole: status, fields, body. At the end

- the counts in /metrics and the lines in the log are those of the clients, each to the unit;
- descriptors are back at the number of the quiet start, memory is flat, threads have a bound;
- the log is intact.

R is how many requests a second the busiest clients make in all (3000). Needs the standard library
alone; what it is made of is in `soaking`.
"""
import argparse
import collections
import json
import os
import re
import signal
import subprocess
import sys
import time

import house
from soaking import batches, clients
from soaking.account import Log, labelled, log_differences, metrics_differences, part
from soaking.answers import (
    ATTEMPTS, BODY_TIMEOUT, HEAD_TIMEOUT, IDLE_TIMEOUT, KEYS, LOCKOUT, PATIENCE, SESSION, TTL,
    WRITE_TIMEOUT, Tally, User, claims_of)
from soaking.load import Load, in_process

WHOLE = 20 * 60
SHORT = 14
house.PATIENCE = PATIENCE
# How far resident memory may lie, at the end, above where it was when the first minute was over,
# or a third of the time: what is revoked is remembered for five minutes beyond its token, in tables
# that grow by doubling.
MEMORY_FACTOR, MEMORY_SLACK = 1.15, 4096
# Dispatch begins a thread when a queue has something to do and all that there are have, too, and
# keeps it: at most one a queue. For each processor there are two, for the disk 16, for all else 12.
THREADS = 2 * os.cpu_count() + 28


def vital_signs(pid):
    """Resident memory in KiB, threads, descriptors."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        said = dict(line.split(":", 1) for line in file)
    return (int(said["VmRSS"].split()[0]), int(said["Threads"]),
            len(os.listdir(f"/proc/{pid}/fd")))


def read_metrics(url):
    series = {}
    for line in house.ask(url).body.decode().splitlines():
        if line.startswith("#"):
            continue
        name, _, value = line.rpartition(" ")
        labels = dict(re.findall(r'(\w+)="([^"]*)"', name))
        series[name.partition("{")[0], tuple(sorted(labels.items()))] = float(value)
    return series


def add_key(folder):
    """Puts the third key before the others, as `gatehouse secret --add` does."""
    path = os.path.join(folder, "config.json")
    with open(path, encoding="utf-8") as file:
        settings = json.load(file)
    settings["token"]["keys"].insert(0, {"id": "third", "secret": KEYS["third"]})
    descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(settings, file)
    os.replace(path + ".new", path)


class Soak:
    def __init__(self, arguments, server, metrics, users):
        self.arguments = arguments
        self.server = server
        self.metrics = metrics
        self.users = users
        self.pid = server.process.pid
        self.program = os.path.abspath(arguments.gatehouse)
        self.tally = Tally()
        self.reloads = 0
        self.samples = []
        self.minutes = []
        self.problems = []
        self.count = 0

    def command(self, *words):
        return subprocess.run([self.program, *words, "--config", "config.json"],
                              cwd=self.server.folder, capture_output=True, check=False)

    def tail(self):
        """What an operator sees who follows the log."""
        with open(os.path.join(self.server.folder, "seen"), "rb") as file:
            return collections.Counter(
                line.split(b" | ")[3].split()[0].decode() for line in file if line.endswith(b"\n"))

    def reload(self):
        self.server.process.send_signal(signal.SIGHUP)
        self.reloads += 1
        house.until(lambda: self.tail()["config_reload"] == self.reloads or None,
                    "a line about the reload")

    def ask(self, path, status, method="GET", **named):
        answer = self.server.ask(path, method, **named)
        house.expect(answer.status == status, f"{path}: {answer.status} {answer.body!r}")
        self.tally.request(path, status)
        self.tally["connections"] += 1
        return answer

    def warm_up(self):
        """Has everything that is made once made; what is counted from here on is quiet."""
        done = self.command("user", "disable", "--username", self.users["gone"].username)
        house.expect(done.returncode == 0, f"user disable: {done.stderr.decode()}")
        # Which has the server read its users again, and ends the user's sessions.
        self.reloads += 1
        self.tally["revocations"] += 1
        self.reload()
        user = self.users["victim"]
        body = {"user_id": user.id, "password": user.password}
        token = self.ask("/login", 200, "POST", json_body=body).json["token"]
        token = self.ask("/refresh", 200, "POST", token=token, body=b"").json["token"]
        self.ask("/logout", 204, "POST", token=token, body=b"")
        self.tally.login("success")
        for name, count in [("verified", 2), ("refreshed", 1), ("logouts", 1)]:
            self.tally[name] += count
        self.still()
        return vital_signs(self.pid)

    def still(self):
        """Waits until nothing is open, and what was held back is written."""
        def is_still():
            series = read_metrics(self.metrics)
            return series["gatehouse_connections", ()] == 0 or None

        house.until(is_still, "an end of all connections")
        # Repeats are told in the second behind theirs, by a look each half second.
        time.sleep(2.5)

    def turn_keys(self):
        """A key that comes while the server runs: unknown before, good afterwards."""
        user = self.users["victim"]
        header = {"alg": "HS256", "typ": "JWT", "kid": "third"}
        token = house.sign(claims_of(user.id), KEYS["third"], header)
        self.ask("/resource", 401, token=token)
        self.tally.rejected("unknown_kid")
        add_key(self.server.folder)
        self.reload()
        self.ask("/resource", 200, token=token)
        self.tally["verified"] += 1

    def verify_meanwhile(self):
        """The log is intact at any time; its end may not be sealed yet."""
        done = self.command("log", "verify")
        house.expect(done.returncode in (0, 3),
                     f"log verify meanwhile: {done.returncode} {done.stdout.decode()}")

    def run(self, seconds):
        address = self.server.url.removeprefix("http://").split(":")
        address = (address[0], int(address[1]))
        begin = time.monotonic()
        others = [self.users[name] for name in
                  ["plain", "victim", "gone", "other", *(f"resident{i}" for i in range(10))]]
        busy = [self.users[f"busy{i}"] for i in range(6)]
        running = [
            in_process(batches.run, Load("b", address, busy, begin + seconds), self.arguments.rate),
            in_process(clients.run, Load("o", address, others, begin + seconds)),
        ]
        interval = 60 if seconds >= 180 else 3
        reload_at, keys_at = begin + interval, begin + 0.4 * seconds
        waiting = list(running)
        while waiting:
            for process, pipe in list(waiting):
                if pipe.poll(0.25 / len(waiting)):
                    tally, failure = pipe.recv()
                    process.join()
                    waiting.remove((process, pipe))
                    if failure:
                        for process, _ in waiting:
                            process.kill()
                        raise SystemExit(f"FAILED: a client has seen\n{failure}")
                    self.tally.update(tally)
            now = time.monotonic()
            house.expect(self.server.process.poll() is None, "the server ended by itself")
            self.samples.append((now - begin, *vital_signs(self.pid)))
            if now - begin >= 60 * (len(self.minutes) + 1):
                entries = labelled(read_metrics(self.metrics), "gatehouse_revocation_entries",
                                   "kind")
                self.minutes.append((len(self.minutes) + 1, self.samples[-1][1],
                                     round(sum(entries.values()))))
            if now >= keys_at and now < begin + seconds:
                self.turn_keys()
                self.verify_meanwhile()
                keys_at = float("inf")
            if now >= reload_at and now < begin + seconds:
                self.reload()
                reload_at = now + interval
        return time.monotonic() - begin

    def judge_samples(self, seconds, quiet):
        """Whether memory, threads and descriptors stayed what they were."""
        settled = min(60, seconds / 3)
        early = [s for s in self.samples if settled * 0.75 <= s[0] <= settled * 1.25]
        late = [s for s in self.samples if seconds * 0.85 <= s[0] <= seconds]
        # A machine that hangs leaves gaps.
        early = early or self.samples[len(self.samples) // 3:][:1]
        late = late or self.samples[-1:]
        middle = [sorted(s[1] for s in group)[len(group) // 2] for group in (early, late)]
        print(f"memory: {quiet[0]} KiB quiet, {middle[0]} KiB after {settled:.0f} s, "
              f"{middle[1]} KiB at the end, {max(s[1] for s in self.samples)} KiB at most")
        for minute, memory, entries in self.minutes:
            print(f"minute {minute}: {memory} KiB, {entries} entries of what is revoked")
        if middle[1] > middle[0] * MEMORY_FACTOR + MEMORY_SLACK:
            self.problems.append(f"memory grew from {middle[0]} to {middle[1]} KiB")
        most = max(s[2] for s in self.samples)
        if most > THREADS:
            self.problems.append(f"there were {most} threads, and not {THREADS} at most")
        print(f"threads: {quiet[1]} quiet, {most} at most, "
              f"{vital_signs(self.pid)[1]} at the end")
        descriptors = house.until(
            lambda: vital_signs(self.pid)[2] if vital_signs(self.pid)[2] <= quiet[2] else None,
            f"an end of the descriptors past {quiet[2]}")
        print(f"descriptors: {quiet[2]} quiet, {max(s[3] for s in self.samples)} at most, "
              f"{descriptors} at the end")

    def close_the_books(self):
        series = read_metrics(self.metrics)
        self.problems += metrics_differences(series, self.tally)
        usage = series["process_cpu_seconds_total", ()]
        self.server.stop()
        done = self.command("log", "verify")
        print("\n".join("log verify: " + line for line in done.stdout.decode().splitlines()[-4:]))
        if done.returncode != 0:
            self.problems.append(f"log verify: exit code {done.returncode}")
        log = Log(self.server.folder)
        self.problems += log_differences(log, self.tally, series, self.reloads)
        for event in ("session_logout", "config_reload"):
            count = log.events[event, None]
            house.until(lambda: self.tail()[event] == count or None,
                        f"a look of log tail at {count} {event}, neither more nor less,")
        return log, usage


def serve(arguments):
    names = ["plain", "victim", "gone", "other", *(f"resident{i}" for i in range(10)),
             *(f"busy{i}" for i in range(6))]
    users = {name: User(number, name) for number, name in enumerate(names, 1)}
    port = house.free_port()
    size = "256KiB" if arguments.seconds < 180 else "16MiB"
    with house.serving(
            arguments.gatehouse,
            [(user.username, user.name, user.password) for user in users.values()],
            server={"header_timeout": f"{HEAD_TIMEOUT}s", "body_timeout": f"{BODY_TIMEOUT}s",
                    "idle_timeout": f"{IDLE_TIMEOUT}s", "write_timeout": f"{WRITE_TIMEOUT}s"},
            login={"max_attempts": ATTEMPTS, "window": f"{LOCKOUT}s", "lockout": f"{LOCKOUT}s"},
            admin={"socket": "admin.sock", "metrics": f"127.0.0.1:{port}"},
            token={"issuer": "gatehouse", "ttl": f"{TTL}s", "session": f"{SESSION}s"},
            log={"file": {"path": "app.log", "max_size": size, "keep": 100_000,
                          "keep_size": "1024GiB"}, "level": "INFO", "seal": True}) as server:
        soak = Soak(arguments, server, f"http://127.0.0.1:{port}/metrics", users)
        with open(os.path.join(server.folder, "seen"), "wb") as file:
            tail = subprocess.Popen(
                [soak.program, "log", "tail", "--config", "config.json", "--lines", "100",
                 "--event", "session_logout", "--event", "config_reload"],
                cwd=server.folder, stdin=subprocess.DEVNULL, stdout=file)
        try:
            quiet = soak.warm_up()
            took = soak.run(arguments.seconds)
            soak.still()
            soak.judge_samples(arguments.seconds, quiet)
            log, usage = soak.close_the_books()
        finally:
            tail.terminate()
            tail.wait()
    requests = sum(part(soak.tally, "request").values()) + soak.tally["loose least"]
    print(f"{took:.0f} s: {requests} answers ({requests / took:.0f}/s), "
          f"{soak.tally['connections']} connections, {soak.reloads} reloads, "
          f"{usage:.0f} s of processor time")
    print(f"log: {log.lines} lines in {log.files} files, {log.bytes >> 20} MiB, "
          f"{log.events['suppressed']} events without a line")
    for name in ("login", "rejected", "refused", "throttled", "timeout"):
        print(f"{name}:", ", ".join(f"{key[0]} {count}" for key, count in
                                    sorted(part(soak.tally, name).items())))
    print(", ".join(f"{name} {soak.tally[name]}" for name in (
        "issued", "verified", "refreshed", "reused", "logouts", "revocations", "lockouts")))
    if soak.problems:
        sys.exit("FAILED:\n" + "\n".join(soak.problems))
    print("each answer was right, and each is accounted for")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gatehouse")
    parser.add_argument("--seconds", type=float, default=SHORT)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--rate", type=float, default=3000)
    arguments = parser.parse_args()
    if arguments.minutes:
        arguments.seconds = arguments.minutes * 60
    if arguments.whole:
        arguments.seconds = WHOLE
    serve(arguments)


if __name__ == "__main__":
    main()
