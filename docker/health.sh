#!/bin/sh
# reeve-health STATE - whether the coordinator or the node whose state directory this is does its work
#
# A coordinator is asked by its own socket. A node writes STATE/session while its coordinator has it for a member that is present, and
# touches it every 5 s while its loop turns (node/serve.h).
state=$1
if [ -e "$state/node.key" ]; then
	[ -e "$state/session" ] || { echo "the node has no session"; exit 1; }
	[ -n "$(find "$state/session" -newermt '-20 seconds')" ] || { echo "the node hangs"; exit 1; }
	cat "$state/session"
elif [ -S "$state/sock" ]; then
	reeve nodes --coordinator "$state" -o name
else
	echo "neither a coordinator nor a node is at work in $state"
	exit 1
fi
