#!/usr/bin/env python3
"""Fails if an `unsafe` has no comment near it. The comment must say why the use is sound.

    unsafe_words.py [FOLDER]    FOLDER: Sources

"Near" means on the same line or at most 12 lines above. Consecutive uses need only one comment.
"""

import pathlib
import re
import sys

import swift_source

DISTANCE = 12
UNSAFE = re.compile(r"(?<![\w@.])unsafe(?!\w)")


def uncommented(source):
    """The line numbers, from 1, of the uses without a comment."""
    code = swift_source.without_text(source).split("\n")
    last = -DISTANCE - 1  # The last comment, or use with a comment.
    for number, (line, code_line) in enumerate(zip(source.split("\n"), code), 1):
        is_use = UNSAFE.search(code_line)
        if "//" in line and "//" not in code_line or is_use and number - last <= DISTANCE:
            last = number
        elif is_use:
            yield number


def main():
    paths = sorted(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "Sources").rglob("*.swift"))
    missing = [f"{path}:{line}: unsafe without a comment; say why it is sound"
               for path in paths for line in uncommented(path.read_text(encoding="utf-8"))]
    if missing or not paths:
        sys.exit("\n".join(missing) or f"{sys.argv[1:]}: no Swift files")
    print(f"{len(paths)} files: every unsafe has a comment")


if __name__ == "__main__":
    main()
