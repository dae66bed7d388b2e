#!/usr/bin/env python3
"""Tests the manual's systemd units with systemd's tools, and compares them with the server's system
calls.

    python3 units.py GATEHOUSE      the built program

Needs the Debian packages systemd (for systemd-analyze; no service is started) and strace.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import manual
from server import KEY, TIMEOUT, add_user, expect, http_request, wait_until
import restart

PROGRAM = "/usr/local/bin/gatehouse"
# Dispatch tries to set the priority of its threads, and works without it. The call fails here as it
# fails under the unit.
UNNECESSARY = {"setpriority"}
PASSWORD = "correct horse battery staple"


def units():
    """The name and the text of each unit in the manual."""
    found = {}
    for stanza in manual.stanzas("systemd", "ini"):
        name, text = re.fullmatch(r"# /etc/systemd/system/(\S+)\n(.*)", stanza, re.DOTALL).groups()
        found[name] = text
    expect(sorted(found) == ["gatehouse-metrics.socket", "gatehouse.service", "gatehouse.socket"],
           f"the manual's units are {sorted(found)}")
    return found


def values(text, name):
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)


def run(*command, **more):
    return subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT, check=False, **more)


def check_units(program, folder):
    """Checks the units with systemd-analyze."""
    paths = []
    for name, text in units().items():
        paths.append(os.path.join(folder, name))
        with open(paths[-1], "w", encoding="utf-8") as file:
            file.write(text.replace(PROGRAM, os.path.abspath(program)))
    done = run("systemd-analyze", "verify", "--man=no", *paths)
    messages = [line for line in (done.stdout + done.stderr).splitlines() if "gatehouse" in line]
    expect(not messages and done.returncode == 0, f"systemd-analyze verify: {done.stderr}")
    service = next(path for path in paths if path.endswith("gatehouse.service"))
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", service)
    found = re.search(r"Overall exposure level for gatehouse.service: (\S+)", done.stdout)
    expect(found, f"systemd-analyze security: {done.stderr}")
    exposure = re.search(r"an exposure of (\d+(?:\.\d+)?)", manual.page("systemd"))
    # Other versions of systemd compute different values.
    expect(exposure and float(found.group(1)) <= float(exposure.group(1)) + 0.5,
           f"the exposure is {found.group(1)}; the manual has a smaller one")
    print(f"the manual's units: verified, exposure {found.group(1)}")


def expanded(word):
    """The system calls in a set such as @system-service; a call is its own set."""
    if not word.startswith("@"):
        return {word}
    done = run("systemd-analyze", "syscall-filter", word)
    expect(done.returncode == 0, f"{word}: {done.stderr}")
    names = [line.strip() for line in done.stdout.splitlines()[1:]]
    return set().union(*(expanded(name) for name in names if name and not name.startswith("#")))


def allowed():
    """The system calls that the unit's filter allows."""
    calls = set()
    for line in values(units()["gatehouse.service"], "SystemCallFilter"):
        words = set().union(*(expanded(word) for word in line.lstrip("~").split()))
        calls = calls - words if line.startswith("~") else calls | words
    expect(len(calls) > 100, f"the filter allows {calls}")
    return calls


def configure(program, folder):
    """Writes a configuration as the unit has it. Returns the folder with it and the key."""
    # As LoadCredential= makes them available.
    credentials = os.path.join(folder, "credentials")
    os.mkdir(credentials)
    with open(os.open(f"{credentials}/token.key", os.O_WRONLY | os.O_CREAT, 0o400), "w",
              encoding="utf-8") as file:
        file.write(KEY)
    restart.configure(
        credentials, token={"keys": [{"id": "first", "secret_file": "token.key"}]},
        login={"mode": "password", "users_file": f"{folder}/users.json", "iterations": 2000},
        log={"file": {"path": f"{folder}/app.log", "max_size": "4KiB", "keep": 3},
             "durability": "synced"},
        state={"revocations": f"{folder}/revocations.journal"},
        admin={"socket": f"{folder}/admin.sock", "metrics": "127.0.0.1:9090"})
    add_user(program, folder, "alice", "Alice", PASSWORD)
    return credentials


