# Graphs of the kinds that real workflows have, with real processes at 8 and 32 slots: nothing missing, doubled, early or over capacity.
. "$(dirname "$0")/lib.sh"

for dag in "$top"/tests/data/dags/*.json; do
	name=$(basename "$dag" .json)
	for slots in 8 32; do
		"$REEVE" import dag "$dag" --scale 0.02 --max-cores $slots >"$name.plan.json" || fail "import of $name"
		expect 0 reeve run -j $slots --state "state-$name-$slots" "$name.plan.json"
		expect 0 reeve export schedule --state "state-$name-$slots"
		cp "$T/out" schedule.jsonl
		held=$(python3 "$top/tests/lib/schedule.py" "$dag" schedule.jsonl $slots) || fail "$name, $slots slots: the schedule breaks a rule"
		say "$name, $slots slots: $held"
	done
done
