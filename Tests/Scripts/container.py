#!/usr/bin/env python3
"""Runs the server as in the manual's container: without other programs in its root directory, not
as root, on a read-only file system with one volume, as the first process of its PID namespace.

    python3 container.py GATEHOUSE            this build, with the libraries that it needs
    python3 container.py GATEHOUSE --whole    also the manual's static build (slow), without them

Uses unshare and chroot instead of a container engine. Must run as root.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import manual
from server import ITERATIONS, KEY, TIMEOUT, add_user, expect, free_port, http_request, wait_until

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
USER = 65532
PASSWORD = "correct horse battery staple"


def recipe():
    return manual.stanzas("container", "dockerfile")[0]


def listed(instruction):
    """The words of an instruction in exec form."""
    return json.loads(re.search(rf"\b{instruction} (\[.*\])", recipe()).group(1))


def build(folder):
    """Builds with the manual's command."""
    command = re.search(r"RUN (swift build .*?)(?: \\)?\n", recipe()).group(1)
    subprocess.run([*command.split(), "--scratch-path", folder], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL)
    program = os.path.join(folder, "release", "gatehouse")
    subprocess.run(["strip", program], check=True)
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    expect("not a dynamic executable" in done.stderr, f"the program is not static: {done.stdout}")
    return program


def create_root(root, program):
    """Copies the program and its libraries, and creates the folders that an engine would create."""
    for name in ("proc", "data", "etc/gatehouse"):
        os.makedirs(os.path.join(root, name))
    shutil.copy(program, os.path.join(root, "gatehouse"))
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    for path in re.findall(r"(/\S+) \(0x", done.stdout):
        place = root + path
        os.makedirs(os.path.dirname(place), exist_ok=True)
        shutil.copy(path, place)
    os.chown(os.path.join(root, "data"), USER, USER)


def configure(program, root, port):
    data, etc = os.path.join(root, "data"), os.path.join(root, "etc/gatehouse")
    add_user(program, data, "alice", "Alice", PASSWORD)
    settings = {
        "server": {"host": "0.0.0.0", "port": port},
        "admin": {"socket": "/data/admin.sock", "metrics": None},
        "token": {"keys": [{"id": "first", "secret_file": "token.key"}]},
        "login": {"mode": "password", "users_file": "/data/users.json",
                  "iterations": ITERATIONS},
        "log": {"file": {"path": "/data/app.log"}}, "state": {"revocations": "/data/journal"}}
    for name, content in (("config.json", json.dumps(settings)), ("token.key", KEY)):
        with open(os.path.join(etc, name), "w", encoding="utf-8") as file:
            file.write(content)
    for folder in (data, etc):
        for name in os.listdir(folder):
            os.chown(os.path.join(folder, name), USER, USER)
            os.chmod(os.path.join(folder, name), 0o600)


def check_container(program):
    port = free_port()
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o755)
        create_root(root, program)
        configure(program, root, port)
        inside = (f"mount --bind {root} {root} && mount --bind {root}/data {root}/data"
                  f" && mount -o remount,bind,ro {root} && mount -t proc proc {root}/proc"
                  f' && exec chroot --userspec={USER}:{USER} {root} "$@"')
        errors = tempfile.TemporaryFile()
        process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", inside, "sh",
             *listed("ENTRYPOINT")],
            env={}, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)

        def response():
            if process.poll() is not None:
                errors.seek(0)
                raise SystemExit(f"FAILED: the server ended: {errors.read().decode()}")
            try:
                return http_request(f"http://127.0.0.1:{port}/health/ready")
            except OSError:
                return None

        try:
            expect(wait_until(response, "the start of the server").status == 200,
                   "the server is not ready")
            with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
                first = int(file.read())
            check = subprocess.run(
                ["nsenter", "-t", str(first), "-m", "-p", "-r", "-S", str(USER), "-G", str(USER),
                 *listed("CMD")],
                env={}, capture_output=True, text=True, timeout=TIMEOUT, check=False)
            expect(check.returncode == 0, f"the health check: {check.returncode} {check.stderr}")
            login = http_request(f"http://127.0.0.1:{port}/login", "POST",
                                 json_body={"username": "alice", "password": PASSWORD})
            expect(login.status == 200, f"login: {login.status} {login.body}")
            resource = http_request(f"http://127.0.0.1:{port}/resource", token=login.json["token"])
            expect(resource.status == 200, f"resource: {resource.status}")
            size = os.path.getsize(os.path.join(root, "gatehouse"))
            os.kill(first, getattr(signal, re.search(r"STOPSIGNAL (\w+)", recipe()).group(1)))
            expect(process.wait(TIMEOUT) == 0,
                   f"the server did not stop with exit code 0: {process.returncode}")
            with open(os.path.join(root, "data/app.log"), encoding="utf-8") as file:
                expect("sys_shutdown clean=true" in file.read(), "the log has no sys_shutdown")
        finally:
            if process.poll() is None:
                # The change of user has cleared the server's parent-death signal.
                path = f"/proc/{process.pid}/task/{process.pid}/children"
                with open(path, encoding="ascii") as file:
                    for child in map(int, file.read().split()):
                        os.kill(child, signal.SIGKILL)
                process.kill()
                process.wait()
            errors.close()
    print(f"in a container: ready, a login, a resource, a stop ({size / 2**20:.0f} MiB)")


def check_without_proc(program):
    """Without /proc the program cannot read its arguments, and refuses to start."""
    with tempfile.TemporaryDirectory() as root:
        create_root(root, program)
        done = subprocess.run(
            ["unshare", "--mount", "chroot", root, "/gatehouse", "--version"],
            env={"PATH": "/usr/sbin:/usr/bin"}, capture_output=True, text=True, timeout=TIMEOUT,
            check=False)
        expect(done.returncode == 72 and "mount /proc" in done.stderr and not done.stdout,
               f"without /proc: {done.returncode} {done.stderr}")
    print("without /proc: refused")


def check_unnamed_configuration(program):
    """The demo reports a configuration file that it does not read."""
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o755)
        create_root(root, program)
        configure(program, root, free_port())
        inside = (f"mount -t proc proc {root}/proc"
                  f' && cd {root}/data && exec chroot --userspec={USER}:{USER} {root} "$@"')
        done = subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "sh", "-c", inside, "sh", "/gatehouse",
             "check"],
            env={"PATH": "/usr/sbin:/usr/bin", "GATESERVER_LOG_FILE_PATH": "/data/demo.log"},
            capture_output=True, text=True, timeout=TIMEOUT, check=False)
        expect("/etc/gatehouse/config.json is read only if --config names it" in done.stderr,
               f"the configuration is not reported: {done.returncode} {done.stderr}")
    print("without --config: the configuration file is reported")


def main():
    if os.geteuid() != 0:
        return print("not root: skipped")
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0:
        return print("no mount namespaces: skipped")
    check_container(os.path.abspath(sys.argv[1]))
    check_without_proc(os.path.abspath(sys.argv[1]))
    check_unnamed_configuration(os.path.abspath(sys.argv[1]))
    if "--whole" in sys.argv:
        with tempfile.TemporaryDirectory() as folder:
            check_container(build(folder))


if __name__ == "__main__":
    main()
