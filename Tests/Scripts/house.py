"""A built Gatehouse in a folder of its own, for the scripts beside this file.

    python3 house.py GATEHOUSE    tries that a script which is killed leaves no server behind
"""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

KEY = "a key of the scripts under Tests, long enough for HS512: what they sign with"
SECOND_KEY = "another key of the scripts under Tests, as long as the first one, or so"
PATIENCE = 20
# Of the passwords' hashes: few, because passwords are not what is tried here.
ITERATIONS = 1000


# What SIGTERM ends at once: other threads would end what they have started in their own time, and one
# whose `join` was interrupted is not waited for (Python takes it for ended).
RUNNING = set()


def _end(number, _):
    """Unwinds the script, so that each part of it ends what it has started; once, whoever asks again."""
    signal.signal(number, signal.SIG_IGN)
    for process in list(RUNNING):
        process.terminate()
    raise SystemExit(128 + number)


# SIGINT does so by itself.
signal.signal(signal.SIGTERM, _end)


def expect(condition, what):
    """Fails with a sentence; unlike `assert`, also under -O."""
    if not condition:
        raise SystemExit(f"FAILED: {what}")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(condition, what):
    """Waits for the thing itself, and not for ever."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if (value := condition()) is not None:
            return value
        time.sleep(0.02)
    raise SystemExit(f"FAILED: {what} did not happen in {PATIENCE} s")


def sign(claims, key=KEY, header=None):
    """A token with these claims, by the standard library alone."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
             for part in (header or {"alg": "HS256", "typ": "JWT"}, claims)]
    signature = hmac.new(key.encode(), b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The sentence of an error's body, which has to be nothing else."""
        value = self.json
        expect(list(value) == ["error"], f"an error's body is {self.body!r}")
        return value["error"]


class _StayHere(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other."""

    def redirect_request(self, *_):
        return None


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _StayHere)


def ask(url, method="GET", token=None, json_body=None, body=None, headers=None):
    headers = dict(headers or {})
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if json_body is not None:
        body = json.dumps(json_body).encode()
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with _opener.open(request, timeout=PATIENCE) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


class House:
    """The server, listening; `url` is where."""

    def __init__(self, folder, process, url, passwords):
        self.folder = folder
        self.process = process
        self.url = url
        self.passwords = passwords
        self.is_stopped = False

    def ask(self, path, *arguments, **named):
        return ask(self.url + path, *arguments, **named)

    def login(self, user=1):
        """A token of a new session."""
        body = {"user_id": user}
        if self.passwords:
            body["password"] = self.passwords[user - 1]
        answer = self.ask("/login", "POST", json_body=body)
        expect(answer.status == 200, f"login of {user}: {answer.status} {answer.body!r}")
        return answer.json["token"]

    def stop(self):
        """Ends it as an operator does; its folder stays for as long as `serving` is open."""
        expect(self.process.poll() is None, "the server ended by itself")
        self.process.send_signal(signal.SIGTERM)
        expect(self.process.wait(PATIENCE) == 0, "the server did not stop cleanly")
        self.is_stopped = True

    def log(self):
        with open(os.path.join(self.folder, "app.log"), encoding="utf-8") as file:
            return file.read()


@contextlib.contextmanager
def serving(program, users=(), **sections):
    """Runs the program with a configuration of these sections, and ends it.
    - users: username, name and password of each; with any it is in password mode.
    """
    settings = {
        "server": {"port": 0},
        "login": {"mode": "demo"},
        "token": {"keys": [{"id": "first", "secret": KEY}, {"id": "second", "secret": SECOND_KEY}],
                  "issuer": None, "leeway": "0s"},
        "admin": {"socket": None, "metrics": None},
        "log": {"file": {"path": "app.log"}, "stderr": {"level": "CRITICAL"}},
        "state": {"revocations": "revocations.journal"},
    }
    if users:
        settings["login"] = {"mode": "password", "iterations": ITERATIONS}
    for name, section in sections.items():
        settings[name].update(section)
    with tempfile.TemporaryDirectory() as folder:
        for user in users:
            add_user(program, folder, *user)
        path = os.path.join(folder, "config.json")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(settings, file)
        errors = os.path.join(folder, "errors")
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("GATEHOUSE_")}
        with open(errors, "wb") as file:
            process = subprocess.Popen(
                [os.path.abspath(program), "--config", path], cwd=folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        RUNNING.add(process)

        def listening():
            with open(errors, encoding="utf-8") as file:
                said = file.read()
            expect(process.poll() is None, f"the server ended: {said}")
            found = re.search(r"listening on (http://\S+)\n", said)
            return found and found.group(1)

        try:
            url = until(listening, "a start")
            house = House(folder, process, url, [password for *_, password in users])
            yield house
            if not house.is_stopped:
                house.stop()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            RUNNING.discard(process)


def add_user(program, folder, username, name, password):
    """A user in `users.json` of the folder, as an operator adds one."""
    done = subprocess.run(
        [os.path.abspath(program), "user", "add", "--username", username, "--name", name,
         "--users-file", os.path.join(folder, "users.json")],
        input=(password + "\n").encode(), capture_output=True, timeout=PATIENCE, check=False,
        env={"GATEHOUSE_LOGIN_ITERATIONS": str(ITERATIONS)})
    expect(done.returncode == 0, f"user add: {done.stderr.decode()}")


def _wait_in_a_house(program):
    with serving(program) as house:
        print(house.process.pid, house.folder, flush=True)
        signal.pause()


def _leaves_nothing(program):
    script = subprocess.Popen([sys.executable, __file__, program, "--wait"],
                              stdout=subprocess.PIPE, text=True)
    try:
        pid, folder = script.stdout.readline().split()
        script.terminate()
        expect(script.wait(PATIENCE) == 128 + signal.SIGTERM, f"exit code {script.returncode}")
        # It has waited for the server's end: the number is nobody's any more.
        expect(not os.path.exists(f"/proc/{pid}"), "the server is still there")
        expect(not os.path.exists(folder), "its folder is still there")
    finally:
        script.kill()
        script.wait()
    print("a script that is killed leaves no server behind")


if __name__ == "__main__":
    (_wait_in_a_house if "--wait" in sys.argv else _leaves_nothing)(sys.argv[1])
