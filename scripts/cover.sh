#!/usr/bin/env bash
# Measures how much of the engine rooms the tests that drive them cover: their own, the engine's conversations
# and a short simulation. Prints each room, then every block that is not covered, and fails below 95 % of all.
set -euo pipefail
cd "$(dirname "$0")/.."
least=${1:-95}
module=$(go list -m)
rooms="clock bytebuf stats hashkit ring resp memcached command topology message route fragment upstream downstream engine"

packages=""
tests="./internal/sim"
for room in $rooms; do
	packages+=",$module/internal/$room"
	tests+=" ./internal/$room"
done

profile=$(mktemp)
trap 'rm -f "$profile"' EXIT
# shellcheck disable=SC2086 # the tests are words
go test -short -timeout 8m -coverpkg "${packages#,}" -coverprofile "$profile" $tests >/dev/null

# Each package's test adds its own line for a block. A block is covered if one of them has been there.
awk -v module="$module/internal/" -v least="$least" '
	NR == 1 { next }
	{
		n[$1] = $2
		if ($3 > 0) hit[$1] = 1
	}
	END {
		for (block in n) {
			room = substr(block, length(module) + 1)
			sub("/.*", "", room)
			all[room] += n[block]
			total += n[block]
			if (block in hit) { covered[room] += n[block]; sum += n[block] }
			else print "  " substr(block, length(module) + 1) | "sort -V"
		}
		close("sort -V")
		for (room in all) printf "%-11s %5.1f %% of %d statements\n", room, 100 * covered[room] / all[room], all[room] | "sort"
		close("sort")
		printf "%-11s %5.1f %% of %d statements\n", "engine rooms", 100 * sum / total, total
		if (100 * sum / total < least) { print "cover: less than " least " %"; exit 1 }
	}' "$profile"
