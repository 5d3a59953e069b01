#!/usr/bin/env bash
# Updates .venv to a stack's lock and to the checkout's sources; does nothing if it is up to date.
# Usage: scripts/install.sh [STACK]   today, older, today-gpu or older-gpu; -gpu is the newest that runs here, for GPUs;
#                                     default: the stack installed last, or the newest that runs here
#
# Two stamps record what .venv contains: .venv/lock.sha256 (of the lock) and .venv/package.sha256 (of every
# file that goes into the wheel). They compare contents, not times, so a checkout or a deleted file counts too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=.venv/bin/python
lock_stamp=.venv/lock.sha256
package_stamp=.venv/package.sha256

exec 9<>setup.py && flock 9 # if `make run` and `make test` start together, the second waits for the first

lock=$(sed 's/^[0-9a-f]*  //' "$lock_stamp" 2>/dev/null || true)
if [[ -n ${1:-} || ! -f $lock ]]; then
  lock=$(scripts/stack.sh "${1:-}") # a stack that does not run here ends this script
fi
minors=(13 12)
[[ $lock == requirements/older* ]] && minors=(10)

fits="import sys; sys.exit(sys.version_info[:2] not in {(3, int(m)) for m in sys.argv[1:]})"
if ! "$python" -c "$fits" "${minors[@]}" 2>/dev/null; then
  interpreter=3.${minors[0]} # downloaded, if there is none
  for minor in "${minors[@]}"; do
    for bin in "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3."$minor".*/bin; do
      PATH="$PATH:$bin" # prefer an installed interpreter to a download
    done
    if scripts/uv.sh python find --no-python-downloads "3.$minor" &>/dev/null; then
      interpreter=3.$minor
      break
    fi
  done
  rm -rf .venv
  scripts/uv.sh venv --quiet --python "$interpreter" .venv
fi

if [[ $(sha256sum "$lock") != "$(cat "$lock_stamp" 2>/dev/null)" ]]; then
  echo "Installing $lock into .venv"
  rm -f "$lock_stamp" "$package_stamp"
  # Where PYTHONDONTWRITEBYTECODE is set, each start would otherwise compile for 6 to 10 s.
  scripts/uv.sh pip sync --quiet --compile-bytecode --python "$python" --require-hashes "$lock"
  sha256sum "$lock" >"$lock_stamp"
fi

# Folders with an `__init__.py` are the packages, as in setup.py (a test compares the two).
packages=$(dirname */__init__.py)
sources=$(find $packages LICENSE README.md pyproject.toml setup.py -type f ! -name '*.pyc' -print0 |
  LC_ALL=C sort -z | xargs -0 sha256sum)

if [[ $sources != "$(cat "$package_stamp" 2>/dev/null)" ]]; then
  echo "Installing crowdflow into .venv"
  # By default setuptools builds in the checkout, and ships leftovers of an earlier build there.
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  printf '[build]\nbuild_base = %s\n[egg_info]\negg_base = %s\n' "$scratch/build" "$scratch" \
    >"$scratch/build.cfg"
  rm -f "$package_stamp"
  DIST_EXTRA_CONFIG="$scratch/build.cfg" scripts/uv.sh pip install --quiet --python "$python" \
    --no-deps --no-build-isolation --reinstall-package crowdflow .
  "$python" -m compileall -qf .venv/lib/python3.*/site-packages/crowdflow
  echo "$sources" >"$package_stamp"
fi
