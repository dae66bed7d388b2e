"""Reads the declarations in Swift source, for the checks of the source tree.

    python3 swift_source.py    tests itself

This is a scanner, not a parser. It knows comments, strings, raw identifiers and braces, which is
enough for the questions that the checks ask.
"""

import dataclasses
import re

NAME = r"`[^`\n]*`|\w+"
TOKEN = re.compile(rf"{NAME}|[@{{}}()\[\];]|\n")
TYPE_KEYWORDS = {"struct", "class", "actor", "enum", "protocol", "extension"}
BODY_KEYWORDS = {"func", "init", "deinit", "subscript"}


@dataclasses.dataclass
class Declaration:
    """A type, an extension, a function or a property."""
    kind: str  # The keyword: struct, extension, func, let, ...
    name: str  # As written; a raw identifier keeps its backticks.
    path: tuple  # The names of the enclosing types, outermost first.
    line: int  # From 1.
    attributes: str  # All attributes of the declaration, without their strings.
    is_stored: bool = False  # For let and var: a stored property of an instance.


def without_text(source):
    """The source with comments, and what is in strings, replaced by spaces. Lines stay the same."""
    output = list(source)

    def erase(start, end):
        for index in range(start, end):
            if output[index] != "\n":
                output[index] = " "

    skip_code(source, 0, erase, is_interpolation=False)
    return "".join(output)


def skip_code(source, index, erase, is_interpolation):
    """Erases comments and strings from an index on. An interpolation ends at its parenthesis.
    Returns the index after the last character."""
    depth = 1
    while index < len(source):
        if source.startswith("//", index):
            end = source.find("\n", index)
            end = len(source) if end < 0 else end
            erase(index, end)
            index = end
        elif source.startswith("/*", index):
            end = skip_block_comment(source, index)
            erase(index, end)
            index = end
        elif start := re.compile(r'(#*)("""(?=[ \t]*\n)|")').match(source, index):
            end = skip_string(source, start)
            # The quotes stay, so that an initial value is still there.
            erase(index + 1, end - 1)
            index = end
        elif regex := regex_literal(source, index):
            erase(index, regex.end())
            index = regex.end()
        elif raw := re.compile(r"`[^`\n]*`").match(source, index):
            index = raw.end()
        else:
            if is_interpolation:
                depth += {"(": 1, ")": -1}.get(source[index], 0)
            index += 1
            if depth == 0:
                break
    return index


def regex_literal(source, index):
    """The match of a regular expression that begins here. After an operand, `/` is a division."""
    if source[index] == "#":
        return re.compile(r"#/.*?/#").match(source, index)
    if source[index] == "/" and source[max(0, index - 200):index].rstrip()[-1:] in tuple("(,:=["):
        return re.compile(r"/(?! )(?:\\.|[^/\\\n])+/").match(source, index)
    return None


def skip_block_comment(source, index):
    depth = 0
    for found in re.compile(r"/\*|\*/").finditer(source, index):
        depth += 1 if found.group() == "/*" else -1
        if depth == 0:
            return found.end()
    return len(source)


def skip_string(source, start):
    """The index after a string literal; `start` is the match of its opening delimiter."""
    hashes, quotes = start.groups()
    end, escape = quotes + hashes, "\\" + hashes
    index = start.end()
    while index < len(source) and not source.startswith(end, index):
        if source.startswith(escape + "(", index):
            index = skip_code(source, index + len(escape) + 1, lambda *_: None,
                              is_interpolation=True)
        else:
            index += len(escape) + 1 if source.startswith(escape, index) else 1
    return min(len(source), index + len(end))


