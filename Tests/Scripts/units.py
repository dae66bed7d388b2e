#!/usr/bin/env python3
"""Checks README's systemd units as they stand there, against systemd and against what the server does.

    python3 units.py GATEHOUSE      the built program

Debian packages: systemd (for systemd-analyze; nothing is started by it), strace.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from server import KEY, TIMEOUT, add_user, expect, http_request, wait_until
import restart

README = os.path.join(os.path.dirname(__file__), "..", "..", "README.md")
PROGRAM = "/usr/local/bin/gatehouse"
# Tried, and done without: Dispatch would like its threads to have another priority. In the run here it
# fails, as it does under the unit.
NEEDLESS = {"setpriority"}
PASSWORD = "correct horse battery staple"


def section():
    with open(README, encoding="utf-8") as file:
        return file.read().split("\n### Under systemd\n")[1].split("\n### ")[0]


def units():
    """Name and text of each, as README has them."""
    found = dict(re.findall(r"```ini\n# /etc/systemd/system/(\S+)\n(.*?)```", section(), re.DOTALL))
    expect(sorted(found) == ["gatehouse-metrics.socket", "gatehouse.service", "gatehouse.socket"],
           f"README's units are {sorted(found)}")
    return found


def values(text, name):
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)


def run(*command, **more):
    return subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT, check=False, **more)


def check_units(program, folder):
    """As systemd reads them."""
    paths = []
    for name, text in units().items():
        paths.append(os.path.join(folder, name))
        with open(paths[-1], "w", encoding="utf-8") as file:
            file.write(text.replace(PROGRAM, os.path.abspath(program)))
    done = run("systemd-analyze", "verify", "--man=no", *paths)
    about = [line for line in (done.stdout + done.stderr).splitlines() if "gatehouse" in line]
    expect(not about and done.returncode == 0, f"systemd-analyze verify: {done.stderr}")
    service = next(path for path in paths if path.endswith("gatehouse.service"))
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", service)
    found = re.search(r"Overall exposure level for gatehouse.service: (\S+)", done.stdout)
    expect(found, f"systemd-analyze security: {done.stderr}")
    exposure = re.search(r"an exposure of ([\d.]+);", section())
    # Other versions of systemd count otherwise.
    expect(exposure and float(found.group(1)) <= float(exposure.group(1)) + 0.5,
           f"the exposure is {found.group(1)}, and README says otherwise")
    print(f"README's units: verified, exposure {found.group(1)}")


def expanded(word):
    """The system calls of a set."""
    if not word.startswith("@"):
        return {word}
    done = run("systemd-analyze", "syscall-filter", word)
    expect(done.returncode == 0, f"{word}: {done.stderr}")
    names = [line.strip() for line in done.stdout.splitlines()[1:]]
    return set().union(*(expanded(name) for name in names if name and not name.startswith("#")))


def allowed():
    """What is left of the unit's filter."""
    calls = set()
    for line in values(units()["gatehouse.service"], "SystemCallFilter"):
        words = set().union(*(expanded(word) for word in line.lstrip("~").split()))
        calls = calls - words if line.startswith("~") else calls | words
    expect(len(calls) > 100, f"the filter allows {calls}")
    return calls


