"""Compares what the clients of a soak have counted with the server's metrics and log."""

import collections
import os
import re

from soaking.protocol import DOCUMENT_PATH


class LogCounts:
    """The numbers of lines, bytes and events in all files of a log."""
    LINE = re.compile(rb"\S+ \| \w+ \| (\w+) \| (\w+)")
    EVENTS_WITH_REASON = (
        b"authn_token_rejected", b"authn_login_fail", b"http_refused", b"authn_login_throttled")

    def __init__(self, folder):
        self.events = collections.Counter()  # By event and reason.
        self.suppressed = 0
        self.lines = self.bytes = self.files = 0
        for name in sorted(os.listdir(folder)):
            if re.fullmatch(r"app\.log(\.\d+)?", name):
                self.read(os.path.join(folder, name))

    def read(self, path):
        self.files += 1
        with open(path, "rb") as file:
            for line in file:
                area, event = self.LINE.match(line).groups()
                if area != b"log":
                    self.lines += 1
                    self.bytes += len(line)
                reason = None
                if event in self.EVENTS_WITH_REASON:
                    reason = re.search(rb" reason=(\w+)", line).group(1).decode()
                count = 1
                if b" suppressed=" in line:
                    count = int(re.search(rb" suppressed=(\d+)", line).group(1))
                    self.suppressed += count
                self.events[event.decode(), reason] += count


def differences(name, server, clients):
    """Yields a sentence for each key whose count in the server is not that of the clients."""
    for key in sorted(set(server) | set(clients), key=str):
        if server.get(key, 0) != clients.get(key, 0):
            yield (f"{name} {key}: {server.get(key, 0):.0f} in the server, "
                   f"{clients.get(key, 0)} in the clients")


def labelled(series, name, *labels):
    """The values of a metric that are not 0, by the value of its label, or of its labels."""
    found = {}
    for (family, pairs), value in series.items():
        if family == name and value:
            values = dict(pairs)
            key = tuple(values[label] for label in labels)
            found[key if len(key) > 1 else key[0]] = value
    return found


def metrics_differences(series, counts):
    yield from request_differences(series, counts)
    expected = {
        "gatehouse_http_refused_total": counts.refused.total(),
        "gatehouse_http_unrecorded_total": 0,
        "gatehouse_tokens_issued_total": counts.issued,
        "gatehouse_tokens_refreshed_total": counts.refreshed,
        "gatehouse_tokens_verified_total": counts.verified,
        "gatehouse_tokens_reused_total": counts.reused,
        "gatehouse_lockouts_total": counts.lockouts,
        "gatehouse_logouts_total": counts.logouts,
        "gatehouse_revocations_total": counts.revocations,
        "gatehouse_connections": 0,
        "gatehouse_connections_accepted_total": counts.connections,
        "gatehouse_connections_refused_total": 0,
        "gatehouse_revocation_write_failures_total": 0,
        "gatehouse_revocations_unwritten": 0,
    }
    yield from differences("metric", {name: series[name, ()] for name in expected}, expected)
    for name in ["dropped_total", "write_failures_total", "waiting"]:
        yield from differences(
            name, labelled(series, f"gatehouse_log_{name}", "file"), {"app": 0, "audit": 0})
    for name, metric, label, clients in [
            ("tokens rejected", "gatehouse_tokens_rejected_total", "reason", counts.rejected),
            ("logins", "gatehouse_logins_total", "outcome", counts.logins),
            ("throttled", "gatehouse_throttled_total", "reason", counts.throttled),
            ("timeouts", "gatehouse_timeouts_total", "kind", counts.timeouts),
            ("queues", "gatehouse_queue_refused_total", "queue",
             {"hashing": counts.refused["busy"]})]:
        yield from differences(name, labelled(series, metric, label), clients)


def request_differences(series, counts):
    requests = {(route, str(status)): count for (route, status), count in counts.requests.items()}
    found = labelled(series, "gatehouse_http_requests_total", "route", "status")
    documents = found.pop((DOCUMENT_PATH, "200"), 0)
    if not counts.documents_least <= documents <= counts.documents_most:
        yield (f"requests for {DOCUMENT_PATH}: {documents:.0f}; expected from "
               f"{counts.documents_least} to {counts.documents_most}")
    yield from differences("requests", found, requests)
    timed = labelled(series, "gatehouse_http_request_duration_seconds_count", "route")
    timed.pop(DOCUMENT_PATH, None)
    by_route = collections.Counter()
    for (route, _), count in requests.items():
        if route != "none":
            by_route[route] += count
    yield from differences("timed requests", timed, by_route)


def log_differences(log, counts, series, reloads):
    expected = {
        ("authn_token_created", None): counts.issued,
        ("authn_token_verified", None): counts.verified,
        ("authn_token_refreshed", None): counts.refreshed,
        ("authn_token_reuse", None): counts.reused,
        ("authn_token_revoked", None): counts.revocations,
        ("session_logout", None): counts.logouts,
        ("authn_login_success", None): counts.logins["success"],
        ("authn_login_lock", None): counts.lockouts,
        ("config_reload", None): reloads,
        ("sys_startup", None): 1,
        ("sys_shutdown", None): 1,
    }
    for event, by_reason in [("authn_token_rejected", counts.rejected),
                             ("authn_login_fail", counts.logins),
                             ("authn_login_throttled", counts.throttled),
                             ("http_refused", counts.refused)]:
        for reason, count in by_reason.items():
            if reason != "success":
                expected[event, reason] = count
    own = {"log_open", "log_rotate", "log_seal", "log_reopen"}
    found = {key: count for key, count in log.events.items() if key[0] not in own}
    yield from differences("log", found, expected)
    # The metrics were read before the server stopped, which adds one line.
    lines = series["gatehouse_log_lines_total", (("file", "app"),)] + 1
    if log.lines != lines:
        yield f"the log has {log.lines} lines; according to the metrics {lines:.0f}"
    added = log.bytes - series["gatehouse_log_bytes_total", (("file", "app"),)]
    if not 40 < added < 200:
        yield f"the log has {added:.0f} bytes more than the metrics; expected one line"
