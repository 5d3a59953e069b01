#!/usr/bin/env bash
# Prints the path of promtool: the one on PATH, or that of Debian's package, unpacked into .promtool/ without root.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if command -v promtool; then
  exit
fi
promtool="$root/.promtool/usr/bin/promtool"
if [[ ! -x $promtool ]]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && apt-get download prometheus) >&2 # apt checks the package against Debian's signatures
  mkdir "$work/unpacked"
  dpkg-deb --extract "$work"/prometheus_*.deb "$work/unpacked"
  mkdir -p "$root/.promtool/usr/bin"
  mv "$work/unpacked/usr/bin/promtool" "$promtool"
fi
echo "$promtool"
