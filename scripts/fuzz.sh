#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other: fuzz.sh [TIME], TIME as -fuzztime takes it.
# All targets run even if one fails; the exit status then is 1 and the failing inputs lie in testdata/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10s}

# Only packages with a Fuzz function are compiled to be asked for their targets.
packages=$(go list -f '{{$d := .Dir}}{{$p := .ImportPath}}{{range .TestGoFiles}}{{$p}} {{$d}}/{{.}}
{{end}}{{range .XTestGoFiles}}{{$p}} {{$d}}/{{.}}
{{end}}' ./... | while read -r package file; do
	if [ -n "$package" ] && grep -q '^func Fuzz' "$file"; then echo "$package"; fi
done | sort -u)

if [ -z "$packages" ]; then
	echo "fuzz: no targets"
	exit 0
fi

# fuzz PACKAGE TARGET runs one target. At the end of its time the go command itself may fail with a bare
# "context deadline exceeded" (golang/go#75804, mended after Go 1.26). Whatever a target finds is
# reported with its input or a message of the test's own, so this alone, after the full time, is the end of the time.
fuzz() {
	local log status=0
	log=$(mktemp)
	go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" "$1" 2>&1 | tee "$log" || status=1
	if [ $status -ne 0 ] && ! grep -qE 'Failing input|panic|_test\.go' "$log" &&
		[ "$(grep -A1 -e "^--- FAIL: $2 " "$log" | tail -n +2)" = "    context deadline exceeded" ]; then
		echo "fuzz: $2 found nothing; the go command tripped over the end of the time (golang/go#75804)"
		status=0
	fi
	rm -f "$log"
	return $status
}

count=0
failed=()
for package in $packages; do
	listing=$(go test -list '^Fuzz' "$package")
	for target in $(grep '^Fuzz' <<<"$listing"); do
		count=$((count + 1))
		echo "== $package $target"
		fuzz "$package" "$target" || failed+=("$package $target")
	done
done

if [ ${#failed[@]} -gt 0 ]; then
	echo "fuzz: failed:" >&2
	printf '  %s\n' "${failed[@]}" >&2
	exit 1
fi
echo "fuzz: $count targets passed, $time each"
