"""All other clients of a soak: good, bad, slow, and gone in the middle."""

import asyncio
import base64
import json
import re
import socket
import struct
import time

import house
from soaking.answers import (
    ATTEMPTS, BODY_TIMEOUT, BUSY, DOCUMENT, EXPIRED, GRACE, HEAD_TIMEOUT, IDLE_TIMEOUT,
    INVALID_CREDENTIALS, INVALID_REQUEST, INVALID_TOKEN, KEYS, LOCKOUT, LOOSE, NO_USER, NOT_FOUND,
    OK, PATIENCE, PHRASES, REVOKED, SESSION_EXPIRED, TOKEN, UNAUTHORIZED, WRITE_TIMEOUT, Expected,
    Wrong, check_date, claims_of, message, read_token, resource, verified)


class Connection:
    """A connection of an asynchronous client, and what has come on it."""

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
        self.load.tally["connections"] += 1
        return self

    async def send(self, data):
        await self.loop.sock_sendall(self.socket, data)

    async def trickle(self, data, pause, size=1, within=float("inf")):
        """Sends it bit by bit; when so many seconds are over, as on a slow machine, the rest."""
        begin = time.monotonic()
        for start in range(0, len(data), size):
            if time.monotonic() - begin > within:
                return await self.send(data[start:])
            await self.send(data[start:start + size])
            await asyncio.sleep(pause)

    async def more(self, size=65536):
        data = await asyncio.wait_for(self.loop.sock_recv(self.socket, size), PATIENCE)
        self.received += data
        return len(data)

    async def answer(self, head=False, slowly=None):
        """The next answer: its status, fields and body."""
        while (end := self.received.find(b"\r\n\r\n")) < 0:
            await self.need(slowly)
        lines = self.received[:end].decode("latin-1").split("\r\n")
        version, status, phrase = lines[0].split(" ", 2)
        status = int(status)
        if version != "HTTP/1.1" or phrase != PHRASES.get(status):
            raise Wrong(f"the status line is {lines[0]!r}")
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            if name.lower() in fields:
                raise Wrong(f"{name} comes twice: {lines}")
            fields[name.lower()] = value
        length = 0 if head else int(fields.get("content-length", 0))
        while len(self.received) < end + 4 + length:
            await self.need(slowly)
        body = bytes(self.received[end + 4:end + 4 + length])
        del self.received[:end + 4 + length]
        return status, fields, body

    async def need(self, slowly):
        if slowly:
            await asyncio.sleep(slowly)
        if not await self.more(2048 if slowly else 65536):
            raise Wrong(f"the connection ended behind {bytes(self.received)!r}")

    async def expect(self, expected, rid, slowly=None):
        """Takes the next answer, which has to be this one, to the last field.
        - rid: None for one that the server makes.
        """
        status, fields, body = await self.answer(expected.head, slowly)
        check_date(fields.pop("date", "").encode())
        given = fields.pop("x-request-id", None)
        if rid is None:
            if not re.fullmatch("[0-9a-f]{16}", given or ""):
                raise Wrong(f"the id is {given}")
        elif given != rid:
            raise Wrong(f"the id is {given}, not {rid}")
        wanted = b"" if expected.head else expected.body
        if wanted is None:
            # It came whole, as long as it said.
            del fields["content-length"]
            wanted = body
        if (status, fields, body) != (expected.status, expected.fields, wanted):
            raise Wrong(f"{status} {fields} {body!r}, not "
                        f"{expected.status} {expected.fields} {wanted!r}")
        return body

    async def end(self):
        """Waits for the other side's end, behind which nothing stands."""
        try:
            while await self.more():
                pass
        except ConnectionResetError:
            pass
        if self.received:
            raise Wrong(f"at the end came {bytes(self.received)!r}")
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


