# The same as t40 and t41 by somebody who is not root: no cgroup may be made, a PID namespace only inside a user namespace.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || exit 0 # then t40 and t41 were by somebody who is not root
for test in t40-killing t41-kill9; do
	mkdir -p "$T/other"
	chmod 711 "$T"
	chown 1000:1000 "$T/other"
	TMPDIR=$T/other HOME=$T/other setpriv --reuid 1000 --regid 1000 --clear-groups bash "$here/$test.sh" >"$T/out" 2>"$T/err" ||
		fail "$test as uid 1000"
done
