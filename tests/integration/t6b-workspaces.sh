# Plans of one tree handed in at once, and what is said of nodes that cannot end whole trees.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"
export REEVE_KILL_LEVEL=subreaper

coordinator --durability process
node one --slots 8
wait_until 20 joined one

say "who submits at once in a new tree comes to one id: every run finds its workspace"
for tree in 1 2 3 4 5; do
	mkdir "$T/tree$tree"
	cat >"$T/tree$tree/plan.json" <<P
{"version": 1, "name": "tree$tree", "workspace": {"mode": "shared", "root": "$T/tree$tree"}, "units": [{"id": "u", "command": ["true"]}]}
P
	for i in 1 2 3 4 5 6 7 8; do
		start "s$tree$i" "$REEVE" submit --coordinator "$CO" "$T/tree$tree/plan.json" -o name
	done
	for i in 1 2 3 4 5 6 7 8; do
		finish "s$tree$i" 0
	done
	for i in 1 2 3 4 5 6 7 8; do
		expect 0 timeout 20 "$REEVE" wait --coordinator "$CO" "$(cat "$T/s$tree$i.out")"
	done
	[ "$(find "$T/tree$tree/.reeve" -type f | wc -l)" = 1 ] || fail "more than the id was left: $(find "$T/tree$tree/.reeve" -type f)"
done

say "a tree made anew at the same path is the same place of the node, with another id"
for i in 1 2 3; do
	rm -rf "$T/tree1/.reeve"
	expect 0 timeout 20 "$REEVE" submit --coordinator "$CO" "$T/tree1/plan.json" --wait
done
want_eq "$(sort "$T/one/places" | uniq -d)" ""
want_eq "$(wc -l <"$T/one/places")" 5

say "what a node would need is said of those that are members"
expect 0 reeve nodes --coordinator "$CO" -o wide
want_err "one cannot be sure to end all that a unit started"
expect 0 reeve remove --coordinator "$CO" one
expect 0 reeve nodes --coordinator "$CO" -o wide
want_out "removed"
want_empty "$T/err"
