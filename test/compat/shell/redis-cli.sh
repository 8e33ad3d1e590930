#!/usr/bin/env bash
# Tries redis-cli; its name is the first argument, then come its options, then host and port.
set -u
cli=("${@:1:$#-2}")
host=${*: -2:1}
port=${*: -1}
r() { timeout 20 "${cli[@]}" -h "$host" -p "$port" "$@"; }
failed=0
# It may end with 0 although the reply was an error: what it prints is looked at.
step() {
	local name=$1 want=$2 got=$3
	if [ "$got" = "$want" ]; then
		echo "$name: ok"
	else
		echo "$name: FAIL wanted ${want:0:60}, got $(tr '\n' ' ' <<<"${got:0:200}")"
		failed=1
		if [ "$name" = connect ]; then exit 1; fi
	fi
}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

echo "version: $("${cli[0]}" --version | grep -o '[0-9.]*' | head -1)"
# As people type, through a terminal's line of commands: it asks for the help of all commands first.
step connect OK "$(r SET compat:start 1 2>&1)"
step handshake PONG "$(printf 'PING\n' | r 2>&1)"
python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256))*4096)' >"$dir/value"
r -x SET cli:b <"$dir/value" >"$dir/set" 2>&1
r --raw GET cli:b 2>&1 | head -c 1048576 >"$dir/got"
cmp -s "$dir/value" "$dir/got"
step binary 0 $?
# The mode for mass insertion ends with an ECHO of its own.
for i in $(seq 1000); do printf '*3\r\n$3\r\nSET\r\n$%d\r\ncli:p%d\r\n$1\r\n1\r\n' $((5 + ${#i})) "$i"; done >"$dir/batch"
step pipeline 'errors: 0, replies: 1000' "$(r --pipe <"$dir/batch" 2>&1 | tail -1)"
r SET cli:e v EX 100 >"$dir/set" 2>&1
ttl=$(r TTL cli:e 2>&1)
if [[ $ttl =~ ^[0-9]+$ ]] && ((ttl > 90)); then ttl=good; fi
step expiry good "$ttl"
r DEL cli:c >"$dir/set" 2>&1
step counters '1 42 41' "$(printf 'INCR cli:c\nINCRBY cli:c 41\nDECR cli:c\n' | r 2>&1 | xargs)"
r HSET cli:h f v g w >"$dir/set" 2>&1
step hashes 'f v g w' "$(r --no-raw HGETALL cli:h 2>&1 | grep -o '"[^"]*"' | tr -d '"' | xargs)"
r SADD cli:s $(seq 1000) >"$dir/set" 2>&1
cursor=0
: >"$dir/seen"
for _ in $(seq 2000); do
	r --raw SSCAN cli:s "$cursor" COUNT 100 >"$dir/page" 2>&1
	cursor=$(head -1 "$dir/page")
	tail -n +2 "$dir/page" >>"$dir/seen"
	if ! [[ $cursor =~ ^[0-9]+$ ]] || [ "$cursor" = 0 ]; then break; fi
done
step scan 1000 "$(sort -u "$dir/seen" | wc -l)"
# One that stays connected, as a person's does.
coproc session { stdbuf -oL "${cli[@]}" -h "$host" -p "$port" 2>&1; }
echo 'SET cli:r 1' >&"${session[1]}"
read -r -t 10 _ <&"${session[0]}"
echo restart
read -r _
line=
for _ in $(seq 20); do
	echo 'SET cli:r 2' >&"${session[1]}"
	while read -r -t 1 line <&"${session[0]}"; do
		if [ "$line" = OK ]; then break 2; fi
	done
done
step reconnect OK "$line"
exit $failed
