#!/usr/bin/env bash
# Installs the Debian packages that the gate needs and this machine lacks.
#
#   install_tools.sh
set -euo pipefail

missing=()
for tool in python3 logrotate curl gzip nginx haproxy slowhttptest strace wrk; do
    command -v "$tool" >/dev/null || [ -x "/usr/sbin/$tool" ] || missing+=("$tool")
done
[ -x /usr/sbin/apache2 ] || missing+=(apache2-bin)
[ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || missing+=(libnginx-mod-stream)
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)

export DEBIAN_FRONTEND=noninteractive
if [ "${#missing[@]}" -gt 0 ] || ! command -v caddy >/dev/null; then
    apt-get update -qq
    # Not every Debian release has a package of Caddy. The scripts leave it out where it is missing.
    if ! command -v caddy >/dev/null && apt-cache show caddy >/dev/null 2>&1; then
        missing+=(caddy)
    fi
fi
[ "${#missing[@]}" -eq 0 ] || apt-get install -y -qq "${missing[@]}" >/dev/null
# For units.py, which leaves out its checks where systemd cannot be installed.
command -v systemd-analyze >/dev/null || apt-get install -y -qq systemd >/dev/null 2>&1 || true
