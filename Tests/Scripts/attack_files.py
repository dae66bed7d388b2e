#!/usr/bin/env python3
"""Attacks the service's files as another account of the machine could.

    python3 attack_files.py GATEHOUSE [--whole]    --whole repeats the races more often

As root also: races with symbolic links in another account's folder, and the files that root's
commands leave there. Otherwise prints that these are skipped. Each check prints one line; the first
failure ends the script.
"""

import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

from server import RUNNING_PROCESSES, expect

PROGRAM = os.path.abspath(sys.argv[1])
WHOLE = "--whole" in sys.argv
IS_ROOT = os.geteuid() == 0
# An account that owns no other files.
OTHER = 65_534
PASSWORD = "correct horse battery"
KEY = "a key of the scripts under Tests, long enough"
ROUNDS = 400 if WHOLE else 25
COMMAND_TIMEOUT = 15


def run(*arguments, folder=None, text=PASSWORD + "\n", **more):
    """Runs a command. Returns its exit code and its output. A command that hangs is a failure."""
    try:
        done = subprocess.run(
            [PROGRAM, *arguments], input=text, cwd=folder, capture_output=True, text=True,
            env={"PATH": os.environ["PATH"], "GATESERVER_LOGIN_ITERATIONS": "1000"},
            timeout=COMMAND_TIMEOUT, check=False, **more)
    except subprocess.TimeoutExpired:
        raise SystemExit(f"FAILED: the command hangs: {' '.join(arguments)}") from None
    return done.returncode, done.stdout + done.stderr


