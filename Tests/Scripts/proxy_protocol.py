#!/usr/bin/env python3
"""Tests PROXY headers with the proxies that send them.

    python3 proxy_protocol.py GATEHOUSE      the built program

Runs HAProxy (Debian: haproxy) and nginx (nginx and libnginx-mod-stream), which add headers of both
versions. Clients send forged fields and headers with another address. The log must have the real
one.
"""

import os
import re
import socket
import struct
import subprocess
import sys
import tempfile

from server import TIMEOUT, expect, free_port, http_request, serving, wait_until
from forward_auth import running

# The proxies' own address is 127.0.0.1, and no other is trusted.
CLIENT = "127.0.0.5"
UNTRUSTED_CLIENT = "127.0.0.9"
SPOOFED = "6.6.6.6"
FIELDS = (f"X-Forwarded-For: {SPOOFED}\r\nx-forwarded-for: 127.0.0.1\r\n"
          f"Forwarded: for={SPOOFED}\r\nX-Real-IP: {SPOOFED}\r\n")
LINE = f"PROXY TCP4 {SPOOFED} {SPOOFED} 56324 443\r\n".encode()
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
BLOCK = SIGNATURE + b"\x21\x11" + struct.pack("!H4s4sHH", 12, b"\6\6\6\6", b"\6\6\6\6", 1, 2)
HEALTH_CHECKS = 3


