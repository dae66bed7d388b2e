#!/usr/bin/env python3
"""Searches the memory of a server for passwords and tokens: attack_memory.py PROGRAM

- The server has core files switched off. Another process of its user may not read its memory.
- Root may read it. After logins, correct and wrong, in one piece and in several, by Content-Length
  and in chunks, and after the connections have ended, it contains no password and no token that was
  issued or sent.
"""

import json
import os
import re
import socket
import sys
import time

from server import expect, serving

PASSWORDS = ["correct horse battery alice", "a wrong password of no user",
             "one that came in chunks", "one that came byte by byte", "an unfinished one"]
USERS = [("alice", "Alice", PASSWORDS[0])]


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port), 20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def exchange(port, pieces):
    """Sends each piece in a separate write. Returns the response's status and body."""
    with connect(port) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.001)
        response = b""
        while piece := connection.recv(65536):
            response += piece
    head, _, content = response.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), content


def login(password):
    content = json.dumps({"username": "alice", "password": password}).encode()
    head = (b"POST /login HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\n")
    return head, content


def find_in_memory(pid, needles):
    """The needles that are in the writable memory of the process."""
    seen = set()
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, \
            open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if not match:
                continue
            start, end = (int(number, 16) for number in match.groups())
            try:
                memory.seek(start)
                content = memory.read(end - start)
            except (OSError, ValueError, OverflowError):
                continue
            seen.update(needle for needle in needles if needle in content)
    return seen


def by_length(head, content):
    return head + b"Content-Length: %d\r\n\r\n" % len(content)


def send_passwords(port):
    """Logs in with each password in a different way. Returns the token of the successful login."""
    head, content = login(PASSWORDS[0])
    status, body = exchange(port, [by_length(head, content) + content])
    expect(status == 200, f"a login: {status} {body!r}")
    token = json.loads(body)["token"]
    head, content = login(PASSWORDS[1])
    status, _ = exchange(port, [by_length(head, content), content])
    expect(status == 401, f"a wrong password: {status}")
    head, content = login(PASSWORDS[2])
    chunks = [b"%x\r\n%s\r\n" % (len(content[at:at + 7]), content[at:at + 7])
              for at in range(0, len(content), 7)]
    status, _ = exchange(
        port, [head + b"Transfer-Encoding: chunked\r\n\r\n", *chunks, b"0\r\n\r\n"])
    expect(status == 401, f"a password in chunks: {status}")
    head, content = login(PASSWORDS[3])
    status, _ = exchange(
        port, [by_length(head, content), *(content[at:at + 1] for at in range(len(content)))])
    expect(status == 401, f"a password byte by byte: {status}")
    head, content = login(PASSWORDS[4])
    with connect(port) as connection:
        # One byte is missing.
        connection.sendall(by_length(head, content + b" ") + content)
        time.sleep(0.1)
    return token


def use_token(port, token):
    """Uses, refreshes and revokes a token. Returns all tokens that were sent or received."""
    tokens = [token]
    for path, method in (("/resource", "GET"), ("/refresh", "POST"), ("/logout", "POST")):
        status, body = exchange(
            port, [f"{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                   f"Content-Length: 0\r\nAuthorization: Bearer {tokens[-1]}\r\n\r\n".encode()])
        expect(status in (200, 204), f"{path}: {status}")
        if path == "/refresh":
            tokens.append(json.loads(body)["token"])
    time.sleep(0.3)
    return tokens


def check_protection(pid):
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        core = next(line for line in file if line.startswith("Max core file size"))
    expect(core.split()[4:6] == ["0", "0"], f"core files: {core}")
    expect(os.stat(f"/proc/{pid}/environ").st_uid == 0, "the server's user may read its memory")


def main():
    with serving(sys.argv[1], USERS) as server:
        pid, port = server.process.pid, int(server.url.rsplit(":", 1)[1])
        check_protection(pid)
        tokens = use_token(port, send_passwords(port))
        if os.getuid() != 0:
            try:
                find_in_memory(pid, [])
                expect(False, "the server's user may read its memory")
            except PermissionError:
                print("memory: no core files; the server's user may not read its memory")
            return
        try:
            marks = [b"gatehouse.worker", *(password.encode() for password in PASSWORDS)]
            # Tokens are searched for without their header, which is the same in all of them.
            marks += [token.split(".", 1)[1].encode() for token in tokens]
            seen = find_in_memory(pid, marks)
        except PermissionError as error:
            print(f"memory: not searched, it cannot be read here: {error}")
            return
        expect(marks[0] in seen, "the search does not find what is certainly in the memory")
        remaining = [mark.decode() for mark in marks[1:] if mark in seen]
        expect(not remaining, f"the memory contains {remaining}")
        print(f"memory: no core files; none of {len(PASSWORDS)} passwords and {len(tokens)} tokens "
              "found")


if __name__ == "__main__":
    main()
