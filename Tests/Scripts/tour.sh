#!/usr/bin/env bash
# Runs the commands of README's "Five minutes for production" in the clone, and compares their
# output with README's.
#
#   Tests/Scripts/tour.sh GATEHOUSE     the built program; `swift build` is skipped
set -uo pipefail

program=$(realpath "$1")
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$(mktemp)
commands=()
expected=()
inside=
while IFS= read -r line; do
    case $line in
        '## Five minutes for production') section=yes ;;
        '## '*) section= ;;
        '```console') inside=${section:-} ;;
        '```') inside= ;;
        '$ '*) [ -z "$inside" ] || { commands+=("${line#\$ }"); expected+=(''); } ;;
        *) [ -z "$inside" ] || expected[-1]+="$line"$'\n' ;;
    esac
done <"$root/README.md"
[ "${#commands[@]}" -gt 10 ] || { echo "README.md: the section has no commands"; exit 1; }

cd "$root" || exit 1
folder=
trap 'kill %1 2>/dev/null; rm -rf "$out" "$folder"' EXIT
for index in "${!commands[@]}"; do
    command=${commands[$index]}
    # shellcheck disable=SC2016  # The patterns are the text of README.
    case $command in
        'swift build'*) continue ;;
        'sleep '*)
            for _ in $(seq 100); do
                curl -s -o "$out" http://127.0.0.1:8080/health/ready && break
                sleep 0.1
            done
            continue
            ;;
        'cd "$(mktemp -d)"') folder=$(mktemp -d); cd "$folder" || exit 1; continue ;;
        wait) command='wait %1' ;;
        # Its output would mix with that of the next commands.
        *' &') eval "${command%&} >/dev/null 2>&1 &"; continue ;;
        PATH=*) PATH=$(dirname "$program"):$PATH; continue ;;
    esac
    eval "$command" >"$out" 2>&1
    status=$?
    if [ $status -ne 0 ]; then
        echo "exit code $status: $command"; cat "$out"; exit 1
    fi
    if [ -n "${expected[$index]}" ]; then
        # The output of curl may lack the last line feed.
        output=$(cat "$out"); output+=$'\n'
        [ "$output" = "${expected[$index]}" ] || {
            printf 'README has, after %s:\n%sthe output is:\n%s' \
                "$command" "${expected[$index]}" "$output"
            exit 1
        }
    fi
done
grep -q '^intact' "$out" || {
    echo "log verify does not report an intact log:"; cat "$out"; exit 1
}
for event in authn_login_success authn_token_created authn_token_verified authn_token_refreshed \
    session_logout authn_token_reuse; do
    grep -q "$event" logs/app.log || { echo "logs/app.log: no $event"; exit 1; }
done
echo "README's tour: the output of ${#commands[@]} commands is as expected"
