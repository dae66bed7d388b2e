#!/usr/bin/env python3
"""Runs the console examples of README and of the manual, and compares what they print.

    python3 manual.py GATEHOUSE              all of them, with the built program
    python3 manual.py GATEHOUSE PAGE...      README, or pages of Sources/Manual/Pages by name

A block that is marked `console` has commands (`$ …`), each with the output that it must print. A
command without output may print anything. In the output

    …               matches any text; alone in a line, any number of lines
    times, ids      match any others

A command must succeed, unless the next one is `echo $?`. `gatehouse log verify` may also exit with
3, which is normal while a server runs.

Every page runs in a folder of its own, and as root in a network of its own, so that the ports of
the examples are free. Other scripts take other blocks from here: `stanzas(page, language)`.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
PAGES = os.path.join(ROOT, "Sources", "Manual", "Pages")
PASSWORD = "correct horse battery staple"
PATIENCE = 60
# Written after the output of each command, with its exit status.
MARK = "=== end of the output ==="

# What runs before the examples of a page: nothing, the demo, or for all others a configured server.
FIXTURES = {
    ("README", "Quick start"): "demo", ("README", "Production in five minutes"): None,
    ("quick-start", None): None}


# MARK: Pages


def page_names():
    return sorted(name.removesuffix(".md") for name in os.listdir(PAGES) if name.endswith(".md"))


def page(name):
    """The Markdown of a page; `README` is one, too."""
    if name == "README":
        path = os.path.join(ROOT, "README.md")
    else:
        path = os.path.join(PAGES, f"{name}.md")
    with open(path, encoding="utf-8") as file:
        return file.read()


def section(name, heading):
    """The part of a page below a heading, up to the next heading of the same or a higher level."""
    level, inside, is_code, lines = None, False, False, []
    for line in page(name).splitlines(keepends=True):
        if line.startswith("```"):
            is_code = not is_code
        found = None if is_code else re.match(r"(#+) (.*)", line)
        if found and inside and len(found.group(1)) <= level:
            break
        if found and found.group(2) == heading:
            level, inside = len(found.group(1)), True
        elif inside:
            lines.append(line)
    if not inside:
        raise SystemExit(f"FAILED: {name} has no section {heading!r}")
    return "".join(lines)


def stanzas(name, language, heading=None):
    """The code blocks of a page in a language, in order. With a heading: only those below it."""
    text = section(name, heading) if heading else page(name)
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands(block):
    """The commands of a console block, each with the lines that it must print."""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
        else:
            raise SystemExit(f"FAILED: a console block begins with output: {line}")
    return found


# MARK: Comparing


def normalized(line):
    """A line without what differs between two runs."""
    line = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)", "<time>", line)
    line = re.sub(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "<date>", line)
    # An identifier of 22 characters may have no digit.
    line = re.sub(r"(?<![\w-])(?:(?=[\w-]*\d)[\w-]{16,}|[\w-]{22})(?![\w-])", "<id>", line)
    line = re.sub(r"\b1\d{9}\b", "<seconds>", line)
    return re.sub(r"\s+", " ", line).strip()


def matches(shown, printed, form):
    pattern = ""
    for line in shown:
        if line == "…":
            pattern += r"(?:.*\n)*"
        else:
            parts = [re.escape(part) for part in form(line).split("…")]
            pattern += ".*".join(parts) + r"\n"
    text = "".join(f"{form(line)}\n" for line in printed)
    # An example ends without the empty line that a program may print last.
    return re.fullmatch(pattern + r"\s*", text) is not None


def is_as_shown(shown, printed):
    # An example that cuts an identifier with `…` is compared as it is.
    return matches(shown, printed, normalized) or matches(shown, printed, str.strip)


# MARK: Running


def give_up(command):
    raise SystemExit(f"FAILED: not done after {PATIENCE} s: {command}")


class Shell:
    """A bash process. Its variables and jobs remain from one command to the next."""

    def __init__(self, folder, program):
        path = f"{os.path.dirname(program)}:{os.environ.get('PATH', '/usr/bin:/bin')}"
        self.folder = folder
        self.program = program
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, cwd=folder, text=True, bufsize=1, errors="replace",
            env={"PATH": path, "HOME": folder, "LANG": "C.UTF-8", "TMPDIR": folder})

    def run(self, command):
        """What a command prints, and its exit status."""
        if command.endswith(" &"):
            return self.start(command.removesuffix(" &"))
        if command.startswith("swift build"):
            return [], 0
        if command.startswith("PATH="):
            # Use the program from the command line instead of the one that the examples build.
            command = f"PATH={os.path.dirname(self.program)}:$PATH"
        # `jobs` removes the jobs that have ended, as an interactive shell does: the next one is %1.
        self.process.stdin.write(
            f"{{ {command}\n}} </dev/null\n"
            f"status=$?; jobs >/dev/null; printf '\\n%s %s\\n' '{MARK}' $status; (exit $status)\n")
        self.process.stdin.flush()
        lines = []
        signal.signal(signal.SIGALRM, lambda *_: give_up(command))
        signal.alarm(PATIENCE)
        for line in self.process.stdout:
            if line.startswith(MARK):
                signal.alarm(0)
                # The line end before the mark is not the command's.
                if lines and lines[-1] == "":
                    lines.pop()
                return lines, int(line.split()[-1])
            lines.append(line.rstrip("\n"))
        raise SystemExit(f"FAILED: the shell ended at: {command}")

    def start(self, command):
        """Starts a server in the background and waits until it listens."""
        output = os.path.join(self.folder, "server.out")
        self.process.stdin.write(f"{command} >{output} 2>&1 </dev/null &\n")
        self.process.stdin.flush()
        deadline = time.monotonic() + PATIENCE
        lines = []
        while time.monotonic() < deadline:
            time.sleep(0.05)
            if os.path.exists(output):
                with open(output, encoding="utf-8", errors="replace") as file:
                    lines = file.read().splitlines()
            if any("listening on" in line for line in lines):
                return lines, 0
        return lines, 1

    def end(self):
        """Ends the servers that the examples have started and not stopped."""
        if self.process.poll() is None:
            try:
                self.process.stdin.write("kill $(jobs -p) 2>/dev/null; wait; exit 0\n")
                self.process.stdin.close()
                self.process.wait(PATIENCE)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                # If a command hangs, end the remaining child processes of the shell.
                subprocess.run(["pkill", "-KILL", "-P", str(self.process.pid)], check=False)
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()


def prepare(shell, fixture):
    """A running server for examples that need one."""
    if fixture == "demo":
        lines, status = shell.run("gatehouse &")
        if status:
            raise SystemExit("FAILED: the demo does not start:\n" + "\n".join(lines))
    if fixture != "server":
        return
    with open(os.path.join(ROOT, "config.example.json"), encoding="utf-8") as file:
        settings = json.load(file)
    # Cheap, because these passwords protect nothing.
    settings["login"]["iterations"] = 1000
    settings["log"]["stderr"]["level"] = "CRITICAL"
    for name in ("config.json", "token.key"):
        os.close(os.open(os.path.join(shell.folder, name), os.O_WRONLY | os.O_CREAT, 0o600))
    with open(os.path.join(shell.folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(settings, file)
    add = "gatehouse user add --config config.json"
    for command in (
            "gatehouse secret > token.key",
            # A key that was replaced.
            "(umask 077 && gatehouse secret > old.key)",
            f"{add} --username alice --name Alice <<< '{PASSWORD}'",
            f"{add} --username bob --name Bob <<< '{PASSWORD}'",
            "gatehouse --config config.json &"):
        lines, status = shell.run(command)
        if status:
            raise SystemExit(f"FAILED: {command}:\n" + "\n".join(lines))


def run_block(shell, place, block):
    found = commands(block)
    for index, (command, shown) in enumerate(found):
        lines, status = shell.run(command)
        is_asked = index + 1 < len(found) and found[index + 1][0] == "echo $?"
        is_verify = "gatehouse log verify" in command and status == 3
        if status and not is_asked and not is_verify:
            raise SystemExit(f"FAILED: {place}: exit {status}: $ {command}\n" + "\n".join(lines))
        if shown and not is_as_shown(shown, lines):
            raise SystemExit(
                f"FAILED: {place}: $ {command}\nshown:\n" + "\n".join(shown) + "\nprinted:\n"
                + "\n".join(lines))
    return len(found)


def run_page(program, name, heading=None):
    """Runs the console blocks of a page, or of one section. Returns the folder's log as text."""
    blocks = stanzas(name, "console", heading)
    place = f"{name}, {heading}" if heading else name
    if not blocks:
        return ""
    fixture = FIXTURES.get((name, heading), "server")
    with tempfile.TemporaryDirectory() as folder:
        shell = Shell(folder, program)
        try:
            prepare(shell, fixture)
            if name == "README" and fixture is None:
                shell.run(f"cd '{ROOT}'")
            count = sum(run_block(shell, place, block) for block in blocks)
            log = "\n".join(shell.run("cat logs/app.log 2>/dev/null || true")[0])
        finally:
            shell.end()
    print(f"{place}: {count} commands, as shown")
    return log


def run(program, names):
    for name in names:
        text = page(name)
        headings = [heading for (other, heading) in FIXTURES if other == name and heading]
        rest = text.count("\n```console\n") - sum(
            len(stanzas(name, "console", heading)) for heading in headings)
        if headings and rest:
            raise SystemExit(f"FAILED: {name} has console blocks outside {headings}")
        for heading in headings or [None]:
            run_page(program, name, heading)


def isolate():
    """Continues in a separate network namespace, if this process is root and that is possible."""
    if "--isolated" in sys.argv:
        sys.argv.remove("--isolated")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    tools = subprocess.run(
        ["sh", "-c", "command -v ip && unshare --net true"], capture_output=True, check=False)
    if os.geteuid() == 0 and tools.returncode == 0:
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv, "--isolated"])


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    isolate()
    program = os.path.abspath(sys.argv[1])
    if os.path.basename(program) != "gatehouse":
        raise SystemExit("FAILED: the program must be called gatehouse, as in the examples")
    run(program, sys.argv[2:] or ["README", *page_names()])


if __name__ == "__main__":
    main()
