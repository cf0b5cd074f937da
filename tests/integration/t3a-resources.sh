# Resources with names: units are told which ones they hold, and no two hold the same at once.
. "$(dirname "$0")/lib.sh"
unset CUDA_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES

cat >gpus.yaml <<'Y'
version: 1
units:
  - id: train
    for_each: {count: 12}
    resources: {gpus: 2}
    command: [sh, -c, 'for g in $(echo $REEVE_RESOURCE_gpus | tr , " "); do mkdir $LOCKS/$g || exit 9; done; sleep 0.05; echo $REEVE_RESOURCE_gpus $CUDA_VISIBLE_DEVICES $ROCR_VISIBLE_DEVICES; for g in $(echo $REEVE_RESOURCE_gpus | tr , " "); do rmdir $LOCKS/$g; done']
  - {id: none, command: [sh, -c, 'echo "${CUDA_VISIBLE_DEVICES-unset}|${REEVE_RESOURCE_gpus-unset}"']}
Y
export LOCKS=$T/locks
mkdir "$LOCKS"
expect 0 reeve run gpus.yaml -j 8 --resource 'gpus=[0,2,GPU-5a,7,9]'
seen=
for n in $(seq -w 1 12); do
	expect 0 reeve output train-00$n
	set -- $(cat "$T/out")
	want_eq "$2 $3" "$1 $1"
	case $1 in ?*,?*) ;; *) fail "not two: $1" ;; esac
	seen="$seen,$1"
done
for g in $(echo $seen | tr , ' '); do
	case $g in 0 | 2 | GPU-5a | 7 | 9) ;; *) fail "there is no $g" ;; esac
done
expect 0 reeve output none
want_out "|unset"
want_no_out "unset|"

# A count: by number. A mask that somebody above has set: only those, by their names.
expect 0 reeve run gpus.yaml -j 8 --resource gpus=2
expect 0 reeve output train-0001
want_out "0,1 0,1 0,1"
export CUDA_VISIBLE_DEVICES=3,GPU-8932f937,5
expect 0 reeve run gpus.yaml -j 8 --resource gpus=2
expect 0 reeve output train-0001
want_out "3,GPU-8932f937 3,GPU-8932f937 "
expect 2 reeve run gpus.yaml --resource gpus=4
want_err "CUDA_VISIBLE_DEVICES shows 3"
unset CUDA_VISIBLE_DEVICES

# Without it there are none: refused before anything runs.
[ -e /dev/nvidia0 ] || {
	expect 2 reeve run gpus.yaml
	want_err "gpus"
}
cat >half.yaml <<'Y'
version: 1
units:
  - {id: half, resources: {gpus: 0.5}, command: ["true"], retry: {max: 3}}
Y
expect 1 reeve run half.yaml --resource gpus=2
want_err "hands them out one by one"
expect 0 reeve status -o json "$(run_id)"
want_json 'units["half"]["class"] == "config" and units["half"]["attempts"] == 1'

# Words that say nothing.
expect 2 reeve run gpus.yaml --resource 'gpus=[0,0]'
want_err "stands there twice"
expect 2 reeve run gpus.yaml --resource 'gpus=[0'
want_err "has no end"
expect 2 reeve run gpus.yaml --resource 'gpus=[0,]x'
expect 2 reeve run gpus.yaml --resource 'gpus=[a b]'
want_err "no name"
expect 2 reeve run gpus.yaml --resource gpus=two
want_err "gpus=[0,1]"
expect 2 reeve run gpus.yaml --resource gpus=2 --resource gpus=3
want_err "twice"

# A run that goes on has the names it began with.
cat >two.yaml <<'Y'
version: 1
units:
  - {id: seat, resources: {seats: 1}, command: [sh, -c, 'echo $REEVE_RESOURCE_seats; [ -e ok ]']}
Y
expect 1 reeve run two.yaml --resource 'seats=[corner]'
touch ok
expect 0 reeve retry seat
expect 0 reeve output seat
want_out corner
