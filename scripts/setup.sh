#!/bin/sh
# setup.sh [ci] - installs the packages that reeve needs (Debian and its kin), or says what is missing
#
# Quick when everything is there. `ci` adds what only `make ci` needs. Nothing but a POSIX shell is assumed.
set -eu

base="gcc g++ libc6-dev binutils pkg-config python3 libzmq3-dev libczmq-dev libmsgpack-dev libsodium-dev libsqlite3-dev
libjansson-dev libfyaml-dev libncurses-dev libcmocka-dev uuid-dev libbsd-dev procps"
for_ci="clang valgrind python3-zmq python3-msgpack iproute2 tcpdump podman podman-compose runc netavark aardvark-dns iptables
debootstrap mandoc zsh fish tmux chromium"
modules="libzmq libczmq libsodium sqlite3 jansson libfyaml ncursesw cmocka"

say() {
	echo "setup: $*" >&2
}

if [ "$(uname -s)" != Linux ]; then
	say "reeve runs on Linux only (README.md says why)"
	exit 1
fi

# Without dpkg: look for the things themselves, and leave installing them to their owner.
if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
	missing=
	for tool in gcc pkg-config python3; do
		command -v $tool >/dev/null 2>&1 || missing="$missing $tool"
	done
	for module in $modules; do
		pkg-config --exists $module 2>/dev/null || missing="$missing $module"
	done
	pkg-config --exists msgpack-c 2>/dev/null || pkg-config --exists msgpack 2>/dev/null ||
		missing="$missing msgpack-c"
	[ -z "$missing" ] && exit 0
	say "this is not Debian, so nothing is installed by itself; please install (with headers):$missing"
	exit 1
fi

installed() {
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

wanted=$base
[ "${1:-}" = ci ] && wanted="$wanted $for_ci"
missing=
for package in $wanted; do
	installed "$package" && continue
	case $package in
	pkg-config) command -v pkg-config >/dev/null 2>&1 && continue ;;
	libmsgpack-dev) installed libmsgpack-c-dev && continue ;;
	esac
	missing="$missing $package"
done
# clang's sanitizer and fuzzer runtimes are a package of their own, named by version.
clang_runtime() {
	[ "${1:-}" = ci ] || return 0
	command -v clang >/dev/null 2>&1 || return 0
	version=$(clang -dumpversion | cut -d. -f1)
	installed "libclang-rt-$version-dev" || echo "libclang-rt-$version-dev"
}
runtime=$(clang_runtime "${1:-}")
[ -z "$missing$runtime" ] && exit 0

if [ "$(id -u)" = 0 ]; then
	root=
elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
	root=sudo
else
	say "packages are missing and installing them takes root; please run"
	say "  apt-get install$missing $runtime"
	exit 1
fi

apt() {
	$root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@" </dev/null
}

# Names differ between releases: libmsgpack-dev became libmsgpack-c-dev.
resolve() {
	names=
	for package in "$@"; do
		if [ "$package" = libmsgpack-dev ] && ! apt-cache show libmsgpack-dev >/dev/null 2>&1; then
			package=libmsgpack-c-dev
		fi
		names="$names $package"
	done
	echo "$names"
}

install_all() {
	apt install -y --no-install-recommends $(resolve "$@") >/dev/null
}

say "installing$missing $runtime"
if ! apt-cache show libczmq-dev >/dev/null 2>&1; then
	apt update
	fresh=1
fi
if ! install_all $missing $runtime; then
	[ -z "${fresh:-}" ] || { say "apt-get could not install them"; exit 1; }
	say "the package lists may be old; updating them"
	apt update
	install_all $missing $runtime || { say "apt-get could not install them"; exit 1; }
fi
runtime=$(clang_runtime "${1:-}")
[ -z "$runtime" ] || install_all "$runtime"
say "done"
