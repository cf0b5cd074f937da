# What units print, and every text of a plan, shows harmless wherever reeve says it: OSC, CSI, C1, CR, bidi overrides, what is no UTF-8.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"

mkdir "$(printf 'd\033[2J\r\342\200\256\302\233')" && cd d* || fail "no directory of such a name"
cat >print.sh <<'END'
printf 'line one\n\033]0;pwned\007\033]52;c;eA==\007\033[2J\033[31mred\033[m \302\233m \233m \342\200\256evil \357\273\277 \377\rover\n'
END
cat >plan.py <<'END'
import json, sys
here = sys.argv[1]
nasty = "N\u202e\x1b]0;x\x07\x1b[2J\r\n\u009bm\u2066\ufeff\x7f"
flat = nasty.replace("\r\n", "")
def unit(id, script, **more):
    return {"id": id, "command": ["sh", "-c", script.replace("PRINT", f"sh {here}/print.sh")], **more}
print(json.dumps({"version": 1, "name": "hostile", "workspace": {"mode": "none"}, "context": {nasty: nasty}, "agents": {"m": {"profile": "mock", "model": nasty}}, "units": [
    unit("bad", "PRINT; exit 3", description=nasty, env={"E": flat}),
    unit("stderr", "PRINT >&2; exit 4 # " + nasty),
    unit("text", "PRINT; PRINT >$REEVE_OUTPUT_FILE"),
    unit("json", r"""printf '{"k\302\233\177\342\200\256": "\\u001b]0;x\\r\\u202e\342\200\256"}' >$REEVE_OUTPUT_FILE""", output="json"),
    unit("art", r"""cd $REEVE_ARTIFACTS; printf 1 >"$(printf 'a\033[2J\342\200\256\302\233\r')" """, namespace="always"),
    {"id": "missing", "command": ["/no/such" + flat]},
    {"id": "agent", "agent": "m", "prompt": nasty},
    {"id": "each", "command": ["echo", "{item}", nasty], "for_each": [nasty, "plain"]},
    unit("live", f"PRINT; until [ -e {here}/gate ]; do sleep 0.05; done"),
    unit("gate", "true", hold=True, description=nasty),
    unit("lacks", "true", labels={"L": flat}) if len(sys.argv) > 2 else unit("last", "true"),
]}, ensure_ascii=False))
END

seen=0
# shown STATUS CMD...: what it says is harmless, on stdout and stderr; in $T/out
shown() {
	expect "$@"
	seen=$((seen + 1))
	cp "$T/out" "$T/shown/$seen.out"
	cp "$T/err" "$T/shown/$seen.err"
	printf '%s\n' "$*" >"$T/shown/$seen.command"
}
all_harmless() {
	local found
	found=$(cd "$T/shown" && python3 "$top/tests/lib/harmless.py" *.out *.err "$@") && return
	echo "$found"
	cat "$T/shown/$(echo "$found" | head -1 | cut -d. -f1).command" 2>/dev/null
	fail "something hostile came through"
}
mkdir "$T/shown"
nasty=$(printf 'N\302\233\033]0;x\007\033[2J\r\342\200\256')
formats="table wide json jsonl name"

# looked [OPTION...]: all that is told of $run, in every format
looked() {
	local f v
	for f in $formats; do
		for v in status "status $run" "status $run/bad" "status $run/missing" "status $run/agent" "status $run/each-0001" "status $run/gate" "events $run" "artifacts $run" "usage $run"; do
			shown 0 reeve $v -o $f "$@"
		done
	done
	for v in text json; do
		shown 0 reeve output $run/$v -o json "$@"
		expect 0 reeve output $run/$v "$@"
		mv "$T/out" "$T/$v.exact"
	done
	sh print.sh | python3 -c 'import sys; sys.stdout.buffer.write(sys.stdin.buffer.read().decode(errors="replace").encode())' | cmp -s - "$T/text.exact" || fail "an output that goes to a file is not what the unit wrote"
	want_json 'd == {"k\u009b\u007f\u202e": "\u001b]0;x\r\u202e\u202e"}' "$T/json.exact"
	for v in bad stderr text missing agent each-0001; do
		shown 0 reeve logs $run/$v "$@"
	done
	shown 0 reeve logs $run --failed "$@"
	for v in events schedule joblog junit dot mermaid chrome-trace report; do
		shown 0 reeve export $v $run "$@"
	done
}

