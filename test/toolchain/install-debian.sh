#!/usr/bin/env bash
# Installs what tests need from the system, on Debian and its kin, as root: test/toolchain/install-debian.sh NAME…
# What is there already is left alone. The names are those of Debian's packages: strace, faketime, prometheus.
# A service that a package brings is neither started now nor at the next boot: tests start what they need, and end it.
set -euo pipefail

missing=()
for name in "$@"; do
  dpkg-query --show --showformat='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
done
[ ${#missing[@]} -eq 0 ] && exit 0

# invoke-rc.d and deb-systemd-invoke ask this file; 101 means that the service is not to be started.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

install() { DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"; }
install || { apt-get update && install; }

command -v systemctl >/dev/null || exit 0
for unit in $(dpkg --listfiles "${missing[@]}" | sed -nE 's|^(/usr)?/lib/systemd/system/([^/@]+\.service)$|\2|p'); do
  systemctl disable --quiet "$unit" || echo "$unit stays enabled: systemctl could not disable it" >&2
done
