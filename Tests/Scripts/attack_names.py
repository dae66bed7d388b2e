#!/usr/bin/env python3
"""Tries to find out which user names exist.

    python3 attack_names.py GATEHOUSE            in about twenty seconds
    python3 attack_names.py GATEHOUSE --whole    also measures time, for some minutes

Every check plays the same history at an identifier that exists and at one that does not, from
fresh addresses, and compares status, body and headers of all responses. The server believes
X-Forwarded-For here.
"""

import base64
import contextlib
import hashlib
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time

from server import TIMEOUT, expect, serving

ITERATIONS = 1000
PASSWORD = "correct horse battery staple"
# Users 1 to 99 exist, under the names u1 to u99.
USERS = range(1, 100)

# Each history uses up the identifiers that it is played at.
known = iter(USERS)
unknown = itertools.count(901)
fresh_numbers = itertools.count(1)


def fresh():
    """An address that nothing is known of."""
    number = next(fresh_numbers)
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


class Line:
    """A connection that is kept, and what is asked over it."""

    def __init__(self, server):
        host, port = server.url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def send(self, body, address):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.socket.sendall(
            b"POST /login HTTP/1.1\r\nHost: h\r\nX-Request-Id: r\r\n"
            b"Content-Type: application/json\r\n"
            + f"X-Forwarded-For: {address}\r\nContent-Length: {len(content)}\r\n\r\n".encode()
            + content)

    def receive(self):
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        length = next(int(line.split(":")[1]) for line in lines
                      if line.lower().startswith("content-length:"))
        while len(self.rest) < length:
            self._more()
        body, self.rest = self.rest[:length], self.rest[length:]
        fields = [line for line in lines[1:] if not line.startswith(("Date:", "Retry-After:"))]
        waits = [int(line.split(":")[1]) for line in lines if line.startswith("Retry-After:")]
        # Two histories are not played in the same second: the wait may differ by the time between.
        return int(lines[0].split()[1]), fields, body, [(wait + 30) // 60 for wait in waits]

    def _more(self):
        received = self.socket.recv(65536)
        expect(received, "the server ended a connection")
        self.rest += received

    def request(self, body, address):
        self.send(body, address)
        return self.receive()

    def close(self):
        self.socket.close()


def named(name, password="a wrong one"):
    return {"username": name, "password": password}


def numbered(user, password="a wrong one"):
    return {"user_id": user, "password": password}


def both(user, name):
    return {"user_id": user, "username": name, "password": "a wrong one"}


def admin(program, server, *arguments):
    done = subprocess.run(
        [os.path.abspath(program), *arguments,
         "--config", os.path.join(server.folder, "config.json")],
        capture_output=True, timeout=TIMEOUT, check=False, stdin=subprocess.DEVNULL)
    expect(done.returncode == 0, f"{arguments}: {done.returncode} {done.stderr.decode()}")
    return done.stdout.decode()


def same(server, what, histories):
    """Plays each history, and compares the responses."""
    seen = []
    for history in histories:
        line = Line(server)
        seen.append(history(server, line))
        line.close()
    for index, other in enumerate(seen[1:], 1):
        for step, (one, two) in enumerate(zip(seen[0], other)):
            expect(one == two, f"{what}: step {step} of history {index}: {one} and {two}")
        expect(len(seen[0]) == len(other), f"{what}: another number of responses")
    print(f"{what}: {len(seen[0])} responses, the same {len(seen)} times", flush=True)


@contextlib.contextmanager
def server_with_users(program, **login):
    """A server with all users and no history."""
    with tempfile.TemporaryDirectory() as folder:
        salt = b"salt of scripts!"
        key = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, ITERATIONS)
        text = [base64.b64encode(part).rstrip(b"=").decode() for part in (salt, key)]
        path = os.path.join(folder, "users.json")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            json.dump({"next_id": len(USERS) + 1, "users": [
                {"id": user, "username": f"u{user}", "name": "A user", "disabled": False,
                 "password": f"$pbkdf2-sha256$i={ITERATIONS}${text[0]}${text[1]}"}
                for user in USERS]}, file)
        settings = {"mode": "password", "users_file": path, "iterations": ITERATIONS} | login
        with serving(program, server={"trusted_proxies": ["127.0.0.1"]}, admin={"socket": "s"},
                     login=settings) as server:
            yield server


def one_user():
    """The id and the name of a user."""
    user = next(known)
    return user, f"u{user}"


def nobody():
    """An id and a name that no user has."""
    user = next(unknown)
    return user, f"n{user}"