def whole_life(program, folder):
    """A run with everything in it, under strace, and what strace has seen."""
    trace = os.path.join(folder, "trace")
    # As LoadCredential= has it.
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
    public, metrics = restart.listening_socket(), restart.listening_socket()
    port = public.getsockname()[1]
    supervisor = restart.Supervisor(
        program, folder, [public, metrics], names=["gatehouse.socket", "metrics"],
        WATCHDOG_USEC="2000000")
    try:
        for _ in range(2):
            # strace follows; the program stays the one that was started.
            supervisor.command = [
                "strace", "-D", "-f", "-qq", "-A", "-o", trace, "-e",
                f"inject={','.join(sorted(NEEDLESS))}:error=EPERM", os.path.abspath(program), "--config",
                f"{credentials}/config.json"]
            supervisor.start()
            supervisor.is_ready()
            url = f"http://127.0.0.1:{port}"
            for path in ("/health/ready", "/openapi.json", "/nowhere"):
                http_request(url + path)
            http_request(url + "/login", "POST",
                      json_body={"user_id": 1, "password": "not that one at all"})
            for _ in range(30):
                response = http_request(url + "/login", "POST",
                                   json_body={"user_id": 1, "password": PASSWORD})
                expect(response.status == 200, f"login: {response.status} {response.body}")
                token = response.json["token"]
                expect(http_request(url + "/resource", token=token).status == 200, "resource")
            expect(http_request(url + "/refresh", "POST", token=token).status == 200, "refresh")
            expect(http_request(url + "/logout", "POST", token=token).status == 204, "logout")
            page = http_request(f"http://127.0.0.1:{metrics.getsockname()[1]}/metrics")
            expect(page.status == 200, f"metrics: {page.status}")
            for command in (["sessions", "--user", "1"], ["revoke", "--user", "1"],
                            ["level", "http", "DEBUG"], ["token", "issue", "--user", "1"],
                            ["log", "head"], ["reload"]):
                done = run(os.path.abspath(program), *command, "--config",
                           f"{credentials}/config.json")
                expect(done.returncode == 0, f"{command}: {done.stderr}")
            # By the command, and by the signal.
            for is_asked in (False, True):
                expect("RELOADING" in supervisor.heard(), "no reload")
                supervisor.is_ready()
                if not is_asked:
                    supervisor.process.send_signal(signal.SIGHUP)
            while "WATCHDOG=1" not in supervisor.listen():
                pass
            supervisor.stop()
        expect(len([name for name in os.listdir(folder) if name.startswith("app.log.0")]) > 1,
               "the log was not rotated")
    finally:
        supervisor.end()
        public.close()
        metrics.close()
    wait_until(lambda: os.path.exists(trace) or None, "a trace")
    with open(trace, encoding="utf-8", errors="replace") as file:
        return file.read()


def check_life(program, folder):
    service = units()["gatehouse.service"]
    trace = whole_life(program, folder)
    used = set(re.findall(r"^\d+ +(?:<\.\.\. )?([a-z][a-z0-9_]*)[( ]", trace, re.MULTILINE))
    expect({"accept", "epoll_wait", "fdatasync", "sendto", "renameat"} <= used, f"only {used} seen")
    missing = used - allowed() - NEEDLESS
    expect(not missing, f"the unit forbids what is used: {sorted(missing)}")
    # What MemoryDenyWriteExecute= refuses.
    for line in re.findall(r"^.*\b(?:mmap|mprotect|pkey_mprotect|shmat)\(.*$", trace, re.MULTILINE):
        expect(not ("PROT_EXEC" in line and ("PROT_WRITE" in line or "mprotect" in line)
                    or "SHM_EXEC" in line), f"memory to be written and executed: {line}")
    families = set(values(service, "RestrictAddressFamilies")[0].split())
    asked = set(re.findall(r"\bsocket\((AF_\w+)", trace))
    expect(asked and asked <= families, f"sockets of {asked}, and the unit allows {families}")
    # By which it knows whether there are SHA instructions; ProcSubset= would hide it.
    if re.search(r'"/proc/cpuinfo"', trace):
        expect(not values(service, "ProcSubset"), "the unit hides /proc/cpuinfo, which is read")
    written = set(re.findall(r'\bopenat\([^"]*"([^"]*)", [^)\n]*O_(?:WRONLY|RDWR)[^\n]*= \d', trace))
    expect(all(path.startswith(folder) or not path.startswith("/") for path in written),
           f"written elsewhere: {written}")
    print(f"a whole life needs {len(used)} system calls, and the unit allows them; no memory is "
          f"written and executed; sockets of {', '.join(sorted(asked))} alone")


def main():
    for tool in ("systemd-analyze", "strace"):
        if not shutil.which(tool):
            return print(f"{tool} is not installed: left out")
    restart.reserve(4)
    with tempfile.TemporaryDirectory() as folder:
        check_units(sys.argv[1], folder)
    with tempfile.TemporaryDirectory() as folder:
        check_life(sys.argv[1], folder)


if __name__ == "__main__":
    main()
