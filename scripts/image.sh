#!/usr/bin/env bash
# Builds the container image, or prints the command if docker is missing.
# Usage: scripts/image.sh NAME:TAG [LOCK]   LOCK: today or today-gpu
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command=(docker build --file deploy/Dockerfile --build-arg "LOCK=${2:-today}" --tag "$1" .)
if docker version &>/dev/null; then
  exec "${command[@]}"
fi
echo "docker is not installed, or its daemon does not respond. The command to run on a machine with docker:"
echo "${command[@]}"
