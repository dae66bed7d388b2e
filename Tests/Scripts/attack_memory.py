#!/usr/bin/env python3
"""What a process that is looked into gives away: attack_memory.py PROGRAM

- Its core files are switched off, and no other process of its user may read its memory.
- As root, which may: after logins, whole and in pieces, right and wrong, by content with a length and in
  chunks, and after the connections have ended, no password is in the memory, nor the tokens that were
  given out and those that were sent.
"""

import json
import os
import re
import socket
import sys
import time

from house import expect, serving

PASSWORDS = ["correct horse battery alice", "a wrong password that nobody has",
             "one that came in chunks", "one that came byte by byte", "one that never came to its end"]
USERS = [("alice", "Alice", PASSWORDS[0])]


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port), 20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def exchange(port, pieces):
    """Sends the pieces one after the other; the answer's status and content."""
    with connect(port) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.001)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    head, _, content = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), content


def login(password):
    content = json.dumps({"username": "alice", "password": password}).encode()
    head = (b"POST /login HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\n")
    return head, content


def found(pid, needles):
    """The set of the needles that are in the memory of the process."""
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


def main():
    with serving(sys.argv[1], USERS) as house:
        pid, port = house.process.pid, int(house.url.rsplit(":", 1)[1])
        with open(f"/proc/{pid}/limits", encoding="ascii") as file:
            core = next(line for line in file if line.startswith("Max core file size"))
        expect(core.split()[4:6] == ["0", "0"], f"core files: {core}")
        expect(os.stat(f"/proc/{pid}/environ").st_uid == 0, "the process can be read by its user")

        head, content = login(PASSWORDS[0])
        status, answer = exchange(port, [head + b"Content-Length: %d\r\n\r\n" % len(content) + content])
        expect(status == 200, f"a login: {status} {answer!r}")
        tokens = [json.loads(answer)["token"]]
        head, content = login(PASSWORDS[1])
        status, _ = exchange(port, [head + b"Content-Length: %d\r\n\r\n" % len(content), content])
        expect(status == 401, f"a wrong password: {status}")
        head, content = login(PASSWORDS[2])
        pieces = [b"%x\r\n%s\r\n" % (len(content[at:at + 7]), content[at:at + 7])
                  for at in range(0, len(content), 7)]
        status, _ = exchange(
            port, [head + b"Transfer-Encoding: chunked\r\n\r\n", *pieces, b"0\r\n\r\n"])
        expect(status == 401, f"a password in chunks: {status}")
        head, content = login(PASSWORDS[3])
        status, _ = exchange(port, [head + b"Content-Length: %d\r\n\r\n" % len(content),
                                    *(content[at:at + 1] for at in range(len(content)))])
        expect(status == 401, f"a password byte by byte: {status}")
        head, content = login(PASSWORDS[4])
        with connect(port) as connection:
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % (len(content) + 1) + content)
            time.sleep(0.1)
        for path, method in (("/resource", "GET"), ("/refresh", "POST"), ("/logout", "POST")):
            status, answer = exchange(
                port, [f"{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0"
                       f"\r\nAuthorization: Bearer {tokens[-1]}\r\n\r\n".encode()])
            expect(status in (200, 204), f"{path}: {status}")
            if path == "/refresh":
                tokens.append(json.loads(answer)["token"])
        time.sleep(0.3)

        if os.getuid() != 0:
            try:
                found(pid, [])
                expect(False, "its user may read the memory")
            except PermissionError:
                print("memory: no core files, and its user may not read it")
            return
        try:
            marks = [b"gatehouse.worker", *(password.encode() for password in PASSWORDS)]
            # A token is looked for without its header, which all have in common.
            marks += [token.split(".", 1)[1].encode() for token in tokens]
            seen = found(pid, marks)
        except PermissionError as error:
            print(f"memory: cannot be read here, not searched: {error}")
            return
        expect(marks[0] in seen, "the search finds nothing at all")
        left = [mark.decode() for mark in marks[1:] if mark in seen]
        expect(not left, f"the memory still has {left}")
        print(f"memory: no core files; {len(PASSWORDS)} passwords and {len(tokens)} tokens are gone")


if __name__ == "__main__":
    main()
