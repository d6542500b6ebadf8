#!/usr/bin/env bash
# Installs what tests need from the system, on Debian and its kin, as root: test/toolchain/install-debian.sh NAME…
# What is there already is left alone. The names are those of Debian's packages.
set -euo pipefail

missing=()
for name in "$@"; do
  dpkg-query --show --showformat='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
done
[ ${#missing[@]} -eq 0 ] && exit 0

install() { DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"; }
install || { apt-get update && install; }
