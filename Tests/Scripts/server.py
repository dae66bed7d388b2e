#!/usr/bin/env python3
"""Starts a Gatehouse server in a temporary folder, for the other scripts.

    python3 server.py GATEHOUSE      checks that a script which is killed leaves no server running
    python3 server.py --free-port    prints a TCP port that is free
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
# Seconds to wait for any expected event. Long, because the machine may be busy.
TIMEOUT = 60
# Iterations of the password hashes. Few, because these scripts do not test the hashes.
ITERATIONS = 1000

# Processes that SIGTERM terminates first. Other threads would terminate what they have started only
# later, and a thread whose `join` was interrupted is not waited for: Python considers it finished.
RUNNING_PROCESSES = set()


def _terminate(number, _):
    """Unwinds the script, so that each part of it ends what it has started. Later signals are
    ignored."""
    signal.signal(number, signal.SIG_IGN)
    for process in list(RUNNING_PROCESSES):
        process.terminate()
    raise SystemExit(128 + number)


# Python's own handler of SIGINT raises KeyboardInterrupt, which unwinds, too.
signal.signal(signal.SIGTERM, _terminate)


def expect(condition, message):
    """Fails with a message. Unlike `assert`, it also works under -O."""
    if not condition:
        raise SystemExit(f"FAILED: {message}")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(condition, event):
    """Waits until `condition` returns something other than None, and returns that.
    - event: a description for the message, if the event does not happen within TIMEOUT.
    """
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        if (value := condition()) is not None:
            return value
        time.sleep(0.02)
    raise SystemExit(f"FAILED: {event} did not happen within {TIMEOUT} s")


def sign_token(claims, key=KEY, header=None):
    """A token with these claims, made with the standard library alone."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
             for part in (header or {"alg": "HS256", "typ": "JWT"}, claims)]
    signature = hmac.new(key.encode(), b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The sentence of an error's body. It must be the only member."""
        value = self.json
        expect(list(value) == ["error"], f"the body of an error has other members: {self.body!r}")
        return value["error"]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Returns a redirect like any other response."""

    def redirect_request(self, *_):
        return None


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects)


def http_request(url, method="GET", token=None, json_body=None, body=None, headers=None):
    headers = dict(headers or {})
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if json_body is not None:
        body = json.dumps(json_body).encode()
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with _opener.open(request, timeout=TIMEOUT) as response:
            return Response(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Response(error.code, error.headers, error.read())


class Server:
    """A server that is listening at `url`. Its files are in `folder`."""

    def __init__(self, folder, process, url, passwords):
        self.folder = folder
        self.process = process
        self.url = url
        self.passwords = passwords
        self.is_stopped = False

    def request(self, path, *arguments, **named):
        return http_request(self.url + path, *arguments, **named)

    def login(self, user=1):
        """The token of a new session."""
        body = {"user_id": user}
        if self.passwords:
            body["password"] = self.passwords[user - 1]
        response = self.request("/login", "POST", json_body=body)
        expect(response.status == 200,
               f"login of user {user}: {response.status} {response.body!r}")
        return response.json["token"]

    def stop(self):
        """Stops the server with SIGTERM. Its folder exists until the block of `serving` ends."""
        expect(self.process.poll() is None, "the server ended by itself")
        self.process.send_signal(signal.SIGTERM)
        expect(self.process.wait(TIMEOUT) == 0, "the server did not stop with exit code 0")
        self.is_stopped = True

    def log(self):
        with open(os.path.join(self.folder, "app.log"), encoding="utf-8") as file:
            return file.read()


def _configuration(users, sections):
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
    return settings


@contextlib.contextmanager
def serving(program, users=(), **sections):
    """Starts the program, yields a Server, and stops it.
    - users: username, name and password of each. With users the server is in password mode.
    - sections: of the configuration, merged with the defaults of these scripts.
    """
    with tempfile.TemporaryDirectory() as folder:
        for user in users:
            add_user(program, folder, *user)
        path = os.path.join(folder, "config.json")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(_configuration(users, sections), file)
        stderr_path = os.path.join(folder, "stderr")
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("GATEHOUSE_")}
        with open(stderr_path, "wb") as file:
            process = subprocess.Popen(
                [os.path.abspath(program), "--config", path], cwd=folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        RUNNING_PROCESSES.add(process)

        def listening_url():
            with open(stderr_path, encoding="utf-8") as file:
                stderr_text = file.read()
            expect(process.poll() is None, f"the server ended at its start: {stderr_text}")
            found = re.search(r"listening on (http://\S+)\n", stderr_text)
            return found and found.group(1)

        try:
            url = wait_until(listening_url, "the start of a server")
            server = Server(folder, process, url, [password for *_, password in users])
            yield server
            if not server.is_stopped:
                server.stop()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            RUNNING_PROCESSES.discard(process)


def add_user(program, folder, username, name, password):
    """Adds a user to `users.json` in the folder with `gatehouse user add`."""
    done = subprocess.run(
        [os.path.abspath(program), "user", "add", "--username", username, "--name", name,
         "--users-file", os.path.join(folder, "users.json")],
        input=(password + "\n").encode(), capture_output=True, timeout=TIMEOUT, check=False,
        env={"GATEHOUSE_LOGIN_ITERATIONS": str(ITERATIONS)})
    expect(done.returncode == 0, f"user add: {done.stderr.decode()}")


def _serve_until_killed(program):
    with serving(program) as server:
        print(server.process.pid, server.folder, flush=True)
        signal.pause()


def _check_killed_script(program):
    script = subprocess.Popen([sys.executable, __file__, program, "--wait"],
                              stdout=subprocess.PIPE, text=True)
    try:
        pid, folder = script.stdout.readline().split()
        script.terminate()
        expect(script.wait(TIMEOUT) == 128 + signal.SIGTERM, f"exit code {script.returncode}")
        # The script has waited for the server, so no process has this process id.
        expect(not os.path.exists(f"/proc/{pid}"), "the server is still running")
        expect(not os.path.exists(folder), f"{folder}: still exists")
    finally:
        script.kill()
        script.wait()
    print("a script that is killed leaves no server running")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--free-port":
        print(free_port())
    elif "--wait" in sys.argv:
        _serve_until_killed(sys.argv[1])
    else:
        _check_killed_script(sys.argv[1])


if __name__ == "__main__":
    main()
