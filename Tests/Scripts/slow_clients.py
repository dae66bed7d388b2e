#!/usr/bin/env python3
"""Slow clients, idle clients, and too many of them: slow_clients.py PROGRAM [--whole] [PART ...]

- timeouts: the connections of a few hundred slow clients are closed at their timeouts, to 10 %;
- attacks: those of slowhttptest, with 1,000 connections, while other clients are measured;
- maximum: at max_connections, idle connections are evicted, and 503 is sent if none is idle;
- many: what idle connections cost in memory, and how much they slow the others;
- descriptors: the process has no free descriptor, and later has some again.

Needs Debian's packages `slowhttptest` and `wrk`. Takes about 40 seconds. With --whole the attacks
take longer, there are 9,000 idle connections, and the listen queue overflows.
"""

import collections
import contextlib
import os
import re
import resource
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

from server import TIMEOUT, expect, serving

KIBIBYTE = 1024
# The limits that the server promises.
TIMEOUT_ERROR = 0.10
BYTES_PER_IDLE = 6 * KIBIBYTE
SLOWDOWN = 1.15
P99_RATIO = 2
# Below this value the p99 shows only how long a thread waits for a busy processor.
P99_FLOOR = 0.010
# Of one processor, for a server that only waits for descriptors.
WAITING_SHARE = 0.05
# A busy machine can spoil a measurement, which is then repeated.
ROUNDS = 3


def address_of(server):
    host, port = server.url.removeprefix("http://").split(":")
    return host, int(port)


def get(path, *fields):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *fields, "", ""]).encode()


def exchange(connection, request):
    """Sends a request and reads its response by its Content-Length. Returns the status."""
    connection.sendall(request)
    response = b""
    while b"\r\n\r\n" not in response:
        response += receive(connection)
    head, _, content = response.partition(b"\r\n\r\n")
    length = int(re.search(rb"\r\nContent-Length: (\d+)", head).group(1))
    while len(content) < length:
        content += receive(connection)
    return int(head.split()[1])


def receive(connection):
    data = connection.recv(1 << 16)
    expect(data, "a connection was closed before its response")
    return data


def connect(address):
    return socket.create_connection(address, timeout=TIMEOUT)


def resident(server):
    """The resident memory in bytes."""
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) * KIBIBYTE


