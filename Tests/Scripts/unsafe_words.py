"""Fails for an `unsafe` under Sources that nobody has explained.

usage: unsafe_words.py [FOLDER]

Each stands in a function that says why it is sound, in a comment with that word: a few lines above it,
or above others of a run of lines, or in the function's own documentation.
"""

import pathlib
import re
import sys

# Lines between a comment and what it explains, or between two of a run.
GAP = 8

UNSAFE = re.compile(r"(?<![\w@.])unsafe(?!\w)")
SOUND = re.compile(r"\bsound(ness)?\b", re.IGNORECASE)
WORDS = (r"@\w+(\([^)]*\))?|package|public|private(\(set\))?|fileprivate|internal|static|final|"
         r"mutating|nonmutating|consuming|borrowing|override|convenience|required|isolated")
FUNCTION = re.compile(rf"^\s*(({WORDS})\s+)*((func|init|deinit|subscript)\b|var\s+\w+\s*:[^=]*\{{)")
ATTRIBUTES = re.compile(r"^\s*(@\w+(\([^)]*\))?\s*)+$")
# Where the signature of a function ends that has lines of its own for its parameters.
SIGNATURE_END = re.compile(r"^\s*\)")


def code_and_comment(line, in_text):
    """A line's code without its strings, its comment, and whether a long string goes on behind it."""
    code = ""
    index = 0
    while index < len(line):
        if line.startswith('"""', index):
            in_text = not in_text
            index += 3
        elif in_text:
            index += 1
        elif line.startswith("//", index):
            return code, line[index:], in_text
        elif line[index] == '"':
            index += 1
            while index < len(line) and line[index] != '"':
                index += 2 if line[index] == "\\" else 1
            index += 1
        else:
            code += line[index]
            index += 1
    return code, "", in_text


def indentation(line):
    return len(line) - len(line.lstrip())


def unexplained(text):
    """The numbers of the lines, from 1, that have an `unsafe` without a comment."""
    codes, comments, in_text = [], [], False
    for line in text.split("\n"):
        code, comment, in_text = code_and_comment(line, in_text)
        codes.append(code)
        comments.append(comment)
    explained = set()
    missing = []
    for number, code in enumerate(codes):
        if not UNSAFE.search(code):
            continue
        if is_explained(codes, comments, number, explained):
            explained.add(number)
        else:
            missing.append(number + 1)
    return missing


def is_explained(codes, comments, number, explained):
    if SOUND.search(comments[number]):
        return True
    depth = indentation(codes[number])
    for line in range(number, -1, -1):
        if FUNCTION.match(codes[line]) and (line == number or indentation(codes[line]) < depth):
            return documentation_explains(codes, comments, line)
        if line < number and number - line <= GAP + 1:
            if line in explained or SOUND.search(comments[line]):
                return True
        if codes[line].strip() and not SIGNATURE_END.match(codes[line]):
            depth = min(depth, indentation(codes[line]))
    return False


def documentation_explains(codes, comments, function):
    for line in range(function - 1, -1, -1):
        if SOUND.search(comments[line]):
            return True
        if not comments[line] and not ATTRIBUTES.match(codes[line]):
            break
    return False


def check():
    """What this would find in texts of which that is known."""
    assert unexplained("// Sound: it is.\nunsafe f()") == []
    assert unexplained("// It is.\nunsafe f()") == [2]
    assert unexplained("unsafe f() // Sound.") == []
    assert unexplained('let a = "unsafe"\n// unsafe\n@unsafe struct S {}') == []
    run = "// Sound: it is.\n" + ("unsafe f()\n" + "g()\n" * GAP) * 3
    assert unexplained(run) == []
    assert unexplained(run + "g()\nunsafe f()") != []
    two = "func a() {\n    // Sound.\n    unsafe f()\n}\nfunc b() {\n    unsafe f()\n}"
    assert unexplained(two) == [6]
    long = "/// Sound: it is.\n@a @b(c)\nfunc a(\n    _ b: C\n) -> D {\n" + "    g()\n" * 2 * GAP
    assert unexplained(long + "    unsafe f()\n}") == []
    assert unexplained("/// Sound: it is.\n@inline(__always)\nfunc a() {\n    unsafe f()\n}") == []


def main():
    check()
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "Sources")
    count = 0
    failures = []
    for path in sorted(folder.rglob("*.swift")):
        text = path.read_text(encoding="utf-8")
        count += 1
        failures += [f"{path}:{line}: unsafe, and no comment says why it is sound"
                     for line in unexplained(text)]
    if failures or count == 0:
        sys.exit("\n".join(failures) or f"{folder} has no Swift in it")
    print(f"{count} files: every unsafe is explained")


if __name__ == "__main__":
    main()
