#!/usr/bin/env python3
"""Tries to find out which user names exist.

    python3 attack_names.py GATEHOUSE            in about twenty seconds
    python3 attack_names.py GATEHOUSE --whole    also measures times, for some minutes

Every check sends the same sequence of logins for an identifier that exists and for one that does
not, from unused addresses, and compares status, body and headers of all responses. The server
trusts X-Forwarded-For here.
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

# Each sequence of logins uses different identifiers.
known = iter(USERS)
unknown = itertools.count(901)
address_numbers = itertools.count(1)


def new_address():
    """An address from which no login has been attempted."""
    number = next(address_numbers)
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


class Connection:
    """A connection that is used for several logins."""

    def __init__(self, server):
        host, port = server.url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def send(self, body, address):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.socket.sendall(
            b"POST /login HTTP/1.1\r\nHost: h\r\nX-Request-Id: r\r\n"
            b"Content-Type: application/json\r\n"
            + f"X-Forwarded-For: {address}\r\nContent-Length: {len(content)}\r\n\r\n".encode()
            + content)

    def receive(self):
        while b"\r\n\r\n" not in self.received:
            self._receive_more()
        head, _, self.received = self.received.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        length = next(int(line.split(":")[1]) for line in lines
                      if line.lower().startswith("content-length:"))
        while len(self.received) < length:
            self._receive_more()
        body, self.received = self.received[:length], self.received[length:]
        fields = [line for line in lines[1:] if not line.startswith(("Date:", "Retry-After:"))]
        # Rounded to minutes: two sequences are not sent in the same second, so the wait may differ
        # by some seconds.
        wait_minutes = [(int(line.split(":")[1]) + 30) // 60 for line in lines
                        if line.startswith("Retry-After:")]
        return int(lines[0].split()[1]), fields, body, wait_minutes

    def _receive_more(self):
        data = self.socket.recv(65536)
        expect(data, "the server closed a connection")
        self.received += data

    def request(self, body, address):
        self.send(body, address)
        return self.receive()

    def close(self):
        self.socket.close()


def by_name(name, password="a wrong one"):
    return {"username": name, "password": password}


def by_id(user, password="a wrong one"):
    return {"user_id": user, "password": password}


def by_both(user, name):
    return {"user_id": user, "username": name, "password": "a wrong one"}


def run_command(program, server, *arguments):
    done = subprocess.run(
        [os.path.abspath(program), *arguments,
         "--config", os.path.join(server.folder, "config.json")],
        capture_output=True, timeout=TIMEOUT, check=False, stdin=subprocess.DEVNULL)
    expect(done.returncode == 0, f"{arguments}: {done.returncode} {done.stderr.decode()}")
    return done.stdout.decode()


def compare(server, description, sequences):
    """Sends each sequence of logins, and compares the responses."""
    received = []
    for sequence in sequences:
        connection = Connection(server)
        received.append(sequence(server, connection))
        connection.close()
    for index, other in enumerate(received[1:], 1):
        for step, (one, two) in enumerate(zip(received[0], other)):
            expect(one == two, f"{description}: step {step} of sequence {index}: {one} and {two}")
        expect(len(received[0]) == len(other), f"{description}: another number of responses")
    print(f"{description}: {len(received[0])} responses, identical for {len(received)} sequences",
          flush=True)


@contextlib.contextmanager
def server_with_users(program, **login):
    """Starts a server with all users and without any login."""
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


def existing():
    """The id and the name of a user that exists and is not used elsewhere."""
    user = next(known)
    return user, f"u{user}"


def nonexistent():
    """An id and a name that belong to no user."""
    user = next(unknown)
    return user, f"n{user}"


def pairs():
    """Pairs of an id and a name: of one user, of no user, of one of each, and of two users."""
    return [existing(), nonexistent(), (existing()[0], nonexistent()[1]),
            (nonexistent()[0], existing()[1]), (existing()[0], existing()[1])]


# MARK: Sequences of logins

def guesses(bodies, addresses=None):
    def send(_, connection):
        return [connection.request(body, addresses(number) if addresses else new_address())
                for number, body in enumerate(bodies)]
    return send


def check_linked_locks(server):
    """A lock of one identifier must not be visible with the other one, or with both together."""
    compare(server, "locked by id, login by name",
            [guesses([by_id(user)] * 6 + [by_name(name)] * 6) for user, name in pairs()])
    compare(server, "locked by name, login by id",
            [guesses([by_name(name)] * 6 + [by_id(user)] * 6) for user, name in pairs()])
    compare(server, "alternating identifiers",
            [guesses([by_name(name), by_id(user)] * 8 + [by_both(user, name)] * 2)
             for user, name in pairs()])
    compare(server, "locked by both together, login by either",
            [guesses([by_both(user, name)] * 6 + [by_name(name), by_id(user)])
             for user, name in pairs()])


def check_right_password(program, server):
    """The lock of an account applies to both identifiers. The right password does not reveal it."""
    connection = Connection(server)
    user, name = existing()
    for _ in range(5):
        connection.request(by_id(user), new_address())
    right = connection.request(by_name(name, PASSWORD), new_address())
    wrong = connection.request(by_name(nonexistent()[1], PASSWORD), new_address())
    expect(right == wrong and right[0] == 401, f"a linked lock: {right} and {wrong}")
    listed = json.loads(run_command(program, server, "locks", "--json"))["locks"]
    kinds = {lock["kind"] for lock in listed if lock.get("username") == name}
    expect(kinds == {"id", "account"}, f"locks: {listed}")
    output = run_command(program, server, "unlock", "--username", name)
    expect("2 locks" in output, f"unlock: {output}")
    expect(connection.request(by_name(name, PASSWORD), new_address())[0] == 200,
           "a login after an unlock")
    expect("authn_unlock" in server.log(), "the log has no authn_unlock")
    connection.close()
    print("a locked account refuses the right password like a wrong one, until it is unlocked",
          flush=True)


def check_unlocks(program, server):
    """An unlock by the operator applies to both identifiers."""
    def sequence(user, name):
        def send(server, connection):
            received = [connection.request(by_name(name), new_address()) for _ in range(6)]
            received += [connection.request(by_id(user), new_address()) for _ in range(6)]
            run_command(program, server, "unlock", "--username", name)
            run_command(program, server, "unlock", "--user", str(user))
            received += [connection.request(by_name(name), new_address()) for _ in range(6)]
            run_command(program, server, "unlock", "--all")
            return received + [connection.request(by_id(user), new_address()) for _ in range(6)]
        return send
    compare(server, "locks and unlocks", [sequence(*existing()), sequence(*nonexistent())])


def check_disabled(program, server):
    name = existing()[1]
    run_command(program, server, "user", "disable", "--username", name)
    compare(server, "a disabled user and the right password",
            [guesses([by_name(name, PASSWORD)] * 7) for name in (name, nonexistent()[1])])


def check_lock_ends(program):
    """Retry-After, and the responses after the lock has ended."""
    def sequence(name):
        def send(_, connection):
            received = [connection.request(by_name(name), new_address()) for _ in range(3)]
            time.sleep(2.1)
            return received + [connection.request(by_name(name), new_address()) for _ in range(3)]
        return send
    with server_with_users(program, max_attempts=2, lockout="2s", window="2s") as server:
        compare(server, "the end of a lock", [sequence(existing()[1]), sequence(nonexistent()[1])])


def check_names(server):
    """Long names, and names that are expensive to normalize, are refused like any other name."""
    names = ["a" * 64, "b" * 65, "c" * 256, "d" * 257, "e" * 3900, "\u0315\u0300" * 300,
             "\u1100\u1161\u11a8" * 28, "u1 ", "u1\0", "U1", "\u0430lice", "", "1"]
    compare(server, "names of every kind",
            [guesses([by_name(name)] * 7) for name in [existing()[1], nonexistent()[1], *names]])
    compare(server, "spellings of one name",
            [guesses([by_name("zo\u00eb")] * 3 + [by_name("zoe\u0308")] * 3),
             guesses([by_name("zo\u00ea")] * 6)])
    compare(server, "null for a missing identifier",
            [guesses([by_name(name) | {"user_id": None}] * 4)
             for _, name in (existing(), nonexistent())]
            + [guesses([by_id(user) | {"username": None}] * 4)
               for user, _ in (existing(), nonexistent())])


def check_addresses(server):
    """An address or a /64 is locked after a number of failures, whether the names exist or not."""
    addresses = iter(["10.200.0.1", "2001:db8:9:1::", "10.200.0.2", "2001:db8:8:1::"])
    compare(server, "a locked network",
            [guesses([by_name(nonexistent()[1]) for _ in range(50)] + [by_name(name), by_id(user)],
                     lambda _, address=next(addresses): address)
             for user, name in (existing(), existing(), nonexistent(), nonexistent())])


def check_networks(server):
    """Not all of 3,000 guesses from the /64s of one /48 may be hashed."""
    connection = Connection(server)
    hashed = 0
    for number in range(3000):
        status = connection.request(by_name(nonexistent()[1]), f"2001:db8:0:{number * 21:x}::1")[0]
        expect(status in (401, 429), f"a guess: {status}")
        hashed += status == 401
        if status == 429:
            break
    connection.close()
    # The limit is 5 for an account, ten times that for an address, and 16 times the latter for a
    # /48.
    expect(hashed == 800, f"{hashed} guesses from one /48 were hashed, not 800")
    print(f"from the /64s of one /48 {hashed} guesses are hashed, then none", flush=True)


def check_flood(program, count):
    """The lock of an unknown name must not end earlier than that of an existing name."""
    def sequence(name):
        def send(server, connection):
            received = [connection.request(by_name(name), new_address()) for _ in range(6)]
            connections = [Connection(server) for _ in range(8)]
            for number in range(count):
                next_connection = connections[number % len(connections)]
                if number >= len(connections):
                    next_connection.receive()
                next_connection.send(by_name(nonexistent()[1]), new_address())
            for other in connections:
                other.receive()
                other.close()
            return received + [connection.request(by_name(name), new_address())]
        return send
    with server_with_users(program) as server:
        compare(server, f"a flood of {count} names",
                [sequence(existing()[1]), sequence(nonexistent()[1])])


def check_busy(program):
    """A full queue refuses by address only: the share of 503 does not depend on the name."""
    shares = ({}, {})
    with server_with_users(program, iterations=50_000, max_attempts=1000) as server:
        names = (existing()[1], nonexistent()[1])
        connections = [Connection(server) for _ in range(200)]
        for number, connection in enumerate(connections):
            connection.send(by_name(names[number % 2]), new_address())
        for number, connection in enumerate(connections):
            status = connection.receive()[0]
            shares[number % 2][status] = shares[number % 2].get(status, 0) + 1
            connection.close()
    expect(set(shares[0]) == set(shares[1]), f"responses of a full queue: {shares}")
    print(f"a full queue: {shares[0]} for a name that exists, {shares[1]} for one that does not",
          flush=True)


def check_size(server):
    compare(server, "a body over 4 KiB",
            [guesses([by_name(name) | {"x": "x" * 4096}])
             for name in (existing()[1], nonexistent()[1])])


def check_time(program, rounds):
    """Measures the times of logins in random order. The rank test must not find a difference."""
    with server_with_users(program, iterations=20_000, max_attempts=0) as server:
        (user, name), (no_user, no_name) = existing(), nonexistent()
        disabled = existing()[1]
        kinds = {"name exists": by_name(name), "name does not": by_name(no_name),
                 "disabled": by_name(disabled), "id exists": by_id(user),
                 "id does not": by_id(no_user), "both exist": by_both(user, name),
                 "neither does": by_both(no_user, no_name)}
        run_command(program, server, "user", "disable", "--username", disabled)
        connection, times = Connection(server), {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind in random.sample(list(kinds), len(kinds)):
                start = time.perf_counter()
                status = connection.request(kinds[kind], "10.0.0.1")[0]
                times[kind].append(time.perf_counter() - start)
                expect(status == 401, f"{kind}: {status}")
        connection.close()
    for one, other in (("name exists", "name does not"), ("name exists", "disabled"),
                       ("id exists", "id does not"), ("both exist", "neither does")):
        z = rank_test(times[one], times[other])
        print(f"time, {one} and {other}: z = {z:+.2f} of {rounds} each", flush=True)
        expect(abs(z) < 4, f"the times of {one} and {other} differ: z = {z:+.2f}")


def rank_test(one, other):
    """The Mann-Whitney test, as a normal deviate."""
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