def processor_time(server):
    """The seconds of all threads, to the nanosecond if the kernel counts them."""
    total = 0
    folder = f"/proc/{server.process.pid}/task"
    for thread in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            with open(f"{folder}/{thread}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
    return total / 1e9


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


# Timeouts


class Slow:
    """A slow client. `begin` is when its timeout starts; `tick` is called ten times a second."""

    def __init__(self, address):
        self.connection = socket.socket()
        self.prepare()
        self.connection.connect(address)
        self.begin = time.monotonic()
        self.duration = None
        self.start()
        self.connection.setblocking(False)

    def prepare(self):
        pass

    def start(self):
        pass

    def tick(self):
        pass

    def is_closed(self):
        """Reads what has arrived. Returns whether the server has closed the connection."""
        try:
            return self.connection.recv(1 << 16) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True

    def push(self, data):
        with contextlib.suppress(BlockingIOError, ConnectionError):
            self.connection.send(data)


class Silent(Slow):
    timeout = "header_timeout"


class HalfHead(Slow):
    timeout = "header_timeout"

    def start(self):
        self.connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")


class TricklingHead(HalfHead):
    def tick(self):
        self.push(b"x")


class EmptyLine(Slow):
    timeout = "header_timeout"

    def start(self):
        self.connection.sendall(b"\r\n")


class HalfBody(Slow):
    timeout = "body_timeout"

    def start(self):
        self.connection.sendall(
            b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n{")


class TricklingBody(HalfBody):
    def tick(self):
        self.push(b" ")


class Idle(Slow):
    timeout = "idle_timeout"

    def start(self):
        exchange(self.connection, get("/health/live"))
        self.begin = time.monotonic()


class NotReading(Slow):
    """Requests more data than the socket buffers can contain. When the write timeout expires, the
    server still has unread requests in its receive buffer. It therefore resets the connection,
    which the client notices without reading."""

    timeout = "write_timeout"

    def prepare(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def start(self):
        # 8 MiB, twice the size of the kernel's buffer (net.ipv4.tcp_wmem).
        self.connection.sendall(get("/openapi.json") * 400)
        self.port = self.connection.getsockname()[1]
        self.queued = 0

    def tick(self):
        self.push(get("/health/live"))

    def is_closed(self):
        return False

    def update(self, queued, now):
        """The timeout starts when the kernel last accepted bytes from the server."""
        if queued > self.queued:
            self.queued = queued
            self.begin = now


class ReadingByteByByte(NotReading):
    def tick(self):
        super().tick()
        with contextlib.suppress(BlockingIOError, ConnectionError):
            self.connection.recv(1)


def timeouts(program, whole):
    seconds = {"header_timeout": 1.0, "body_timeout": 1.5, "idle_timeout": 2.0,
               "write_timeout": 2.5}
    kinds = [Silent, HalfHead, TricklingHead, EmptyLine, HalfBody, TricklingBody, Idle, NotReading,
             ReadingByteByByte]
    check_timeouts(program, seconds, kinds, 0)
    if whole:
        other_kinds = [Silent, HalfHead, TricklingHead, EmptyLine, Idle]
        check_timeouts(program, {**seconds, "body_timeout": 600}, other_kinds, 6000)


def check_timeouts(program, seconds, kinds, others):
    """Waits until the server closes the connections of 30 clients of each kind.
    - others: the number of other connections, which have another timeout."""
    with serving(program, server={
            "port": 0, "workers": 2,
            **{name: f"{int(value * 1000)}ms" for name, value in seconds.items()}}) as server:
        crowd = [HalfBody(address_of(server)) for _ in range(others)]
        for attempt in range(ROUNDS):
            clients, late = follow(kinds * 30, seconds, address_of(server))
            worst, kind = largest_error(clients, seconds, late)
            if worst <= TIMEOUT_ERROR:
                break
            expect(attempt < ROUNDS - 1, f"{kind}: the timeout is off by {worst:.0%}")
        print(f"timeouts: {len(clients)} clients of {len(kinds)} kinds"
              + (f", and {others} other connections" if others else "")
              + f", off by at most {max(worst, 0):.1%} ({kind})")
        for client in crowd:
            client.connection.close()


def queued_bytes(port):
    """Yields for each connection of the server the client's port, and the number of bytes in the
    kernel's send buffer."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        next(file)
        for line in file:
            _, local, remote, _, queues, *_ = line.split()
            if int(local.split(":")[1], 16) == port:
                yield int(remote.split(":")[1], 16), int(queues.split(":")[0], 16)


def follow(kinds, seconds, address):
    """Creates clients of these kinds, and serves them until the server has closed all connections.
    - Returns: the clients, and the longest time in which this script did not run."""
    poll, by_number, writers, clients = select.poll(), {}, {}, []
    late, last, next_tick = 0, time.monotonic(), 0
    while by_number or len(clients) < len(kinds):
        # A few at a time, so that the end of the first ones is noticed while others are created.
        for kind in kinds[len(clients):len(clients) + 3]:
            client = kind(address)
            clients.append(client)
            by_number[client.connection.fileno()] = client
            if isinstance(client, NotReading):
                writers[client.port] = client
            poll.register(client.connection, 0 if isinstance(client, NotReading) else select.POLLIN)
        for number, event in poll.poll(10 if len(clients) == len(kinds) else 0):
            client = by_number[number]
            if client.is_closed() or event & (select.POLLHUP | select.POLLERR):
                client.duration = time.monotonic() - client.begin
                poll.unregister(number)
                del by_number[number]
                client.connection.close()
        now = time.monotonic()
        late, last = max(late, now - last), now
        if now >= next_tick:
            next_tick = now + 0.1
            for client_port, queued in queued_bytes(address[1]) if writers else ():
                if client_port in writers:
                    writers[client_port].update(queued, now)
            for client in by_number.values():
                client.tick()
                expect(now - client.begin < seconds[client.timeout] + TIMEOUT,
                       f"{type(client).__name__}: not closed after {now - client.begin:.1f} s")
    return clients, late


def largest_error(clients, seconds, late):
    """The largest error of a kind of clients, and the kind. The error is a share of the timeout,
    without the time in which this script did not run. It is the 95th percentile of the kind: one
    client in twenty may have met a busy processor."""
    errors = collections.defaultdict(list)
    for client in clients:
        timeout = seconds[client.timeout]
        error = (client.duration - late - timeout) / timeout
        # If the kernel accepts some bytes later, the timeout restarts without a sign of it.
        if not isinstance(client, NotReading):
            error = max(error, (timeout - client.duration - late) / timeout)
        errors[type(client).__name__].append(error)
    return max((percentile(values, 0.95), kind) for kind, values in errors.items())


# Attacks of slowhttptest


def attacks(program, whole):
    kinds = {
        "-H": ["/login", "-i", "1", "-x", "24"],
        "-B": ["/login", "-i", "1", "-x", "10", "-s", "8192"],
        "-R": ["/openapi.json", "-a", "10", "-b", "3000"],
        "-X": ["/openapi.json", "-w", "10", "-y", "20", "-n", "1", "-z", "32", "-k", "3"],
    }
    with serving(program, server={"port": 0, "workers": 2}) as server:
        request = get("/resource", f"Authorization: Bearer {server.login()}")
        measure(server, request, 0.3)
        quiet, slow = [], collections.defaultdict(list)
        for kind, (path, *options) in kinds.items():
            for attempt in range(ROUNDS):
                quiet.append(measure(server, request, 0.8))
                with attacking(server, kind, [*options, "-u", server.url + path]):
                    slow[kind] = [measure(server, request, 0.8) for _ in range(35 if whole else 2)]
                quiet.append(measure(server, request, 0.8))
                calm, p99 = statistics.median(quiet), statistics.median(slow[kind])
                if p99 <= max(P99_RATIO * calm, P99_FLOOR):
                    break
                expect(attempt < ROUNDS - 1,
                       f"slowhttptest {kind}: p99 is {p99 * 1000:.1f} ms, and "
                       f"{calm * 1000:.1f} ms without it")
        print(f"attacks: p99 {statistics.median(quiet) * 1000:.2f} ms without an attack; "
              "during attacks with 1,000 connections "
              + ", ".join(f"{kind} {statistics.median(values) * 1000:.2f} ms"
                          for kind, values in slow.items()))


@contextlib.contextmanager
def attacking(server, kind, options):
    """Runs slowhttptest again and again, once its connections are open. It runs with low priority,
    because the attack is not on the processors."""
    before = descriptor_count(server)
    attack = subprocess.Popen(
        # The duration is limited, in case this script is killed.
        ["timeout", "-s", "KILL", "300", "sh", "-c",
         'while nice -n 19 slowhttptest "$@" && sleep 0.01; do :; done', "sh",
         kind, "-c", "1000", "-r", "1000", "-l", "60", "-p", "3", *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        start_new_session=True)
    try:
        # The connections of -R get their responses at once, and end.
        end = time.monotonic() + TIMEOUT
        while kind != "-R" and descriptor_count(server) - before < 900:
            expect(time.monotonic() < end, f"slowhttptest {kind}: less than 900 connections")
            expect(attack.poll() is None, f"slowhttptest {kind} has ended")
            time.sleep(0.05)
        yield
        expect(attack.poll() is None, f"slowhttptest {kind} has ended")
    finally:
        os.killpg(attack.pid, signal.SIGKILL)
        attack.wait()


def descriptor_count(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def measure(server, request, seconds):
    """The p99 in seconds of clients that send some hundred requests a second."""
    connections = [connect(address_of(server)) for _ in range(8)]
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        for connection in connections:
            begin = time.monotonic()
            expect(exchange(connection, request) == 200, "a valid request was refused")
            times.append(time.monotonic() - begin)
        time.sleep(0.002)
    for connection in connections:
        connection.close()
    return percentile(times, 0.99)


# The maximum


def maximum(program, _):
    settings = {"port": 0, "workers": 2, "max_connections": 20, "header_timeout": "600s"}
    with serving(program, server=settings) as server:
        address, live = address_of(server), get("/health/live")
        idle = []
        for _ in range(200):
            idle.append(connect(address))
            expect(exchange(idle[-1], live) == 200,
                   "a client was refused although other connections are idle")
        remaining = [connection for connection in idle if not is_readable(connection)]
        expect(len(remaining) == 20, f"{len(remaining)} of 200 connections are open, not 20")
        # Each begins a request, and counts as active even if the server has not read it yet.
        for connection in remaining:
            connection.sendall(b"GET")
        refused = [connect(address) for _ in range(700)]
        for connection in refused:
            response = connection.recv(1 << 16)
            expect(response.startswith(b"HTTP/1.1 503 ")
                   and b"\r\nConnection: close\r\n" in response,
                   f"a connection beyond the maximum gets {response[:200]!r}")
        for connection in remaining:
            expect(exchange(connection, live[len(b"GET"):]) == 200,
                   "an active connection is not served")
        for connection in refused + idle:
            connection.close()
    print(f"maximum: 180 idle connections were evicted, and {len(refused)} got 503")


def is_readable(connection):
    return bool(select.select([connection], [], [], 0)[0])


# Many


def many(program, whole):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500
    count = min(limit, 9000 if whole else 2000)
    settings = {"port": 0, "workers": 2, "idle_timeout": "600s"}
    with serving(program, server=settings) as crowded, serving(program, server=settings) as empty:
        token = f"Authorization: Bearer {crowded.login()}"
        requests = requests_of_all_sizes(token)
        for request in list(requests.values()) * 100:
            with connect(address_of(crowded)) as connection:
                exchange(connection, request)
        load(crowded, token, 0.5)
        load(empty, token, 0.5)
        idle = check_memory(crowded, requests, count)
        check_slowdown(crowded, empty, token, whole)
        for connection in idle[:: count // 20]:
            expect(exchange(connection, requests["a request"]) == 200,
                   "an idle connection is not served again")
        for connection in idle:
            connection.close()


def requests_of_all_sizes(token):
    body = b'{"user_id":1,"more":"' + b"x" * 60000 + b'"}'
    fields = [f"X-{index}: {'x' * 100}" for index in range(90)]
    head = f"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return {"a request": get("/resource", token),
            "many fields": get("/resource", token, *fields),
            "a large body": head.encode() + body}


def check_memory(server, requests, count):
    """Opens idle connections, checks their cost after each kind of request, and returns them."""
    before = resident(server)
    idle = [connect(address_of(server)) for _ in range(count)]
    costs = {}
    for name, request in requests.items():
        for connection in idle:
            exchange(connection, request)
        costs[name] = (resident(server) - before) / count
    print(f"many: the cost of each of {count} idle connections in KiB: "
          + ", ".join(f"after {name} {cost / KIBIBYTE:.2f}" for name, cost in costs.items()))
    for name, cost in costs.items():
        expect(cost <= BYTES_PER_IDLE, f"an idle connection costs {cost:.0f} bytes after {name}")
    return idle


def check_slowdown(crowded, empty, token, whole):
    """Compares a server with idle connections to one without."""
    for attempt in range(ROUNDS):
        rates, times = {crowded: [], empty: []}, {crowded: [], empty: []}
        for _ in range(5 if whole else 3):
            for server in (crowded, empty):
                rate, cost = load(server, token, 2 if whole else 0.8)
                rates[server].append(rate)
                times[server].append(cost)
        rate = statistics.median(rates[empty]) / statistics.median(rates[crowded])
        cost = statistics.median(times[crowded]) / statistics.median(times[empty])
        # One of the two is enough: other processes disturb the rate, and the number of requests in
        # a batch changes the processor time.
        if min(rate, cost) <= SLOWDOWN:
            break
        expect(attempt < ROUNDS - 1,
               f"with idle connections requests are {rate:.2f} times slower, "
               f"and need {cost:.2f} times the processor time")
    print(f"many: {statistics.median(rates[crowded]):.0f} requests/s with idle connections, "
          f"{statistics.median(rates[empty]):.0f} without; "
          f"{statistics.median(times[crowded]) * 1e6:.2f} us of processor time each, and "
          f"{statistics.median(times[empty]) * 1e6:.2f} us")


def load(server, token, seconds):
    """The requests a second of 32 connections, and the processor time of each in seconds."""
    begin = processor_time(server)
    wrk = subprocess.Popen(
        ["wrk", "-t1", "-c32", "-d60s", "-H", token, server.url + "/resource"],
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        time.sleep(seconds)
        # wrk prints its counts when it is interrupted. Its -d option accepts whole seconds only.
        wrk.send_signal(signal.SIGINT)
        output = wrk.communicate(timeout=TIMEOUT)[0].decode()
    finally:
        wrk.kill()
        wrk.wait()
    found = re.search(r"(\d+) requests in", output)
    expect(found and int(found.group(1)) > 0, f"wrk: {output}")
    expect("Non-2xx" not in output, f"wrk: {output}")
    spent = processor_time(server) - begin
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))
    return rate, spent / int(found.group(1))


# Descriptors


def descriptors(program, whole):
    # Unfinished requests from a trusted proxy are not evicted.
    settings = {
        "port": 0, "workers": 2, "header_timeout": "600s", "trusted_proxies": ["127.0.0.1"]}
    with serving(program, server=settings) as server:
        address = address_of(server)
        for _ in range(4):
            with connect(address) as connection:
                exchange(connection, get("/health/live"))
        _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        limit_descriptors(server, descriptor_count(server) + 40, hard)
        eviction_time = evict_idle_connections(address)
        clients = connect_without_descriptors(address, 6000 if whole else 300)
        share = waiting_share(server, 2)
        print(f"descriptors: idle connections are evicted in {eviction_time * 1000:.1f} ms each; "
              f"with {len(clients)} clients and no free descriptor {share:.2%} of a processor")
        expect(share <= WAITING_SHARE, f"{share:.1%} of a processor while there is nothing to do")
        served = [client for client in clients if has_response(client)]
        waiting = [client for client in clients if client not in served]
        expect(served and len(waiting) > len(served),
               f"{len(served)} clients served, {len(waiting)} waiting")
        replace_clients(served[:5], waiting)
        # The server gets no event when its limit is raised.
        limit_descriptors(server, hard, hard)
        duration = serve_all(waiting)
        print(f"descriptors: after the limit is raised, all clients are served in {duration:.2f} s")
        for client in clients:
            client.close()


def evict_idle_connections(address):
    """Connects more clients than there are descriptors. Returns the seconds for each."""
    begin = time.monotonic()
    idle = []
    for _ in range(200):
        idle.append(connect(address))
        expect(exchange(idle[-1], get("/health/live")) == 200,
               "a client was refused although other connections are idle")
    duration = (time.monotonic() - begin) / len(idle)
    # Each would take a tenth of a second if accepting had paused.
    expect(duration < 0.05, f"the eviction of an idle connection takes {duration:.3f} s")
    for connection in idle:
        connection.close()
    return duration


def connect_without_descriptors(address, count):
    """No client is evicted: some clients are accepted, and the others wait in the listen queue."""
    clients = []
    for _ in range(count):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(address)
        clients.append(connection)
    for _ in range(10):
        push_all(clients)
        time.sleep(0.1)
    return clients


def replace_clients(served, waiting):
    """Closes served connections one by one. Each time, a waiting client must be served."""
    for client in served:
        begin = time.monotonic()
        client.close()
        next_client = wait_for_response(waiting)
        duration = time.monotonic() - begin
        waiting.remove(next_client)
        expect(duration < 2, f"a free descriptor is used only after {duration:.2f} s")


def serve_all(waiting):
    """Waits until all clients are served. Returns the seconds that it took."""
    begin = time.monotonic()
    waiting = set(waiting)
    while waiting:
        push_all(waiting)
        waiting -= set(with_response(waiting, 100))
        # Where the listen queue was full, the kernel of the client tries again after 1, 3, 7, 15,
        # 31 and 63 seconds.
        expect(time.monotonic() - begin < TIMEOUT * 2.5, f"{len(waiting)} clients are not served")
    return time.monotonic() - begin


def limit_descriptors(server, soft, hard):
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (soft, hard))


_pushed = set()


def push_all(clients):
    """Sends to each client, once, a complete request and the start of another, so that its
    connection is active."""
    for client in clients:
        if client not in _pushed:
            with contextlib.suppress(BlockingIOError, ConnectionError, OSError):
                client.send(get("/health/live") + b"GET")
                _pushed.add(client)


def has_response(client):
    try:
        return client.recv(16, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return False
    except OSError:
        return False


def wait_for_response(clients):
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        for client in with_response(clients, 1000):
            return client
        push_all(clients)
    raise SystemExit("FAILED: no waiting client was served")


def with_response(clients, milliseconds):
    poll = select.poll()
    by_number = {client.fileno(): client for client in clients}
    for number in by_number:
        poll.register(number, select.POLLIN)
    return [by_number[number] for number, _ in poll.poll(milliseconds)
            if has_response(by_number[number])]


def waiting_share(server, seconds):
    begin = processor_time(server)
    time.sleep(seconds)
    return (processor_time(server) - begin) / seconds


def main():
    parts = {"timeouts": timeouts, "attacks": attacks, "maximum": maximum, "many": many,
             "descriptors": descriptors}
    program, *words = sys.argv[1:] or sys.exit(__doc__)
    whole = "--whole" in words
    chosen = [word for word in words if word != "--whole"] or list(parts)
    if not set(chosen) <= set(parts):
        sys.exit(__doc__)
    for tool in ("slowhttptest", "wrk"):
        expect(shutil.which(tool), f"{tool} is not installed")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for name in chosen:
        parts[name](program, whole)


if __name__ == "__main__":
    main()
