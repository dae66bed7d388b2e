"""Attacks the sessions of a server.

    python3 attack_sessions.py GATEHOUSE [--whole]

The attacks: a thief uses a copied token from another network, a client refreshes in a loop, tokens
with a time in the future try to survive a revocation, the journal is truncated, and the server is
killed during logouts.
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
JOURNAL_HEADER = 88
JOURNAL_RECORD = 44


class Installation:
    """A folder with a configuration, and a server that can be started in it several times."""

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

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content)

    def remove(self, name):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(name))

    def run(self, *words):
        """Runs a command. Returns its exit code and its output."""
        done = subprocess.run(
            [PROGRAM, *words, "--config", "config.json"], cwd=self.folder, env={},
            stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False)
        return done.returncode, (done.stdout + done.stderr).decode()

    def start(self):
        """Starts the server. Returns None if it listens, else its exit code."""
        with open(self.path("stderr"), "wb") as file:
            self.process = subprocess.Popen(
                [PROGRAM, "--config", "config.json"], cwd=self.folder, env={},
                stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        RUNNING_PROCESSES.add(self.process)

        def outcome():
            found = re.search(rb"listening on http://127.0.0.1:(\d+)\n", self.bytes("stderr"))
            if found:
                self.port = int(found.group(1))
                return True, None
            code = self.process.poll()
            return None if code is None else (True, code)

        code = wait_until(outcome, "the start of a server")[1]
        if code is not None:
            RUNNING_PROCESSES.discard(self.process)
            self.process = None
        return code

    def stop(self, number=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(number)
        code = self.process.wait(TIMEOUT)
        RUNNING_PROCESSES.discard(self.process)
        self.process = None
        expected = 0 if number == signal.SIGTERM else -number
        expect(code == expected, f"the server ended with {code}")

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
def installation(**token):
    with tempfile.TemporaryDirectory() as folder:
        server = Installation(folder, **token)
        try:
            yield server
        finally:
            if server.process is not None:
                server.process.kill()
                server.process.wait()
                RUNNING_PROCESSES.discard(server.process)


# Clients have different addresses: every address in 127.0.0.0/8 is this machine.

def refresh_from_another_network():
    """A copied token is refreshed from another network within the grace period of ten seconds."""
    with installation() as server:
        server.start()
        token = server.login()
        _, first = server.request("POST", "/refresh", token)
        _, second = server.request("POST", "/refresh", token, source="127.6.6.6")
        expect(first["token"] == second["token"], "the successors differ")
        lines = server.events("security | authn_token_shared")
        expect(len(lines) == 1, f"{len(lines)} lines authn_token_shared")
        expect("WARNING" in lines[0] and " ip=127.6.6.6 " in lines[0]
               and " other_ip=127.0.0.1 " in lines[0], f"the line is {lines[0]}")
        server.request("POST", "/refresh", token)
        expect(len(server.events("security | authn_token_shared")) == 1,
               "a refresh of the owner is reported as shared")
        server.stop()
    print("a refresh from another network is logged with both addresses")

    with installation(refresh_grace="same_network") as server:
        server.start()
        token = server.login()
        _, first = server.request("POST", "/refresh", token)
        expect(server.request("POST", "/refresh", token)[0].status == 200, "the owner is refused")
        response, body = server.request("POST", "/refresh", token, source="127.6.6.6")
        expect((response.status, body) == (401, {"error": "Token revoked"}),
               f"the other network got {body}")
        expect(server.status(first["token"]) == 401, "the session has not ended")
        expect(len(server.events("security | authn_token_reuse")) >= 1, "no line authn_token_reuse")
        server.stop()
    print("with refresh_grace same_network the session ends for both clients")


def refresh_in_a_loop():
    """One token is refreshed in a loop within its grace period of ten seconds."""
    with installation() as server:
        server.start()
        token = server.login()
        _, first = server.request("POST", "/refresh", token)
        request = (f"POST /refresh HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
                   "Content-Length: 0\r\n\r\n").encode()
        responses = b""
        count = 4000 if WHOLE else 1000
        with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT) as client:
            for _ in range(count // 50):
                client.sendall(request * 50)
                while responses.count(b"HTTP/1.1 ") < 50 or not responses.endswith(b"}"):
                    received = client.recv(1 << 16)
                    expect(received, f"the connection ended after {responses[-200:]}")
                    responses += received
                accepted = responses.count(b"HTTP/1.1 200")
                refused = responses.count(b"HTTP/1.1 429")
                responses = b""
                expect(accepted + refused == 50, "a response with another status")
                if refused:
                    break
        expect(refused, f"{count} refreshes within the grace period, and none was refused")
        response, _ = server.request("POST", "/refresh", first["token"])
        expect(response.status == 429 and int(response.headers["Retry-After"]) <= 60,
               "another token of the same session is not limited")
        expect(server.request("POST", "/refresh", server.login())[0].status == 200,
               "another session is limited")
        lines = len(server.events("security | authn_token_refreshed"))
        expect(lines < 300, f"{lines} lines authn_token_refreshed for one token")
        server.stop()
    print(f"refreshes within the grace period are refused after 600 a minute, with {lines} lines")


def use_future_tokens():
    """Tokens of another issuer with the same key, with times in the future, do not survive a
    revocation."""
    with installation(leeway="5s") as server:
        server.start()
        now = int(time.time())

        def token(**claims):
            return sign_token({"user_id": 1, "exp": now + 10**6, **claims})

        refused = [
            token(iat=now + 3600, sid="a"), token(iat=now + 3600), token(iat=10**300, sid="b"),
            token(iat=now + 60, auth_time=1, sid="c"), token(auth_time=now + 3600, sid="d"),
            token(iat=now + 30.5, nbf=now, sid="e", sxp=now + 10**6),
        ]
        for one_token in refused:
            _, body = server.request("GET", "/resource", one_token)
            expect(body == {"error": "Invalid token"}, f"a token with a future iat: {body}")
        expect(all("reason=not_yet_valid" in line for line in
                   server.events("security | authn_token_rejected")),
               "a token with a future iat is refused for another reason")
        kinds = [
            {"iat": now, "sid": "f"}, {"iat": now + 3}, {"iat": now + 3, "sid": "g"},
            {"iat": now, "auth_time": now + 10**6, "sid": "h"}, {"auth_time": now + 3, "sid": "i"},
            {"iat": now - 5, "auth_time": now + 7200.5, "sid": "j", "sxp": now + 10**6}, {},
            {"sid": "k"}, {"iat": now, "nbf": now + 3, "jti": "l"},
            {"iat": 0.25, "auth_time": now + 4, "sid": "m"},
        ]
        for target in (["--all", "--yes"], ["--user", "1"], ["--username=alice"]):
            # Each kind is used before the revocation, and another token of it only afterwards.
            used = [token(**kind, target=target[0]) for kind in kinds]
            unused = [token(**kind, target=target[0], x=1) for kind in kinds]
            own = server.login()
            if target[0] == "--all":
                for one_token in used:
                    expect(server.status(one_token) == 200,
                           f"refused before the revocation: {one_token}")
            code, output = server.run("revoke", *target)
            expect(code == 0, f"revoke {target}: {output}")
            expect(server.status(server.login()) == 200, "no login after the revocation")
            for one_token in [*used, *unused, own]:
                expect(server.status(one_token) == 401,
                       f"a token is accepted after revoke {target}: {one_token}")
        server.stop(signal.SIGKILL)
        server.start()
        time.sleep(5.5)
        for one_token in [*used, *unused]:
            expect(server.status(one_token) == 401,
                   "a revoked token is accepted when its time has come")
        server.stop()
    print(f"none of {len(kinds) * 6} tokens with future claims is accepted after a revocation")


def start_with(server, tokens, journal, state):
    """Starts the server with the contents of two files, each None if it is missing. Checks that it
    accepts none of the revoked tokens, and stops it. Returns None if it started, else its exit
    code."""
    for name, content in (("revocations.journal", journal), (".revocations.journal.state", state)):
        server.remove(name)
        if content is not None:
            server.write(name, content)
    checked, _ = server.run("check")
    code = server.start()
    if code is None:
        accepted = [token for token in tokens if server.status(token) != 401]
        server.stop()
        expect(not accepted, f"{len(accepted)} revoked tokens are accepted")
    expect((checked == 0) == (code is None), f"check exits with {checked}, a start with {code}")
    return code


def truncate_journal():
    """A journal that is truncated between records and within them, and missing files."""
    with installation() as server:
        server.start()
        tokens = [server.login() for _ in range(12 if WHOLE else 5)]
        for token in tokens:
            expect(server.request("POST", "/logout", token)[0].status == 204, "a logout")
        server.stop(signal.SIGKILL)
        journal = server.bytes("revocations.journal")
        state = server.bytes(".revocations.journal.state")
        records = (len(journal) - JOURNAL_HEADER) // JOURNAL_RECORD
        expect(records == len(tokens) + 1, f"{records} records")

        def outcome(journal, state):
            return start_with(server, tokens, journal, state)

        lengths = [JOURNAL_HEADER + JOURNAL_RECORD * count for count in range(1, records)]
        lengths += [length - JOURNAL_RECORD // 2 for length in (lengths[-1], len(journal))]
        for length in lengths:
            expect(outcome(journal[:length], state) == 78, f"a start with {length} bytes")
        line = server.events("security | revocations_lost")[-1]
        expect(" | CRITICAL | " in line and "expected=" in line, f"the line is {line}")
        expect(outcome(None, state) == 78, "a start without the journal")
        expect(outcome(journal, None) == 78, "a start without the state")
        expect(outcome(journal, state[:100]) == 78, "a start with a truncated state")
        expect(outcome(journal[:-JOURNAL_RECORD], None) == 78,
               "a start with a truncated journal and no state")
        last, second_last = journal[-JOURNAL_RECORD:], journal[-2 * JOURNAL_RECORD:-JOURNAL_RECORD]
        swapped = journal[:-2 * JOURNAL_RECORD] + last + second_last
        expect(outcome(swapped, state) == 78, "a start with exchanged records")
        expect(outcome(journal, state) is None, "no start with both as they were")
        # An earlier copy of the journal, without the records since then.
        later = server.bytes("revocations.journal")
        later_state = server.bytes(".revocations.journal.state")
        expect(outcome(journal, later_state) == 78, "a start with an earlier journal")
        expect(outcome(later, later_state) is None, "no start with the later one")

        outcome(journal[:-JOURNAL_RECORD], state)
        for words in (["revoke", "--user", "1"], ["revoke", "--all", "--yes"]):
            expect(server.run(*words)[0] == 78, f"{words} continues with a truncated journal")
        code, output = server.run("revoke", "--all", "--yes", "--accept-short-journal")
        expect(code == 0, f"revoke --accept-short-journal: {code} {output}")
        expect(server.start() is None, "no start after --accept-short-journal")
        for token in tokens:
            expect(server.status(token) == 401, "a revoked token is accepted")
        expect(server.status(server.login()) == 200, "no login after the revocation")
        server.stop()
    print(f"a journal truncated at {len(lengths)} places prevents a start until it is accepted")


def kill_during_logouts():
    """Logouts and refreshes while the server is killed: no ended session is accepted afterwards."""
    rounds = 12 if WHOLE else 3
    generator = random.Random(5)
    with installation() as server:
        ended, total = [], 0
        for _ in range(rounds):
            server.start()
            tokens = [server.login(user) for user in (1, 2) for _ in range(20)]
            total += len(tokens)
            process = server.process

            def close(token):
                # Refreshed and ended at once. In either order the session is over.
                with contextlib.suppress(OSError, http.client.HTTPException):
                    successor = server.request("POST", "/refresh", token)[1].get("token")
                    if server.request("POST", "/logout", token)[0].status == 204:
                        return [token, successor]
                return []

            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                futures = [pool.submit(close, token) for token in tokens]
                time.sleep(generator.uniform(0.005, 0.08))
                process.send_signal(signal.SIGKILL)
                ended += [token for future in futures for token in future.result()]
            process.wait(TIMEOUT)
            RUNNING_PROCESSES.discard(process)
            expect(server.start() is None, "no start after a kill")
            for token in ended:
                expect(server.status(token) == 401, "an ended session is accepted after a kill")
            server.stop()
        expect(server.events("security | revocations_lost") == [],
               "a kill is reported as a truncated journal")
    print(f"{len(ended)} tokens of {total} sessions that were ended before kill -9 are refused")


def restore_copies():
    """Files of a running server that are copied one after the other do not prevent a start."""
    with installation() as server, tempfile.TemporaryDirectory() as other:
        server.start()
        token = server.login()
        server.request("POST", "/logout", token)
        # Copy the state file first: then it is never newer than the journal.
        for name in (".revocations.journal.state", "revocations.journal", "config.json"):
            shutil.copy(server.path(name), other)
            server.request("POST", "/logout", server.login())
        restored = Installation.__new__(Installation)
        restored.folder, restored.process = other, None
        expect(restored.start() is None, "a backup does not start")
        expect(restored.status(token) == 401, "a backup does not have a revocation")
        restored.stop()
        server.stop()
    print("a backup that copies the state before the journal starts")


if __name__ == "__main__":
    for attack in (
            refresh_from_another_network, refresh_in_a_loop, use_future_tokens, truncate_journal,
            kill_during_logouts, restore_copies):
        attack()
