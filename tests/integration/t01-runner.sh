#!/usr/bin/env bash
# A test that did not run must not look like one that passed: what tests/run.py and .ci/lib.sh make of every kind of end.
set -u
cd "$(dirname "$0")/../.." || exit 1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0

# program NAME: a stand-in for a cmocka program, from stdin
program() {
	{ echo '#!/usr/bin/env bash'; cat; } >"$dir/$1"
	chmod +x "$dir/$1"
}

# expect NAME "LAST LINE" STATUS [run.py arguments]
expect() {
	local name=$1 want=$2 status=$3 got rc
	shift 3
	got=$(CI=${ci:-} python3 tests/run.py --timeout 2 "$@" 2>&1)
	rc=$?
	if [ "${got##*$'\n'}" != "$want" ] || [ $rc != "$status" ]; then
		printf '%s: wanted "%s" and %s, got %s and:\n%s\n' "$name" "$want" "$status" "$rc" "$got"
		bad=1
	fi
}

program good <<<'echo 1..2; echo "ok 1 - a"; echo "ok 2 - b"'
program one_fails <<<'echo 1..2; echo "ok 1 - a"; echo "not ok 2 - b"; exit 1'
program dies <<<'echo 1..3; echo "ok 1 - a"; kill -SEGV $$'
program dies_after <<<'echo 1..1; echo "ok 1 - a"; exit 3'
program empty <<<'exit 0'
program stuck <<<'echo 1..1; sleep 60'
program skips <<<'echo 1..2; echo "ok 1 - a"; echo "ok 2 # SKIP b"'
program sim <<<'[ "$2" = 7 ]'
printf 'exit 0\n' >"$dir/t1-good.sh"
printf 'exit 77\n' >"$dir/t2-skips.sh"
printf 'exit 5\n' >"$dir/t3-fails.sh"

expect good '2 passed, 0 failed' 0 "$dir/good"
expect fails '1 passed, 1 failed' 1 "$dir/one_fails"
expect dies '1 passed, 2 failed' 1 "$dir/dies"
expect 'dies at its end' '1 passed, 1 failed' 1 "$dir/dies_after"
expect 'ran nothing' '0 passed, 1 failed' 1 "$dir/empty"
expect 'does not end' '0 passed, 1 failed' 1 "$dir/stuck"
expect skips '1 passed, 0 failed' 0 "$dir/skips"
ci=true expect 'skips in CI' '1 passed, 1 failed' 1 "$dir/skips"
expect scripts '1 passed, 1 failed' 1 "$dir/t1-good.sh" "$dir/t2-skips.sh" "$dir/t3-fails.sh"
ci=true expect 'scripts in CI' '1 passed, 2 failed' 1 "$dir/t1-good.sh" "$dir/t2-skips.sh" "$dir/t3-fails.sh"
expect simulation '1 passed, 0 failed' 0 --simulation "$dir/sim --seeds 7"
expect 'simulation fails' '0 passed, 1 failed' 1 --simulation "$dir/sim --seeds 8"
expect all '6 passed, 4 failed' 1 -j 2 "$dir/good" "$dir/one_fails" "$dir/dies" "$dir/dies_after" "$dir/t1-good.sh"

# What it leaves behind it ends: `stuck` slept.
if pgrep -f "$dir/stuck" >/dev/null; then
	echo 'a program that did not end is still there'
	bad=1
fi

# Stages of CI.
ci_says() {
	local name=$1 want=$2 got
	shift 2
	got=$(. .ci/lib.sh && stage "$name" 5 "$@" >/dev/null && finish)
	if [ "${got##*$'\n'}" != "$want" ]; then
		printf 'stage %s: wanted "%s", got:\n%s\n' "$name" "$want" "$got"
		bad=1
	fi
}
ci_says counts '4 passed, 2 failed' sh -c 'echo "4 passed, 2 failed"; exit 1'
ci_says 'fails uncounted' '4 passed, 1 failed' sh -c 'echo "4 passed, 0 failed"; exit 1'
ci_says 'ran nothing' '0 passed, 1 failed' sh -c 'echo "0 passed, 0 failed"'
ci_says 'no counts' '1 passed, 0 failed' true
ci_says 'no counts, fails' '0 passed, 1 failed' false

exit $bad
