#!/usr/bin/env bash
# Brings .venv up to date with a lock and with our sources; does nothing where it is.
# Usage: scripts/install.sh [LOCK]   without LOCK: the one installed last, at first requirements.txt
#
# Two stamps say what .venv holds: .venv/lock.sha256 (of the lock) and .venv/package.sha256 (of every
# file that goes into our wheel). Contents, not times: a checkout or a deleted file changes these too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=.venv/bin/python
lock_stamp=.venv/lock.sha256
package_stamp=.venv/package.sha256

exec 9<>setup.py && flock 9 # `make run` and `make test` at once: the second waits for the first

lock=${1:-$(sed 's/^[0-9a-f]*  //' "$lock_stamp" 2>/dev/null || true)}
lock=${lock:-requirements.txt}

if ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 10))' 2>/dev/null; then
  for bin in "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.10.*/bin; do
    PATH="$PATH:$bin" # an interpreter that is there already beats a download
  done
  rm -rf .venv
  scripts/uv.sh venv --quiet --python 3.10 .venv
fi

if [[ $(sha256sum "$lock") != "$(cat "$lock_stamp" 2>/dev/null)" ]]; then
  echo "Installing $lock into .venv"
  rm -f "$lock_stamp" "$package_stamp"
  scripts/uv.sh pip sync --quiet --python "$python" --require-hashes "$lock"
  sha256sum "$lock" >"$lock_stamp"
fi

# `*/__init__.py` names our packages, as setup.py does (a test compares the two).
packages=$(dirname */__init__.py)
sources=$(find $packages LICENSE README.md pyproject.toml setup.py -type f ! -name '*.pyc' -print0 |
  LC_ALL=C sort -z | xargs -0 sha256sum)

if [[ $sources != "$(cat "$package_stamp" 2>/dev/null)" ]]; then
  echo "Installing crowdflow into .venv"
  # setuptools builds in the checkout unless told otherwise, and ships what an earlier build left there.
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  printf '[build]\nbuild_base = %s\n[egg_info]\negg_base = %s\n' "$scratch/build" "$scratch" \
    >"$scratch/build.cfg"
  rm -f "$package_stamp"
  DIST_EXTRA_CONFIG="$scratch/build.cfg" scripts/uv.sh pip install --quiet --python "$python" \
    --no-deps --no-build-isolation --reinstall-package crowdflow .
  echo "$sources" >"$package_stamp"
fi
