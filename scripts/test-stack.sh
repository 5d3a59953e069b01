#!/usr/bin/env bash
# Runs `make test` on the stack that this checkout has not installed. Arguments go to pytest.
# Where glibc runs both, a copy of the checkout in a folder of its own has the older one; where it does not, today's runs
# in a folder with Debian 13 (scripts/debian13.sh). Exits with 0 and the reason where neither is possible.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
arguments=(make test "ARGS=$*")

if ! scripts/stack.sh today &>/dev/null; then
  code=0
  scripts/debian13.sh "${arguments[@]}" || code=$?
  [[ $code != 77 ]] || { echo "Today's stack was not tested." && exit 0; }
  exit "$code"
fi
other=older
grep -q requirements/older .venv/lock.sha256 2>/dev/null && other=today
copy=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/crowdflow/$other
scripts/copy.sh "$copy/crowdflow"
[[ ! -d ../shared || -e $copy/shared ]] || ln -s "$(realpath ../shared)" "$copy/shared"
cd "$copy/crowdflow"
exec "${arguments[@]}" STACK="$other"
