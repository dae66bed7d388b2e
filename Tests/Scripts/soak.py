#!/usr/bin/env python3
"""A mixed load on a server, and a comparison of all counts, to the last request.

    python3 soak.py GATEHOUSE [--seconds S | --minutes M | --whole] [--rate R]

The load: valid, invalid, slow, disconnecting and pipelining clients; logins, refreshes, replays and
logouts; log rotations, SIGHUP, and a key that is added. It lasts for 14 seconds, for the time of
the option, or for 20 minutes (`--whole`). Every response is checked completely: status, fields,
body. At the end

- the counts in /metrics and the lines in the log are those of the clients, without tolerance;
- descriptors are back at the number before the load, memory is flat, threads are limited;
- the log is intact.

R is the number of requests a second that the busiest clients send together (3000). Needs only the
standard library. The clients are in `soaking`.
"""
import argparse
import collections
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time

from server import expect, free_port, http_request, serving, sign_token, wait_until
from soaking import batches, clients
from soaking.comparison import LogCounts, labelled, log_differences, metrics_differences
from soaking.counts import Counts
from soaking.load import Load, in_process
from soaking.protocol import (
    ATTEMPTS, BODY_TIMEOUT, HEAD_TIMEOUT, IDLE_TIMEOUT, KEYS, LOCKOUT, SESSION, TTL, WRITE_TIMEOUT,
    User, claims_of)

WHOLE = 20 * 60
SHORT = 14
# How far resident memory at the end may exceed that after the first minute, or after a third of the
# time. Revocations are kept for five minutes longer than their tokens, in tables that double.
MEMORY_FACTOR, MEMORY_SLACK = 1.15, 4096  # The slack is in KiB.
# Dispatch starts a thread when a queue has work and all threads are busy, and keeps it: at most one
# for each queue. There are two queues for each processor, 16 for the disk, and 12 others.
THREADS = 2 * os.cpu_count() + 28


@dataclasses.dataclass
class VitalSigns:
    memory: int  # Resident memory, in KiB.
    threads: int
    descriptors: int

    @classmethod
    def of(cls, pid):
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            fields = dict(line.split(":", 1) for line in file)
        return cls(int(fields["VmRSS"].split()[0]), int(fields["Threads"]),
                   len(os.listdir(f"/proc/{pid}/fd")))


