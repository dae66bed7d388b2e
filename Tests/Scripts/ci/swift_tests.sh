#!/usr/bin/env bash
# Runs `swift test` in the current folder, and prints the end of its output or what failed.
#
#   swift_tests.sh WORK [--sanitizer address|thread] [OPTIONS OF swift test]
#
# WORK is a folder for logs, which all runs of a gate share. With a sanitizer any report of it is a
# failure. GATEHOUSE_VECTORS, if it is set, names the folder of the vector files; the tests with a
# sanitizer run without them.
#
# Failed tests run a second time, alone, if all of them depend on real time (retryable_tests.py). On
# a machine with other work on its processors they can fail by chance. A gate may repeat 5 tests.
set -euo pipefail

maximum_repeats=5
scripts=$(cd "$(dirname "$0")" && pwd)
work=$1
shift
vectors=${GATEHOUSE_VECTORS:-}
unset GATEHOUSE_VECTORS
kind=tests
command=(swift test)
if [ "${1:-}" = --sanitizer ]; then
    kind=$2
    command+=("--sanitize=$kind" --scratch-path ".build/$kind")
    shift 2
    # The backtracer interferes with the sanitizers. Dispatch keeps memory for its threads, which is
    # no leak of this program. Reports about a server that a test has started go to files.
    export SWIFT_BACKTRACE=enable=no
    export ASAN_OPTIONS=detect_leaks=0:log_path=$work/sanitizer
    export TSAN_OPTIONS=log_path=$work/sanitizer
elif [ -n "$vectors" ]; then
    command=(env "GATEHOUSE_VECTORS=$vectors" "${command[@]}")
fi
log=$work/$kind.log
results=$work/$kind-swift-testing.xml

fail() { printf 'swift_tests.sh: %s\n' "$1" >&2; exit 1; }

# The failures come after the end of the output, where they are seen first.
show_failure() {
    tail -n 15 "$1"
    grep -aE '✘|error:|recorded an issue|ThreadSanitizer|AddressSanitizer|Fatal' "$1" |
        cut -c1-600 | head -60 || true
}

check_sanitizer() {
    local reports
    [ "$kind" != tests ] || return 0
    # grep's exit code does not tell a report from a file that does not exist.
    reports=$(grep -aE '(WARNING|ERROR): (Thread|Address)Sanitizer' "$log"* "$work"/sanitizer.* \
        2>/dev/null || true)
    [ -n "$reports" ] || return 0
    head -c 6000 "$work"/sanitizer.* 2>/dev/null || true
    printf '%s\n' "$reports"
    fail "the $kind sanitizer has reported an error"
}

number_of_tests() {
    grep -aoE 'Test run with [0-9]+ tests?' "$1" | tail -n 1 | grep -oE '[0-9]+' || echo 0
}

repeat_failed_tests() {
    local selection count filter total
    show_failure "$log"
    [ -e "$results" ] || fail "${command[*]}: ended before the tests did"
    selection=$(python3 "$scripts/retryable_tests.py" "$results") ||
        fail "${command[*]} $*: tests failed"
    count=$(head -n 1 <<<"$selection")
    filter=$(tail -n +2 <<<"$selection")
    total=$(($(cat "$work/repeats" 2>/dev/null || echo 0) + count))
    echo "$total" >"$work/repeats"
    echo "repeated: $count timing tests, $total of at most $maximum_repeats in this gate: $filter"
    [ "$total" -le "$maximum_repeats" ] || fail "more than $maximum_repeats tests to repeat"
    "${command[@]}" --skip-build --no-parallel --filter "$filter" >"$log.repeated" 2>&1 || {
        show_failure "$log.repeated"
        fail "${command[*]} --filter '$filter': failed again"
    }
    # A filter that selects no test succeeds, too.
    [ "$(number_of_tests "$log.repeated")" -ge "$count" ] ||
        fail "--filter '$filter': selected fewer than $count tests"
}

rm -f "$work/$kind"*.xml "$log"*
"${command[@]}" "$@" --xunit-output "$work/$kind.xml" >"$log" 2>&1 || {
    check_sanitizer
    repeat_failed_tests "$@"
}
check_sanitizer
grep -aE 'Test run with [0-9]+ tests?' "$log" | tail -n 1 || true
[ "$(number_of_tests "$log")" -gt 0 ] || fail "${command[*]} $*: no test ran"
