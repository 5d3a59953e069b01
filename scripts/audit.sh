#!/usr/bin/env bash
# Checks both stacks' locks against known vulnerabilities, with pip-audit in an environment of its own.
# Those in requirements/vulnerabilities.txt are known and stay. Exits with 1 on another one, and where the service that
# knows them cannot be reached: then nothing was checked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
scripts/uv.sh venv --quiet "$scratch/venv"
scripts/uv.sh pip sync --quiet --python "$scratch/venv/bin/python" --require-hashes requirements/audit.txt

failed=0
for stack in ${*:-today older today-gpu older-gpu}; do
  ignored=()
  while read -r id; do
    ignored+=(--ignore-vuln "$id")
  done < <(grep -E "^[^#|]*\| [^|]*${stack%-gpu}[^|]* \|" requirements/vulnerabilities.txt | cut -d' ' -f1)
  # pip-audit evaluates markers for the Python that runs it: without them the lock is checked whole.
  sed -E 's/ ; [^\\]*//' "requirements/$stack.txt" >"$scratch/$stack.txt"
  echo "requirements/$stack.txt, but for $((${#ignored[@]} / 2)) that are known and stay:"
  "$scratch/venv/bin/pip-audit" --requirement "$scratch/$stack.txt" --require-hashes --disable-pip \
    --progress-spinner off --strict "${ignored[@]}" || failed=1
done
exit "$failed"
