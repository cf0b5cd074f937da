#!/usr/bin/env bash
# run-peers.sh WORKLOAD [options]; see README.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
make -s -C "$here/limits"
# The first python3 in PATH that knows the Python peers, else any.
for py in ${PEER_PYTHON:-} $(type -ap python3); do
	if "$py" -c 'import distributed, celery, work_queue' 2>/dev/null; then
		PEER_PYTHON=$py
		break
	fi
done
export PEER_PYTHON=${PEER_PYTHON:-python3}
if [ -z "${REEVE:-}" ] && [ -x "$here/../build/reeve" ]; then
	REEVE="$(cd "$here/../build" && pwd)/reeve run -j {jobs} --state {work}/state {plan}"
	export REEVE
fi
exec "$PEER_PYTHON" "$here/run_peers.py" "$@"