say "a plan, before it runs; words that are wrong"
python3 plan.py "$PWD" >plan.json
shown 0 reeve check plan.json
for f in $formats; do
	shown 0 reeve graph plan.json -o $f
	shown 0 reeve run --dry-run plan.json -o $f
done
shown 0 reeve graph plan.json --dot
shown 0 reeve graph plan.json --mermaid
sed 's/"gate"/"ga\\u001b[2J\\u202e\\u009bte"/; s/"version": 1/"version": 1, "locks": {"\\u001b]0;x\\u0007\\u202e": 1}/' plan.json >wrong.json
shown 2 reeve check wrong.json
shown 2 reeve check wrong.json -o json
shown 2 reeve run wrong.json --events "$T/shown/refused.out" --on-event "cat >$T/shown/refused-hook.out"
for f in table json; do
	for v in status logs "output" "events" "export junit" "usage" wait watch rm "init" "check" "graph" "completion" "help"; do
		code=4
		case $v in completion | help) [ $f = json ] && continue; code=2 ;; esac
		option="-o $f"
		case $v in logs | "export junit" | completion | help) option= ;; esac
		shown $code reeve $v $option "$nasty"
	done
done
all_harmless

say "a run: its lines, events, hook, job log, summary; then all that looks at it"
touch gate
shown 1 reeve run plan.json --no-hold --show all --events "$T/shown/events.out" --joblog "$T/shown/joblog.out" \
	--on-event "cat >>$T/shown/hook.out; env | grep -a '^REEVE_' >>$T/shown/hook-environment.out"
want_in "$T/shown/hook.out" unit_finished
want_in "$T/shown/hook-environment.out" REEVE_EVENT_TYPE=unit_finished
run=$(run_id)
cp .reeve/runs/$run/summary.json "$T/shown/summary.out"
cp .reeve/runs/$run/summary.md "$T/shown/summary-md.out"
looked
shown 1 reeve wait $run
shown 0 reeve watch $run
want_out '| ^[]0;pwned^G^[]52;c;eA==^G^[[2Jred \u{9b}m \x9bm \u{202e}evil \u{feff} \xff\rover'
all_harmless

say "on a terminal the same; raw only where it is asked for, and a value or a prompt for a program"
tty() { python3 "$top/tests/lib/terminal.py" "$@"; }
for v in "logs $run/bad" "output $run/text" "output $run/json" "check plan.json --show-prompt agent" "status $run" "logs $run --failed"; do
	expect 0 tty "$REEVE" $v
	tr -d '\r' <"$T/out" >"$T/shown/terminal.out" # the terminal's own line ends
	sed -i 's/\x1b\[[0-9;]*m//g' "$T/shown/terminal.out" # colours of reeve's own
	all_harmless
done
expect 0 reeve check plan.json --show-prompt agent
grep -q "$(printf '\033]0;x')" "$T/out" || fail "a prompt for a program is not what it is"
expect 0 reeve logs $run/bad --raw
grep -q "$(printf '\033]52')" "$T/out" || fail "--raw is not raw"

say "a cluster: what nodes and notes add; what runs and what waits"
rm gate
python3 plan.py "$PWD" cluster >plan.json
coordinator
node n1 --label "L=$(printf 'here\033[2J\342\200\256')" --slots 4
wait_until 20 joined n1
submit plan.json
export REEVE_COORDINATOR=$CO
is() { "$REEVE" status $run | grep -qE "^$1 +$2"; }
for unit in "live active" "bad failed" "stderr failed" "text succeeded" "json succeeded" "art succeeded" "missing failed" "agent succeeded" "each-0001 succeeded"; do
	wait_until 20 is $unit
done
shown 0 reeve logs $run/live
for f in $formats; do
	for v in "explain $run/lacks" "explain $run/gate" "explain $run/live" nodes "top -n 1"; do
		shown 0 reeve $v -o $f
	done
	shown 4 reeve explain "$run/$nasty" -o $f
	shown 4 reeve drain "$nasty" -o $f
done
shown 0 reeve release $run/gate --note "$nasty"
shown 0 reeve retry $run/bad --note "$nasty"
wait_until 20 is bad failed
looked
shown 0 reeve cancel $run
touch gate
shown 1 reeve wait $run
cp "$T/co.err" "$T/shown/co.err"
cp "$T/n1.err" "$T/shown/n1.err"
all_harmless
