"""All other clients of a soak: valid, invalid, slow, and those that disconnect early."""

import asyncio
import base64
import json
import re
import socket
import struct
import time

from server import TIMEOUT, sign_token
from soaking.protocol import (
    ATTEMPTS, BODY_TIMEOUT, BUSY, DOCUMENT, DOCUMENT_PATH, EXPIRED, GRACE, HEAD_TIMEOUT,
    IDLE_TIMEOUT, INVALID_CREDENTIALS, INVALID_REQUEST, INVALID_TOKEN, KEYS, LOCKOUT, NO_USER,
    NOT_FOUND, OK, PHRASES, REVOKED, SESSION_EXPIRED, TOKEN, UNAUTHORIZED, WRITE_TIMEOUT,
    ExpectedResponse, UnexpectedResponse, check_date, claims_of, read_token, request_bytes,
    resource, verified)


class Connection:
    """A connection of an asynchronous client, and the bytes received but not yet parsed."""

    def __init__(self, load, source="127.0.0.1", receive_buffer=None):
        self.load = load
        self.loop = asyncio.get_running_loop()
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.bind((source, 0))
        self.received = bytearray()

    async def open(self):
        await self.loop.sock_connect(self.socket, self.load.address)
        self.load.counts.connections += 1
        return self

    async def send(self, data):
        await self.loop.sock_sendall(self.socket, data)

    async def trickle(self, data, pause, size=1, within=float("inf")):
        """Sends data in pieces with pauses; the rest at once if that takes longer than `within`
        seconds, as on a slow machine."""
        begin = time.monotonic()
        for start in range(0, len(data), size):
            if time.monotonic() - begin > within:
                return await self.send(data[start:])
            await self.send(data[start:start + size])
            await asyncio.sleep(pause)

    async def receive(self, size=65536):
        data = await asyncio.wait_for(self.loop.sock_recv(self.socket, size), TIMEOUT)
        self.received += data
        return len(data)

    async def response(self, head=False, slowly=None):
        """The next response: its status, fields and body.
        - slowly: the pause before each read, in seconds.
        """
        while (end := self.received.find(b"\r\n\r\n")) < 0:
            await self.receive_more(slowly)
        lines = self.received[:end].decode("latin-1").split("\r\n")
        version, status, phrase = lines[0].split(" ", 2)
        status = int(status)
        if version != "HTTP/1.1" or phrase != PHRASES.get(status):
            raise UnexpectedResponse(f"the status line is {lines[0]!r}")
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            if name.lower() in fields:
                raise UnexpectedResponse(f"{name} is repeated: {lines}")
            fields[name.lower()] = value
        length = 0 if head else int(fields.get("content-length", 0))
        while len(self.received) < end + 4 + length:
            await self.receive_more(slowly)
        body = bytes(self.received[end + 4:end + 4 + length])
        del self.received[:end + 4 + length]
        return status, fields, body

    async def receive_more(self, slowly=None):
        if slowly:
            await asyncio.sleep(slowly)
        if not await self.receive(2048 if slowly else 65536):
            raise UnexpectedResponse(f"the connection ended after {bytes(self.received)!r}")

    async def expect(self, expected, request_id, slowly=None):
        """Receives the next response, and compares it with the expected one, field by field.
        - request_id: None for one that the server generates.
        """
        status, fields, body = await self.response(expected.head, slowly)
        check_date(fields.pop("date", "").encode())
        given = fields.pop("x-request-id", None)
        if request_id is None:
            if not re.fullmatch("[0-9a-f]{16}", given or ""):
                raise UnexpectedResponse(f"the request id is {given}")
        elif given != request_id:
            raise UnexpectedResponse(f"the request id is {given}, not {request_id}")
        expected_body = b"" if expected.head else expected.body
        if expected_body is None:
            # The body is as long as its Content-Length, or `response` would not have returned it.
            del fields["content-length"]
            expected_body = body
        if (status, fields, body) != (expected.status, expected.fields, expected_body):
            raise UnexpectedResponse(
                f"{status} {fields} {body!r}, not "
                f"{expected.status} {expected.fields} {expected_body!r}")
        return body

    async def wait_for_end(self):
        """Waits until the server closes the connection, and checks that no bytes are left."""
        try:
            while await self.receive():
                pass
        except ConnectionResetError:
            pass
        if self.received:
            raise UnexpectedResponse(f"bytes before the end: {bytes(self.received)!r}")
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


