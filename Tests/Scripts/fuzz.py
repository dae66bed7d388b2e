#!/usr/bin/env python3
"""Fuzzes every reader of bytes that come from outside, with libFuzzer, and fails on a finding.

    Tests/Scripts/fuzz.py [--seconds 5] [--target NAME]... [--seeds FOLDER] [--corpus FOLDER] [--grow]

Builds the program `fuzz` of Tests/FuzzProgram, which holds the rules of Tests/FuzzTargets, and runs it
for so many seconds on each target, from the corpus and the words in Tests/FuzzTests/Corpus. Works in a
temporary folder, or in --corpus FOLDER, where what is found stays for the next time. --seeds FOLDER adds
the files in FOLDER/<target>. --grow puts small inputs that reach code which the committed corpus does not
reach behind it, to be committed.

A finding is printed as a line for the corpus, where it stays as a test when what it shows is mended.
Needs a Swift toolchain with libFuzzer, which Linux toolchains have, and no Python packages.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = ROOT / "Tests/FuzzTests/Corpus"
# What is larger is no seed for people to read.
LARGEST_KEPT = 200
MOST_KEPT = 30


def written(data):
    """Bytes as a corpus has them; see Tests/FuzzTests/Corpus.swift."""
    named = {0x22: '\\"', 0x5C: "\\\\", 0x0A: "\\n", 0x0D: "\\r"}
    return '"' + "".join(
        named.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}")
        for byte in data) + '"'


def read(text):
    named = {b"n": b"\n", b"r": b"\r"}
    return re.sub(
        rb"\\(x[0-9a-f]{2}|.)",
        lambda found: bytes([int(found[1][1:], 16)]) if len(found[1]) == 3
        else named.get(found[1], found[1]),
        text.encode("ascii")[1:-1])


def corpus(target):
    words, seeds = [], []
    for line in (CORPUS / f"{target}.txt").read_text().splitlines():
        kind, _, text = line.partition(" ")
        if kind in ("word", "seed"):
            (words if kind == "word" else seeds).append(read(text))
    return words, seeds


def build():
    """The path of the program. A build of its own: everything in it counts what it reaches."""
    scratch = ROOT / ".build/fuzzer"
    options = [
        "-c", "release", "--sanitize=fuzzer", "--product", "fuzz", "--scratch-path", str(scratch)]
    environment = dict(os.environ, GATEHOUSE_FUZZ="1")
    built = subprocess.run(
        ["swift", "build", *options], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if built.returncode != 0:
        sys.exit(built.stdout[-4000:] + "\nfuzz.py: the build failed")
    return scratch / "release/fuzz"


def unpack(target, folder, more):
    """The corpus as files in folder/corpus, and the dictionary's path."""
    inputs = folder / "corpus"
    inputs.mkdir(parents=True, exist_ok=True)
    words, seeds = corpus(target)
    for number, seed in enumerate(seeds):
        (inputs / f"seed-{number:04}").write_bytes(seed)
    if more and (more / target).is_dir():
        for file in (more / target).iterdir():
            shutil.copy(file, inputs / f"more-{file.name}")
    dictionary = folder / "words"
    # libFuzzer knows \\, \" and \xNN.
    dictionary.write_text("".join(
        '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in words if word))
    return inputs, dictionary


def environment(target, files):
    # With the backtracer, libFuzzer keeps no input.
    return dict(
        os.environ, SWIFT_BACKTRACE="enable=no", GATEHOUSE_FUZZ_TARGET=target,
        GATEHOUSE_FUZZ_FOLDER=str(files), TMPDIR=str(files))


def fuzz(program, target, folder, files, seconds, more):
    """Returns whether nothing was found.

    folder keeps the corpus; files is for what is written for each input.
    """
    inputs, dictionary = unpack(target, folder, more)
    artifacts = folder / "found-"
    for file in folder.glob("found-*"):
        file.unlink()
    log = folder / "log"
    with open(log, "wb") as output:
        ended = subprocess.run(
            [str(program), str(inputs), f"-max_total_time={seconds}", f"-dict={dictionary}",
             "-timeout=20", "-rss_limit_mb=2048", "-max_len=4096", "-print_final_stats=1",
             "-verbosity=1", f"-artifact_prefix={artifacts}"],
            env=environment(target, files), stdout=output, stderr=subprocess.STDOUT)
    said = log.read_bytes().decode("utf-8", "replace")
    count = re.search(r"stat::number_of_executed_units:\s*(\d+)", said)
    covered = re.findall(r"cov: (\d+)", said)
    time = re.search(r"Done \d+ runs in (\d+) second", said)
    print(
        f"{target:14} {time[1] if time else '?':>5} s {count[1] if count else '?':>10} inputs "
        f"{covered[-1] if covered else '?':>6} edges {len(list(inputs.iterdir())):>6} kept",
        flush=True)
    found = sorted(folder.glob("found-*"))
    if ended.returncode == 0 and not found:
        return True
    for line in said.splitlines():
        if re.search(r"Fatal error|ERROR: libFuzzer|SUMMARY", line):
            print("  " + line[:1000])
    for file in found:
        data = file.read_bytes()
        print(f"  {'slow: ' if 'slow-unit' in file.name else ''}seed {written(data)}")
    return ended.returncode == 0


def grow(program, target, folder, files):
    """Puts behind the committed corpus what reaches further."""
    _, seeds = corpus(target)
    with tempfile.TemporaryDirectory() as name:
        merged, small = pathlib.Path(name, "merged"), pathlib.Path(name, "small")
        merged.mkdir()
        small.mkdir()
        for number, seed in enumerate(seeds):
            (merged / f"seed-{number:04}").write_bytes(seed)
        for file in (folder / "corpus").iterdir():
            if file.stat().st_size <= LARGEST_KEPT:
                shutil.copy(file, small)
        subprocess.run(
            [str(program), "-merge=1", str(merged), str(small)], env=environment(target, files),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        new = [file.read_bytes() for file in merged.iterdir() if not file.name.startswith("seed-")]
    new = sorted({data for data in new if data not in seeds}, key=lambda data: (len(data), data))
    # Of many, some of each size.
    step = max(1, -(-len(new) // MOST_KEPT))
    with open(CORPUS / f"{target}.txt", "a") as file:
        for data in new[::step]:
            file.write(f"seed {written(data)}\n")
    print(f"{target:14} {len(new[::step])} of {len(new)} inputs are put behind its corpus")


def main():
    targets = sorted(file.stem for file in CORPUS.glob("*.txt"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=5, help="on each target")
    parser.add_argument("--target", action="append", choices=targets, help="all, if none is named")
    parser.add_argument("--seeds", type=pathlib.Path, help="more inputs, in a folder for each target")
    parser.add_argument("--corpus", type=pathlib.Path, help="where what is found stays")
    parser.add_argument("--grow", action="store_true", help="add to the committed corpus")
    parser.add_argument("--program", type=pathlib.Path, help="built before")
    options = parser.parse_args()
    if options.grow and options.seeds:
        parser.error("--grow with --seeds would put somebody else's inputs into the corpus")
    program = (options.program or build()).resolve()
    # Many small files are written and replaced: in memory that is twenty times as fast.
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    failed = []
    with tempfile.TemporaryDirectory(prefix="gatehouse-fuzz-", dir=shared) as temporary:
        for target in options.target or targets:
            folder = (options.corpus or pathlib.Path(temporary)) / target
            files = pathlib.Path(temporary, f"{target}-files")
            files.mkdir()
            if not fuzz(program, target, folder, files, options.seconds, options.seeds):
                failed.append(target)
            elif options.grow:
                grow(program, target, folder, files)
    if failed:
        sys.exit(f"fuzz.py: findings in {', '.join(failed)}")


if __name__ == "__main__":
    main()
