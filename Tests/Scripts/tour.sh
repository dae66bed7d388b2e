#!/usr/bin/env bash
# Runs README's "Production in five minutes" in the clone, compares the output, and requires that
# the log is intact and has an event of every kind.
#
#   Tests/Scripts/tour.sh GATEHOUSE     the built program, in place of building it
set -uo pipefail

program=$(realpath "$1")
exec python3 - "$program" "$(dirname "$0")" <<'PYTHON'
import sys

sys.path.insert(0, sys.argv[2])
import manual

log = manual.run_page(sys.argv[1], "README", "Production in five minutes")
for event in ("authn_login_success", "authn_token_created", "authn_token_verified",
              "authn_token_refreshed", "session_logout", "authn_token_reuse"):
    if event not in log:
        raise SystemExit(f"no {event} in the tour's log")
PYTHON
