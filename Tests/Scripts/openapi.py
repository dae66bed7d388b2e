#!/usr/bin/env python3
"""Checks that the server behaves as its own /openapi.json says.

    python3 openapi.py GATEHOUSE      the built program

Schemathesis (PyPI) generates requests that the document allows and requests that it does not, and
compares every response with it: status, headers, content type, schema. It runs in demo mode with a
valid token, in demo mode without one, and in password mode. openapi-spec-validator (PyPI) validates
the document itself against OpenAPI 3.1. Fails if one of them reports a problem.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from server import expect, serving

# Generated examples for an operation, in addition to the few hundred cases that follow from the
# schemas. The seed makes them the same in each run, so that a gate does not fail by chance.
EXAMPLES = 60
SEED = "20261121"
PASSWORD = "correct horse battery staple"

# A JSON Schema cannot distinguish 1.0 from 1. Gatehouse does, and its document says so in a
# description. These bodies are left out, and nothing else.
FILTER = """
import schemathesis

@schemathesis.hook
def filter_body(context, body):
    user = body.get("user_id") if isinstance(body, dict) else None
    return not (isinstance(user, float) and user.is_integer())
"""

# Each request has a token of a new session, because some requests end their session.
TOKEN = """
import json, os, urllib.request

@schemathesis.auth(refresh_interval=None)
class Login:
    def get(self, case, context):
        request = urllib.request.Request(
            os.environ["SERVER_URL"] + "/login", os.environ["SERVER_LOGIN"].encode(),
            {"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=20) as response:
            return json.load(response)["token"]

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"
"""


def exceptions(login):
    """The configuration of schemathesis where its expectations do not fit.

    /verify treats every method like GET, and schemathesis expects 405 for methods without an entry.
    Without a valid token schemathesis generates tokens from the schema. Their characters are not
    allowed in a token, for which RFC 6750 §3.1 has status 400; schemathesis expects that such
    tokens are accepted.
    """
    # A login of more than 4 KiB gets 413 before its members are checked.
    configuration = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 411, 413, 415, 422, 428, 429, "5xx"]

[[operations]]
include-path = "/verify"
phases.coverage.unexpected-methods = []
"""
    if login:
        return configuration
    without_token = 'checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401]\n'
    return f"""{configuration}{without_token}
[[operations]]
exclude-path = ["/login", "/verify"]
{without_token}"""


def check(name, server, login=None, *options):
    """Runs schemathesis against a server.
    - login: the body of a login for a token; without it no request has a token.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ, "SERVER_URL": server.url, "SERVER_LOGIN": login or "",
            "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": folder, "NO_PROXY": "127.0.0.1",
        }
        with open(os.path.join(folder, "hooks.py"), "w", encoding="utf-8") as file:
            file.write(FILTER + (TOKEN if login else ""))
        with open(os.path.join(folder, "schemathesis.toml"), "w", encoding="utf-8") as file:
            file.write(exceptions(login))
        done = subprocess.run(
            [os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run",
             f"{server.url}/openapi.json", "--checks", "all",
             "--max-examples", str(EXAMPLES), "--seed", SEED, "--continue-on-failure",
             "--no-color", "--warnings", "off", *options],
            cwd=folder, env=environment, capture_output=True, timeout=300, check=False)
        output = done.stdout.decode()
        if done.returncode != 0:
            print(output, done.stderr.decode(), sep="\n")
        expect(done.returncode == 0, f"{name}: schemathesis reports failures")
        cases = re.search(r"(\d+) generated", output)
        expect(cases, f"{name}: schemathesis generated no requests: {output}")
        print(f"{name}: no failures in {cases.group(1)} requests")


def check_document(server):
    response = server.request("/openapi.json")
    expect(response.headers["Content-Type"] == "application/json",
           "the Content-Type of the document")
    validate(response.json, cls=OpenAPIV31SpecValidator)
    count = sum(len(path) for path in response.json["paths"].values())
    print(f"the document is valid: {count} operations, {len(response.body)} bytes")


def main():
    program = sys.argv[1]
    with serving(program) as server:
        check_document(server)
        check("demo mode, with a token", server, '{"user_id":1}')
        verified = server.log().count("authn_token_verified")
        expect(verified >= 100, f"only {verified} requests had a valid token")
        check("demo mode, without a token", server)
    users = [("alice", "Alice", PASSWORD), ("bob", "B\u00f6b", "of no consequence")]
    login = json.dumps({"username": "alice", "password": PASSWORD})
    # No limit, because no login would succeed after hundreds of wrong passwords.
    with serving(program, users, login={"max_attempts": 0}) as server:
        check("password mode, with a token", server, login)
    with serving(program, users) as server:
        check("password mode, with the throttle", server, None, "--include-path", "/login")
        expect("authn_login_throttled" in server.log(), "no login was throttled")


if __name__ == "__main__":
    main()
