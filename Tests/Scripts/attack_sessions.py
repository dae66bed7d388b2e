"""Attacks on sessions, against a built Gatehouse.

    python3 attack_sessions.py GATEHOUSE [--whole]

A thief who follows a session from another network, renewals in a loop, tokens from the future
against revocations, a journal that was cut, and a server that is killed while sessions are ended.
"""

import concurrent.futures
import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from server import KEY, RUNNING_PROCESSES, TIMEOUT, expect, sign_token, wait_until

PROGRAM = os.path.abspath(sys.argv[1])
WHOLE = "--whole" in sys.argv[2:]
HEADER = 88
RECORD = 44


class Place:
    """A folder with a configuration, and the server that is started in it as often as one likes."""

    def __init__(self, folder, **token):
        self.folder = folder
        self.process = None
        settings = {
            "server": {"port": 0}, "login": {"mode": "demo"}, "admin": {"socket": "s"},
            "token": {"keys": [{"id": "a", "secret": KEY}], **token},
            "log": {"file": {"path": "app.log"}, "stderr": {"level": "CRITICAL"}},
            "state": {"revocations": "revocations.journal"},
        }
        with open(os.open(self.path("config.json"), os.O_WRONLY | os.O_CREAT, 0o600), "w",
                  encoding="utf-8") as file:
            json.dump(settings, file)

    def path(self, name):
        return os.path.join(self.folder, name)

    def bytes(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def put(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content)

    def remove(self, name):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(name))

    def run(self, *words):
        """A command to its end: exit code, and what it said."""
        done = subprocess.run(
            [PROGRAM, *words, "--config", "config.json"], cwd=self.folder, env={},
            stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False)
        return done.returncode, (done.stdout + done.stderr).decode()

    def start(self):
        """Nil if it listens, else the exit code."""
        with open(self.path("errors"), "wb") as file:
            self.process = subprocess.Popen(
                [PROGRAM, "--config", "config.json"], cwd=self.folder, env={},
                stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        RUNNING_PROCESSES.add(self.process)

        def outcome():
            found = re.search(rb"listening on http://127.0.0.1:(\d+)\n", self.bytes("errors"))
            if found:
                self.port = int(found.group(1))
                return True, None
            code = self.process.poll()
            return None if code is None else (True, code)

        code = wait_until(outcome, "a start")[1]
        if code is not None:
            RUNNING_PROCESSES.discard(self.process)
            self.process = None
        return code

    def end(self, number=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(number)
        code = self.process.wait(TIMEOUT)
        RUNNING_PROCESSES.discard(self.process)
        self.process = None
        wanted = 0 if number == signal.SIGTERM else -number
        expect(code == wanted, f"the server ended with {code}")

    def request(self, method, path, token=None, source="127.0.0.1", body=None):
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=TIMEOUT, source_address=(source, 0))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, body and json.dumps(body), headers)
            response = connection.getresponse()
            content = response.read()
            return response, json.loads(content) if content else None
        finally:
            connection.close()

    def status(self, token):
        return self.request("GET", "/resource", token)[0].status

    def login(self, user=1):
        return self.request("POST", "/login", body={"user_id": user})[1]["token"]

    def events(self, name):
        text = self.bytes("app.log").decode()
        return [line for line in text.splitlines() if f" | {name} " in line]


@contextlib.contextmanager
def place(**token):
    with tempfile.TemporaryDirectory() as folder:
        one = Place(folder, **token)
        try:
            yield one
        finally:
            if one.process is not None:
                one.process.kill()
                one.process.wait()
                RUNNING_PROCESSES.discard(one.process)


# Attacks that need several client addresses: every address in 127.0.0.0/8 is this machine.

def grace_rider():
    """A copy of one token renews within the ten seconds after its owner, from another network."""
    with place() as one:
        one.start()
        token = one.login()
        _, first = one.request("POST", "/refresh", token)
        _, second = one.request("POST", "/refresh", token, source="127.6.6.6")
        expect(first["token"] == second["token"], "the successors differ")
        lines = one.events("security | authn_token_shared")
        expect(len(lines) == 1, f"{len(lines)} lines of a shared token")
        expect("WARNING" in lines[0] and " ip=127.6.6.6 " in lines[0]
               and " other_ip=127.0.0.1 " in lines[0], f"the line is {lines[0]}")
        one.request("POST", "/refresh", token)
        expect(len(one.events("security | authn_token_shared")) == 1, "the owner is reported")
        one.end()
    print("a thief who renews from another network is on record with both addresses")

    with place(refresh_grace="same_network") as one:
        one.start()
        token = one.login()
        _, first = one.request("POST", "/refresh", token)
        expect(one.request("POST", "/refresh", token)[0].status == 200, "the owner is refused")
        response, body = one.request("POST", "/refresh", token, source="127.6.6.6")
        expect((response.status, body) == (401, {"error": "Token revoked"}), f"the thief got {body}")
        expect(one.status(first["token"]) == 401, "the session goes on")
        expect(len(one.events("security | authn_token_reuse")) >= 1, "no line of a replay")
        one.end()
    print("with a grace of the same network the session ends for both")


