#!/usr/bin/env bash
# Installs what is missing of the named programs with the system's package manager: peers.sh PROGRAM…
# Knows redis-server, redis-benchmark, memcached, memccapable, nutcracker, promtool, groff, zsh, fish, cc, make and curl. deb:NAME is the
# package NAME of Debian, which has no program by which one could see that it is there.
#
# No service is left running that was not running before: on Debian a temporary policy-rc.d forbids
# starts, and what comes up all the same is stopped through the service manager, never by process name.
#
# The exit status is 0 even if something could not be installed: the tests that need it fail and say so,
# and all the others are still worth running.
set -euo pipefail
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
services="redis redis-server valkey valkey-server memcached nutcracker twemproxy prometheus prometheus-node-exporter"
policy=/usr/sbin/policy-rc.d
mark="cashew's scripts/peers.sh: no service starts while it installs packages"

say() { echo "peers: $*" >&2; }

# The packages that may hold a program, best first; distributions disagree about names.
candidates() {
	case "$manager:$1" in
	apt-get:redis-benchmark) echo redis-tools ;;
	*:redis-server | *:redis-benchmark) echo redis-server redis valkey-compat-redis valkey ;;
	*:memcached) echo memcached ;;
	*:memccapable) echo libmemcached-tools libmemcached-awesome-tools libmemcached-awesome libmemcached ;;
	*:nutcracker) echo nutcracker twemproxy ;;
	*:promtool) echo prometheus golang-github-prometheus prometheus2 ;;
	apk:cc) echo build-base ;;
	apt-get:cc) echo build-essential ;;
	brew:cc) echo llvm ;;
	*:cc) echo gcc ;;
	*:make) echo make ;;
	*:curl) echo curl ;;
	apt-get:groff) echo groff-base ;;
	*:groff) echo groff ;;
	*:zsh | *:fish) echo "$1" ;;
	esac
}

find_manager() {
	local m
	for m in apt-get dnf apk pacman brew; do
		if command -v "$m" >/dev/null; then
			echo "$m"
			return
		fi
	done
}

known() {
	case $manager in
	# LC_ALL=C: the words are compared. A virtual package has no candidate. No pipe into `grep -q`, which
	# leaves at the first match: apt-cache would die of SIGPIPE, and pipefail take that for "unknown".
	apt-get) grep -q 'Candidate: [^(]' <<<"$(LC_ALL=C apt-cache policy "$1")" ;;
	dnf) dnf -q info "$1" >/dev/null 2>&1 ;;
	apk) [ -n "$(apk search -e "$1" 2>/dev/null)" ] ;;
	pacman) pacman -Si "$1" >/dev/null 2>&1 ;;
	brew) brew info "$1" >/dev/null 2>&1 ;;
	esac
}

refresh() {
	say "$manager: refreshing the package lists"
	case $manager in
	apt-get) $root apt-get update -qq >&2 ;;
	apk) $root apk update -q >&2 ;;
	pacman) $root pacman -Sy --noconfirm >&2 ;;
	dnf | brew) ;; # both refresh by themselves
	esac
}

install_package() {
	say "$manager: installing $1"
	case $manager in
	apt-get) $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >&2 ;;
	dnf) $root dnf install -y -q "$1" >&2 ;;
	apk) $root apk add -q "$1" >&2 ;;
	pacman) $root pacman -S --noconfirm --needed "$1" >&2 ;;
	brew) brew install -q "$1" >&2 ;;
	esac
}

running() {
	local s
	for s in $services; do
		if [ -d /run/systemd/system ]; then
			if systemctl is-active --quiet "$s" 2>/dev/null; then echo "$s"; fi
		elif [ -x "/etc/init.d/$s" ]; then
			if "/etc/init.d/$s" status >/dev/null 2>&1; then echo "$s"; fi
		fi
	done
}

stop_service() {
	say "the installation started the service $1; stopping it"
	if [ -d /run/systemd/system ]; then
		$root systemctl stop "$1"
	else
		$root "/etc/init.d/$1" stop >&2
	fi
}

ours() { grep -qs "$mark" $policy; }

forbid_starts() {
	[ "$manager" = apt-get ] || return 0
	trap restore_starts EXIT
	# A file of ours here was left by a run that was killed; what it had put aside is still aside.
	if { [ -e $policy ] || [ -L $policy ]; } && ! ours; then $root mv $policy $policy.before-cashew; fi
	printf '#!/bin/sh\n# %s\nexit 101\n' "$mark" | $root tee $policy >/dev/null
	$root chmod 755 $policy
	say "services may not start while packages are installed ($policy)"
}

restore_starts() {
	if ours; then $root rm -f $policy; fi
	if [ -e $policy.before-cashew ] || [ -L $policy.before-cashew ]; then $root mv $policy.before-cashew $policy; fi
}

# here: is it there already?
here() {
	case $1 in
	deb:*) dpkg-query -W -f '${Status}' "${1#deb:}" 2>/dev/null | grep -q 'ok installed' ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

install_program() {
	local package
	case $manager:$1 in
	apt-get:deb:*)
		package=${1#deb:}
		if known "$package" && install_package "$package"; then return; fi
		;;
	esac
	for package in $(candidates "$1"); do
		if known "$package" && install_package "$package" && here "$1"; then return; fi
	done
	say "could not install $1 with $manager"
}

advise_nutcracker() {
	say "nutcracker (twemproxy) is not here, so the parity tests will fail."
	say "To get it: take a release of https://github.com/twitter/twemproxy, then"
	say "  autoreconf -fvi && ./configure && make && sudo install src/nutcracker /usr/local/sbin/"
}

missing=()
for program in "$@"; do here "$program" || missing+=("$program"); done
[ ${#missing[@]} -gt 0 ] || exit 0
say "missing: ${missing[*]}"

manager=$(find_manager)
root=
if [ "$manager" != brew ] && [ "$(id -u)" != 0 ]; then
	root=sudo
	# Without a terminal a password prompt would hang for ever.
	[ -t 0 ] || root="sudo -n"
fi
if [ -z "$manager" ]; then
	say "no package manager known here (apt-get, dnf, apk, pacman, brew); please install: ${missing[*]}"
elif [ -n "$root" ] && ! $root true 2>/dev/null; then
	say "neither root nor sudo; please install: ${missing[*]}"
else
	before=$(running)
	trap 'exit 1' INT TERM
	forbid_starts
	refresh || say "refreshing failed; trying with the lists that are there"
	for program in "${missing[@]}"; do install_program "$program"; done
	for service in $(running); do
		grep -qx "$service" <<<"$before" || stop_service "$service" || say "could not stop $service"
	done
fi

for program in "${missing[@]}"; do
	if [ "$program" = nutcracker ] && ! command -v nutcracker >/dev/null; then advise_nutcracker; fi
done
exit 0
