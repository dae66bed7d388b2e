#!/usr/bin/env python3
"""Checks that the server is what its own /openapi.json says.

    python3 openapi.py GATEHOUSE      the built program

Schemathesis (PyPI) makes requests that the document allows and requests that it does not, and holds every
response to it: status, headers, content type, schema. Run in demo mode with a good token, in demo mode
without one, and in password mode. openapi-spec-validator (PyPI) holds the document itself to OpenAPI
3.1. Fails on anything that they find.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from server import expect, serving

# Examples to an operation, beside the few hundred that follow from the schemas alone. With this seed
# they are the same in each run, so that a gate does not fall by chance.
EXAMPLES = 60
SEED = "20261121"
PASSWORD = "correct horse battery staple"

# A JSON Schema cannot tell 1.0 from 1; Gatehouse does, and says so in words. Nothing else is left out.
FILTER = """
import schemathesis

@schemathesis.hook
def filter_body(context, body):
    user = body.get("user_id") if isinstance(body, dict) else None
    return not (isinstance(user, float) and user.is_integer())
"""

# Each request with a token of its own: those that end sessions would end the others' session, too.
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
    """What schemathesis expects otherwise than it is here, as its configuration has it.

    /verify responses every method as GET, and schemathesis wants 405 for those that have no entry. Without
    a token of ours it makes some up, whose characters no token may have: RFC 6750 §3.1 has 400 for those,
    and schemathesis thinks that they are as good as the schema wants them.
    """
    # A login of more than 4 KiB is 413, before its members are counted.
    verdict = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 411, 413, 415, 422, 428, 429, "5xx"]

[[operations]]
include-path = "/verify"
phases.coverage.unexpected-methods = []
"""
    if login:
        return verdict
    made_up = 'checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401]\n'
    return f"""{verdict}{made_up}
[[operations]]
exclude-path = ["/login", "/verify"]
{made_up}"""


def check(name, server, login=None, *options):
    """Runs schemathesis against a server.
    - login: the body that gets a token; without it all requests go without one.
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
        said = done.stdout.decode()
        if done.returncode != 0:
            print(said, done.stderr.decode(), sep="\n")
        expect(done.returncode == 0, f"{name}: schemathesis found something")
        cases = re.search(r"(\d+) generated", said)
        expect(cases, f"{name}: schemathesis tried nothing: {said}")
        print(f"{name}: nothing found in {cases.group(1)} requests")


def check_document(server):
    response = server.request("/openapi.json")
    expect(response.headers["Content-Type"] == "application/json", "the document's Content-Type")
    validate(response.json, cls=OpenAPIV31SpecValidator)
    count = sum(len(path) for path in response.json["paths"].values())
    print(f"a valid document of {count} operations, {len(response.body)} bytes")


def main():
    program = sys.argv[1]
    with serving(program) as server:
        check_document(server)
        check("demo mode, with a token", server, '{"user_id":1}')
        verified = server.log().count("authn_token_verified")
        expect(verified >= 100, f"only {verified} requests had a good token")
        check("demo mode, without a token", server)
    users = [("alice", "Alice", PASSWORD), ("bob", "B\u00f6b", "of no consequence")]
    login = json.dumps({"username": "alice", "password": PASSWORD})
    # Guesses by the hundred: with a limit there would be no token for anybody.
    with serving(program, users, login={"max_attempts": 0}) as server:
        check("password mode, with a token", server, login)
    with serving(program, users) as server:
        check("password mode, with the throttle", server, None, "--include-path", "/login")
        expect("authn_login_throttled" in server.log(), "nothing was throttled")


if __name__ == "__main__":
    main()
