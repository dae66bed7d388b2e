#!/usr/bin/env python3
"""Fuzzes every parser of external input with libFuzzer, and fails if it finds anything.

    fuzz.py [--seconds 5] [--target NAME]... [--seeds FOLDER] [--corpus FOLDER] [--grow]

Builds the program `fuzz` of Tests/FuzzProgram with the rules of Tests/FuzzTargets, and runs each
target for the given time, from the corpus and the dictionary in Tests/FuzzTests/Corpus. Works in a
temporary folder, or in --corpus FOLDER, where the new inputs remain for the next run.
--seeds FOLDER adds the files in FOLDER/<target>. --grow appends small inputs to the committed
corpus if they reach code that it does not reach.

A finding is printed as a line for the corpus, where it remains as a test after the fix. Needs a
Swift toolchain with libFuzzer, which the Linux toolchains have, and no Python packages.
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
# A larger input is not added to the corpus, so that the corpus stays readable.
LARGEST_KEPT = 200
MOST_KEPT = 30


def to_corpus_text(data):
    """Bytes in the format of a corpus file; see Tests/FuzzTests/Corpus.swift."""
    named = {0x22: '\\"', 0x5C: "\\\\", 0x0A: "\\n", 0x0D: "\\r"}
    return '"' + "".join(
        named.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}")
        for byte in data) + '"'


def from_corpus_text(text):
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
            (words if kind == "word" else seeds).append(from_corpus_text(text))
    return words, seeds


def build():
    """Builds the program, and returns its path. It has its own build folder, because all code in
    it is instrumented for coverage."""
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
    """Writes the corpus to folder/corpus. Returns that folder and the path of the dictionary."""
    inputs = folder / "corpus"
    inputs.mkdir(parents=True, exist_ok=True)
    words, seeds = corpus(target)
    for number, seed in enumerate(seeds):
        (inputs / f"seed-{number:04}").write_bytes(seed)
    if more and (more / target).is_dir():
        for file in (more / target).iterdir():
            shutil.copy(file, inputs / f"more-{file.name}")
    dictionary = folder / "words"
    # libFuzzer's dictionaries have the escapes \\, \" and \xNN.
    dictionary.write_text("".join(
        '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in words if word))
    return inputs, dictionary


def environment(target, files):
    # With the backtracer, libFuzzer does not write the input that crashes.
    return dict(
        os.environ, SWIFT_BACKTRACE="enable=no", GATEHOUSE_FUZZ_TARGET=target,
        GATEHOUSE_FUZZ_FOLDER=str(files), TMPDIR=str(files))


def fuzz(program, target, folder, files, seconds, more):
    """Fuzzes a target. Returns whether nothing was found.

    folder holds the corpus; files is for files that are written for each input.
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
    log_text = log.read_bytes().decode("utf-8", "replace")
    count = re.search(r"stat::number_of_executed_units:\s*(\d+)", log_text)
    covered = re.findall(r"cov: (\d+)", log_text)
    time = re.search(r"Done \d+ runs in (\d+) second", log_text)
    print(
        f"{target:14} {time[1] if time else '?':>5} s {count[1] if count else '?':>10} inputs "
        f"{covered[-1] if covered else '?':>6} edges {len(list(inputs.iterdir())):>6} kept",
        flush=True)
    found = sorted(folder.glob("found-*"))
    if ended.returncode == 0 and not found:
        return True
    for line in log_text.splitlines():
        if re.search(r"Fatal error|ERROR: libFuzzer|SUMMARY", line):
            print("  " + line[:1000])
    for file in found:
        data = file.read_bytes()
        print(f"  {'slow: ' if 'slow-unit' in file.name else ''}seed {to_corpus_text(data)}")
    return ended.returncode == 0


def grow(program, target, folder, files):
    """Appends inputs that reach more code to the committed corpus."""
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
    # If there are many, a selection over all sizes.
    step = max(1, -(-len(new) // MOST_KEPT))
    with open(CORPUS / f"{target}.txt", "a") as file:
        for data in new[::step]:
            file.write(f"seed {to_corpus_text(data)}\n")
    print(f"{target:14} {len(new[::step])} of {len(new)} inputs are appended to its corpus")


def main():
    targets = sorted(file.stem for file in CORPUS.glob("*.txt"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=5, help="for each target")
    parser.add_argument("--target", action="append", choices=targets, help="default: all targets")
    parser.add_argument("--seeds", type=pathlib.Path, help="more inputs, a folder per target")
    parser.add_argument("--corpus", type=pathlib.Path, help="a folder that keeps the inputs")
    parser.add_argument("--grow", action="store_true", help="append to the committed corpus")
    parser.add_argument("--program", type=pathlib.Path, help="a program that is already built")
    options = parser.parse_args()
    if options.grow and options.seeds:
        parser.error("--grow with --seeds would commit the inputs of --seeds")
    program = (options.program or build()).resolve()
    # Many small files are written and replaced, which is twenty times as fast in memory.
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