def endless_grace():
    """Renewals of one token in a loop, within the ten seconds in which it may be renewed again."""
    with place() as one:
        one.start()
        token = one.login()
        _, first = one.request("POST", "/refresh", token)
        request = (f"POST /refresh HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
                   "Content-Length: 0\r\n\r\n").encode()
        responses = b""
        count = 4000 if WHOLE else 1000
        with socket.create_connection(("127.0.0.1", one.port), timeout=TIMEOUT) as client:
            for _ in range(count // 50):
                client.sendall(request * 50)
                while responses.count(b"HTTP/1.1 ") < 50 or not responses.endswith(b"}"):
                    received = client.recv(1 << 16)
                    expect(received, f"the connection ended behind {responses[-200:]}")
                    responses += received
                good, refused = responses.count(b"HTTP/1.1 200"), responses.count(b"HTTP/1.1 429")
                responses = b""
                expect(good + refused == 50, "a response of another kind")
                if refused:
                    break
        expect(refused, f"{count} renewals within the grace, and none was refused")
        response, _ = one.request("POST", "/refresh", first["token"])
        expect(response.status == 429 and int(response.headers["Retry-After"]) <= 60,
               "another token of the session is not limited")
        expect(one.request("POST", "/refresh", one.login())[0].status == 200,
               "another session is limited")
        lines = len(one.events("security | authn_token_refreshed"))
        expect(lines < 300, f"{lines} lines of one exchange")
        one.end()
    print(f"renewals within the grace are refused after 600 a minute, with {lines} lines of them")


def future():
    """Tokens by another issuer with the same key, against revocations by time."""
    with place(leeway="5s") as one:
        one.start()
        now = int(time.time())

        def token(**claims):
            return sign_token({"user_id": 1, "exp": now + 10**6, **claims})

        refused = [
            token(iat=now + 3600, sid="a"), token(iat=now + 3600), token(iat=10**300, sid="b"),
            token(iat=now + 60, auth_time=1, sid="c"), token(auth_time=now + 3600, sid="d"),
            token(iat=now + 30.5, nbf=now, sid="e", sxp=now + 10**6),
        ]
        for one_token in refused:
            _, body = one.request("GET", "/resource", one_token)
            expect(body == {"error": "Invalid token"}, f"a token from the future: {body}")
        expect(all("reason=not_yet_valid" in line for line in
                   one.events("security | authn_token_rejected")), "another reason")
        kinds = [
            {"iat": now, "sid": "f"}, {"iat": now + 3}, {"iat": now + 3, "sid": "g"},
            {"iat": now, "auth_time": now + 10**6, "sid": "h"}, {"auth_time": now + 3, "sid": "i"},
            {"iat": now - 5, "auth_time": now + 7200.5, "sid": "j", "sxp": now + 10**6}, {},
            {"sid": "k"}, {"iat": now, "nbf": now + 3, "jti": "l"},
            {"iat": 0.25, "auth_time": now + 4, "sid": "m"},
        ]
        for way in (["--all", "--yes"], ["--user", "1"], ["--username=alice"]):
            # Each kind once shown before, and once not.
            shown = [token(**kind, way=way[0]) for kind in kinds]
            hidden = [token(**kind, way=way[0], x=1) for kind in kinds]
            own = one.login()
            if way[0] == "--all":
                for one_token in shown:
                    expect(one.status(one_token) == 200, f"not good before: {one_token}")
            code, said = one.run("revoke", *way)
            expect(code == 0, f"revoke {way}: {said}")
            expect(one.status(one.login()) == 200, "no login is possible after that")
            for one_token in [*shown, *hidden, own]:
                expect(one.status(one_token) == 401, f"a token survives {way}: {one_token}")
        one.end(signal.SIGKILL)
        one.start()
        time.sleep(5.5)
        for one_token in [*shown, *hidden]:
            expect(one.status(one_token) == 401, "a token comes back once its time has come")
        one.end()
    print(f"none of {len(kinds) * 6} kinds of claims survives a revocation by time")


def cut_journal():
    """A journal cut at each record's end, and in the middle of records, and files that are gone."""
    with place() as one:
        one.start()
        tokens = [one.login() for _ in range(12 if WHOLE else 5)]
        for token in tokens:
            expect(one.request("POST", "/logout", token)[0].status == 204, "a logout")
        one.end(signal.SIGKILL)
        journal, state = one.bytes("revocations.journal"), one.bytes(".revocations.journal.state")
        records = (len(journal) - HEADER) // RECORD
        expect(records == len(tokens) + 1, f"{records} records")

        def outcome(journal, state):
            for name, content in (("revocations.journal", journal),
                                  (".revocations.journal.state", state)):
                one.remove(name)
                if content is not None:
                    one.put(name, content)
            checked, _ = one.run("check")
            code = one.start()
            if code is None:
                revived = [token for token in tokens if one.status(token) != 401]
                one.end()
                expect(not revived, f"{len(revived)} tokens are good again")
            expect((checked == 0) == (code is None), f"check says {checked}, a start {code}")
            return code

        lengths = [HEADER + RECORD * count for count in range(1, records)]
        lengths += [length - RECORD // 2 for length in (lengths[-1], len(journal))]
        for length in lengths:
            expect(outcome(journal[:length], state) == 78, f"a start with {length} bytes")
        line = one.events("security | revocations_lost")[-1]
        expect(" | CRITICAL | " in line and "expected=" in line, f"the line is {line}")
        expect(outcome(None, state) == 78, "a start without the journal")
        expect(outcome(journal, None) == 78, "a start without the state")
        expect(outcome(journal, state[:100]) == 78, "a start with a part of the state")
        expect(outcome(journal[:-RECORD], None) == 78, "a start with neither end nor state")
        swapped = journal[:-2 * RECORD] + journal[-RECORD:] + journal[-2 * RECORD:-RECORD]
        expect(outcome(swapped, state) == 78, "a start with records that were exchanged")
        expect(outcome(journal, state) is None, "no start with both as they were")
        # A copy of before, with all that was written since missing.
        later = one.bytes("revocations.journal")
        later_state = one.bytes(".revocations.journal.state")
        expect(outcome(journal, later_state) == 78, "a start with an earlier journal")
        expect(outcome(later, later_state) is None, "no start with the later one")

        outcome(journal[:-RECORD], state)
        for words in (["revoke", "--user", "1"], ["revoke", "--all", "--yes"]):
            expect(one.run(*words)[0] == 78, f"{words} goes on with a cut journal")
        code, said = one.run("revoke", "--all", "--yes", "--accept-short-journal")
        expect(code == 0, f"accepting it: {code} {said}")
        expect(one.start() is None, "no start after that")
        for token in tokens:
            expect(one.status(token) == 401, "a token is good again")
        expect(one.status(one.login()) == 200, "no login is possible after that")
        one.end()
    print(f"a journal cut at {len(lengths)} places keeps the server from starting, wait_until accepted")


def races():
    """Logouts and renewals while the server is killed and started again: no session comes back."""
    rounds = 12 if WHOLE else 3
    dice = random.Random(5)
    with place() as one:
        ended, total = [], 0
        for _ in range(rounds):
            one.start()
            tokens = [one.login(user) for user in (1, 2) for _ in range(20)]
            total += len(tokens)
            server = one.process

            def close(token):
                # Renewed and ended at once: whichever comes first, the session is over.
                with contextlib.suppress(OSError, http.client.HTTPException):
                    successor = one.request("POST", "/refresh", token)[1].get("token")
                    if one.request("POST", "/logout", token)[0].status == 204:
                        return [token, successor]
                return []

            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                futures = [pool.submit(close, token) for token in tokens]
                time.sleep(dice.uniform(0.005, 0.08))
                server.send_signal(signal.SIGKILL)
                ended += [token for future in futures for token in future.result()]
            server.wait(TIMEOUT)
            RUNNING_PROCESSES.discard(server)
            expect(one.start() is None, "no start after a kill")
            for token in ended:
                expect(one.status(token) == 401, "an ended session is good again after a kill")
            one.end()
        expect(one.events("security | revocations_lost") == [], "a kill looks like a cut")
    print(f"{len(ended)} tokens of {total} sessions that were ended under kill -9 stay ended")


def copies():
    """Files of a running server, copied one after the other, are no evidence against it."""
    with place() as one, tempfile.TemporaryDirectory() as other:
        one.start()
        token = one.login()
        one.request("POST", "/logout", token)
        # The state first: a backup in this order is never ahead of its journal.
        for name in (".revocations.journal.state", "revocations.journal", "config.json"):
            shutil.copy(one.path(name), other)
            one.request("POST", "/logout", one.login())
        restored = Place.__new__(Place)
        restored.folder, restored.process = other, None
        expect(restored.start() is None, "a backup does not start")
        expect(restored.status(token) == 401, "a backup has forgotten a revocation")
        restored.end()
        one.end()
    print("a backup that takes the state before the journal starts")


if __name__ == "__main__":
    for attack in (grace_rider, endless_grace, future, cut_journal, races, copies):
        attack()
