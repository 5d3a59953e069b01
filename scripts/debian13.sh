#!/usr/bin/env bash
# Runs a command in a copy of this checkout inside a folder with a fresh Debian 13, made by debootstrap on first use.
# Usage: scripts/debian13.sh COMMAND...   the folder is DEBIAN13; exits with 77 and the reason if it cannot be had
#
# Needs root, debootstrap and the network. The folder has git, make, python3 and python3-venv, so its checkout sets
# itself up as on a new machine. ../shared, if it is there, is beside the copy. What is mounted ends with the command.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
debian=$(realpath -m "${DEBIAN13:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/crowdflow/debian13}")

skip() {
  echo "No Debian 13 folder: $1" >&2
  exit 77
}
[[ $(id -u) == 0 ]] || skip "debootstrap and chroot need root"
command -v debootstrap >/dev/null || skip "debootstrap is missing (on Debian and Ubuntu: apt-get install debootstrap)"
unshare --mount true 2>/dev/null || skip "this machine does not allow mounts"

if [[ ! -e $debian/.complete ]]; then
  rm -rf "$debian"
  mkdir -p "$(dirname "$debian")"
  debootstrap --variant=minbase --include=git,make,python3,python3-venv,ca-certificates \
    trixie "$debian" >"$debian.log" 2>&1 || skip "debootstrap failed, see $debian.log"
  touch "$debian/.complete"
fi
for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
  [[ ! -e $file ]] || cp --dereference "$file" "$debian$file"
done

mkdir -p "$debian/srv/shared"
scripts/copy.sh "$debian/srv/crowdflow"

kept=()
while IFS='=' read -r name value; do
  kept+=("$name=$value")
done < <(env | grep -E '^(PIP_(CERT|INDEX|DEFAULT)|UV_|SSL_CERT_FILE|https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY)' || true)

mounts='mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && mount --rbind /sys "$0/sys"
  test ! -d "$1" || { mount --bind "$1" "$0/srv/shared" && mount -o remount,bind,ro "$0/srv/shared"; }
  debian=$0; shift; exec chroot "$debian" "$@"'
exec unshare --mount --propagation private bash -euc "$mounts" "$debian" "$(realpath -m ../shared)" \
  env -i HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${kept[@]}" \
  bash -c 'cd /srv/crowdflow && exec "$@"' bash "$@"