class Connection:
    """A client's connection to an address and a port, or to the path of a socket."""

    def __init__(self, to, source=None):
        if isinstance(to, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(TIMEOUT)
            self.socket.connect(to)
        else:
            self.socket = socket.create_connection(
                to, TIMEOUT, (source, 0) if source else None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def request(self, request):
        """Returns the status and the request id of the response, or None and None without one."""
        self.socket.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            piece = self.socket.recv(65536)
            if not piece:
                return None, None
            received += piece
        head, _, content = received.partition(b"\r\n\r\n")
        length = int(self.field(head, rb"Content-Length"))
        while len(content) < length:
            content += self.socket.recv(65536)
        return int(head.split()[1]), self.field(head, rb"X-Request-Id").decode()

    @staticmethod
    def field(head, name):
        # HAProxy writes names in lower case.
        return re.search(rb"\r\n" + name + rb": (\S+)", head, re.IGNORECASE).group(1)


def login(fields=FIELDS):
    """A request that causes a line in the log."""
    content = '{"user_id":1}'
    return (f"POST /login HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n{content}").encode()


def address(server, identity):
    """The client address of a request, according to the log."""
    found = set(re.findall(rf" ip=(\S+) rid={re.escape(identity)}$", server.log(), re.MULTILINE))
    expect(len(found) == 1, f"the log has {found} for {identity}")
    return found.pop()


def check_clients(server, to, source, expected):
    """The log has the client's own address for each request, despite forged fields."""
    with Connection(to, source) as connection:
        for fields in (FIELDS, "", FIELDS):
            status, identity = connection.request(login(fields))
            expect(status == 200, f"{source} received status {status}")
            found = address(server, identity)
            expect(found == expected, f"{source} is {found} in the log, not {expected}")
    # A PROXY header from the client is refused, and its address is not used.
    for header in (LINE, BLOCK):
        with Connection(to, source) as connection:
            status, identity = connection.request(header + login())
            expect(status == 400, f"a header of {source} received status {status}")
            refusals = re.findall(rf"http_refused reason=(\S+) .*rid={re.escape(identity)}$",
                                  server.log(), re.MULTILINE)
            # A repeated refusal may have no line of its own.
            expect(refusals in ([], ["bad_request_line"]), f"refused as {refusals}")
    expect(f"ip={SPOOFED}" not in server.log(), f"{SPOOFED} is in the log")


def check_haproxy(server):
    target = server.url.removeprefix("http://")
    ports = {name: free_port() for name in ("v1", "v2", "sum", "http", "both")}
    binds = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    # IPv4 through a socket of IPv6.
    binds["both"] = f":::{ports['both']} v4v6"
    sends = {
        "v1": "send-proxy", "v2": "send-proxy-v2", "both": "send-proxy",
        "sum": "send-proxy-v2 proxy-v2-options crc32c,authority",
        "http": "send-proxy-v2 check inter 100ms check-send-proxy",
    }
    configuration = ("defaults\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n")
    for name in ports:
        mode = "http\n option httpchk GET /health/live" if name == "http" else "tcp"
        configuration += (f"listen {name}\n mode {mode}\n bind {binds[name]}\n"
                          f" server gatehouse {target} {sends[name]}\n")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "haproxy.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(configuration)
        with running(["haproxy", "-db", "-f", path], folder, ports["v1"]):
            for name, port in ports.items():
                if name != "http":
                    check_clients(server, ("127.0.0.1", port), CLIENT, CLIENT)
            check_clients(server, ("::1", ports["both"]), "::1", "::1")
            # HAProxy in HTTP mode forwards the client's fields.
            with Connection(("127.0.0.1", ports["http"]), CLIENT) as connection:
                status, identity = connection.request(login())
                expect(status == 200, f"HAProxy in HTTP mode: {status}")
                expect(address(server, identity) == CLIENT,
                       "the log has another address than the client's")

            def checked():
                checks = re.findall(
                    r"http_request .*path=/health/live status=200 .*ip=127\.0\.0\.1 ", server.log())
                return len(checks) >= HEALTH_CHECKS or None

            wait_until(checked, "health checks")
            print(f"HAProxy: the log has the clients' addresses, with {', '.join(ports)}")


def check_nginx(server):
    target = server.url.removeprefix("http://")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s")
        with open(f"{folder}/nginx.conf", "w", encoding="utf-8") as file:
            file.write(
                ("user root;\n" if os.geteuid() == 0 else "")
                + "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n"
                f"daemon off;\nworker_processes 1;\npid {folder}/pid;\n"
                "error_log stderr warn;\nevents {}\n"
                f"stream {{ server {{ listen 127.0.0.1:{port}; listen unix:{path};\n"
                f" proxy_pass {target}; proxy_protocol on; }} }}\n")
        command = ["nginx", "-p", folder, "-c", f"{folder}/nginx.conf", "-e", "stderr"]
        with running(command, folder, port, {"PATH": os.environ["PATH"] + ":/usr/sbin"}):
            check_clients(server, ("127.0.0.1", port), CLIENT, CLIENT)
            # A client of a Unix socket has no address. The log has the proxy's, not a forged one.
            check_clients(server, path, None, "127.0.0.1")
        print("nginx: the log has the clients' addresses")


def check_direct(server):
    host, port = server.url.removeprefix("http://").split(":")
    to = (host, int(port))
    check_clients(server, to, UNTRUSTED_CLIENT, UNTRUSTED_CLIENT)
    for bytes_sent, reason in ((login(), "no_proxy_header"),
                               (b"PROXY TCP4 6.6.6.6 6.6.6.6 1 02\r\n", "bad_proxy_header")):
        with Connection(to, "127.0.0.1") as connection:
            status, identity = connection.request(bytes_sent)
            expect(status == 400, f"{reason}: {status}")
            line = f"http_refused reason={reason} status=400 ip=127.0.0.1 rid={identity}"
            expect(line in server.log(), f"the log has no {line}")
    print("without a proxy: the log has the clients' addresses; trusted proxies must send a header")


def check_other_listeners(server, metrics, program):
    """The administrator's socket and the metrics need no PROXY header."""
    expect(http_request(f"http://{metrics}/metrics").status == 200,
           "/metrics without a PROXY header")
    configuration = os.path.join(server.folder, "config.json")
    done = subprocess.run([os.path.abspath(program), "reload", "--config", configuration],
                          capture_output=True, timeout=TIMEOUT, check=False)
    expect(done.returncode == 0, f"reload: {done.stderr.decode()}")


def main():
    metrics = f"127.0.0.1:{free_port()}"
    sections = {
        "admin": {"socket": "admin.sock", "metrics": metrics},
        "server": {"trusted_proxies": ["127.0.0.1"], "proxy_protocol": True},
        "log": {"level": "DEBUG",
                "file": {"path": "app.log", "level": "DEBUG"}, "stderr": {"level": "CRITICAL"}},
    }
    with serving(sys.argv[1], **sections) as server:
        check_direct(server)
        check_other_listeners(server, metrics, sys.argv[1])
        check_haproxy(server)
        check_nginx(server)
        expect(f"ip={SPOOFED}" not in server.log(), f"{SPOOFED} is in the log")


if __name__ == "__main__":
    main()
