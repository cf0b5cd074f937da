# lib.sh - what every integration test begins with:  . "$(dirname "$0")/lib.sh"
#
# A test is one script tNN-name.sh; the runner (tests/run.py) gives it REEVE, the program, and HELPERS, the folder of
# helper programs. It runs in a private directory that is removed at its end, with everything it started ended. Exit 0:
# passed, 77: skipped (a reason on the last line), anything else: failed; the first failed expectation ends it.
#
#   expect STATUS CMD...      runs it; stdout in $T/out, stderr in $T/err; wrong exit status fails the test
#   want_out TEXT             $T/out holds TEXT;   want_err TEXT;   want_no_out TEXT;   want_in FILE TEXT
#   json EXPR [FILE]          prints a Python expression over the JSON document `d` (default $T/out)
#   want_json EXPR            the expression is true
#   valid SCHEMA [FILE]       the document (or each line of a .jsonl file) fits docs/schemas/SCHEMA.json
#   wait_until SECONDS CMD... tries until it succeeds; fails the test when the time is over
#   start NAME CMD...         in the background, its own process group; $T/NAME.out, .err; pid in $PID; pid_of NAME
#   finish NAME [STATUS]      waits for it and checks its exit status
#   free_port                 a tcp port that nobody listens on
#   skip WHY

set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
: "${REEVE:=$top/build/reeve}"
: "${HELPERS:=$top/build/debug/tests/helpers}"
test_name=$(basename "$0" .sh)
T=$(mktemp -d "${TMPDIR:-/tmp}/reeve-$test_name-XXXXXX") || exit 1
export REEVE HELPERS T PYTHONPATH=$top/tests/lib
unset REEVE_FORMAT REEVE_COORDINATOR REEVE_STATE NO_COLOR
export LC_ALL=C.UTF-8
started=()

end_test() {
	status=$?
	trap - EXIT INT TERM
	for pid in ${started[@]+"${started[@]}"}; do
		kill -KILL -- "-$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	cd /
	chmod -R u+rwX "$T" 2>/dev/null
	[ -n "${KEEP:-}" ] && echo "kept: $T" || rm -rf "$T"
	exit $status
}
trap end_test EXIT
trap 'exit 1' INT TERM
mkdir -p "$T/work"
cd "$T/work" || exit 1

fail() {
	local i lines=
	for ((i = 0; i < ${#BASH_LINENO[@]}; i++)); do
		[ "${BASH_SOURCE[i + 1]:-}" = "$0" ] && lines="$lines${lines:+, called at }${BASH_LINENO[i]}"
	done
	echo "FAILED at line ${lines:-?} of $test_name: $*"
	for f in out err; do
		[ -s "$T/$f" ] && { echo "--- std$f"; head -c 4000 "$T/$f"; echo; }
	done
	exit 1
}

skip() {
	echo "$*"
	exit 77
}

say() { echo "# $*"; }

expect() {
	local want=$1 got
	shift
	"$@" >"$T/out" 2>"$T/err" </dev/null
	got=$?
	[ "$got" = "$want" ] || fail "exit $got, not $want: $*"
}

reeve() { "$REEVE" "$@"; }

want_in() { grep -qF -- "$2" "$1" || fail "no \"$2\" in $1"; }
want_out() { want_in "$T/out" "$1"; }
want_err() { want_in "$T/err" "$1"; }
want_no_out() { ! grep -qF -- "$1" "$T/out" || fail "\"$1\" is in the output"; }
want_empty() { [ ! -s "$1" ] || fail "$1 is not empty"; }
want_eq() { [ "$1" = "$2" ] || fail "\"$1\" is not \"$2\""; }

json() {
	python3 - "$1" "${2:-$T/out}" <<-'PY'
	import json, sys
	with open(sys.argv[2], encoding="utf-8") as f:
	    text = f.read()
	try:
	    d = json.loads(text)
	except ValueError:
	    d = [json.loads(l) for l in text.splitlines() if l.strip()]
	units = {u["id"]: u for u in d["units"]} if isinstance(d, dict) and isinstance(d.get("units"), list) else {}
	v = eval(sys.argv[1])
	print(v if isinstance(v, str) else json.dumps(v))
	PY
}

want_json() {
	[ "$(json "$@")" = true ] || fail "not true: $1"
}

valid() { python3 "$top/tests/lib/schema.py" "$top/docs/schemas/$1.json" "${2:-$T/out}" || fail "does not fit the schema $1"; }

wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || fail "in vain: $*"
		sleep 0.05
	done
}

start() {
	local name=$1
	shift
	rm -f "$T/$name.out" "$T/$name.err" # of one before of that name: nobody takes its last words for this one's first
	setsid "$@" >"$T/$name.out" 2>"$T/$name.err" </dev/null &
	PID=$!
	started+=("$PID")
	printf -v "pid_$name" %s "$PID"
}

pid_of() {
	local v=pid_$1
	echo "${!v}"
}

finish() {
	local v=pid_$1 got
	wait "${!v}" 2>/dev/null
	got=$?
	[ -z "${2:-}" ] || [ "$got" = "$2" ] || {
		cat "$T/$1.out" "$T/$1.err" >"$T/err"
		fail "$1: exit $got, not $2"
	}
	return 0
}

# What init has not buried yet is gone, too: in a container it may be a program that never does.
gone() {
	case $(ps -o stat=,ppid= -p "$1") in
	'' | Z*\ 1) ;;
	*) return 1 ;;
	esac
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# The newest run of the state directory here.
run_id() { "$REEVE" status -o name | tail -1; }
