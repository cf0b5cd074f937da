# lib.sh - stages of .ci/run and .ci/stages: run, time, count
#
# A stage's tests are counted from its last line, `N passed, N failed`; a stage that prints none counts as one. A stage
# that fails without a failed test, or passes without a passed one (nothing ran: a skipped step), counts one failure.

passed=0 failed=0 seconds=0 summary=

# stage NAME BUDGET_SECONDS COMMAND...
stage() {
	local name=$1 budget=$2 log status start took last p=0 f=0 verdict=ok
	shift 2
	log=$(mktemp)
	echo "== $name: $*"
	start=$SECONDS
	"$@" </dev/null 2>&1 | tee "$log"
	status=${PIPESTATUS[0]}
	took=$((SECONDS - start))
	last=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1)
	if [ -n "$last" ]; then
		read -r p _ f _ <<<"${last/,/ }"
	elif [ "$status" = 0 ]; then
		p=1
	fi
	if [ "$f" = 0 ] && { [ "$status" != 0 ] || [ "$p" = 0 ]; }; then
		f=1
	fi
	[ "$f" = 0 ] || verdict=FAILED
	[ "$took" -le "$budget" ] || verdict="$verdict, over its budget"
	rm -f "$log"
	passed=$((passed + p)) failed=$((failed + f)) seconds=$((seconds + took))
	summary+=$(printf '%-14s %4d s of %4d s  %6d passed %4d failed  %s' "$name" "$took" "$budget" "$p" "$f" "$verdict")$'\n'
	echo "== $name: $took s of $budget s: $verdict"
}

# Prints the table and the counts; the status of the whole.
finish() {
	echo
	printf '%s' "$summary"
	echo "$seconds s in all"
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ] && [ "$passed" != 0 ]
}