class Scanner:
    """Collects the declarations of a file."""

    def __init__(self, source):
        self.code = without_text(source)
        self.found = []
        # For each open brace: the path of the type that begins there, or None.
        self.braces = []
        self.parentheses = 0
        self.attributes = ""
        self.pending = None

    @property
    def path(self):
        return next((path for path in reversed(self.braces) if path is not None), ())

    @property
    def is_in_type_body(self):
        return bool(self.braces) and self.braces[-1] is not None and not self.parentheses

    def scan(self):
        position, line, counted = 0, 1, 0
        while token := TOKEN.search(self.code, position):
            line += self.code.count("\n", counted, token.start())
            counted = token.start()
            position = self.handle(token, line)
        return self.found

    def handle(self, token, line):
        """Handles a token. Returns the index at which to look for the next one."""
        text = token.group()
        if text == "@":
            end = self.attribute_end(token.end())
            self.attributes += self.code[token.start():end] + " "
            return end
        if text == "{":
            self.braces.append(self.pending if not self.parentheses else None)
            self.pending = None if not self.parentheses else self.pending
            self.attributes = ""
        elif text == "}":
            if self.braces:
                self.braces.pop()
            self.attributes = ""
        elif text in "([":
            self.parentheses += 1
        elif text in ")]":
            self.parentheses = max(0, self.parentheses - 1)
        elif not self.parentheses and text in TYPE_KEYWORDS:
            return self.type(token, line)
        elif not self.parentheses and text in BODY_KEYWORDS:
            self.add(token, line, rf"\s*({NAME})?")
        elif text in ("let", "var") and self.is_in_type_body:
            return self.property(token, line)
        elif text == "case":
            self.attributes = ""
        return token.end()

    def attribute_end(self, index):
        name = re.compile(r"[\w.]+").match(self.code, index)
        index = name.end() if name else index
        if self.code[index:index + 1] != "(":
            return index
        return index + len(balanced(self.code[index:]))

    def type(self, token, line):
        after = re.compile(rf"\s+((?:{NAME})(?:\.(?:{NAME}))*)").match(self.code, token.end())
        if not after or after.group(1) in ("func", "var", "let", "subscript", "init"):
            return token.end()
        # A type's name after a dot or a colon is no declaration: `.class`, `T: class`.
        if self.code[:token.start()].rstrip(" ")[-1:] in (".", ":"):
            return token.end()
        names = tuple(re.findall(NAME, after.group(1)))
        self.found.append(Declaration(
            token.group(), names[-1], self.path + names[:-1], line, self.attributes))
        self.pending = self.path + names
        self.attributes = ""
        return after.end()

    def add(self, token, line, pattern):
        name = re.compile(pattern).match(self.code, token.end()).group(1) or ""
        self.found.append(Declaration(token.group(), name, self.path, line, self.attributes))
        self.attributes = ""

    def property(self, token, line):
        line_start = max(self.code.rfind(end, 0, token.start()) for end in "\n;{}") + 1
        is_static = re.search(r"\b(static|class)\b", self.code[line_start:token.start()])
        names, has_accessors, end = bindings(self.code, token.end())
        for name in names:
            self.found.append(Declaration(
                token.group(), name, self.path, line, self.attributes,
                is_stored=not is_static and not has_accessors))
        self.attributes = ""
        return end


def balanced(text):
    """The beginning of a text up to the bracket that closes its first character."""
    depth = 0
    for index, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0:
            return text[:index + 1]
    return text


def bindings(code, start):
    """The names that a let or var binds, whether it is computed, and where its names end."""
    names, index, is_initialized = [], start, False
    match = re.compile(rf"\s*({NAME})\s*(?=[:=,\n{{]|$)").match(code, index)
    if not match:
        return ["(tuple)"], False, start
    names.append(match.group(1))
    index = match.end(1)
    while index < len(code):
        character = code[index]
        if character in "([":
            index += len(balanced(code[index:]))
            continue
        if character == "{":
            observes = re.match(r"\{\s*(willSet|didSet)\b", code[index:index + 200])
            is_computed = not is_initialized and not observes
            return names, is_computed, index
        if character in "};":
            break
        if character == "=" and code[index - 1] not in "=!<>":
            is_initialized = True
        if character == ",":
            more = re.compile(rf"\s*({NAME})\s*[:=]").match(code, index + 1)
            if more:
                names.append(more.group(1))
                is_initialized = False
                index = more.end(1)
                continue
        if character == "\n" and ends_declaration(code, index):
            break
        index += 1
    return names, False, index


def ends_declaration(code, newline):
    """Whether a declaration ends at this line break."""
    before = code[:newline].rstrip()
    after = code[newline:].lstrip()
    return (before[-1:] not in ("=", ",", ":", "&", "|", "+")
            and after[:1] not in (".", "=", "{", "?", ":", "&", "|", "+"))


def declarations(source):
    """All types, extensions and functions, and the properties of types, in order."""
    return Scanner(source).scan()


SAMPLE = '''
/// A comment with { and "quotes".
@Suite("A { name", .tags(.timing)) struct Outer {
    static let shared = Outer()
    let a: [String: Int], b = 3
    var c: Int { a.count }
    var d = 0 { didSet { print("\\(c) {") } }
    private(set) var e: (Int) -> Int = { $0 }
    lazy var f: Int = {
        let local = 1
        return local
    }()
    var g:
        Int?
    let h = """
        class No { var x = 1 }
        """
    @Test(.tags(.timing)) func `a name with { and (parentheses)`() { let i = 1 }
    enum Inner: Equatable { case class_, other; var j: Int { 1 } }
    class func k() {}
    let regex = /"{/, quotient = 4 / 2
    let l = #"raw " { "#, m: Set<Int>
}
extension Outer.`Raw one` { func n(_ class: Int) {} }
'''


def self_test():
    found = declarations(SAMPLE)
    stored = [item.name for item in found if item.is_stored]
    assert stored == [
        "a", "b", "d", "e", "f", "g", "h", "regex", "quotient", "l", "m"], stored
    assert all(item.path == ("Outer",) for item in found if item.is_stored), found
    functions = [(item.path, item.name) for item in found if item.kind == "func"]
    assert functions == [
        (("Outer",), "`a name with { and (parentheses)`"), (("Outer",), "k"),
        (("Outer", "`Raw one`"), "n")], functions
    tagged = [item.name for item in found if ".timing" in item.attributes]
    assert tagged == ["Outer", "`a name with { and (parentheses)`"], tagged
    types = [item.name for item in found if item.kind in TYPE_KEYWORDS]
    assert types == ["Outer", "Inner", "`Raw one`"], types
    assert [item.line for item in found if item.name == "e"] == [8]
    print("swift_source.py: the sample is read as expected")


if __name__ == "__main__":
    self_test()
