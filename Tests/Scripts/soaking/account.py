"""What the clients of a soak have counted, beside what the server has."""

import collections
import os
import re

from soaking.answers import LOOSE


class Log:
    """All files of a log, counted."""
    LINE = re.compile(rb"\S+ \| \w+ \| (\w+) \| (\w+)")

    def __init__(self, folder):
        self.events = collections.Counter()
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
                if event in (b"authn_token_rejected", b"authn_login_fail", b"http_refused",
                             b"authn_login_throttled"):
                    reason = re.search(rb" reason=(\w+)", line).group(1).decode()
                count = 1
                if b" suppressed=" in line:
                    count = int(re.search(rb" suppressed=(\d+)", line).group(1))
                    self.events["suppressed"] += count
                self.events[event.decode(), reason] += count


def compare(what, found, wanted):
    """Yields a sentence for each difference."""
    for key in sorted(set(found) | set(wanted), key=str):
        if found.get(key, 0) != wanted.get(key, 0):
            yield (f"{what} {key}: {found.get(key, 0):.0f}, "
                   f"and the clients have {wanted.get(key, 0)}")


def labelled(series, name, *labels):
    found = {}
    for (family, pairs), value in series.items():
        if family == name and value:
            values = dict(pairs)
            found[tuple(values[label] for label in labels)] = value
    return found


def part(tally, name):
    return {key[1:]: count for key, count in tally.items()
            if isinstance(key, tuple) and key[0] == name}


def metrics_differences(series, tally):
    requests = {(route, str(status)): count
                for (route, status), count in part(tally, "request").items()}
    found = labelled(series, "gatehouse_http_requests_total", "route", "status")
    loose = found.pop((LOOSE, "200"), 0)
    if not tally["loose least"] <= loose <= tally["loose most"]:
        yield (f"requests for {LOOSE}: {loose:.0f}, and not from {tally['loose least']} to "
               f"{tally['loose most']}")
    yield from compare("requests", found, requests)
    timed = labelled(series, "gatehouse_http_request_duration_seconds_count", "route")
    timed.pop((LOOSE,), None)
    by_route = collections.Counter()
    for (route, _), count in requests.items():
        if route != "none":
            by_route[(route,)] += count
    yield from compare("timed requests", timed, by_route)
    refused = part(tally, "refused")
    single = {
        "gatehouse_http_refused_total": sum(refused.values()),
        "gatehouse_http_unrecorded_total": 0,
        "gatehouse_tokens_issued_total": tally["issued"],
        "gatehouse_tokens_refreshed_total": tally["refreshed"],
        "gatehouse_tokens_verified_total": tally["verified"],
        "gatehouse_tokens_reused_total": tally["reused"],
        "gatehouse_lockouts_total": tally["lockouts"],
        "gatehouse_logouts_total": tally["logouts"],
        "gatehouse_revocations_total": tally["revocations"],
        "gatehouse_connections": 0,
        "gatehouse_connections_accepted_total": tally["connections"],
        "gatehouse_connections_refused_total": 0,
        "gatehouse_revocation_write_failures_total": 0,
        "gatehouse_revocations_unwritten": 0,
    }
    yield from compare("metric", {name: series[name, ()] for name in single}, single)
    for name in ["dropped_total", "write_failures_total", "waiting"]:
        yield from compare(name, labelled(series, f"gatehouse_log_{name}", "file"),
                           {("app",): 0, ("audit",): 0})
    yield from compare("tokens rejected",
                       labelled(series, "gatehouse_tokens_rejected_total", "reason"),
                       part(tally, "rejected"))
    yield from compare("logins", labelled(series, "gatehouse_logins_total", "outcome"),
                       part(tally, "login"))
    yield from compare("throttled", labelled(series, "gatehouse_throttled_total", "reason"),
                       part(tally, "throttled"))
    yield from compare("timeouts", labelled(series, "gatehouse_timeouts_total", "kind"),
                       part(tally, "timeout"))
    yield from compare("queues", labelled(series, "gatehouse_queue_refused_total", "queue"),
                       {("hashing",): refused.get(("busy",), 0)})


def log_differences(log, tally, series, reloads):
    wanted = {
        ("authn_token_created", None): tally["issued"],
        ("authn_token_verified", None): tally["verified"],
        ("authn_token_refreshed", None): tally["refreshed"],
        ("authn_token_reuse", None): tally["reused"],
        ("authn_token_revoked", None): tally["revocations"],
        ("session_logout", None): tally["logouts"],
        ("authn_login_success", None): tally["login", "success"],
        ("authn_login_lock", None): tally["lockouts"],
        ("config_reload", None): reloads,
        ("sys_startup", None): 1,
        ("sys_shutdown", None): 1,
    }
    for name, event in [("rejected", "authn_token_rejected"), ("login", "authn_login_fail"),
                        ("throttled", "authn_login_throttled"), ("refused", "http_refused")]:
        for (reason,), count in part(tally, name).items():
            if reason != "success":
                wanted[event, reason] = count
    own = {"suppressed", "log_open", "log_rotate", "log_seal", "log_reopen"}
    found = {key: count for key, count in log.events.items()
             if key not in own and key[0] not in own}
    yield from compare("log", found, wanted)
    # The metrics were read before the server stopped, and it says so in one line.
    lines = series["gatehouse_log_lines_total", (("file", "app"),)] + 1
    if log.lines != lines:
        yield f"the log has {log.lines} lines, and the metrics say {lines:.0f}"
    written = log.bytes - series["gatehouse_log_bytes_total", (("file", "app"),)]
    if not 40 < written < 200:
        yield f"the log has {written:.0f} bytes more than the metrics say"
