#!/usr/bin/env python3
"""Compares the speed of GET /resource with nginx, in one run: nginx with a fixed response, and
nginx that verifies the same token with njs.

    speed.py PROGRAM [--rounds 5] [--seconds 3] [--connections 1 16 64 512] [--markdown]

The servers take turns, in a new order in every round, so that a machine whose speed changes slows
all of them alike. Figures are medians over the rounds; ratios are medians of each round's ratio.
`cpu` is the processor time, user and system, that the server's processes spent on a request. The
last row sends 16 requests at a time on each of 64 connections. Measures only; fails for a wrong
response.

Needs wrk and the Debian packages nginx and libnginx-mod-http-js (without it njs is left out).
"""

import argparse
import os
import random
import re
import signal
import statistics
import subprocess
import tempfile
import time

from server import KEY, expect, free_port, http_request, serving, sign_token, wait_until

MODULE = "/usr/lib/nginx/modules/ngx_http_js_module.so"

NGINX = """
%(module)s
daemon off; worker_processes %(workers)d; pid %(folder)s/nginx.pid;
error_log %(folder)s/error.log;
events { worker_connections 4096; }
http {
    log_format line '$time_iso8601 $status $remote_addr "$request"';
    access_log %(folder)s/access.log line buffer=64k flush=1s;
    keepalive_requests 1000000000;
    default_type application/json;
    client_body_temp_path %(folder)s/body; proxy_temp_path %(folder)s/proxy;
    fastcgi_temp_path %(folder)s/fastcgi; uwsgi_temp_path %(folder)s/uwsgi;
    scgi_temp_path %(folder)s/scgi;
    %(import)s
    server {
        listen 127.0.0.1:%(port)d reuseport;
        location = /constant { return 200 '{"user":{"id":1,"name":"Alice"}}'; }
        %(location)s
    }
}
"""

# As strict as possible in a few lines: first the signature, then the claims.
NJS = """
import crypto from 'crypto';

const users = { 1: 'Alice', 2: 'Bob' };

function refuse(r) { r.return(401, '{"error":"Invalid token"}'); }

function resource(r) {
    const field = r.headersIn.Authorization;
    if (!field || !field.startsWith('Bearer ')) { return refuse(r); }
    const parts = field.slice(7).split('.');
    const code = crypto.createHmac('sha256', '%(key)s')
        .update(parts[0] + '.' + parts[1]).digest('base64url');
    if (code !== parts[2]) { return refuse(r); }
    if (JSON.parse(Buffer.from(parts[0], 'base64url')).alg !== 'HS256') { return refuse(r); }
    const claims = JSON.parse(Buffer.from(parts[1], 'base64url'));
    if (!(claims.exp > Date.now() / 1000) || !users[claims.user_id]) { return refuse(r); }
    r.return(200, JSON.stringify({ user: { id: claims.user_id, name: users[claims.user_id] } }));
}

export default { resource };
"""

PIPELINE = """
init = function(arguments)
    local requests = {}
    for i = 1, 16 do requests[i] = wrk.format() end
    all = table.concat(requests)
end
request = function() return all end
"""


def microseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def processor_time(process):
    """The processor time in seconds of a process and its children."""
    total = 0
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True)
    for number in [process.pid, *map(int, children.stdout.split())]:
        with open(f"/proc/{number}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def start_nginx(folder):
    port = free_port()
    has_njs = os.path.exists(MODULE)
    if has_njs:
        with open(os.path.join(folder, "resource.js"), "w", encoding="ascii") as file:
            file.write(NJS % {"key": KEY})
    with open(os.path.join(folder, "nginx.conf"), "w", encoding="ascii") as file:
        file.write(NGINX % {
            "folder": folder, "port": port, "workers": os.cpu_count(),
            "module": f"load_module {MODULE};" if has_njs else "",
            "import": f"js_path {folder}; js_import resource.js;" if has_njs else "",
            "location": "location = /resource { js_content resource.resource; }" if has_njs else "",
        })
    process = subprocess.Popen(["nginx", "-c", os.path.join(folder, "nginx.conf")])

    def response():
        try:
            return http_request(f"http://127.0.0.1:{port}/constant")
        except OSError:
            return None

    wait_until(response, "a response of nginx")
    servers = {"nginx, a constant": (process, f"http://127.0.0.1:{port}/constant")}
    if has_njs:
        servers["nginx with njs"] = (process, f"http://127.0.0.1:{port}/resource")
    return process, servers


def measure(server, token, connections, seconds, script=None):
    process, url = server
    before = processor_time(process)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
               "-H", f"Authorization: Bearer {token}"]
    if script:
        command += ["-s", script]
    output = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    spent = processor_time(process) - before
    expect("Non-2xx" not in output and "Socket errors" not in output, f"{url}: {output}")
    count = int(re.search(r"(\d+) requests in", output)[1])
    return {
        "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1]),
        "cpu": spent / count * 1e6,
        "p50": microseconds(re.search(r"(?m)^\s+50%\s+(\S+)", output)[1]),
        "p99": microseconds(re.search(r"(?m)^\s+99%\s+(\S+)", output)[1]),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="*", default=[1, 16, 64, 512])
    parser.add_argument("--markdown", action="store_true", help="a table for the manual")
    options = parser.parse_args()
    now = int(time.time())
    token = sign_token({"user_id": 1, "sub": "1", "iat": now, "exp": now + 86_400})
    with tempfile.TemporaryDirectory() as folder, serving(
            options.program, token={"keys": [{"id": "speed", "secret": KEY}], "issuer": None},
            log={"stderr": {"level": "CRITICAL"}, "file": {"path": "app.log"}}) as server:
        nginx, others = start_nginx(folder)
        try:
            servers = {"gatehouse": (server.process, server.url + "/resource"), **others}
            for process, url in servers.values():
                response = http_request(url, token=token)
                expect(response.body == b'{"user":{"id":1,"name":"Alice"}}',
                       f"{url}: {response.body}")
            script = os.path.join(folder, "pipeline.lua")
            with open(script, "w", encoding="ascii") as file:
                file.write(PIPELINE)
            rows = [(str(count), count, None) for count in options.connections]
            rows.append(("64, 16 at a time", 64, script))
            print_head(options.markdown)
            for name, connections, lua in rows:
                rounds = {server: [] for server in servers}
                for round_number in range(options.rounds + 1):
                    for server in random.sample(list(servers), len(servers)):
                        # The first round warms up.
                        seconds = options.seconds if round_number else 1
                        found = measure(servers[server], token, connections, seconds, lua)
                        if round_number:
                            rounds[server].append(found)
                for server in servers:
                    print_row(options.markdown, name, server, rounds[server],
                              rounds["nginx, a constant"])
        finally:
            nginx.send_signal(signal.SIGTERM)
            nginx.wait()


def print_head(markdown):
    heads = ["connections", "server", "requests/s", "cpu us", "cpu ratio", "p50 us", "p99 us"]
    if markdown:
        print("| " + " | ".join(heads) + " |\n|" + " --- |" * len(heads))
    else:
        print(f"{heads[0]:18}{heads[1]:20}" + "".join(f"{head:>12}" for head in heads[2:]))


def print_row(markdown, name, server, rounds, base):
    middle = {key: statistics.median(found[key] for found in rounds) for key in rounds[0]}
    ratio = statistics.median(own["cpu"] / other["cpu"] for own, other in zip(rounds, base))
    figures = [f"{middle['rate']:,.0f}", f"{middle['cpu']:.1f}", f"{ratio:.2f}",
               f"{middle['p50']:,.0f}", f"{middle['p99']:,.0f}"]
    if markdown:
        print(f"| {name} | {server} | " + " | ".join(figures) + " |", flush=True)
    else:
        print(f"{name:18}{server:20}" + "".join(f"{figure:>12}" for figure in figures), flush=True)


if __name__ == "__main__":
    main()