def trace_server(program, folder):
    """Starts a server twice under strace, and uses all of it. Returns strace's output."""
    trace = os.path.join(folder, "trace")
    credentials = configure(program, folder)
    public, metrics = restart.listening_socket(), restart.listening_socket()
    supervisor = restart.Supervisor(
        program, folder, [public, metrics], names=["gatehouse.socket", "metrics"],
        WATCHDOG_USEC="2000000")
    try:
        for _ in range(2):
            # With -D strace is a child, and the supervisor's process is the program.
            supervisor.command = [
                "strace", "-D", "-f", "-qq", "-A", "-o", trace, "-e",
                f"inject={','.join(sorted(UNNECESSARY))}:error=EPERM", os.path.abspath(program),
                "--config", f"{credentials}/config.json"]
            supervisor.start()
            supervisor.wait_until_ready()
            use_endpoints(f"http://127.0.0.1:{public.getsockname()[1]}")
            page = http_request(f"http://127.0.0.1:{metrics.getsockname()[1]}/metrics")
            expect(page.status == 200, f"metrics: {page.status}")
            use_commands(program, credentials)
            # The first reload is that of the command, the second that of the signal.
            for is_last in (False, True):
                expect("RELOADING" in supervisor.receive_message(), "no notification of the reload")
                supervisor.wait_until_ready()
                if not is_last:
                    supervisor.process.send_signal(signal.SIGHUP)
            while "WATCHDOG=1" not in supervisor.receive():
                pass
            supervisor.stop()
        expect(len([name for name in os.listdir(folder) if name.startswith("app.log.0")]) > 1,
               "the log was not rotated")
    finally:
        supervisor.close()
        public.close()
        metrics.close()
    wait_until(lambda: os.path.exists(trace) or None, "the output of strace")
    with open(trace, encoding="utf-8", errors="replace") as file:
        return file.read()


def use_endpoints(url):
    for path in ("/health/ready", "/openapi.json", "/nowhere"):
        http_request(url + path)
    http_request(url + "/login", "POST",
                 json_body={"user_id": 1, "password": "not that one at all"})
    for _ in range(30):
        response = http_request(url + "/login", "POST",
                                json_body={"user_id": 1, "password": PASSWORD})
        expect(response.status == 200, f"login: {response.status} {response.body}")
        token = response.json["token"]
        status = http_request(url + "/resource", token=token).status
        expect(status == 200, f"resource: {status}")
    for path, expected in (("/refresh", 200), ("/logout", 204)):
        status = http_request(url + path, "POST", token=token).status
        expect(status == expected, f"{path}: {status}")


def use_commands(program, credentials):
    for command in (["sessions", "--user", "1"], ["revoke", "--user", "1"],
                    ["level", "http", "DEBUG"], ["token", "issue", "--user", "1"],
                    ["log", "head"], ["reload"]):
        done = run(os.path.abspath(program), *command, "--config", f"{credentials}/config.json")
        expect(done.returncode == 0, f"{command}: {done.stderr}")


def check_system_calls(program, folder):
    service = units()["gatehouse.service"]
    trace = trace_server(program, folder)
    used = set(re.findall(r"^\d+ +(?:<\.\.\. )?([a-z][a-z0-9_]*)[( ]", trace, re.MULTILINE))
    expect({"accept", "epoll_wait", "fdatasync", "sendto", "renameat"} <= used,
           f"strace shows only {used}")
    forbidden = used - allowed() - UNNECESSARY
    expect(not forbidden, f"the unit forbids system calls that are used: {sorted(forbidden)}")
    # The calls that MemoryDenyWriteExecute= refuses.
    for line in re.findall(r"^.*\b(?:mmap|mprotect|pkey_mprotect|shmat)\(.*$", trace, re.MULTILINE):
        expect(not ("PROT_EXEC" in line and ("PROT_WRITE" in line or "mprotect" in line)
                    or "SHM_EXEC" in line), f"memory that is writable and executable: {line}")
    families = set(values(service, "RestrictAddressFamilies")[0].split())
    opened = set(re.findall(r"\bsocket\((AF_\w+)", trace))
    expect(opened and opened <= families,
           f"sockets of the families {opened}; the unit allows {families}")
    # The server finds the SHA instructions there. ProcSubset= would hide the file.
    if re.search(r'"/proc/cpuinfo"', trace):
        expect(not values(service, "ProcSubset"),
               "the server reads /proc/cpuinfo, which the unit hides")
    written = set(re.findall(
        r'\bopenat\([^"]*"([^"]*)", [^)\n]*O_(?:WRONLY|RDWR)[^\n]*= \d', trace))
    expect(all(path.startswith(folder) or not path.startswith("/") for path in written),
           f"files written outside of the folder: {written}")
    print(f"a complete run uses {len(used)} system calls, all allowed by the unit; no memory is "
          f"writable and executable; sockets only of {', '.join(sorted(opened))}")


def main():
    for tool in ("systemd-analyze", "strace"):
        if not shutil.which(tool):
            return print(f"{tool} is not installed: skipped")
    restart.reserve(4)
    with tempfile.TemporaryDirectory() as folder:
        check_units(sys.argv[1], folder)
    with tempfile.TemporaryDirectory() as folder:
        check_system_calls(sys.argv[1], folder)


if __name__ == "__main__":
    main()
