#!/usr/bin/env bash
# Builds the container image, or says what it would run where docker is missing.
# Usage: scripts/image.sh NAME:TAG [LOCK]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command=(docker build --file deploy/Dockerfile --build-arg "LOCK=${2:-requirements.txt}" --tag "$1" .)
if docker version &>/dev/null; then
  exec "${command[@]}"
fi
echo "No docker here, or its daemon does not answer. Where there is one:"
echo "${command[@]}"
