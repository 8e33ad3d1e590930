#!/usr/bin/env bash
# Builds a Debian package of bin/cashew: scripts/package.sh VERSION OUT [BINARY]. VERSION is what git describe
# says. The same sources lead to the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$1 out=$2 binary=${3:-bin/cashew}
arch=$(go env GOARCH)
[ "$arch" = arm ] && arch=armhf
[ "$arch" = 386 ] && arch=i386

# Debian's versions begin with a digit, a dash in them has a meaning, and only a tilde sorts before the end.
debian=$(printf %s "${version#v}" | sed -E 's/-(alpha|beta|rc)/~\1/' | tr -c 'A-Za-z0-9.~' +)
case $debian in [0-9]*.*) ;; *) debian="0~$debian" ;; esac

command -v dpkg-deb >/dev/null || { echo "package: dpkg-deb is missing; it comes with Debian and its relatives (apt-get install dpkg)" >&2; exit 1; }
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
chmod 755 "$stage"
put() { install -D -m "$1" "$2" "$stage$3"; }

put 755 "$binary" /usr/bin/cashew
put 644 packaging/cashew.service /usr/lib/systemd/system/cashew.service
put 640 packaging/cashew.yml /etc/cashew/cashew.yml
for example in $(find examples -type f); do # one of them is a password that another names
	put 644 "$example" "/usr/share/doc/cashew/$example"
done
put 644 docs/cashew.schema.json /usr/share/cashew/cashew.schema.json
put 644 LICENSE /usr/share/doc/cashew/copyright
put 644 packaging/cashew.1 /usr/share/man/man1/cashew.1
put 644 CHANGELOG.md /usr/share/doc/cashew/changelog
# The scripts are the same for every architecture; the binary may be for another one than this machine's.
for shell in bash/bash-completion/completions/cashew zsh/zsh/vendor-completions/_cashew fish/fish/vendor_completions.d/cashew.fish; do
	script="$stage/usr/share/${shell#*/}"
	mkdir -p "${script%/*}"
	GOOS='' GOARCH='' go run ./cmd/cashew completion "${shell%%/*}" >"$script"
done
gzip -9n "$stage/usr/share/man/man1/cashew.1" "$stage/usr/share/doc/cashew/changelog"
# Debian's own package nutcracker has /usr/sbin/nutcracker. The link is where it is in nobody's way.
mkdir -p "$stage/usr/lib/cashew"
ln -s ../../bin/cashew "$stage/usr/lib/cashew/nutcracker"
chmod -R u=rwX,go=rX "$stage/usr" # whatever the umask is
chmod 755 "$stage/etc" "$stage/etc/cashew"

size=$(du -sk --apparent-size "$stage" | cut -f1)
mkdir -m 755 "$stage/DEBIAN"
sed -e "s/@VERSION@/$debian/" -e "s/@ARCH@/$arch/" -e "s/@SIZE@/$size/" packaging/debian/control >"$stage/DEBIAN/control"
install -m 644 packaging/debian/conffiles "$stage/DEBIAN/conffiles"
for script in postinst prerm postrm; do
	install -m 755 "packaging/debian/$script" "$stage/DEBIAN/$script"
done
(cd "$stage" && find usr -type f | LC_ALL=C sort | xargs md5sum) >"$stage/DEBIAN/md5sums"
chmod 644 "$stage/DEBIAN/control" "$stage/DEBIAN/md5sums"

mkdir -p "$out"
file="$out/cashew_${debian}_$arch.deb"
dpkg-deb --root-owner-group -Zgzip --build "$stage" "$file" >/dev/null
echo "$file"
