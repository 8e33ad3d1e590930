#!/usr/bin/env bash
# Tries the tools of libmemcached: memccp, memccat, memcexist, memctouch, memcping.
set -u
server=--servers=$1:$2
failed=0
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
cd "$dir" || exit 1
echo "version: $(memccat --version | grep -o '[0-9.]*' | tail -1)"
printf 1 >compat:start
memccp "$server" compat:start 2>&1
step connect 1 "$(memccat "$server" compat:start 2>&1 | head -1)"
memcping "$server" >out 2>&1
step handshake 0 $?
python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256))*4096)' >tools-b
memccp "$server" tools-b >out 2>&1
memccat "$server" --file=got tools-b >out 2>&1
cmp -s tools-b got
step binary 0 $?
mkdir many
keys=()
for i in $(seq 1000); do
	printf '%d' "$i" >"many/tools-m$i"
	keys+=("tools-m$i")
done
(cd many && memccp "$server" "${keys[@]}") >out 2>&1
step multiget 1000 "$(memccat "$server" "${keys[@]}" 2>&1 | grep -c '^[0-9]*$')"
printf v >tools-e
memccp "$server" --expire=100 tools-e >out 2>&1
memcexist "$server" tools-e >out 2>&1
there=$?
memctouch "$server" --expire=1 tools-e >out 2>&1
sleep 2.2
memcexist "$server" tools-e >out 2>&1
step expiry '0 1' "$there $?"
for name in counters cas append; do echo "$name: none there is no such tool"; done
echo restart
read -r _
memccp "$server" tools-e >out 2>&1
step reconnect v "$(memccat "$server" tools-e 2>&1 | head -1)"
exit $failed
