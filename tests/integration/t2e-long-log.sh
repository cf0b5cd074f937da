# `logs -f` of a unit that has printed more than half of what is kept: lines go on coming while it runs, whoever is too slow is told.
. "$(dirname "$0")/lib.sh"

cat >loud.py <<'PY'
import os, sys, time
def say(text): sys.stdout.write(text); sys.stdout.flush()
def wait(name):
    while not os.path.exists(sys.argv[1] + "/" + name): time.sleep(0.02)
say("".join("early %06d\n" % i for i in range(50000)))   # 650,000 bytes: past half of 1 MiB
say("past half\n")
wait("more")
say("".join("middle %06d\n" % i for i in range(300000))) # 4.2 MB
say("caught up\n")
wait("go")
say("the end\n")
PY
for namespace in never always; do
	say "namespace: $namespace"
	rm -f more go "$T/logs.out"
	cat >plan.json <<-PLAN
	{"version": 1, "units": [{"id": "loud-$namespace", "namespace": "$namespace", "log_max_mb": 1, "command": ["python3", "$PWD/loud.py", "$PWD"]}]}
	PLAN
	start run "$REEVE" run plan.json
	wait_until 20 "$REEVE" logs loud-$namespace
	start logs "$REEVE" logs -f loud-$namespace
	wait_until 20 grep -q 'past half' "$T/logs.out"
	touch more
	wait_until 20 grep -q 'caught up' "$T/logs.out"
	# who comes now has the first half and the last
	expect 0 reeve logs loud-$namespace
	want_in "$T/out" 'early 000000'
	want_in "$T/out" ' bytes left out here]'
	want_in "$T/out" 'caught up'
	touch go
	finish run 0
	finish logs 0
	want_eq "$(tail -n 1 "$T/logs.out")" "the end"
	want_eq "$(grep -c 'the end' "$T/logs.out")" 1
	want_eq "$(grep -c '^early ' "$T/logs.out")" 50000
	expect 0 reeve logs loud-$namespace
	want_eq "$(tail -n 1 "$T/out")" "the end"
	want_eq "$(grep -c ' bytes left out here]' "$T/out")" 1
done
