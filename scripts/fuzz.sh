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

count=0
failed=()
for package in $packages; do
	listing=$(go test -list '^Fuzz' "$package")
	for target in $(grep '^Fuzz' <<<"$listing"); do
		count=$((count + 1))
		echo "== $package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" || failed+=("$package $target")
	done
done

if [ ${#failed[@]} -gt 0 ]; then
	echo "fuzz: failed:" >&2
	printf '  %s\n' "${failed[@]}" >&2
	exit 1
fi
echo "fuzz: $count targets passed, $time each"
