#!/usr/bin/env python3
"""Checks a page of metrics: metrics.py URL

Parses the page with prometheus_client (`pip install prometheus_client`), and applies the rules of
`promtool check metrics` and a few more. Also runs promtool if it is installed. Prints each problem
on a line; the exit code is 1 if there is any.
"""

import collections
import re
import shutil
import subprocess
import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# Prometheus uses base units only (prometheus.io, "Metric and label naming").
OTHER_UNITS = (
    "milliseconds ms microseconds us nanoseconds ns minutes hours days kilobytes kb kib megabytes "
    "mb mib gigabytes gb gib bits percent"
).split()
# Client input must not become a label: the number of series must have a limit.
MAXIMUM_SERIES = 5000


def grouping_problems(text):
    """Yields problems with the order of the lines. Returns the counts of HELP and TYPE lines."""
    if text and not text.endswith("\n"):
        yield "the last line has no line feed"
    heads = collections.Counter()
    closed, current = set(), None
    for line in filter(None, text.split("\n")):
        words = line.split(" ", 3)
        if words[0] == "#":
            if len(words) < 3 or words[1] not in ("HELP", "TYPE"):
                continue
            heads[words[1], words[2]] += 1
            name = words[2]
        else:
            name = re.match(r"[^{ ]*", line).group()
            if current and re.fullmatch(re.escape(current) + "_(bucket|sum|count)", name):
                name = current
        if name != current:
            if name in closed:
                yield f"{name}: its lines are not consecutive"
            closed.add(current)
            current = name
    for (kind, name), count in heads.items():
        if count > 1:
            yield f"{name}: {count} lines of {kind}"
    return heads


def name_problems(family, name, heads):
    """Yields problems with the name, the help and the type of a family."""
    if not NAME.fullmatch(name):
        yield f"{name}: not in snake case"
    if not heads["HELP", name] or not family.documentation:
        yield f"{name}: no HELP"
    if not heads["TYPE", name]:
        yield f"{name}: no TYPE"
    if family.type not in ("counter", "gauge", "histogram", "summary"):
        yield f"{name}: unknown type {family.type}"
    if family.type in name.split("_"):
        yield f"{name}: the name contains the type"
    for unit in OTHER_UNITS:
        if unit in name.split("_"):
            yield f"{name}: the unit is {unit}; use seconds, bytes or a ratio"


def sample_problems(family, name, seen):
    """Yields problems with the samples of a family, and adds these to `seen`."""
    for sample in family.samples:
        series = (sample.name, tuple(sorted(sample.labels.items())))
        if series in seen:
            yield f"{sample.name}: {sample.labels} is repeated"
        seen.add(series)
        for label in sample.labels:
            if not NAME.fullmatch(label):
                yield f"{name}: the label {label} is not in snake case"
        if family.type == "counter" and not sample.value >= 0:
            yield f"{sample.name}: the count is {sample.value}"


def problems(text):
    """Yields a sentence for each problem."""
    heads = yield from grouping_problems(text)
    seen = set()
    families = list(text_string_to_metric_families(text))
    if not families:
        yield "there are no metrics"
    for family in families:
        # The parser removes `_total` from the name of a counter.
        name = family.name + ("_total" if family.type == "counter" else "")
        if family.type == "counter" and heads["TYPE", family.name]:
            yield f"{family.name}: the name of a counter must end in _total"
            continue
        yield from name_problems(family, name, heads)
        yield from sample_problems(family, name, seen)
        if family.type == "histogram":
            yield from histogram_problems(family)
    if len(seen) > MAXIMUM_SERIES:
        yield f"{len(seen)} series; at most {MAXIMUM_SERIES}"


def histogram_problems(family):
    """Yields problems with the buckets of each histogram in a family."""
    histograms = collections.defaultdict(lambda: {"buckets": []})
    for sample in family.samples:
        key = tuple(sorted(item for item in sample.labels.items() if item[0] != "le"))
        part = sample.name[len(family.name):]
        if part == "_bucket":
            histograms[key]["buckets"].append((float(sample.labels["le"]), sample.value))
        else:
            histograms[key][part] = sample.value
    for key, parts in histograms.items():
        bounds = [bound for bound, _ in parts["buckets"]]
        counts = [count for _, count in parts["buckets"]]
        if bounds != sorted(set(bounds)) or counts != sorted(counts):
            yield f"{family.name}: the buckets of {dict(key)} do not increase"
        if not bounds or bounds[-1] != float("inf"):
            yield f"{family.name}: {dict(key)} has no bucket +Inf"
        elif parts.get("_count") != counts[-1] or "_sum" not in parts:
            yield f"{family.name}: {dict(key)} has a wrong count, or no sum"


def promtool(text):
    """Yields the output of promtool, if it is installed."""
    tool = shutil.which("promtool")
    if tool is None:
        return
    done = subprocess.run(
        [tool, "check", "metrics"], input=text.encode(), capture_output=True, check=False
    )
    output = (done.stdout + done.stderr).decode().strip()
    if done.returncode or output:
        yield f"promtool: {output or done.returncode}"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with urllib.request.urlopen(sys.argv[1], timeout=10) as response:
        text = response.read().decode()
        content_type = response.headers["Content-Type"]
    found = []
    if sys.argv[1].startswith("http") and content_type != CONTENT_TYPE:
        found.append(f"Content-Type: {content_type}")
    found += problems(text)
    found += promtool(text)
    for problem in found:
        print(problem)
    if found:
        sys.exit(1)
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    with_tool = ", promtool reports nothing" if shutil.which("promtool") else ""
    print(f"{len(lines)} series{with_tool}")


if __name__ == "__main__":
    main()
