#!/usr/bin/env python3
"""Checks the shape of the source tree: line length, file length, size of types, and four words.

    plain_language.py               prints each violation as `file:line: what is wrong`, exit code 1
    plain_language.py RULE...       checks these rules only: columns, readme, file-lines,
                                    stored-properties, words, exceptions
    plain_language.py --report      prints the number of violations of each rule, exit code 0
    plain_language.py --self-test

The rules hold for Sources, Tests, Package.swift, README.md and .ci. Folders with test data are left
out. An exception must be listed below with its reason, and removed when it is no longer needed.
"""

import collections
import pathlib
import re
import sys
import tempfile

import swift_source

MAXIMUM_COLUMNS = 100
MAXIMUM_WORDS = 60  # The number of occurrences in Sources and Tests must be smaller.
MAXIMUM_FILE_LINES = 450
MAXIMUM_README_LINES = 250
MAXIMUM_PROPERTIES = 12

# Words about unspecified people, where a sentence should name a client, a caller or a process.
# Written in parts, so that this file does not count.
WORDS = re.compile(r"\b(no|some|any)body\b|\bwho" + r"ever\b", re.IGNORECASE)
TEXT_SUFFIXES = (".swift", ".py", ".sh", ".md", ".h")
DATA_FOLDERS = ("Vectors", "Corpus")

# File: the reason why it may have more than 450 lines, or lines of more than 100 columns.
LONG_FILES = {}
LONG_LINES = {}
# "file: type": the reason why it may have more than 12 stored properties.
LARGE_TYPES = {}


def files(root):
    """The files that the rules apply to, relative to the root."""
    for name in ("Sources", "Tests"):
        for path in sorted((root / name).rglob("*")):
            parts = path.relative_to(root).parts
            if path.suffix in TEXT_SUFFIXES and not set(parts) & set(DATA_FOLDERS):
                yield path.relative_to(root)
    for path in [root / "Package.swift", root / "README.md", *sorted((root / ".ci").rglob("*"))]:
        if path.is_file() and path.suffix != ".pyc":
            yield path.relative_to(root)


def check_columns(path, lines):
    if path.suffix == ".md" or str(path) in LONG_LINES:
        return
    for number, line in enumerate(lines, 1):
        if len(line) > MAXIMUM_COLUMNS:
            yield number, f"{len(line)} columns; at most {MAXIMUM_COLUMNS}"


def check_readme(path, lines):
    if path.name == "README.md" and len(lines) > MAXIMUM_README_LINES:
        yield len(lines), f"{len(lines)} lines; at most {MAXIMUM_README_LINES}"


def check_length(path, lines):
    if (path.suffix == ".swift" and len(lines) > MAXIMUM_FILE_LINES
            and str(path) not in LONG_FILES):
        yield len(lines), f"{len(lines)} lines; at most {MAXIMUM_FILE_LINES}; split the file"


def large_types(source):
    """The line of each type with too many stored properties, its name, and their number."""
    declarations = swift_source.declarations(source)
    count = collections.Counter(item.path for item in declarations if item.is_stored)
    for item in declarations:
        if item.kind in ("struct", "class", "actor", "enum"):
            number = count[item.path + (item.name,)]
            if number > MAXIMUM_PROPERTIES:
                yield item.line, ".".join(item.path + (item.name,)), number


def check_types(path, text):
    if path.suffix != ".swift" or path.parts[0] != "Sources":
        return
    for line, name, number in large_types(text):
        if f"{path}: {name}" not in LARGE_TYPES:
            yield line, f"{name}: {number} stored properties; at most {MAXIMUM_PROPERTIES}"


def find_words(path, lines):
    if path.parts[0] in ("Sources", "Tests"):
        for number, line in enumerate(lines, 1):
            for found in WORDS.finditer(line):
                yield number, f'"{found.group()}"; name the client, the caller or the process'


def read_if_present(path):
    return path.read_text(encoding="utf-8") if path.exists() else ""


def check_exceptions(root):
    """Exceptions that nothing needs."""
    for name in {**LONG_FILES, **LONG_LINES}:
        lines = read_if_present(root / name).splitlines()
        needs = (len(lines) > MAXIMUM_FILE_LINES if name in LONG_FILES
                 else any(len(line) > MAXIMUM_COLUMNS for line in lines))
        if not needs:
            yield f"{name}:1: listed as an exception without need; remove it from plain_language.py"
    for entry in LARGE_TYPES:
        name, type_name = entry.split(": ")
        if type_name not in [found for _, found, _ in large_types(read_if_present(root / name))]:
            yield f"{entry}: listed as an exception without need; remove it from plain_language.py"


def violations(root):
    """For each rule its violations, each as `file:line: what is wrong`."""
    found = {"columns": [], "readme": [], "file-lines": [], "stored-properties": [], "words": [],
             "exceptions": list(check_exceptions(root))}
    for path in files(root):
        text = (root / path).read_text(encoding="utf-8")
        lines = text.splitlines()
        for rule, problems in (
                ("columns", check_columns(path, lines)), ("readme", check_readme(path, lines)),
                ("file-lines", check_length(path, lines)),
                ("stored-properties", check_types(path, text)),
                ("words", find_words(path, lines))):
            found[rule] += [f"{path}:{line}: {problem}" for line, problem in problems]
    return found


def main():
    if "--self-test" in sys.argv:
        return self_test()
    root = pathlib.Path(__file__).resolve().parents[2]
    found = violations(root)
    counts = ", ".join(f"{rule}: {len(problems)}" for rule, problems in found.items())
    if "--report" in sys.argv:
        return print(f"violations: {counts}")
    if len(found["words"]) < MAXIMUM_WORDS:
        found["words"] = []
    rules = sys.argv[1:] or found
    problems = sum((found[rule] for rule in rules), [])
    if problems:
        sys.exit("\n".join([*problems, f"violations: {counts}"]))
    return print("lines, files and types are within their limits")


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        pronoun = "no" + "body"
        samples = {
            "Sources/A/Wide.swift": "// " + "x" * 97 + "\n// " + "x" * 98 + "\n",
            "Sources/A/Long.swift": "//\n" * 451, "Sources/A/Full.swift": "//\n" * 450,
            "Sources/A/Large.swift": "struct Small {\n" + "let a: Int\n" * 12 + "}\nenum E {\n"
            "final class Large {\n" + "var a = 0\n" * 13 + "static let b = 1; var c: Int { 1 } }}",
            "Tests/A/Large.swift": "struct Large {\n" + "let a: Int\n" * 13 + "}\n",
            "Tests/A/Words.swift": f"// {pronoun.upper()} knows, {pronoun}'s, {pronoun}x\n",
            "Tests/A/Corpus/seeds.swift": f"// {pronoun} " + "x" * 200,
            "README.md": "x" * 200 + "\n" * 251, "Package.swift": "//\n",
            ".ci/run": "#\n# " + "x" * 99 + "\n",
        }
        for name, text in samples.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        found = violations(root)
    assert found["columns"] == [
        "Sources/A/Wide.swift:2: 101 columns; at most 100",
        ".ci/run:2: 101 columns; at most 100"], found["columns"]
    assert [problem.split(":")[0] for problem in found["readme"] + found["file-lines"]] == [
        "README.md", "Sources/A/Long.swift"], found
    assert found["stored-properties"] == [
        "Sources/A/Large.swift:16: E.Large: 13 stored properties; at most 12"], found
    assert len(found["words"]) == 2 and "Words.swift:1" in found["words"][0], found["words"]
    print("plain_language.py: the samples are judged as expected")


if __name__ == "__main__":
    main()
