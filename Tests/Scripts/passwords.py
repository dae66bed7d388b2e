#!/usr/bin/env python3
"""Checks that other implementations agree with the password hashes of Gatehouse.

    python3 passwords.py GATEHOUSE      the built program

Adds users with `gatehouse user`, passwords on standard input, and computes every hash again with
hashlib. passlib, which writes the same hash in another format, has to accept it. Needs passlib
(PyPI).
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import unicodedata

from passlib.hash import pbkdf2_sha256

# As a user types them. The hash is that of the NFC, with all kinds of spaces replaced by U+0020.
PASSWORDS = [
    "correct horse battery staple",
    "  spaces  ",
    "cafe\u0301 noir",
    "caf\u00e9\u00a0noir",
    "\u212bngstr\u00f6m \u3000 \U0001f40e",
    "x" * 63,
    "x" * 64,
    "x" * 65,
    "x" * 1024,
    "\u1112\u1161\u11ab\u1100\u1173\u11af abc",
]


def normalized(password):
    mapped = "".join(" " if unicodedata.category(c) == "Zs" else c for c in password)
    return unicodedata.normalize("NFC", mapped)


def run(gatehouse, *arguments, password=None):
    result = subprocess.run(
        [gatehouse, "user", *arguments],
        input=None if password is None else (password + "\n").encode(),
        stdin=subprocess.DEVNULL if password is None else None,
        capture_output=True, timeout=120)
    text = (result.stdout + result.stderr).decode()
    assert result.returncode == 0, f"{arguments}: exit {result.returncode}: {text}"
    assert password is None or password not in text, "the output contains a password"
    return text


def decoded(text):
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def check(text, password):
    """Verifies a hash with hashlib, and with passlib in its own format."""
    empty, name, iterations, salt, key = text.split("$")
    assert (empty, name) == ("", "pbkdf2-sha256") and iterations.startswith("i="), text
    count = int(iterations[2:])
    assert count == 600_000, text
    assert len(decoded(salt)) == 16 and len(decoded(key)) == 32, text
    expected = hashlib.pbkdf2_hmac(
        "sha256", normalized(password).encode(), decoded(salt), count)
    assert decoded(key) == expected, "hashlib computes another hash"
    in_passlib_format = f"$pbkdf2-sha256${count}${salt}${key}".replace("+", ".")
    assert pbkdf2_sha256.verify(normalized(password), in_passlib_format), (
        "passlib does not accept the hash")
    assert not pbkdf2_sha256.verify(normalized(password) + "x", in_passlib_format), (
        "passlib accepts a wrong password")


def main():
    gatehouse = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "users.json")
        users_file = ("--users-file", path)
        for number, password in enumerate(PASSWORDS, 1):
            run(gatehouse, "add", "--username", f"user{number}", "--name", f"User {number}",
                *users_file, password=password)
        with open(path, encoding="utf-8") as file:
            users = json.load(file)["users"]
        assert [user["id"] for user in users] == list(range(1, len(PASSWORDS) + 1))
        for user, password in zip(users, PASSWORDS):
            check(user["password"], password)
        salts = {user["password"].split("$")[3] for user in users}
        assert len(salts) == len(users), "two salts are equal"
        assert os.stat(path).st_mode & 0o777 == 0o600, "others can read the file"

        # A hash of passlib is accepted, and reformatted at the next change of the file. The hashes
        # of
        # other users stay.
        users[0]["password"] = pbkdf2_sha256.using(rounds=29_000, salt_size=16).hash("from passlib")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"users": users}, file)
        assert "29000" in run(gatehouse, "list", *users_file)
        run(gatehouse, "set-password", "--id", "2", *users_file, password="another password")
        with open(path, encoding="utf-8") as file:
            after = json.load(file)["users"]
        assert after[0]["password"].startswith("$pbkdf2-sha256$i=29000$")
        assert (after[0]["password"].replace("i=", "").replace("+", ".")
                == users[0]["password"]), "the hash of passlib was changed"
        check(after[1]["password"], "another password")
        assert after[2:] == users[2:]
    print(f"hashlib and passlib agree on {len(PASSWORDS) + 1} passwords")


if __name__ == "__main__":
    main()
