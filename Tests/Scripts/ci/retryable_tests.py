#!/usr/bin/env python3
"""Decides whether failed tests may run a second time: only those that depend on real time may.

    retryable_tests.py RESULTS [FOLDER]    RESULTS: the xunit file of Swift Testing
    retryable_tests.py --self-test

A test depends on real time if it, or a suite around it, has `.tags(.timing)` in the sources under
FOLDER (Tests). If all failed tests do, prints their number, and on a second line a regular
expression for `swift test --filter` that selects them. Otherwise prints the others, and the exit
code is 1.
"""

import html
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import swift_source  # pylint: disable=wrong-import-position

TIMING = re.compile(r"\.tags\([^()]*\.timing\b")
# Swift Testing writes `<`, `&` and `"` of a raw identifier as they are, so the file may not be
# well-formed XML. It writes each element on a line of its own.
TEST_CASE = re.compile(r'<testcase classname="(.*)" name="(.*)" time="[^"]*"')


def components(dotted):
    """The parts of `Module.Suite.Inner`; a raw identifier may contain dots itself."""
    return tuple(re.findall(r"`[^`]*`|[^.`]+", dotted))


def failed_tests(results):
    """The failed tests of an xunit file, each as its module, its suites and its name."""
    failed, current = [], None
    for line in results.splitlines():
        if found := TEST_CASE.search(line):
            class_name, name = (html.unescape(part) for part in found.groups())
            current = (*components(class_name), name)
        elif "<failure" in line and current not in failed:
            failed.append(current)
    return failed


def base_name(name):
    """A function's name without its parameters: `a (b)`(value:) is `a (b)`."""
    return re.match(r"`[^`]*`|[^(]*", name).group()


def timing_tests(folder):
    """The suites and the tests with the tag, each as its module and its names."""
    tagged = set()
    for path in sorted(pathlib.Path(folder).rglob("*.swift")):
        module = path.relative_to(folder).parts[0]
        for item in swift_source.declarations(path.read_text(encoding="utf-8")):
            if TIMING.search(item.attributes):
                tagged.add((module, *item.path, item.name))
    return tagged


def is_timing_test(test, tagged):
    names = (*test[:-1], base_name(test[-1]))
    return any(names[:count] in tagged for count in range(2, len(names) + 1))


def identifier(test):
    """A test as `swift test list` prints it: Module.Suite/Inner/name()."""
    return f"{test[0]}.{'/'.join(test[1:])}"


def escaped(text):
    """For a regular expression of Swift, which knows fewer escapes than Python's."""
    return re.sub(r"[\\.^$*+?()\[\]{}|]", r"\\\g<0>", text)


def test_filter(tests):
    return "|".join(f"^{escaped(identifier(test))}" for test in tests)


def main():
    if "--self-test" in sys.argv:
        return self_test()
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    results, folder, *_ = *sys.argv[1:], "Tests"
    failed = failed_tests(pathlib.Path(results).read_text(encoding="utf-8"))
    tagged = timing_tests(folder)
    others = [test for test in failed if not is_timing_test(test, tagged)]
    if others:
        sys.exit("\n".join(f"{identifier(test)}: failed, and has no .tags(.timing)"
                           for test in others))
    if not failed:
        sys.exit(f"{results}: no test failed; the test run ended in another way")
    print(len(failed), test_filter(failed), sep="\n")
    return None


SOURCE = '''
// @Test(.tags(.timing)) func inAComment() {}
@Test(.tags(.timing)) func `a token that waits (10 s), with "x|y" + [z]. Or?`() {}
@Test("a display name with .tags(.timing)") func classic() {}
@Suite(.tags(.slow, .timing)) struct `Tokens that wait` {
    @Test func `is 1.5 seconds late`() {}
    struct Inner { @Test(arguments: [1, 2]) func deeper(value: Int) {} }
}
@Suite struct Plain {
    @Test func other() {}
    @Test(
        "a name",
        .tags(.timing), arguments: [1, 2])
    func tagged(value: Int) {}
}
extension `Tokens that wait` { @Test func inExtension() {} }
'''
RESULTS = '''<?xml version="1.0" encoding="UTF-8"?>
    <testcase classname="M" name="`a token that waits (10 s), with "x|y" + [z]. Or?`()" time="1" >
      <failure message="Expectation failed: (value &#8594; 1) == 2 (error)" />
      <failure message="another of the same test" />
    </testcase>
    <testcase classname="M.`Tokens that wait`" name="`is 1.5 seconds late`()" time="0.1" >
      <failure message="" />
    </testcase>
    <testcase classname="M.`Tokens that wait`.Inner" name="deeper(value:)" time="0.1" >
      <failure message="" />
    </testcase>
    <testcase classname="M.`Tokens that wait`" name="inExtension()" time="0.1" >
      <failure message="" />
    </testcase>
    <testcase classname="M.Plain" name="tagged(value:)" time="0.1" >
      <failure message="" />
    </testcase>
    <testcase classname="M.Plain" name="passed()" time="0.1" />
    <testcase classname="M.Plain" name="other()" time="0.1" >
      <failure message="" />
    </testcase>
    <testcase classname="M" name="classic()" time="0.1" >
      <failure message="" />
    </testcase>
    <testcase classname="M" name="inAComment()" time="0.1" >
      <failure message="" />
    </testcase>
'''


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "M", "Sub", "Tests.swift")
        path.parent.mkdir(parents=True)
        path.write_text(SOURCE, encoding="utf-8")
        tagged = timing_tests(folder)
    failed = failed_tests(RESULTS)
    assert len(failed) == 8, failed
    assert not any("passed" in test[-1] for test in failed), failed
    others = [identifier(test) for test in failed if not is_timing_test(test, tagged)]
    assert others == ["M.Plain/other()", "M.classic()", "M.inAComment()"], others
    assert identifier(failed[2]) == "M.`Tokens that wait`/Inner/deeper(value:)", failed[2]
    assert test_filter(failed[:2]) == (
        r'^M\.`a token that waits \(10 s\), with "x\|y" \+ \[z\]\. Or\?`\(\)'
        r"|^M\.`Tokens that wait`/`is 1\.5 seconds late`\(\)"), test_filter(failed[:2])
    assert components("M.`a.b`.`c`.D") == ("M", "`a.b`", "`c`", "D")
    print("retryable_tests.py: the samples are judged as expected")


if __name__ == "__main__":
    main()
