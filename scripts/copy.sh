#!/usr/bin/env bash
# Copies this checkout to a folder as a fresh clone with today's changes, not what git ignores.
# Usage: scripts/copy.sh FOLDER   its .venv, .uv and runs stay for the next time
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p "$1"
find "$1" -mindepth 1 -maxdepth 1 ! -name .venv ! -name .uv ! -name runs -exec rm -rf {} +
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  [[ ! -e $file ]] || printf '%s\0' "$file"
done | tar --create --null --files-from=- | tar --extract --no-same-owner --directory="$1"
