"""The busiest clients of a soak: many requests in one write, compared by their bytes."""

import json
import re
import socket
import time

from soaking.answers import (
    EXPIRED, INVALID_TOKEN, NOT_FOUND, OK, PATIENCE, PHRASES, ROUTES, SESSION, TTL, UNAUTHORIZED,
    Wrong, check_date, message, read_token, resource, verified)


class Batcher:
    """A connection on which requests come in batches, each in one write. What is compared is bytes:
    of these answers all is known but the date.
    """

    def __init__(self, load, user):
        self.load = load
        self.user = user
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        self.socket.bind((f"127.2.0.{user.id}", 0))
        self.socket.connect(load.address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        load.tally["connections"] += 1
        self.token = None
        self.renew_at = self.login_at = 0
        self.size = user.id % 7

    TOKEN = (rb"HTTP/1\.1 200 OK\r\nDate: ([^\r]*)\r\nX-Request-Id: ID\r\n"
             rb"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nPragma: no-cache\r\n"
             rb"Content-Type: application/json\r\nContent-Length: (\d+)")

    @staticmethod
    def bytes(expected):
        """Before the date, behind it up to the id, and behind that."""
        names = {"www-authenticate": "WWW-Authenticate"}
        order = [name for name in expected.fields if name not in
                 ("content-type", "content-length", "x-content-type-options", "cache-control")]
        tail = "\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
        for name in [*order, "content-type", "content-length"]:
            if name in expected.fields:
                tail += f"{names.get(name, name.title())}: {expected.fields[name]}\r\n"
        return (f"HTTP/1.1 {expected.status} {PHRASES[expected.status]}\r\nDate: ".encode(),
                tail.encode() + b"\r\n" + expected.body)

    def take_token(self):
        """Logs in, or renews."""
        now = time.monotonic()
        if now >= self.login_at:
            answer = self.single("POST", "/login", body=json.dumps(
                {"username": self.user.username, "password": self.user.password}).encode())
            self.load.tally.login("success")
            self.login_at = now + SESSION / 4
        else:
            answer = self.single("POST", "/refresh", token=self.token, body=b"")
            self.load.tally["verified"] += 1
            self.load.tally["refreshed"] += 1
        self.renew_at = now + TTL / 6
        self.token, claims = read_token(answer, self.user)
        good = f"Authorization: Bearer {self.token}"
        # A list of what is asked; most of it is good.
        kinds = [
            ("/resource", good, resource(self.user), "verified"),
            ("/verify", good, verified(self.user, claims), "verified"),
            ("/resource", f"Authorization: Bearer {self.load.expired}", EXPIRED,
             ("rejected", "expired")),
            ("/verify", f"Authorization: bearer {self.token[:-8]}AAAAAAAA", INVALID_TOKEN,
             ("rejected", "bad_signature")),
            ("/resource", "Accept: */*", UNAUTHORIZED, ("rejected", "missing")),
            ("/health/ready", "Accept: */*", OK, None),
            ("/elsewhere", good, NOT_FOUND, None),
        ]
        kinds = [(f"GET {path} HTTP/1.1\r\nHost: soak\r\n{field}\r\nX-Request-Id: ".encode(),
                  *self.bytes(expected), ("request", path if path in ROUTES else "other",
                                          expected.status), counted)
                 for path, field, expected, counted in kinds]
        self.kinds = [kinds[i] for i in [0] * 12 + [1] * 4 + [0, 2, 0, 3, 0, 4, 1, 5, 0, 6]]

    def single(self, method, path, token=None, body=None):
        rid = self.load.next_id()
        self.socket.sendall(message(method, path, rid, token, body))
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.more()
        head, _, content = received.partition(b"\r\n\r\n")
        match = re.fullmatch(self.TOKEN.replace(b"ID", rid.encode()), head)
        if not match:
            raise Wrong(f"{method} {path}: {received!r}")
        check_date(match.group(1))
        while len(content) < int(match.group(2)):
            content += self.more()
        if len(content) != int(match.group(2)):
            raise Wrong(f"{method} {path}: {content!r}")
        self.load.tally.request(path, 200)
        return content

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise Wrong("the connection of a good client has ended")
        return data

    def send(self):
        if time.monotonic() >= self.renew_at:
            self.take_token()
        self.size = self.size % 16 + 1
        self.batch = []
        parts = []
        for _ in range(self.size):
            kind = self.kinds[self.load.count % len(self.kinds)]
            rid = self.load.next_id().encode()
            parts += (kind[0], rid, b"\r\n\r\n")
            self.batch.append((rid, kind))
        self.socket.sendall(b"".join(parts))
        return self.size

    def receive(self):
        wanted = sum(29 + 16 + len(rid) + len(kind[1]) + len(kind[2]) for rid, kind in self.batch)
        received = b""
        try:
            while len(received) < wanted:
                received += self.more()
        except TimeoutError:
            pass
        position = 0
        tally = self.load.tally
        for rid, (question, opening, rest, request, counted) in self.batch:
            start = position
            position += len(opening)
            date = received[position:position + 29]
            answer = opening + date + b"\r\nX-Request-Id: " + rid + rest
            position = start + len(answer)
            if received[start:position] != answer:
                raise Wrong(f"{question!r}: {received[start:position + 200]!r}, not {answer!r}")
            check_date(date)
            tally[request] += 1
            if counted:
                tally[counted] += 1
        if position != len(received):
            raise Wrong(f"more than was asked for: {received[position:]!r}")


def run(load, rate):
    batchers = [Batcher(load, user) for user in load.users]
    for batcher in batchers:
        batcher.take_token()
    begin, asked = time.monotonic(), 0
    while not load.is_over:
        for batcher in batchers:
            asked += batcher.send()
        for batcher in batchers:
            batcher.receive()
        ahead = begin + asked / rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        elif ahead < -1:
            # What could not be asked in time is not made up for.
            begin, asked = time.monotonic(), 0
    for batcher in batchers:
        batcher.socket.close()