class Clients:
    def __init__(self, load):
        self.load = load
        self.counts = load.counts
        self.addresses = 0
        self.disabled_at = 0
        # Held by the clients that guess passwords. Their addresses have no successful login, so
        # several of them at a time would get 503 from a full queue.
        self.guessing = asyncio.Lock()

    def unused_address(self):
        """An address without failed logins."""
        self.addresses += 1
        return f"127.{100 + self.addresses // 62500}.{self.addresses // 250 % 250}" \
               f".{1 + self.addresses % 250}"

    async def connection(self, source="127.0.0.1", **options):
        return await Connection(self.load, source, **options).open()

    async def request(self, connection, method, path, expected, token=None, body=None, fields=()):
        request_id = self.load.next_id()
        await connection.send(request_bytes(method, path, request_id, token, body, fields))
        content = await connection.expect(expected, request_id)
        self.counts.request(path, expected.status)
        return content

    async def request_token(self, connection, user, path, token=None, body=b""):
        request_id = self.load.next_id()
        await connection.send(request_bytes("POST", path, request_id, token, body))
        content = await connection.expect(TOKEN, request_id)
        self.counts.request(path, 200)
        return read_token(content, user)

    async def login(self, connection, user):
        body = json.dumps({"user_id": user.id, "password": user.password}).encode()
        self.counts.login("success")
        return await self.request_token(connection, user, "/login", body=body)

    async def use(self, connection, user, token, claims):
        await self.request(connection, "GET", "/resource", resource(user), token)
        await self.request(connection, "GET", "/verify", verified(user, claims), token)
        self.counts.verified += 2

    async def refresh(self, connection, user, token):
        self.counts.verify()
        self.counts.refreshed += 1
        return await self.request_token(connection, user, "/refresh", token)

    async def logout(self, connection, token, path="/logout"):
        await self.request(connection, "POST", path, ExpectedResponse(204), token, b"")
        self.counts.verify()
        self.counts.logouts += 1

    async def reuse_revoked(self, connection, token, method="GET", path="/resource"):
        """Sends a revoked token."""
        await self.request(connection, method, path, REVOKED, token,
                           None if method == "GET" else b"")
        self.counts.reused += 1

    # Each of the following clients runs again and again.

    async def regular_user(self, user):
        """A user who logs in, refreshes the token, logs out, and uses the revoked token."""
        connection = await self.connection(f"127.1.0.{user.id}")
        for round in range(4):
            token, claims = await self.login(connection, user)
            await self.use(connection, user, token, claims)
            for _ in range(3):
                old = token
                token, new = await self.refresh(connection, user, old)
                if (new["sid"], new["sxp"]) != (claims["sid"], claims["sxp"]):
                    raise UnexpectedResponse("a refresh has changed the session")
                # Another tab of the browser refreshes the same token.
                again, same = await self.refresh(connection, user, old)
                # The same token, byte for byte, unless the signing key has changed.
                if same != new or again != token and again.split(".")[0] == token.split(".")[0]:
                    raise UnexpectedResponse("two refreshes of a token have different successors")
                await self.use(connection, user, token, new)
                await self.use(connection, user, old, claims)
                claims = new
                await asyncio.sleep(0.05)
            if round < 3:
                await self.logout(connection, token)
            else:
                other, _ = await self.login(connection, user)
                await self.logout(connection, token, "/logout/all")
                await self.reuse_revoked(connection, other, "POST", "/refresh")
            await self.reuse_revoked(connection, token)
            await self.reuse_revoked(connection, token, "POST", "/logout")
            await asyncio.sleep(0.05)
        connection.close()

    async def replayer(self, user):
        """A token that was refreshed is sent after the grace period: the session ends."""
        connection = await self.connection(f"127.1.0.{user.id}")
        old, claims = await self.login(connection, user)
        token, new = await self.refresh(connection, user, old)
        # Requests in between prevent the idle timeout of the connection.
        for _ in range(6):
            await asyncio.sleep((GRACE + 0.5) / 6)
            await self.use(connection, user, token, new)
        await self.reuse_revoked(connection, old, "POST", "/refresh")
        self.counts.revocations += 1
        await self.reuse_revoked(connection, token)
        connection.close()

    async def invalid_tokens(self):
        """Tokens that are malformed, expired or revoked."""
        now = int(time.time())
        user = self.load.users[0]

        def sign(key="first", header=None, **changes):
            return sign_token(claims_of(user.id, now, **changes), KEYS[key], header)

        valid = sign()
        head, payload, signature = valid.split(".")
        no_algorithm = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
        header = {"alg": "HS256", "typ": "JWT"}
        cases = [
            ("expired", EXPIRED, sign(iat=now - 900, exp=now - 600)),
            ("not_yet_valid", INVALID_TOKEN, sign(nbf=now + 600)),
            ("wrong_issuer", INVALID_TOKEN, sign(iss="another issuer")),
            ("claims", INVALID_TOKEN, sign(exp=None)),
            ("claims", INVALID_TOKEN, sign(exp=str(now + 600))),
            ("unknown_user", NO_USER, sign_token(claims_of(4_000_000, now))),
            ("bad_signature", INVALID_TOKEN, f"{head}.{payload}.{'A' * len(signature)}"),
            ("bad_signature", INVALID_TOKEN, sign_token(claims_of(user.id), "x" * 40)),
            ("unknown_kid", INVALID_TOKEN, sign(header={**header, "kid": "unknown"})),
            ("crit", INVALID_TOKEN, sign(header={**header, "crit": ["exp"]})),
            ("alg_not_allowed", INVALID_TOKEN, f"{no_algorithm}.{payload}."),
            ("alg_not_allowed", INVALID_TOKEN, sign(header={**header, "alg": "HS512"})),
            ("not_canonical", INVALID_TOKEN, f"{head}.{payload}.{signature}="),
            ("malformed", INVALID_TOKEN, "garbage"),
            ("malformed", INVALID_REQUEST, "gar bage"),
            ("too_long", INVALID_TOKEN, f"{head}.{'A' * 9000}.{signature}"),
        ]
        connection = await self.connection()
        for reason, expected, token in cases:
            for method, path in [("GET", "/resource"), ("GET", "/verify"), ("POST", "/refresh"),
                                 ("POST", "/logout"), ("POST", "/logout/all")]:
                await self.request(connection, method, path, expected, token,
                                   None if method == "GET" else b"")
                self.counts.reject(reason)
            await asyncio.sleep(0.01)
        session_over = sign(iat=now - 900, exp=now - 600, sxp=now - 600, sid="over", jti="over")
        await self.request(connection, "POST", "/refresh", SESSION_EXPIRED, session_over, b"")
        self.counts.reject("session_expired")
        for expected, reason, fields in [
                (UNAUTHORIZED, "missing", ["Authorization: Basic QWxhZGRpbg=="]),
                (UNAUTHORIZED, "missing", [f"Cookie: {valid}"]),
                (INVALID_REQUEST, "malformed", ["Authorization: Bearer"]),
                (INVALID_REQUEST, "malformed", [f"Authorization: Bearer {valid}"] * 2)]:
            await self.request(connection, "GET", "/resource", expected, fields=fields)
            self.counts.reject(reason)
        # A valid token that another issuer has signed with the same key is accepted.
        for _ in range(3):
            await self.request(connection, "GET", "/resource", resource(user), valid)
            self.counts.verify()
        connection.close()

    async def paths_and_methods(self):
        """Paths and methods of all kinds, one request at a time and pipelined."""
        connection = await self.connection()
        get, post = "GET, HEAD, OPTIONS", "OPTIONS, POST"
        everything = "GET, HEAD, OPTIONS, POST"
        cases = [
            ("GET", "/", NOT_FOUND), ("GET", "/resource/", NOT_FOUND),
            ("GET", "/%72esource", NOT_FOUND), ("PATCH", "/nowhere?at=all", NOT_FOUND),
            ("GET", "/metrics", NOT_FOUND), ("POST", "/revoke", NOT_FOUND),
            ("DELETE", "/resource", ExpectedResponse.error(405, allow=get)),
            ("GET", "/login", ExpectedResponse.error(405, allow=post)),
            ("POST", "/resource", ExpectedResponse.error(405, allow=get)),
            ("PUT", "/logout/all", ExpectedResponse.error(405, allow=post)),
            ("OPTIONS", "/refresh", ExpectedResponse(204, allow=post)),
            ("OPTIONS", "*", ExpectedResponse(204, allow=everything)),
            ("GET", "/health/live", OK), ("GET", "/health/ready", OK),
            ("HEAD", "/health/live", ExpectedResponse(200, OK.body, head=True)),
            ("HEAD", "/no", ExpectedResponse(404, NOT_FOUND.body, head=True)),
        ]
        for method, path, expected in cases:
            await self.request(connection, method, path, expected)
        # Pipelined, and cut at arbitrary places.
        ids = [self.load.next_id() for _ in cases]
        together = b"".join(request_bytes(method, path, request_id)
                            for request_id, (method, path, _) in zip(ids, cases))
        await connection.trickle(together, 0.001, 1 + len(together) // 7, within=2)
        for request_id, (_, path, expected) in zip(ids, cases):
            await connection.expect(expected, request_id)
            self.counts.request(path, expected.status)
        request_id = self.load.next_id()
        await connection.send(
            request_bytes("GET", "/health/live", request_id, fields=["Connection: close"]))
        await connection.expect(ExpectedResponse(200, OK.body, closes=True), request_id)
        self.counts.request("/health/live", 200)
        await connection.wait_for_end()
        # HTTP/1.0, with and without keep-alive.
        connection = await self.connection()
        request_id = self.load.next_id()
        await connection.send(request_bytes("GET", "/health/live", request_id, version="1.0",
                                            fields=["Connection: keep-alive"]))
        await connection.expect(ExpectedResponse(200, OK.body, connection="keep-alive"), request_id)
        request_id = self.load.next_id()
        await connection.send(request_bytes("GET", "/health/live", request_id, version="1.0"))
        await connection.expect(ExpectedResponse(200, OK.body, closes=True), request_id)
        self.counts.requests["/health/live", 200] += 2
        await connection.wait_for_end()
        # The request id is malformed.
        connection = await self.connection()
        await connection.send(b"GET /health/live HTTP/1.1\r\nHost: h\r\nX-Request-Id: a b\r\n\r\n")
        await connection.expect(OK, None)
        self.counts.request("/health/live", 200)
        connection.close()

    async def malformed_requests(self):
        """Malformed requests. The response has the request's id if it was read before the error."""
        post = "POST /login HTTP/1.1\r\nHost: h\r\nX-Request-Id: {}\r\n"
        get = "GET /resource HTTP/1.1\r\nHost: h\r\nX-Request-Id: {}\r\n"
        cases = [
            ("bad_request_line", 400, "nonsense\r\n"),
            ("bad_target", 400, "GET  / HTTP/1.1\r\n"),
            ("bad_target", 400, "GET resource HTTP/1.1\r\n"),
            ("unsupported_version", 505, "GET / HTTP/2.0\r\n"),
            ("bare_line_end", 400, get + "A: b\n\r\n"),
            ("control_character", 400, get + "A: \0\r\n"),
            ("bad_field", 400, get + "A : b\r\n"),
            ("obsolete_folding", 400, get + " b\r\n"),
            ("missing_host", 400, "GET / HTTP/1.1\r\nX-Request-Id: {}\r\n\r\n"),
            ("bad_host", 400, get + "Host: h\r\n\r\n"),
            ("bad_length", 400, post + "Content-Length: +5\r\n\r\n"),
            ("repeated_field", 400, post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
            ("length_with_coding", 400,
             post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
            ("bad_coding", 400, post + "Transfer-Encoding: chunked, gzip\r\n\r\n"),
            ("unsupported_coding", 501, post + "Transfer-Encoding: gzip, chunked\r\n\r\n"),
            ("bad_chunk", 400, post + "Transfer-Encoding: chunked\r\n\r\nx\r\n"),
            ("unknown_expectation", 417, post + "Expect: the worst\r\n\r\n"),
            ("target_too_long", 414, "GET /" + "a" * 17000),
            ("head_too_large", 431, get + "A: " + "a" * 17000),
            ("too_many_fields", 431, get + "A: b\r\n" * 120),
            ("body_too_large", 413, post + "Content-Length: 70000\r\n\r\n"),
        ]
        for index, (reason, status, text) in enumerate(cases):
            request_id = self.load.next_id()
            connection = await self.connection()
            follows_valid = index % 3 == 0
            if follows_valid:
                # After a valid request on the same connection.
                await connection.send(request_bytes("GET", "/health/live", request_id))
                await connection.expect(OK, request_id)
                self.counts.request("/health/live", 200)
            await connection.send(text.replace("{}", request_id).encode())
            await connection.expect(ExpectedResponse.error(status, closes=True),
                                    request_id if "{}" in text else None)
            self.counts.refuse(reason, status)
            await connection.wait_for_end()
            await asyncio.sleep(0.01)

    async def slow(self):
        """Slow, but within the timeouts."""
        connection = await self.connection()
        user = self.load.users[0]
        token = sign_token(claims_of(user.id))
        request_id = self.load.next_id()
        await connection.trickle(
            request_bytes("GET", "/resource", request_id, token), 0.005, 2, within=2)
        await connection.expect(resource(user), request_id)
        self.counts.request("/resource", 200)
        self.counts.verify()
        body = b'{"user_id":true}'
        request_id = self.load.next_id()
        await connection.trickle(
            request_bytes("POST", "/login", request_id, body=body), 0.005, 2, within=2)
        await connection.expect(ExpectedResponse.error(400, "Invalid user_id"), request_id)
        self.counts.request("/login", 400)
        self.counts.login("invalid_user_id")
        connection.close()

    async def slow_reader(self):
        connection = await self.connection(receive_buffer=4096)
        ids = [self.load.next_id() for _ in range(8)]
        await connection.send(b"".join(
            request_bytes("GET", DOCUMENT_PATH, request_id) for request_id in ids))
        begin = time.monotonic()
        for request_id in ids:
            slowly = 0.01 if time.monotonic() - begin < 1 else None
            body = await connection.expect(DOCUMENT, request_id, slowly)
            if json.loads(body)["openapi"] != "3.1.0":
                raise UnexpectedResponse(f"{DOCUMENT_PATH}: {body!r}")
            self.counts.documents_least += 1
            self.counts.documents_most += 1
        connection.close()

    async def too_slow(self, kind):
        """Too slow: the server closes the connection."""
        source = self.unused_address()
        connection = await self.connection(source, receive_buffer=4096 if kind == "write" else None)
        request_id = self.load.next_id()
        if kind == "silent":
            await connection.wait_for_end()
            self.counts.timeouts["header"] += 1
        elif kind == "idle":
            await self.request(connection, "GET", "/health/live", OK)
            await connection.wait_for_end()
            self.counts.timeouts["idle"] += 1
        elif kind == "write":
            # Far more than the socket buffers can contain while the client does not read.
            count = 1500
            await connection.send(request_bytes("GET", DOCUMENT_PATH, request_id) * count)
            while b"Content-Length" not in connection.received:
                await connection.receive(512)
            await asyncio.sleep(WRITE_TIMEOUT + 1)
            try:
                while await connection.receive():
                    pass
            except ConnectionResetError:
                pass
            connection.close()
            self.counts.timeouts["write"] += 1
            self.counts.documents_least += 1
            self.counts.documents_most += count
        else:
            body = kind == "body"
            whole = request_bytes("POST", "/login", request_id, body=b"x" * 1000)
            at_once = len(whole) - 1000 if body else whole.index(b"Content-Length") + 1
            await connection.send(whole[:at_once])
            trickling = asyncio.ensure_future(connection.trickle(whole[at_once:], 0.3))
            await connection.expect(ExpectedResponse.error(408, closes=True), request_id)
            self.counts.timeouts["body" if body else "header"] += 1
            self.counts.refuse("body_timeout" if body else "head_timeout", 408)
            trickling.cancel()
            await connection.wait_for_end()

    async def aborting(self):
        """Disconnects in the middle of a request or a response."""
        request_id = self.load.next_id()
        whole = request_bytes("POST", "/login", request_id, body=b'{"user_id":1}')
        for end in (1, 30, len(whole) - 13, len(whole) - 1):
            connection = await self.connection()
            await connection.send(whole[:end])
            await asyncio.sleep(0.01)
            connection.reset()
        # Disconnect in the middle of a response. The request has been handled.
        connection = await self.connection()
        await connection.send(
            request_bytes("GET", "/resource", self.load.next_id(), self.load.expired_token))
        await connection.receive(20)
        connection.reset()
        self.counts.request("/resource", 401)
        self.counts.reject("expired")
        # The server may or may not have read these.
        connection = await self.connection()
        await connection.send(request_bytes("GET", DOCUMENT_PATH, request_id) * 50)
        self.counts.documents_most += 50
        connection.reset()
        # The client sends no bytes.
        connection = await self.connection()
        connection.close()
        # If the client half-closes after a request, it is answered; within a request, it is
        # refused.
        connection = await self.connection()
        request_id = self.load.next_id()
        await connection.send(request_bytes("GET", "/health/ready", request_id))
        connection.socket.shutdown(socket.SHUT_WR)
        await connection.expect(OK, request_id)
        self.counts.request("/health/ready", 200)
        await connection.wait_for_end()
        for end in (30, len(whole) - 1):
            connection = await self.connection()
            await connection.send(whole[:end])
            connection.socket.shutdown(socket.SHUT_WR)
            await connection.expect(
                ExpectedResponse.error(400, closes=True),
                request_id_of(whole) if b"\r\n\r\n" in whole[:end] else None)
            self.counts.refuse("incomplete", 400)
            await connection.wait_for_end()

    async def guesser(self):
        """Wrong passwords, and bodies that are not a login."""
        connection = await self.connection(self.unused_address())
        victim, gone, other = self.load.users[1:4]
        faults = [
            ("invalid_json", ExpectedResponse.error(400, "Invalid JSON"), b"{", ()),
            ("invalid_json", ExpectedResponse.error(400, "Invalid JSON"),
             b'{"user_id":1,"user_id":2}', ()),
            ("invalid_user_id", ExpectedResponse.error(400, "Invalid user_id"),
             b'{"user_id":1.0}', ()),
            ("invalid_user_id", ExpectedResponse.error(400, "Invalid user_id"), b"{}", ()),
            ("unsupported_media_type", ExpectedResponse.error(415), b"{}",
             ["Content-Type: text/plain"]),
            ("unsupported_media_type",
             ExpectedResponse.error(415, accept_encoding="identity"), b"{}",
             ["Content-Encoding: gzip"]),
            ("length_required", ExpectedResponse.error(411, closes=True), None, ()),
            ("wrong_password", INVALID_CREDENTIALS,
             json.dumps({"user_id": victim.id, "password": "not that"}).encode(), ()),
            ("disabled", INVALID_CREDENTIALS,
             json.dumps({"username": gone.username, "password": gone.password}).encode(), ()),
            ("wrong_user", INVALID_CREDENTIALS,
             json.dumps({"username": other.username, "user_id": victim.id,
                         "password": victim.password}).encode(), ()),
            ("unknown_user", INVALID_CREDENTIALS,
             json.dumps({"username": self.load.next_id(), "password": "what"}).encode(), ()),
        ]
        for reason, expected, body, fields in faults:
            if reason == "disabled":
                # No successful login resets these failures, and they must not lock the account.
                if time.monotonic() < self.disabled_at:
                    continue
                self.disabled_at = time.monotonic() + LOCKOUT / (ATTEMPTS - 2)
            if "connection" in expected.fields:
                # The server closes the connection after the response.
                closing = await self.connection(self.unused_address())
                await self.request(closing, "POST", "/login", expected, body=body, fields=fields)
                await closing.wait_for_end()
            else:
                await self.request(connection, "POST", "/login", expected, body=body, fields=fields)
            self.counts.login(reason)
        # A successful login resets the failures before the next round.
        for user in (victim, other):
            await self.login(connection, user)
        connection.close()

    async def lock_out(self, cause):
        """Guesses passwords until the account, or the address, is locked."""
        connection = await self.connection(self.unused_address())
        limit = ATTEMPTS if cause == "account" else 10 * ATTEMPTS
        name = self.load.next_id()

        def body():
            username = name if cause == "account" else self.load.next_id()
            return json.dumps({"username": username, "password": "a guess"}).encode()

        for _ in range(limit):
            await self.request(connection, "POST", "/login", INVALID_CREDENTIALS, body=body())
            self.counts.login("unknown_user")
        self.counts.lockouts += 1
        for _ in range(3):
            request_id = self.load.next_id()
            await connection.send(request_bytes("POST", "/login", request_id, body=body()))
            while not (wait := re.search(rb"\r\nRetry-After: (\d+)\r\n", connection.received)):
                await connection.receive_more()
            wait = int(wait.group(1))
            if not LOCKOUT - 10 < wait <= LOCKOUT:
                raise UnexpectedResponse(f"a locked {cause}: Retry-After is {wait}")
            await connection.expect(
                ExpectedResponse.error(429, "Too many attempts", retry_after=str(wait)), request_id)
            self.counts.request("/login", 429)
            self.counts.throttled[cause] += 1
        connection.close()

    async def crowd(self):
        """More logins at a time than the queue holds: each is checked, or gets 503."""
        # Start after the regular users have logged in once: from then on their logins have
        # priority.
        await asyncio.sleep(0.5)
        connections = [await self.connection(self.unused_address()) for _ in range(150)]

        async def log_in(connection):
            request_id = self.load.next_id()
            body = json.dumps({"username": request_id, "password": "a guess"}).encode()
            await connection.send(request_bytes("POST", "/login", request_id, body=body))
            while b"\r\n\r\n" not in connection.received:
                await connection.receive_more()
            if connection.received.startswith(b"HTTP/1.1 503"):
                await connection.expect(BUSY, request_id)
                self.counts.request("/login", 503)
                self.counts.refused["busy"] += 1
            else:
                await connection.expect(INVALID_CREDENTIALS, request_id)
                self.counts.request("/login", 401)
                self.counts.login("unknown_user")
            connection.close()

        await asyncio.gather(*(log_in(connection) for connection in connections))

    async def one_at_a_time(self, client, *arguments):
        async with self.guessing:
            if not self.load.is_over:
                await client(*arguments)

    async def repeat(self, client, *arguments, pause, duration=0):
        """Runs a client until the end of the load.
        - duration: of one run in seconds, so that none begins too late.
        """
        while time.monotonic() + duration < self.load.end:
            await client(*arguments)
            await asyncio.sleep(pause)

    async def run_all(self):
        spare = 3
        regular_users = self.load.users[4:]
        clients = [
            *(self.repeat(self.regular_user, user, pause=0.2) for user in regular_users[:6]),
            *(self.repeat(self.replayer, user, pause=1, duration=GRACE + 1)
              for user in regular_users[6:]),
            self.repeat(self.invalid_tokens, pause=0.3),
            self.repeat(self.paths_and_methods, pause=0.2),
            self.repeat(self.malformed_requests, pause=0.3),
            self.repeat(self.slow, pause=0.3),
            self.repeat(self.slow_reader, pause=0.5),
            self.repeat(self.aborting, pause=0.2),
            self.repeat(self.one_at_a_time, self.guesser, pause=0.3),
            self.repeat(self.one_at_a_time, self.lock_out, "account", pause=0.5),
            self.repeat(self.one_at_a_time, self.lock_out, "address", pause=5),
            self.repeat(self.one_at_a_time, self.crowd, pause=4),
            *(self.repeat(self.too_slow, kind, pause=0.5, duration=duration)
              for kind, duration in [("silent", HEAD_TIMEOUT), ("head", HEAD_TIMEOUT),
                                     ("body", BODY_TIMEOUT), ("write", WRITE_TIMEOUT + spare),
                                     ("idle", IDLE_TIMEOUT), ("idle", IDLE_TIMEOUT)]),
        ]
        tasks = [asyncio.ensure_future(client) for client in clients]
        await asyncio.gather(*tasks)


def request_id_of(whole):
    return re.search(rb"X-Request-Id: (\S+)", whole).group(1).decode()


def run(load):
    asyncio.run(Clients(load).run_all())