def pairs():
    """An id and a name that belong together, and every other kind of pair."""
    return [one_user(), nobody(), (one_user()[0], nobody()[1]), (nobody()[0], one_user()[1]),
            (one_user()[0], one_user()[1])]


# MARK: Histories

def guesses(bodies, addresses=None):
    def play(_, line):
        return [line.request(body, addresses(number) if addresses else fresh())
                for number, body in enumerate(bodies)]
    return play


def check_linked_locks(server):
    """A lock that was set by one identifier must not show at the other one, nor at both."""
    same(server, "locked by id, asked by name",
         [guesses([numbered(user)] * 6 + [named(name)] * 6) for user, name in pairs()])
    same(server, "locked by name, asked by id",
         [guesses([named(name)] * 6 + [numbered(user)] * 6) for user, name in pairs()])
    same(server, "by turns",
         [guesses([named(name), numbered(user)] * 8 + [both(user, name)] * 2)
          for user, name in pairs()])
    same(server, "locked by both at once, asked by either",
         [guesses([both(user, name)] * 6 + [named(name), numbered(user)])
          for user, name in pairs()])


def check_right_password(program, server):
    """The joint lock holds, and the right password does not show it."""
    line = Line(server)
    user, name = one_user()
    for _ in range(5):
        line.request(numbered(user), fresh())
    right = line.request(named(name, PASSWORD), fresh())
    wrong = line.request(named(nobody()[1], PASSWORD), fresh())
    expect(right == wrong and right[0] == 401, f"a linked lock: {right} and {wrong}")
    listed = json.loads(admin(program, server, "locks", "--json"))["locks"]
    kinds = {lock["kind"] for lock in listed if lock.get("username") == name}
    expect(kinds == {"id", "account"}, f"locks: {listed}")
    said = admin(program, server, "unlock", "--username", name)
    expect("2 locks" in said, f"unlock: {said}")
    expect(line.request(named(name, PASSWORD), fresh())[0] == 200, "an unlock")
    expect("authn_unlock" in server.log(), "an unlock is on record")
    line.close()
    print("a linked lock refuses the right password as a wrong one, until an unlock", flush=True)


def check_unlocks(program, server):
    """What the operator ends is ended for either."""
    def history(user, name):
        def play(server, line):
            seen = [line.request(named(name), fresh()) for _ in range(6)]
            seen += [line.request(numbered(user), fresh()) for _ in range(6)]
            admin(program, server, "unlock", "--username", name)
            admin(program, server, "unlock", "--user", str(user))
            seen += [line.request(named(name), fresh()) for _ in range(6)]
            admin(program, server, "unlock", "--all")
            return seen + [line.request(numbered(user), fresh()) for _ in range(6)]
        return play
    same(server, "locks and unlocks", [history(*one_user()), history(*nobody())])


def check_disabled(program, server):
    name = one_user()[1]
    admin(program, server, "user", "disable", "--username", name)
    same(server, "a disabled user and the right password",
         [guesses([named(name, PASSWORD)] * 7) for name in (name, nobody()[1])])


def check_lock_ends(program):
    """Retry-After, and what comes after it."""
    def history(name):
        def play(_, line):
            seen = [line.request(named(name), fresh()) for _ in range(3)]
            time.sleep(2.1)
            return seen + [line.request(named(name), fresh()) for _ in range(3)]
        return play
    with server_with_users(program, max_attempts=2, lockout="2s", window="2s") as server:
        same(server, "the end of a lock", [history(one_user()[1]), history(nobody()[1])])


def check_names(server):
    """Long names, and names in costly Unicode, are refused as any name is."""
    names = ["a" * 64, "b" * 65, "c" * 256, "d" * 257, "e" * 3900, "\u0315\u0300" * 300,
             "\u1100\u1161\u11a8" * 28, "u1 ", "u1\0", "U1", "\u0430lice", "", "1"]
    same(server, "names of every kind",
         [guesses([named(name)] * 7) for name in [one_user()[1], nobody()[1], *names]])
    same(server, "spellings of one name",
         [guesses([named("zo\u00eb")] * 3 + [named("zoe\u0308")] * 3),
          guesses([named("zo\u00ea")] * 6)])
    same(server, "null for what is not set",
         [guesses([named(name) | {"user_id": None}] * 4) for _, name in (one_user(), nobody())]
         + [guesses([numbered(user) | {"username": None}] * 4)
            for user, _ in (one_user(), nobody())])


def check_addresses(server):
    """An address or a /64 is locked after as many failures, whatever they were at."""
    addresses = iter(["10.200.0.1", "2001:db8:9:1::", "10.200.0.2", "2001:db8:8:1::"])
    same(server, "a locked network",
         [guesses([named(nobody()[1]) for _ in range(50)] + [named(name), numbered(user)],
                  lambda _, address=next(addresses): address)
          for user, name in (one_user(), one_user(), nobody(), nobody())])


