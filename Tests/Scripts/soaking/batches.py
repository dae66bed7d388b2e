"""The busiest clients of a soak: many requests in one write, responses compared byte by byte."""

import collections.abc
import dataclasses
import json
import re
import socket
import time

from server import TIMEOUT
from soaking.counts import Counts
from soaking.protocol import (
    EXPIRED, INVALID_TOKEN, NOT_FOUND, OK, PHRASES, SESSION, TTL, UNAUTHORIZED, UnexpectedResponse,
    check_date, read_token, request_bytes, resource, verified)

# The length of a Date field's value.
DATE_LENGTH = 29
TOKEN_HEAD = (
    rb"HTTP/1\.1 200 OK\r\nDate: ([^\r]*)\r\nX-Request-Id: ID\r\n"
    rb"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nPragma: no-cache\r\n"
    rb"Content-Type: application/json\r\nContent-Length: (\d+)")


@dataclasses.dataclass
class Exchange:
    """A request, and the response to it, as bytes around the parts that vary."""
    request: bytes  # Up to the request id.
    before_date: bytes
    after_id: bytes
    path: str
    status: int
    count: collections.abc.Callable[[Counts], None]  # Counts what the request causes.


def parts(expected):
    """The bytes of a response before its date, and those after its request id."""
    names = {"www-authenticate": "WWW-Authenticate"}
    order = [name for name in expected.fields if name not in
             ("content-type", "content-length", "x-content-type-options", "cache-control")]
    after = "\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
    for name in [*order, "content-type", "content-length"]:
        if name in expected.fields:
            after += f"{names.get(name, name.title())}: {expected.fields[name]}\r\n"
    return (f"HTTP/1.1 {expected.status} {PHRASES[expected.status]}\r\nDate: ".encode(),
            after.encode() + b"\r\n" + expected.body)


class Batcher:
    """A connection on which requests are sent in batches, each in one write. The responses are
    compared byte by byte: everything except the date is known in advance.
    """

    def __init__(self, load, user):
        self.load = load
        self.user = user
        self.socket = socket.socket()
        self.socket.settimeout(TIMEOUT)
        self.socket.bind((f"127.2.0.{user.id}", 0))
        self.socket.connect(load.address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        load.counts.connections += 1
        self.token = None
        self.refresh_at = self.login_at = 0
        self.size = user.id % 7
        self.batch = []
        self.exchanges = []

    def obtain_token(self):
        """Logs in, or refreshes the token, and prepares the exchanges with the new token."""
        now = time.monotonic()
        if now >= self.login_at:
            body = self.request("POST", "/login", body=json.dumps(
                {"username": self.user.username, "password": self.user.password}).encode())
            self.load.counts.login("success")
            self.login_at = now + SESSION / 4
        else:
            body = self.request("POST", "/refresh", token=self.token, body=b"")
            self.load.counts.verify()
            self.load.counts.refreshed += 1
        self.refresh_at = now + TTL / 6
        self.token, claims = read_token(body, self.user)
        self.prepare_exchanges(claims)

    def prepare_exchanges(self, claims):
        valid = f"Authorization: Bearer {self.token}"
        kinds = [
            self.exchange("/resource", valid, resource(self.user), Counts.verify),
            self.exchange("/verify", valid, verified(self.user, claims), Counts.verify),
            self.exchange("/resource", f"Authorization: Bearer {self.load.expired_token}", EXPIRED,
                          lambda counts: counts.reject("expired")),
            self.exchange("/verify", f"Authorization: bearer {self.token[:-8]}AAAAAAAA",
                          INVALID_TOKEN, lambda counts: counts.reject("bad_signature")),
            self.exchange("/resource", "Accept: */*", UNAUTHORIZED,
                          lambda counts: counts.reject("missing")),
            self.exchange("/health/ready", "Accept: */*", OK),
            self.exchange("/elsewhere", valid, NOT_FOUND),
        ]
        # Most of the requests have a valid token.
        self.exchanges = [kinds[i] for i in [0] * 12 + [1] * 4 + [0, 2, 0, 3, 0, 4, 1, 5, 0, 6]]

    @staticmethod
    def exchange(path, field, expected, count=lambda counts: None):
        request = f"GET {path} HTTP/1.1\r\nHost: soak\r\n{field}\r\nX-Request-Id: ".encode()
        return Exchange(request, *parts(expected), path, expected.status, count)

    def request(self, method, path, token=None, body=None):
        """Sends one request for a token. Returns the body of the response."""
        request_id = self.load.next_id()
        self.socket.sendall(request_bytes(method, path, request_id, token, body))
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.receive_some()
        head, _, content = received.partition(b"\r\n\r\n")
        match = re.fullmatch(TOKEN_HEAD.replace(b"ID", request_id.encode()), head)
        if not match:
            raise UnexpectedResponse(f"{method} {path}: {received!r}")
        check_date(match.group(1))
        while len(content) < int(match.group(2)):
            content += self.receive_some()
        if len(content) != int(match.group(2)):
            raise UnexpectedResponse(f"{method} {path}: {content!r}")
        self.load.counts.request(path, 200)
        return content

    def receive_some(self):
        data = self.socket.recv(65536)
        if not data:
            raise UnexpectedResponse("the server has closed the connection of a valid client")
        return data

    def send_batch(self):
        """Sends a batch, and returns its size."""
        if time.monotonic() >= self.refresh_at:
            self.obtain_token()
        self.size = self.size % 16 + 1
        self.batch = []
        data = []
        for _ in range(self.size):
            exchange = self.exchanges[self.load.last_id % len(self.exchanges)]
            request_id = self.load.next_id().encode()
            data += (exchange.request, request_id, b"\r\n\r\n")
            self.batch.append((request_id, exchange))
        self.socket.sendall(b"".join(data))
        return self.size

    def receive_batch(self):
        id_field = b"\r\nX-Request-Id: "
        length = sum(
            len(exchange.before_date) + DATE_LENGTH + len(id_field) + len(request_id)
            + len(exchange.after_id) for request_id, exchange in self.batch)
        received = b""
        try:
            while len(received) < length:
                received += self.receive_some()
        except TimeoutError:
            pass
        position = 0
        for request_id, exchange in self.batch:
            date_start = position + len(exchange.before_date)
            date = received[date_start:date_start + DATE_LENGTH]
            expected = exchange.before_date + date + id_field + request_id + exchange.after_id
            end = position + len(expected)
            if received[position:end] != expected:
                raise UnexpectedResponse(
                    f"{exchange.request!r}: {received[position:end + 200]!r}, not {expected!r}")
            position = end
            check_date(date)
            self.load.counts.request(exchange.path, exchange.status)
            exchange.count(self.load.counts)
        if position != len(received):
            raise UnexpectedResponse(f"more than the responses: {received[position:]!r}")


def run(load, rate):
    """Runs a client for each user. Together they send this number of requests a second."""
    batchers = [Batcher(load, user) for user in load.users]
    for batcher in batchers:
        batcher.obtain_token()
    start, sent = time.monotonic(), 0
    while not load.is_over:
        for batcher in batchers:
            sent += batcher.send_batch()
        for batcher in batchers:
            batcher.receive_batch()
        ahead = start + sent / rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        elif ahead < -1:
            # Requests that could not be sent in time are not sent later.
            start, sent = time.monotonic(), 0
    for batcher in batchers:
        batcher.socket.close()
