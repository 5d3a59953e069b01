#!/usr/bin/env bash
# Runs uv: the one on PATH, or the one of uv.txt, installed into .uv/ with any Python 3.8 or newer.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Runs outside the checkout, where pyenv's shims do not require the version in .python-version; and uses a
# venv, because a distribution's own Python is externally managed.
make_uv() (
  cd /
  for python in python3 /usr/bin/python3 python3.{13,12,11,10}; do
    if "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then
      echo "Installing uv into .uv" >&2
      "$python" -m venv --clear "$root/.uv" >&2
      "$root/.uv/bin/pip" --quiet --disable-pip-version-check install --only-binary :all: --require-hashes \
        -r "$root/scripts/uv.txt" >&2
      return
    fi
  done
  echo "No uv on PATH, and no Python 3.8 or newer that can make a virtual environment." >&2
  echo "Install uv, or Python's venv (on Debian and Ubuntu: sudo apt-get install python3-venv)." >&2
  return 1
)

uv=$(command -v uv || true)
if [[ -z $uv ]] || ! "$uv" --version &>/dev/null; then
  uv="$root/.uv/bin/uv"
  "$uv" --version &>/dev/null || make_uv
fi
exec "$uv" "$@"