def check_networks(server):
    """3,000 guesses from the /64s of one /48 must not all be hashed."""
    line = Line(server)
    hashed = 0
    for number in range(3000):
        status = line.request(named(nobody()[1]), f"2001:db8:0:{number * 21:x}::1")[0]
        expect(status in (401, 429), f"a guess: {status}")
        hashed += status == 401
        if status == 429:
            break
    line.close()
    # Ten times five of an address, and sixteen times that.
    expect(hashed == 800, f"{hashed} guesses from one /48, and 800 are wanted")
    print(f"from the /64s of one /48 {hashed} guesses are hashed, and then none", flush=True)


def check_flood(program, count):
    """A lock must not be forgotten sooner because no user has the name."""
    def history(name):
        def play(server, line):
            seen = [line.request(named(name), fresh()) for _ in range(6)]
            lines = [Line(server) for _ in range(8)]
            for number in range(count):
                with_turn = lines[number % len(lines)]
                if number >= len(lines):
                    with_turn.receive()
                with_turn.send(named(nobody()[1]), fresh())
            for other in lines:
                other.receive()
                other.close()
            return seen + [line.request(named(name), fresh())]
        return play
    with server_with_users(program) as server:
        same(server, f"a flood of {count} names", [history(one_user()[1]), history(nobody()[1])])


def check_busy(program):
    """A full queue refuses by address alone: the shares of Busy do not depend on the name."""
    shares = ({}, {})
    with server_with_users(program, iterations=50_000, max_attempts=1000) as server:
        names = (one_user()[1], nobody()[1])
        lines = [Line(server) for _ in range(200)]
        for number, line in enumerate(lines):
            line.send(named(names[number % 2]), fresh())
        for number, line in enumerate(lines):
            status = line.receive()[0]
            shares[number % 2][status] = shares[number % 2].get(status, 0) + 1
            line.close()
    expect(set(shares[0]) == set(shares[1]), f"responses of a full queue: {shares}")
    print(f"a full queue: {shares[0]} for a name that exists, {shares[1]} for one that does not",
          flush=True)


def check_size(server):
    same(server, "a body over 4 KiB",
         [guesses([named(name) | {"x": "x" * 4096}]) for name in (one_user()[1], nobody()[1])])


def check_time(program, rounds):
    """Interleaved; the rank test must not find a difference."""
    with server_with_users(program, iterations=20_000, max_attempts=0) as server:
        (user, name), (no_user, no_name) = one_user(), nobody()
        disabled = one_user()[1]
        kinds = {"name exists": named(name), "name does not": named(no_name),
                 "disabled": named(disabled), "id exists": numbered(user),
                 "id does not": numbered(no_user), "both exist": both(user, name),
                 "neither does": both(no_user, no_name)}
        admin(program, server, "user", "disable", "--username", disabled)
        line, times = Line(server), {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind in random.sample(list(kinds), len(kinds)):
                start = time.perf_counter()
                status = line.request(kinds[kind], "10.0.0.1")[0]
                times[kind].append(time.perf_counter() - start)
                expect(status == 401, f"{kind}: {status}")
        line.close()
    for one, other in (("name exists", "name does not"), ("name exists", "disabled"),
                       ("id exists", "id does not"), ("both exist", "neither does")):
        z = rank_test(times[one], times[other])
        print(f"time, {one} and {other}: z = {z:+.2f} of {rounds} each", flush=True)
        expect(abs(z) < 4, f"the time tells {one} from {other}: z = {z:+.2f}")


def rank_test(one, other):
    """Mann and Whitney's, as a normal deviate."""
    ranks = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    rank_sum = sum(rank for rank, (_, kind) in enumerate(ranks, 1) if kind == 0)
    n, m = len(one), len(other)
    return (rank_sum - n * (n + 1) / 2 - n * m / 2) / (n * m * (n + m + 1) / 12) ** 0.5


def main():
    program, is_whole = sys.argv[1], "--whole" in sys.argv
    with server_with_users(program) as server:
        check_linked_locks(server)
        check_right_password(program, server)
        check_disabled(program, server)
        check_names(server)
        check_addresses(server)
        check_networks(server)
        check_size(server)
        check_unlocks(program, server)
    check_lock_ends(program)
    check_busy(program)
    check_flood(program, 40_000 if is_whole else 2000)
    if is_whole:
        check_time(program, 3000)


if __name__ == "__main__":
    main()