def median_memory(samples):
    return sorted(signs.memory for _, signs in samples)[len(samples) // 2]


def read_metrics(url):
    series = {}
    for line in http_request(url).body.decode().splitlines():
        if line.startswith("#"):
            continue
        name, _, value = line.rpartition(" ")
        labels = dict(re.findall(r'(\w+)="([^"]*)"', name))
        series[name.partition("{")[0], tuple(sorted(labels.items()))] = float(value)
    return series


def add_key(folder):
    """Puts the third key first, as `gatehouse secret --add` does."""
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
        self.counts = Counts()
        self.reloads = 0
        self.samples = []
        self.minutes = []
        self.problems = []
        self.count = 0

    def command(self, *words):
        return subprocess.run([self.program, *words, "--config", "config.json"],
                              cwd=self.server.folder, capture_output=True, check=False)

    def tailed_events(self):
        """The number of each event in the output of `gatehouse log tail`."""
        with open(os.path.join(self.server.folder, "tail"), "rb") as file:
            return collections.Counter(
                line.split(b" | ")[3].split()[0].decode() for line in file if line.endswith(b"\n"))

    def reload(self):
        self.server.process.send_signal(signal.SIGHUP)
        self.reloads += 1
        wait_until(lambda: self.tailed_events()["config_reload"] == self.reloads or None,
                   "a config_reload event in log tail")

    def request(self, path, status, method="GET", **named):
        response = self.server.request(path, method, **named)
        expect(response.status == status, f"{path}: {response.status} {response.body!r}")
        self.counts.request(path, status)
        self.counts.connections += 1
        return response

    def warm_up(self):
        """Does everything once that allocates lasting memory. Returns the vital signs then."""
        done = self.command("user", "disable", "--username", self.users["gone"].username)
        expect(done.returncode == 0, f"user disable: {done.stderr.decode()}")
        # The command makes the server reload its users, and ends the user's sessions.
        self.reloads += 1
        self.counts.revocations += 1
        self.reload()
        user = self.users["victim"]
        body = {"user_id": user.id, "password": user.password}
        token = self.request("/login", 200, "POST", json_body=body).json["token"]
        token = self.request("/refresh", 200, "POST", token=token, body=b"").json["token"]
        self.request("/logout", 204, "POST", token=token, body=b"")
        self.counts.login("success")
        self.counts.verified += 2
        self.counts.refreshed += 1
        self.counts.logouts += 1
        self.wait_until_idle()
        return VitalSigns.of(self.pid)

    def wait_until_idle(self):
        """Waits until no connection is open, and until suppressed events are in the log."""
        def is_idle():
            series = read_metrics(self.metrics)
            return series["gatehouse_connections", ()] == 0 or None

        wait_until(is_idle, "the end of all connections")
        # Suppressed events are written a second after the last one, by a check each half second.
        time.sleep(2.5)

    def add_key_while_running(self):
        """A key that is added while the server runs: unknown before, accepted afterwards."""
        user = self.users["victim"]
        header = {"alg": "HS256", "typ": "JWT", "kid": "third"}
        token = sign_token(claims_of(user.id), KEYS["third"], header)
        self.request("/resource", 401, token=token)
        self.counts.reject("unknown_kid")
        add_key(self.server.folder)
        self.reload()
        self.request("/resource", 200, token=token)
        self.counts.verify()

    def verify_running_log(self):
        """The log is intact at any time. Exit code 3: its last lines may not be sealed yet."""
        done = self.command("log", "verify")
        expect(done.returncode in (0, 3),
               f"log verify during the load: {done.returncode} {done.stdout.decode()}")

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
                    counts, failure = pipe.recv()
                    process.join()
                    waiting.remove((process, pipe))
                    if failure:
                        for process, _ in waiting:
                            process.kill()
                        raise SystemExit(f"FAILED: a client reports\n{failure}")
                    self.counts.add(counts)
            now = time.monotonic()
            expect(self.server.process.poll() is None, "the server ended by itself")
            self.samples.append((now - begin, VitalSigns.of(self.pid)))
            if now - begin >= 60 * (len(self.minutes) + 1):
                entries = labelled(read_metrics(self.metrics), "gatehouse_revocation_entries",
                                   "kind")
                self.minutes.append((len(self.minutes) + 1, self.samples[-1][1].memory,
                                     round(sum(entries.values()))))
            if now >= keys_at and now < begin + seconds:
                self.add_key_while_running()
                self.verify_running_log()
                keys_at = float("inf")
            if now >= reload_at and now < begin + seconds:
                self.reload()
                reload_at = now + interval
        return time.monotonic() - begin

    def check_samples(self, seconds, baseline):
        """Checks that memory, threads and descriptors stayed within their limits.
        - baseline: the vital signs before the load.
        """
        settled = min(60, seconds / 3)
        early = [s for s in self.samples if settled * 0.75 <= s[0] <= settled * 1.25]
        late = [s for s in self.samples if seconds * 0.85 <= s[0] <= seconds]
        # On a machine that stalls there may be no sample in these intervals.
        early = median_memory(early or self.samples[len(self.samples) // 3:][:1])
        late = median_memory(late or self.samples[-1:])
        peak = VitalSigns(*(max(getattr(signs, field.name) for _, signs in self.samples)
                            for field in dataclasses.fields(VitalSigns)))
        print(f"memory: {baseline.memory} KiB before, {early} KiB after {settled:.0f} s, "
              f"{late} KiB at the end, {peak.memory} KiB at most")
        for minute, memory, entries in self.minutes:
            print(f"minute {minute}: {memory} KiB, {entries} revocation entries")
        if late > early * MEMORY_FACTOR + MEMORY_SLACK:
            self.problems.append(f"memory grew from {early} to {late} KiB")
        if peak.threads > THREADS:
            self.problems.append(f"there were {peak.threads} threads; at most {THREADS}")
        print(f"threads: {baseline.threads} before, {peak.threads} at most, "
              f"{VitalSigns.of(self.pid).threads} at the end")

        def descriptors_if_closed():
            count = VitalSigns.of(self.pid).descriptors
            return count if count <= baseline.descriptors else None

        descriptors = wait_until(descriptors_if_closed,
                                 f"the close of all descriptors beyond {baseline.descriptors}")
        print(f"descriptors: {baseline.descriptors} before, {peak.descriptors} at most, "
              f"{descriptors} at the end")

    def compare_counts(self):
        series = read_metrics(self.metrics)
        self.problems += metrics_differences(series, self.counts)
        usage = series["process_cpu_seconds_total", ()]
        self.server.stop()
        done = self.command("log", "verify")
        print("\n".join("log verify: " + line for line in done.stdout.decode().splitlines()[-4:]))
        if done.returncode != 0:
            self.problems.append(f"log verify: exit code {done.returncode}")
        log = LogCounts(self.server.folder)
        self.problems += log_differences(log, self.counts, series, self.reloads)
        for event in ("session_logout", "config_reload"):
            count = log.events[event, None]
            wait_until(lambda: self.tailed_events()[event] == count or None,
                       f"the output of {count} {event} by log tail")
        return log, usage


def serve(arguments):
    names = ["plain", "victim", "gone", "other", *(f"resident{i}" for i in range(10)),
             *(f"busy{i}" for i in range(6))]
    users = {name: User(number, name) for number, name in enumerate(names, 1)}
    port = free_port()
    size = "256KiB" if arguments.seconds < 180 else "16MiB"
    with serving(
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
        with open(os.path.join(server.folder, "tail"), "wb") as file:
            tail = subprocess.Popen(
                [soak.program, "log", "tail", "--config", "config.json", "--lines", "100",
                 "--event", "session_logout", "--event", "config_reload"],
                cwd=server.folder, stdin=subprocess.DEVNULL, stdout=file)
        try:
            baseline = soak.warm_up()
            took = soak.run(arguments.seconds)
            soak.wait_until_idle()
            soak.check_samples(arguments.seconds, baseline)
            log, usage = soak.compare_counts()
        finally:
            tail.terminate()
            tail.wait()
    report(soak, took, log, usage)
    if soak.problems:
        sys.exit("FAILED:\n" + "\n".join(soak.problems))
    print("each response was as expected, and each is counted in the metrics and in the log")


def report(soak, took, log, usage):
    counts = soak.counts
    requests = counts.requests.total() + counts.documents_least
    print(f"{took:.0f} s: {requests} responses ({requests / took:.0f}/s), "
          f"{counts.connections} connections, {soak.reloads} reloads, "
          f"{usage:.0f} s of processor time")
    print(f"log: {log.lines} lines in {log.files} files, {log.bytes >> 20} MiB, "
          f"{log.suppressed} events without a line")
    for name in ("logins", "rejected", "refused", "throttled", "timeouts"):
        print(f"{name}:", ", ".join(f"{key} {count}" for key, count in
                                    sorted(getattr(counts, name).items())))
    print(", ".join(f"{name} {getattr(counts, name)}" for name in (
        "issued", "verified", "refreshed", "reused", "logouts", "revocations", "lockouts")))


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
