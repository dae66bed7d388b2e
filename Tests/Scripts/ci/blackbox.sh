#!/usr/bin/env bash
# Runs the black-box suites against a server, then checks its memory, metrics, stop and log.
#
#   blackbox.sh GATEHOUSE SHARED PYTHON
#
# SHARED is the folder with the suites (exam) and their vectors; PYTHON has prometheus_client.
set -euo pipefail

gatehouse=$1 shared=$2 python=$3
scripts=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
server=
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$folder"
}
trap cleanup EXIT

fail() { printf 'blackbox.sh: %s\n' "$1" >&2; exit 1; }

cd "$folder"
key=$("$gatehouse" secret)
metrics_port=$("$python" "$scripts/server.py" --free-port)
cat >config.json <<JSON
{"server": {"port": 0}, "login": {"mode": "demo"},
 "admin": {"socket": "admin.sock", "metrics": "127.0.0.1:$metrics_port"},
 "token": {"keys": [{"id": "ci", "secret": "$key"}], "issuer": null, "leeway": "0s"},
 "log": {"level": "DEBUG", "file": {"level": "DEBUG"}, "stderr": {"level": "CRITICAL"}}}
JSON
chmod 600 config.json
"$gatehouse" --config config.json 2>stderr &
server=$!
for _ in $(seq 100); do grep -q listening stderr && break; sleep 0.1; done
port=$(grep -oE '[0-9]+$' stderr)

"$shared/exam/jwt" 127.0.0.1 "$port" /resource --secret "$key" \
    --login /login --login-body '{"user_id":1}' --login-field token
"$shared/exam/http" 127.0.0.1 "$port" --get /health/live --post /login \
    --post-type application/json --post-body '{"user_id":1}' --jobs 8
"$shared/exam/corpus" 127.0.0.1 "$port" "$shared/vectors/corpus/gunicorn.json" | tail -n 1 |
    tee corpus
rejected=$(grep -oE 'reject [0-9]+' corpus | grep -oE '[0-9]+')
[ "$rejected" -ge 55 ] || fail "only $rejected requests of the corpus were rejected; at least 55"

memory=$(awk '/^VmRSS/ { print $2 }' "/proc/$server/status")
echo "resident memory after the suites: $memory KiB"
[ "$memory" -lt 32768 ] || fail "$memory KiB resident; at most 32768"
"$python" "$scripts/metrics.py" "http://127.0.0.1:$metrics_port/metrics"

kill -TERM "$server"
wait "$server" || fail "the server did not stop with exit code 0"
server=
tail -n 2 logs/app.log | head -n 1 | grep -q 'sys_shutdown clean=true' ||
    fail "logs/app.log: no sys_shutdown before its last line"
tail -n 1 logs/app.log | grep -q 'log_seal .*reason=stop' ||
    fail "logs/app.log: the last line is not the seal of the stop"
"$gatehouse" log verify --config config.json || fail "log verify: exit code $?"
"$gatehouse" log stats --config config.json | head -n 5
anchor=$("$gatehouse" log head --config config.json)
"$gatehouse" log verify --config config.json --anchor "$anchor" >/dev/null ||
    fail "log verify --anchor: exit code $?"
sed -i '0,/reason=missing/s//reason=mussing/' logs/app.log
if "$gatehouse" log verify --config config.json >report; then fail "an edit was not detected"; fi
grep 'edited' report || fail "log verify does not report the edited line"
! grep -rE 'eyJ[A-Za-z0-9_-]{10}' logs stderr || fail "a token is in the log"
! grep -rF "$key" logs stderr || fail "the key is in the log"