class Clients:
    def __init__(self, load):
        self.load = load
        self.tally = load.tally
        self.addresses = 0
        self.disabled_at = 0
        # Held by those who guess: they are nobody's friends, and a crowd would leave them no room.
        self.room = asyncio.Lock()

    def fresh_address(self):
        """One that nobody has failed from."""
        self.addresses += 1
        return f"127.{100 + self.addresses // 62500}.{self.addresses // 250 % 250}" \
               f".{1 + self.addresses % 250}"

    async def connection(self, source="127.0.0.1", **options):
        return await Connection(self.load, source, **options).open()

    async def ask(self, connection, method, path, expected, token=None, body=None, fields=()):
        rid = self.load.next_id()
        await connection.send(message(method, path, rid, token, body, fields))
        content = await connection.expect(expected, rid)
        self.tally.request(path, expected.status)
        return content

    async def ask_token(self, connection, user, path, token=None, body=b""):
        rid = self.load.next_id()
        await connection.send(message("POST", path, rid, token, body))
        content = await connection.expect(TOKEN, rid)
        self.tally.request(path, 200)
        return read_token(content, user)

    async def login(self, connection, user):
        body = json.dumps({"user_id": user.id, "password": user.password}).encode()
        self.tally.login("success")
        return await self.ask_token(connection, user, "/login", body=body)

    async def use(self, connection, user, token, claims):
        await self.ask(connection, "GET", "/resource", resource(user), token)
        await self.ask(connection, "GET", "/verify", verified(user, claims), token)
        self.tally["verified"] += 2

    async def refresh(self, connection, user, token):
        self.tally["verified"] += 1
        self.tally["refreshed"] += 1
        return await self.ask_token(connection, user, "/refresh", token)

    async def logout(self, connection, token, path="/logout"):
        await self.ask(connection, "POST", path, Expected(204), token, b"")
        self.tally["verified"] += 1
        self.tally["logouts"] += 1

    async def comes_back(self, connection, token, method="GET", path="/resource"):
        """With a token that is good no more."""
        await self.ask(connection, method, path, REVOKED, token,
                       None if method == "GET" else b"")
        self.tally["reused"] += 1

    # Each of these is done over and over.

    async def resident(self, user):
        """Somebody who logs in, renews, logs out, and tries again."""
        connection = await self.connection(f"127.1.0.{user.id}")
        for round in range(4):
            token, claims = await self.login(connection, user)
            await self.use(connection, user, token, claims)
            for _ in range(3):
                old = token
                token, new = await self.refresh(connection, user, old)
                if (new["sid"], new["sxp"]) != (claims["sid"], claims["sxp"]):
                    raise Wrong("a renewal has changed the session")
                # Another tab renews the same one.
                again, same = await self.refresh(connection, user, old)
                # Byte for byte, unless the key that signs has changed in between.
                if same != new or again != token and again.split(".")[0] == token.split(".")[0]:
                    raise Wrong("two renewals have two successors")
                await self.use(connection, user, token, new)
                await self.use(connection, user, old, claims)
                claims = new
                await asyncio.sleep(0.05)
            if round < 3:
                await self.logout(connection, token)
            else:
                other, _ = await self.login(connection, user)
                await self.logout(connection, token, "/logout/all")
                await self.comes_back(connection, other, "POST", "/refresh")
            await self.comes_back(connection, token)
            await self.comes_back(connection, token, "POST", "/logout")
            await asyncio.sleep(0.05)
        connection.close()

    async def replayer(self, user):
        """A token comes back that was exchanged long ago: the session ends."""
        connection = await self.connection(f"127.1.0.{user.id}")
        old, claims = await self.login(connection, user)
        token, new = await self.refresh(connection, user, old)
        # In between the connection may not stand still for longer than it may.
        for _ in range(6):
            await asyncio.sleep((GRACE + 0.5) / 6)
            await self.use(connection, user, token, new)
        await self.comes_back(connection, old, "POST", "/refresh")
        self.tally["revocations"] += 1
        await self.comes_back(connection, token)
        connection.close()

    async def rejected(self):
        """Tokens that are none, or good no more."""
        now = int(time.time())
        user = self.load.users[0]

        def sign(key="first", header=None, **changes):
            return house.sign(claims_of(user.id, now, **changes), KEYS[key], header)

        good = sign()
        head, payload, signature = good.split(".")
        no_algorithm = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
        header = {"alg": "HS256", "typ": "JWT"}
        cases = [
            ("expired", EXPIRED, sign(iat=now - 900, exp=now - 600)),
            ("not_yet_valid", INVALID_TOKEN, sign(nbf=now + 600)),
            ("wrong_issuer", INVALID_TOKEN, sign(iss="somebody else")),
            ("claims", INVALID_TOKEN, sign(exp=None)),
            ("claims", INVALID_TOKEN, sign(exp=str(now + 600))),
            ("unknown_user", NO_USER, house.sign(claims_of(4_000_000, now))),
            ("bad_signature", INVALID_TOKEN, f"{head}.{payload}.{'A' * len(signature)}"),
            ("bad_signature", INVALID_TOKEN, house.sign(claims_of(user.id), "x" * 40)),
            ("unknown_kid", INVALID_TOKEN, sign(header={**header, "kid": "nobody's"})),
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
                await self.ask(connection, method, path, expected, token,
                               None if method == "GET" else b"")
                self.tally.rejected(reason)
            await asyncio.sleep(0.01)
        ended = sign(iat=now - 900, exp=now - 600, sxp=now - 600, sid="over", jti="over")
        await self.ask(connection, "POST", "/refresh", SESSION_EXPIRED, ended, b"")
        self.tally.rejected("session_expired")
        for expected, reason, fields in [
                (UNAUTHORIZED, "missing", ["Authorization: Basic QWxhZGRpbg=="]),
                (UNAUTHORIZED, "missing", [f"Cookie: {good}"]),
                (INVALID_REQUEST, "malformed", ["Authorization: Bearer"]),
                (INVALID_REQUEST, "malformed", [f"Authorization: Bearer {good}"] * 2)]:
            await self.ask(connection, "GET", "/resource", expected, fields=fields)
            self.tally.rejected(reason)
        # A good one from elsewhere is good.
        for _ in range(3):
            await self.ask(connection, "GET", "/resource", resource(user), good)
            self.tally["verified"] += 1
        connection.close()

    async def wanderer(self):
        """Paths and methods of all kinds, some of them one behind the other."""
        connection = await self.connection()
        get, post = "GET, HEAD, OPTIONS", "OPTIONS, POST"
        everything = "GET, HEAD, OPTIONS, POST"
        cases = [
            ("GET", "/", NOT_FOUND), ("GET", "/resource/", NOT_FOUND),
            ("GET", "/%72esource", NOT_FOUND), ("PATCH", "/nowhere?at=all", NOT_FOUND),
            ("GET", "/metrics", NOT_FOUND), ("POST", "/revoke", NOT_FOUND),
            ("DELETE", "/resource", Expected.error(405, allow=get)),
            ("GET", "/login", Expected.error(405, allow=post)),
            ("POST", "/resource", Expected.error(405, allow=get)),
            ("PUT", "/logout/all", Expected.error(405, allow=post)),
            ("OPTIONS", "/refresh", Expected(204, allow=post)),
            ("OPTIONS", "*", Expected(204, allow=everything)),
            ("GET", "/health/live", OK), ("GET", "/health/ready", OK),
            ("HEAD", "/health/live", Expected(200, OK.body, head=True)),
            ("HEAD", "/no", Expected(404, NOT_FOUND.body, head=True)),
        ]
        for method, path, expected in cases:
            await self.ask(connection, method, path, expected)
        # At once, in order, cut where it happens.
        ids = [self.load.next_id() for _ in cases]
        together = b"".join(message(method, path, rid)
                            for rid, (method, path, _) in zip(ids, cases))
        await connection.trickle(together, 0.001, 1 + len(together) // 7, within=2)
        for rid, (_, path, expected) in zip(ids, cases):
            await connection.expect(expected, rid)
            self.tally.request(path, expected.status)
        rid = self.load.next_id()
        await connection.send(message("GET", "/health/live", rid, fields=["Connection: close"]))
        await connection.expect(Expected(200, OK.body, closes=True), rid)
        self.tally.request("/health/live", 200)
        await connection.end()
        # A client of before: told that it goes on, or not.
        connection = await self.connection()
        rid = self.load.next_id()
        await connection.send(message("GET", "/health/live", rid, version="1.0",
                                      fields=["Connection: keep-alive"]))
        await connection.expect(Expected(200, OK.body, connection="keep-alive"), rid)
        rid = self.load.next_id()
        await connection.send(message("GET", "/health/live", rid, version="1.0"))
        await connection.expect(Expected(200, OK.body, closes=True), rid)
        self.tally["request", "/health/live", 200] += 2
        await connection.end()
        # Whose id is none.
        connection = await self.connection()
        await connection.send(b"GET /health/live HTTP/1.1\r\nHost: h\r\nX-Request-Id: a b\r\n\r\n")
        await connection.expect(OK, None)
        self.tally.request("/health/live", 200)
        connection.close()

    async def nonsense(self):
        """Bytes that are no request. With an id where it is read before they are refused."""
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
            rid = self.load.next_id()
            connection = await self.connection()
            ahead = index % 3 == 0
            if ahead:
                # Behind a good one on the same connection.
                await connection.send(message("GET", "/health/live", rid))
                await connection.expect(OK, rid)
                self.tally.request("/health/live", 200)
            await connection.send(text.replace("{}", rid).encode())
            await connection.expect(Expected.error(status, closes=True),
                                    rid if "{}" in text else None)
            self.tally.refused(reason, status)
            await connection.end()
            await asyncio.sleep(0.01)

    async def slow(self):
        """Slow, but not too slow."""
        connection = await self.connection()
        user = self.load.users[0]
        token = house.sign(claims_of(user.id))
        rid = self.load.next_id()
        await connection.trickle(message("GET", "/resource", rid, token), 0.005, 2, within=2)
        await connection.expect(resource(user), rid)
        self.tally.request("/resource", 200)
        self.tally["verified"] += 1
        body = b'{"user_id":true}'
        rid = self.load.next_id()
        await connection.trickle(message("POST", "/login", rid, body=body), 0.005, 2, within=2)
        await connection.expect(Expected.error(400, "Invalid user_id"), rid)
        self.tally.request("/login", 400)
        self.tally.login("invalid_user_id")
        connection.close()

    async def slow_reader(self):
        connection = await self.connection(receive_buffer=4096)
        ids = [self.load.next_id() for _ in range(8)]
        await connection.send(b"".join(message("GET", LOOSE, rid) for rid in ids))
        begin = time.monotonic()
        for rid in ids:
            slowly = 0.01 if time.monotonic() - begin < 1 else None
            body = await connection.expect(DOCUMENT, rid, slowly)
            if json.loads(body)["openapi"] != "3.1.0":
                raise Wrong(f"{LOOSE}: {body!r}")
            self.tally["loose least"] += 1
            self.tally["loose most"] += 1
        connection.close()

    async def too_slow(self, kind):
        """Until the server has had enough."""
        source = self.fresh_address()
        connection = await self.connection(source, receive_buffer=4096 if kind == "write" else None)
        rid = self.load.next_id()
        if kind == "silent":
            await connection.end()
            self.tally["timeout", "header"] += 1
        elif kind == "idle":
            await self.ask(connection, "GET", "/health/live", OK)
            await connection.end()
            self.tally["timeout", "idle"] += 1
        elif kind == "write":
            # Far more than the kernel keeps for somebody who does not read.
            count = 1500
            await connection.send(message("GET", LOOSE, rid) * count)
            while b"Content-Length" not in connection.received:
                await connection.more(512)
            await asyncio.sleep(WRITE_TIMEOUT + 1)
            try:
                while await connection.more():
                    pass
            except ConnectionResetError:
                pass
            connection.close()
            self.tally["timeout", "write"] += 1
            self.tally["loose least"] += 1
            self.tally["loose most"] += count
        else:
            body = kind == "body"
            whole = message("POST", "/login", rid, body=b"x" * 1000)
            at_once = len(whole) - 1000 if body else whole.index(b"Content-Length") + 1
            await connection.send(whole[:at_once])
            trickling = asyncio.ensure_future(connection.trickle(whole[at_once:], 0.3))
            await connection.expect(Expected.error(408, closes=True), rid)
            self.tally["timeout", "body" if body else "header"] += 1
            self.tally.refused("body_timeout" if body else "head_timeout", 408)
            trickling.cancel()
            await connection.end()

    async def aborting(self):
        """Goes away in the middle."""
        rid = self.load.next_id()
        whole = message("POST", "/login", rid, body=b'{"user_id":1}')
        for end in (1, 30, len(whole) - 13, len(whole) - 1):
            connection = await self.connection()
            await connection.send(whole[:end])
            await asyncio.sleep(0.01)
            connection.reset()
        # In the middle of an answer: the request has been handled.
        connection = await self.connection()
        await connection.send(message("GET", "/resource", self.load.next_id(), self.load.expired))
        await connection.more(20)
        connection.reset()
        self.tally.request("/resource", 401)
        self.tally.rejected("expired")
        # Perhaps it was heard, perhaps not.
        connection = await self.connection()
        await connection.send(message("GET", LOOSE, rid) * 50)
        self.tally["loose most"] += 50
        connection.reset()
        # Nothing at all.
        connection = await self.connection()
        connection.close()
        # Half-closed behind a request: it is answered. Inside one: it is refused.
        connection = await self.connection()
        rid = self.load.next_id()
        await connection.send(message("GET", "/health/ready", rid))
        connection.socket.shutdown(socket.SHUT_WR)
        await connection.expect(OK, rid)
        self.tally.request("/health/ready", 200)
        await connection.end()
        for end in (30, len(whole) - 1):
            connection = await self.connection()
            await connection.send(whole[:end])
            connection.socket.shutdown(socket.SHUT_WR)
            await connection.expect(Expected.error(400, closes=True),
                                    whole[:end].count(b"\r\n\r\n") and whole_id(whole) or None)
            self.tally.refused("incomplete", 400)
            await connection.end()

    async def guesser(self):
        """Wrong passwords, and bodies that are no login."""
        connection = await self.connection(self.fresh_address())
        victim, gone, other = self.load.users[1:4]
        faults = [
            ("invalid_json", Expected.error(400, "Invalid JSON"), b"{", ()),
            ("invalid_json", Expected.error(400, "Invalid JSON"),
             b'{"user_id":1,"user_id":2}', ()),
            ("invalid_user_id", Expected.error(400, "Invalid user_id"), b'{"user_id":1.0}', ()),
            ("invalid_user_id", Expected.error(400, "Invalid user_id"), b"{}", ()),
            ("unsupported_media_type", Expected.error(415), b"{}", ["Content-Type: text/plain"]),
            ("unsupported_media_type", Expected.error(415, accept_encoding="identity"), b"{}",
             ["Content-Encoding: gzip"]),
            ("length_required", Expected.error(411, closes=True), None, ()),
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
                # Nothing forgets these failures, and they must not lock the account.
                if time.monotonic() < self.disabled_at:
                    continue
                self.disabled_at = time.monotonic() + LOCKOUT / (ATTEMPTS - 2)
            if "connection" in expected.fields:
                # The answer ends the connection.
                closing = await self.connection(self.fresh_address())
                await self.ask(closing, "POST", "/login", expected, body=body, fields=fields)
                await closing.end()
            else:
                await self.ask(connection, "POST", "/login", expected, body=body, fields=fields)
            self.tally.login(reason)
        # Forgets the failures, and clears the way for the next round.
        for user in (victim, other):
            await self.login(connection, user)
        connection.close()

    async def lock_out(self, cause):
        """An account, or an address, until it is locked."""
        connection = await self.connection(self.fresh_address())
        limit = ATTEMPTS if cause == "account" else 10 * ATTEMPTS
        name = self.load.next_id()

        def body():
            asked = name if cause == "account" else self.load.next_id()
            return json.dumps({"username": asked, "password": "a guess"}).encode()

        for _ in range(limit):
            await self.ask(connection, "POST", "/login", INVALID_CREDENTIALS, body=body())
            self.tally.login("unknown_user")
        self.tally["lockouts"] += 1
        for _ in range(3):
            rid = self.load.next_id()
            await connection.send(message("POST", "/login", rid, body=body()))
            while not (wait := re.search(rb"\r\nRetry-After: (\d+)\r\n", connection.received)):
                await connection.need(None)
            wait = int(wait.group(1))
            if not LOCKOUT - 10 < wait <= LOCKOUT:
                raise Wrong(f"a locked {cause} is to wait for {wait} s")
            await connection.expect(
                Expected.error(429, "Too many attempts", retry_after=str(wait)), rid)
            self.tally.request("/login", 429)
            self.tally["throttled", cause] += 1
        connection.close()

    async def crowd(self):
        """More logins at once than can wait: each has its turn, or is told that there is none."""
        # When all others have logged in once: they come first from then on.
        await asyncio.sleep(0.5)
        connections = [await self.connection(self.fresh_address()) for _ in range(150)]

        async def one(connection):
            rid = self.load.next_id()
            body = json.dumps({"username": rid, "password": "a guess"}).encode()
            await connection.send(message("POST", "/login", rid, body=body))
            while b"\r\n\r\n" not in connection.received:
                await connection.need(None)
            if connection.received.startswith(b"HTTP/1.1 503"):
                await connection.expect(BUSY, rid)
                self.tally.request("/login", 503)
                self.tally["refused", "busy"] += 1
            else:
                await connection.expect(INVALID_CREDENTIALS, rid)
                self.tally.request("/login", 401)
                self.tally.login("unknown_user")
            connection.close()

        await asyncio.gather(*(one(connection) for connection in connections))

    async def alone(self, client, *arguments):
        async with self.room:
            if not self.load.is_over:
                await client(*arguments)

    async def over_and_over(self, client, *arguments, pause, takes=0):
        """- takes: how long it is under way, so that it is over when the others are."""
        while time.monotonic() + takes < self.load.end:
            await client(*arguments)
            await asyncio.sleep(pause)

    async def all(self):
        spare = 3
        residents = self.load.users[4:]
        clients = [
            *(self.over_and_over(self.resident, user, pause=0.2) for user in residents[:6]),
            *(self.over_and_over(self.replayer, user, pause=1, takes=GRACE + 1)
              for user in residents[6:]),
            self.over_and_over(self.rejected, pause=0.3),
            self.over_and_over(self.wanderer, pause=0.2),
            self.over_and_over(self.nonsense, pause=0.3),
            self.over_and_over(self.slow, pause=0.3),
            self.over_and_over(self.slow_reader, pause=0.5),
            self.over_and_over(self.aborting, pause=0.2),
            self.over_and_over(self.alone, self.guesser, pause=0.3),
            self.over_and_over(self.alone, self.lock_out, "account", pause=0.5),
            self.over_and_over(self.alone, self.lock_out, "address", pause=5),
            self.over_and_over(self.alone, self.crowd, pause=4),
            *(self.over_and_over(self.too_slow, kind, pause=0.5, takes=takes)
              for kind, takes in [("silent", HEAD_TIMEOUT), ("head", HEAD_TIMEOUT),
                                  ("body", BODY_TIMEOUT), ("write", WRITE_TIMEOUT + spare),
                                  ("idle", IDLE_TIMEOUT), ("idle", IDLE_TIMEOUT)]),
        ]
        tasks = [asyncio.ensure_future(client) for client in clients]
        await asyncio.gather(*tasks)


def whole_id(whole):
    return re.search(rb"X-Request-Id: (\S+)", whole).group(1).decode()


def run(load):
    asyncio.run(Clients(load).all())
