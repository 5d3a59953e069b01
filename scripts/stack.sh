#!/usr/bin/env bash
# Prints a stack's lock, and on the error output which stack it is and why.
# Usage: scripts/stack.sh [STACK]   today, older, today-gpu or older-gpu; default: the newest that this machine can run; -gpu: the same for GPUs
#
# What decides is glibc: the wheels of ml-metadata and TFDV that today's TFX needs ask for 2.39.
set -euo pipefail
needed=2.39
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null || echo "no glibc")
version=${libc#glibc }

runs_today() {
  [[ $version =~ ^[0-9.]+$ && $(printf '%s\n' "$needed" "$version" | sort -V | head -1) == "$needed" ]]
}

stack=${1:-}
case ${stack%-gpu} in
  today)
    why="as asked"
    if ! runs_today; then
      echo "STACK=$stack: expected glibc $needed or later (Debian 13, Ubuntu 24.04). Received: $libc." >&2
      echo "STACK=older runs here." >&2
      exit 1
    fi
    ;;
  older) why="as asked" ;;
  "")
    if runs_today; then
      stack=today$stack why="glibc $version is $needed or later"
    else
      stack=older$stack why="$libc; today's stack needs glibc $needed or later"
    fi
    ;;
  *)
    echo "STACK=$stack: expected today, older, today-gpu or older-gpu." >&2
    exit 1
    ;;
esac

case $stack in
  today*) what="TFX 1.21, TensorFlow 2.21, Python 3.13 or 3.12" ;;
  older*) what="TFX 1.16, TensorFlow 2.16, Python 3.10" ;;
esac
echo "Stack $stack ($what): $why" >&2
echo "requirements/$stack.txt"
