# mmdebstrap runs this when the packages of the tree $1 are installed. It notes what went in: the
# packages, and the signed Release files that vouch for them.
set -eu
mkdir -p "$1/export"
LC_ALL=C chroot "$1" dpkg-query --show --showformat='${Package}\t${Version}\n' >"$1/export/packages"
for list in "$1"/var/lib/apt/lists/*Release; do
    printf '%s  %s\n' "$(sha256sum <"$list" | cut -d' ' -f1)" "${list##*/}"
done >"$1/export/releases"