def start(folder, config="config.json"):
    """Starts a server, and stops it if it serves. Returns its exit code (0 if it served) and its
    output."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [PROGRAM, "serve", "--config", os.path.join(folder, config)], cwd=folder, env={},
            stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        RUNNING_PROCESSES.add(process)

        def text():
            output.seek(0)
            return output.read()

        try:
            end = time.monotonic() + COMMAND_TIMEOUT
            while process.poll() is None and "listening on" not in text():
                expect(time.monotonic() < end, f"the server neither serves nor ends: {text()}")
                time.sleep(0.01)
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                expect(process.wait(COMMAND_TIMEOUT) == 0,
                       f"the server did not stop with exit code 0: {text()}")
                return 0, text()
            return process.returncode, text()
        finally:
            process.kill()
            process.wait()
            RUNNING_PROCESSES.discard(process)


def write(path, content, mode=0o600):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    os.chmod(path, mode)


@contextlib.contextmanager
def installation(**changes):
    """A folder with which a server starts. Other accounts may enter it and the folders above it."""
    settings = {
        "server": {"port": 0}, "admin": {"socket": "logs/admin.sock"},
        "token": {"keys": [{"id": "k", "secret_file": "token.key"}]},
        "login": {"users_file": "users.json", "iterations": 1000},
        "log": {"file": {"path": "logs/app.log"}, "stderr": {"level": "CRITICAL"}},
        "state": {"revocations": "logs/revocations.journal"}}
    for name, section in changes.items():
        settings[name] = settings[name] | section
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o755)
        folder = os.path.join(parent, "service")
        os.makedirs(os.path.join(folder, "logs"))
        for name in (folder, os.path.join(folder, "logs")):
            os.chmod(name, 0o755)
        write(os.path.join(folder, "token.key"), KEY + "\n")
        write(os.path.join(folder, "users.json"),
              '{"users":[{"id":1,"username":"alice","name":"Alice"}]}')
        write(os.path.join(folder, "config.json"), json.dumps(settings))
        yield folder


def config_option(folder):
    return ["--config", os.path.join(folder, "config.json")]


def check_agreement(folder, name, is_valid=None):
    """Checks that `check` and a start have the same result.
    - is_valid: the expected result, if it is known.
    - Returns: the exit code and the output of `check`, and the exit code of the start.
    """
    code, output = run("check", *config_option(folder))
    started, start_output = start(folder)
    expect((code == 0) == (started == 0),
           f"{name}: check says {code}, a start {started}:\n{output}{start_output}")
    if is_valid is not None:
        expect((code == 0) == is_valid, f"{name}: check says {code}: {output}")
    return code, output, started


# Files that other accounts can change.

def check_writable_files():
    count = 0
    for name in ("config.json", "token.key", "users.json", ".", ".."):
        for mode in (0o666, 0o620, 0o602) if name[0] != "." else (0o777, 0o775, 0o757):
            with installation() as folder:
                path = os.path.normpath(os.path.join(folder, name))
                os.chmod(path, mode)
                code, output, started = check_agreement(folder, f"{name} {mode:o}", False)
                expect(code == started == 78, f"{name} {mode:o}: {code}, {started}")
                expect(f"chmod go-w {path}" in output and f"{mode:o}" in output, output)
                count += 1
    for name, mode in ((".", 0o1777), ("token.key", 0o640), ("users.json", 0o440)):
        with installation() as folder:
            os.chmod(os.path.join(folder, name), mode)
            check_agreement(folder, f"{name} {mode:o}", True)
    with installation() as folder:
        os.chmod(os.path.join(folder, "logs"), 0o777)
        _, output, _ = check_agreement(folder, "logs 777", True)
        expect("warning: " in output and "chmod go-w" in output, f"no warning about logs: {output}")
    print(f"files that other accounts can change: {count} refused by check and start, with path, "
          "mode and chmod")


# Links, pipes, folders and devices instead of files.

WRITTEN = ["logs/app.log", "logs/.app.log.lock", "logs/.app.log.state", "logs/revocations.journal",
           "logs/.revocations.journal.lock", "logs/admin.sock"]


def check_special_files():
    count = 0
    for name in WRITTEN + ["config.json", "token.key", "users.json"]:
        kinds = ["link", "pipe", "folder"] + (["device"] if IS_ROOT else [])
        for kind in kinds:
            if kind == "link" and name not in WRITTEN:
                continue
            with installation() as folder:
                path, victim = os.path.join(folder, name), os.path.join(folder, "victim")
                write(victim, "as it was")
                if os.path.exists(path):
                    os.remove(path)
                if kind == "link":
                    os.symlink(victim, path)
                elif kind == "pipe":
                    os.mkfifo(path)
                elif kind == "folder":
                    os.mkdir(path)
                else:
                    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
                check_agreement(folder, f"{name} as a {kind}", False)
                with open(victim, encoding="ascii") as file:
                    expect(file.read() == "as it was", f"{name} as a link was followed")
                count += 1
    for name in ("users.json", ".users.json.lock", ".users.json.new", ".users.json.old"):
        with installation() as folder:
            path, victim = os.path.join(folder, name), os.path.join(folder, "victim")
            write(victim, '{"users":[]}')
            if os.path.exists(path):
                os.remove(path)
            os.symlink(victim, path)
            run("user", "add", "--username", "bob", "--name", "B",
                "--users-file", os.path.join(folder, "users.json"))
            with open(victim, encoding="ascii") as file:
                expect(file.read() == '{"users":[]}', f"user add followed {name}")
            count += 1
    for place, where in ((None, "/dev/null"), (None, "/proc/x/app.log"), (None, "logs/")):
        with installation(log={"file": {"path": where}}) as folder:
            check_agreement(folder, f"log {where}", False)
            count += 1
        expect(not os.path.exists("/dev/.null.lock"), "a lock file was created in /dev")
    print(f"links, pipes, folders and devices in place of files: {count} refused, none followed")


def check_kubernetes_links():
    with installation() as folder:
        os.mkdir(os.path.join(folder, "..1"), 0o755)
        for name in ("token.key", "config.json"):
            os.rename(os.path.join(folder, name), os.path.join(folder, "..1", name))
            os.symlink(f"..data/{name}", os.path.join(folder, name))
        os.symlink("..1", os.path.join(folder, "..data"))
        check_agreement(folder, "links of Kubernetes secrets", True)
        os.chmod(os.path.join(folder, "..1"), 0o777)
        check_agreement(folder, "links into a folder that other accounts can change", False)
        os.chmod(os.path.join(folder, "..1"), 0o755)
        if IS_ROOT:
            os.lchown(os.path.join(folder, "..data"), OTHER, OTHER)
            check_agreement(folder, "another account's link", False)
    print("links to secrets: followed if no other account can change them")


# Encodings and line endings.

def check_encodings():
    binary = bytes(range(1, 32)) + b"\n"
    for content, is_valid in (
            (KEY, True), (KEY + "\n", True), (KEY + "\r\n", True), (binary, True),
            (b"\xff" * 3 + os.urandom(28).replace(b"\xff", b"a") + b"\n", True),
            (b"\xef\xbb\xbf" + KEY.encode(), False), (KEY.encode("utf-16"), False),
            (KEY.encode("utf-16-le"), False), (KEY.encode("utf-16-be"), False)):
        with installation() as folder:
            write(os.path.join(folder, "token.key"), content)
            _, output, _ = check_agreement(folder, f"a key of {content[:8]!r}", is_valid)
            expect(is_valid or "UTF-" in output, f"the encoding is not named: {output}")
    for name in ("config.json", "users.json"):
        for codec in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"):
            with installation() as folder:
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as file:
                    content = file.read()
                write(path, content.encode(codec))
                _, output, _ = check_agreement(folder, f"{name} in {codec}", False)
                expect("UTF-" in output, f"the encoding is not named: {output}")
    print("byte order marks and UTF-16 are refused by name; the last byte of a binary key counts")


# `check` and a start.

def check_same_verdict():
    invalid = {
        "several errors": {"log": {"file": {"path": "logs/"}}, "server": {"port": -1},
                           "token": {"keys": [{"id": "k", "secret_file": "none"}]},
                           "login": {"users_file": "none.json"}},
        "repeated ids": {"token": {"keys": [{"id": "k", "secret_file": "token.key"}] * 2}},
        "a journal under /sys": {"state": {"revocations": "/sys/journal"}},
        "a socket that is too long": {"admin": {"socket": "s" * 120}},
        "a socket in no folder": {"admin": {"socket": "none/s"}},
        "an address of another machine": {"server": {"host": "192.0.2.1", "port": 0}},
        "metrics on all addresses": {"admin": {"metrics": "0.0.0.0:0"}},
        "an unknown key": {"login": {"user_file": "users.json"}},
        "the log is the users file": {"log": {"file": {"path": "users.json"}}},
        "the log is the key": {"log": {"file": {"path": "token.key"}}},
        "the journal is the configuration": {"state": {"revocations": "config.json"}},
    }
    for name, changes in invalid.items():
        with installation(**changes) as folder:
            _, output, _ = check_agreement(folder, name, False)
            if name == "several errors":
                for key in ("server.port", "token.keys[0].secret_file", "log.file.path",
                            "login.users_file"):
                    expect(key in output, f"{key} is not named: {output}")
            if name == "repeated ids":
                expect('"k"' in output and "token.keys[1]" in output, output)
    for name, changes in {
            "unchanged": {}, "no socket": {"admin": {"socket": None}},
            "a log in a folder of folders": {"log": {"file": {"path": "a/b/c.log"}}},
            "no seals": {"log": {"seal": False}}}.items():
        with installation(**changes) as folder:
            before = sorted(os.listdir(folder))
            run("check", *config_option(folder))
            expect(sorted(os.listdir(folder)) == before, f"{name}: check created files")
            check_agreement(folder, name, True)
    print(f"check and start agree: {len(invalid)} invalid and 4 valid configurations")


# Commands of root in another account's folder.

def give(*paths):
    for path in paths:
        os.lchown(path, OTHER, OTHER)
        for folder, folders, files in os.walk(path):
            for name in folders + files:
                os.lchown(os.path.join(folder, name), OTHER, OTHER)


def check_root_commands():
    with installation() as folder:
        os.remove(os.path.join(folder, "users.json"))
        give(folder)
        code, output = run("user", "add", "--username", "alice", "--name", "A",
                           *config_option(folder))
        expect(code == 0, f"user add: {output}")
        for verb in (["disable"], ["enable"], ["set-password"]):
            run("user", *verb, "--username", "alice", *config_option(folder))
        run("revoke", "--user", "1", *config_option(folder))
        run("secret", "--add", os.path.join(folder, "config.json"))
        for place, folders, files in os.walk(folder):
            for name in folders + files:
                owner = os.lstat(os.path.join(place, name)).st_uid
                expect(owner == OTHER, f"after root's commands {name} belongs to {owner}")
        code, output = run("check", *config_option(folder))
        expect(code == 0 and "checked as" in output, f"check: {code} {output}")
        code, output = start(folder)
        expect(code == 77 and re.search(r"(runuser -u|setpriv --reuid)", output),
               f"serve: {code} {output}")
        done = subprocess.run(
            ["setpriv", f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups", PROGRAM, "user",
             "list", *config_option(folder)], capture_output=True, text=True, check=False)
        expect(done.returncode == 0 and "alice" in done.stdout, f"the account: {done.stderr}")
        os.lchown(os.path.join(folder, "logs"), 12_345, 12_345)
        os.chmod(os.path.join(folder, "config.json"), 0o600)
    with installation() as folder:
        give(os.path.join(folder, "logs"))
        os.lchown(folder, 12_345, 12_345)
        code, output = run("user", "list", "--users-file", os.path.join(folder, "users.json"),
                           "--config", os.path.join(folder, "logs/config.json"))
        expect(code == 77, f"several accounts: {code} {output}")
    print("root in another account's folder: commands act as that account; serve, and files of "
          "several accounts, exit with 77")


def check_foreign_configuration():
    """The configuration of another account, in a folder of root, names a secret that only root may
    read."""
    for name in ("logs", "config.json"):
        with installation() as folder, tempfile.TemporaryDirectory() as own:
            os.chmod(own, 0o755)
            secret, path = os.path.join(own, "secret"), os.path.join(folder, "config.json")
            write(secret, "short" if name == "config.json" else KEY)
            with open(path, encoding="ascii") as file:
                settings = json.load(file)
            settings["token"]["keys"][0]["secret_file"] = secret
            write(path, json.dumps(settings))
            os.chmod(os.path.join(folder, "users.json"), 0o644)
            give(path, os.path.join(folder, name))
            for command in (["user", "list"], ["revoke", "--all", "--yes"], ["check"]):
                code, output = run(*command, *config_option(folder))
                expect(code == 78 and "secret_file: cannot be read: Permission denied" in output,
                       f"{command} with another account's configuration: {code} {output}")
                expect("bytes" not in output, f"the output has the secret's length: {output}")
            expect(os.listdir(os.path.join(folder, "logs")) == [],
                   "files were created with a key that is root's secret")
    print("root reads no secret that another account's configuration names")


def exchange_names(one, other):
    """Exchanges two names atomically (renameat2(2), RENAME_EXCHANGE)."""
    ctypes.CDLL(None).renameat2(-100, one.encode(), -100, other.encode(), 2)


def run_racer(folder, victim):
    """Runs as the other account until it is killed."""
    os.setgroups([])
    os.setgid(OTHER)
    os.setuid(OTHER)
    names = [f"{folder}/{name}" for name in (
        "users.json", ".users.json.lock", ".users.json.new", ".users.json.old",
        "config.json", "logs/revocations.journal", "logs/.revocations.journal.lock",
        "logs/.revocations.journal.new", "logs/app.log", "logs/admin.sock", "logs")]
    for index, name in enumerate(names):
        with contextlib.suppress(OSError):
            os.symlink(os.path.dirname(victim) if name.endswith("/logs") else victim,
                       f"{folder}/link{index}")
    while True:
        for index, name in enumerate(names):
            if not os.path.lexists(name):
                with contextlib.suppress(OSError):
                    os.symlink(victim, name)
            exchange_names(name, f"{folder}/link{index}")


def check_races():
    with installation() as folder, tempfile.TemporaryDirectory() as own:
        os.chmod(own, 0o755)
        victim = os.path.join(own, "root.conf")
        content = '{"users":[{"id":1,"username":"alice","name":"root"}]}'
        write(victim, content)
        give(folder)
        before = os.stat(victim)
        pid = os.fork()
        if pid == 0:
            try:
                run_racer(folder, victim)
            finally:
                os._exit(0)
        try:
            for number in range(ROUNDS):
                for command in (
                        ["user", "disable", "--username", "alice"],
                        ["user", "enable", "--username", "alice"],
                        ["user", "add", "--username", f"u{number}", "--name", "U"],
                        ["revoke", "--user", "1"], ["check"], ["log", "verify"]):
                    run(*command, *config_option(folder))
                run("secret", "--add", os.path.join(folder, "config.json"))
                with open(victim, encoding="ascii") as file:
                    expect(file.read() == content, f"root's file was overwritten in round {number}")
                now = os.stat(victim)
                expect((now.st_uid, now.st_gid, now.st_mode, now.st_ino)
                       == (before.st_uid, before.st_gid, before.st_mode, before.st_ino),
                       f"root's file was changed in round {number}")
                expect(os.listdir(own) == ["root.conf"],
                       f"files were created next to root's: {os.listdir(own)}")
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for place, folders, files in os.walk(folder):
            for name in folders + files:
                owner = os.lstat(os.path.join(place, name)).st_uid
                expect(owner == OTHER, f"{name} in the other account's folder belongs to {owner}")
    print(f"races with links in another account's folder: {ROUNDS} rounds, "
          "root's file is unchanged")


def check_hard_links():
    with installation() as folder:
        shared = os.path.join(folder, "shared")
        os.mkdir(shared)
        os.chmod(shared, 0o1777)
        victim = os.path.join(folder, "victim")
        settings = json.loads(open(os.path.join(folder, "config.json"), encoding="ascii").read())
        settings["log"]["file"]["path"] = "shared/app.log"
        write(os.path.join(folder, "config.json"), json.dumps(settings))
        write(victim, "")
        os.link(victim, os.path.join(shared, "app.log"))
        check_agreement(folder, "a log that is a hard link in a writable folder", False)
        expect(os.path.getsize(victim) == 0, "the file was written through the hard link")
        os.remove(os.path.join(shared, "app.log"))
        check_agreement(folder, "the same folder without it", True)
        if IS_ROOT:
            os.remove(os.path.join(shared, "app.log"))
            for name in os.listdir(shared):
                os.remove(os.path.join(shared, name))
            write(os.path.join(shared, "app.log"), "")
            os.chown(os.path.join(shared, "app.log"), OTHER, OTHER)
            code, _ = run("check", *config_option(folder))
            started, _ = start(folder)
            expect(code != 0 and started != 0, f"another account's log: {code}, {started}")
    print("hard links and other accounts' files in writable folders are refused")


def check_mounts():
    with installation() as folder:
        real = os.path.join(folder, "real.json")
        shutil.copy(os.path.join(folder, "users.json"), real)
        script = (f"mount --bind {real} {folder}/users.json && exec {PROGRAM} user add"
                  f" --username bob --name Bob --users-file {folder}/users.json")
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script], input=PASSWORD + "\n", text=True,
            capture_output=True, timeout=COMMAND_TIMEOUT, check=False,
            env={"PATH": os.environ["PATH"], "GATESERVER_LOGIN_ITERATIONS": "1000"})
        expect(done.returncode == 0, f"user add on a mount: {done.returncode} {done.stderr}")
        with open(real, encoding="utf-8") as file:
            names = [user["username"] for user in json.load(file)["users"]]
        expect(names == ["alice", "bob"], f"the mounted file has {names}")
        with open(os.path.join(folder, ".users.json.old"), encoding="utf-8") as file:
            expect("bob" not in file.read(), "the previous content was not kept")
    print("a users file that is a mount is changed in place, with the previous content beside it")


def main():
    check_writable_files()
    check_special_files()
    check_kubernetes_links()
    check_encodings()
    check_same_verdict()
    check_hard_links()
    if not IS_ROOT:
        return print("not root, skipped: root's commands, races with links, bind mounts")
    check_root_commands()
    check_foreign_configuration()
    check_races()
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0:
        return print("no mount namespaces, skipped: bind mounts")
    return check_mounts()


if __name__ == "__main__":
    main()
