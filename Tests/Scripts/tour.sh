#!/usr/bin/env bash
# Pastes README's "Five minutes for production" into a shell, in the clone, and holds what is printed
# against what README says is printed.
#
#   Tests/Scripts/tour.sh GATEHOUSE     the built program, in place of building it
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
[ "${#commands[@]}" -gt 10 ] || { echo "no tour in README"; exit 1; }

cd "$root"
folder=
trap 'kill %1 2>/dev/null; rm -rf "$out" "$folder"' EXIT
for index in "${!commands[@]}"; do
    command=${commands[$index]}
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
        # What it says goes on while others print.
        *' &') eval "${command%&} >/dev/null 2>&1 &"; continue ;;
        PATH=*) PATH=$(dirname "$program"):$PATH; continue ;;
    esac
    eval "$command" >"$out" 2>&1
    status=$?
    if [ $status -ne 0 ]; then
        echo "failed with $status: $command"; cat "$out"; exit 1
    fi
    if [ -n "${expected[$index]}" ]; then
        # What curl prints may have no line end.
        said=$(cat "$out"); said+=$'\n'
        [ "$said" = "${expected[$index]}" ] || {
            printf 'README says, after %s:\n%sand there was:\n%s' "$command" "${expected[$index]}" "$said"
            exit 1
        }
    fi
done
grep -q '^intact' "$out" || { echo "the tour's log is not intact:"; cat "$out"; exit 1; }
for event in authn_login_success authn_token_created authn_token_verified authn_token_refreshed \
    session_logout authn_token_reuse; do
    grep -q "$event" logs/app.log || { echo "no $event in the tour's log"; exit 1; }
done
echo "README's tour: ${#commands[@]} commands, as it says"
