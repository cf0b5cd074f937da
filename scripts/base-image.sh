#!/usr/bin/env bash
# base-image.sh OUT.tar.gz - a minimal root file system of this Debian, from this machine's own package source, for an image without a registry
#
# Does nothing if OUT is there. Whoever calls it while another is at it waits for that one. Needs root and debootstrap; 1 to 4 minutes.
set -euo pipefail

[ $# = 1 ] || { echo "usage: base-image.sh OUT.tar.gz" >&2; exit 2; }
out=$1
mkdir -p "$(dirname "$out")"
exec 9>"$out.lock"
flock 9
[ ! -s "$out" ] || exit 0

suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
# The first source of this release's main component: URI, release, component.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
	awk -v suite="$suite" '$2 == suite && $3 == "main" && !found { print $1; found = 1 }')
[ -n "$suite" ] && [ -n "$mirror" ] || { echo "base-image: cannot tell this machine's release or package source" >&2; exit 1; }

work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 1' INT TERM
# The lock is not for what might live on.
debootstrap --variant=minbase "$suite" "$work/root" "$mirror" 9>&- >"$work/log" 2>&1 ||
	{ echo "base-image: debootstrap failed:" >&2; tail -n 20 "$work/log" >&2; exit 1; }
rm -rf "$work/root/var/cache/apt/archives"/*.deb "$work/root/var/lib/apt/lists"/*
tar -C "$work/root" --one-file-system -c . | gzip -1 >"$work/base.tar.gz"
mv "$work/base.tar.gz" "$out"
