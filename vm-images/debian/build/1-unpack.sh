# The parts of build/ are put together, with the recipe's values between them, into one script. It runs as
# (a mapped) root in the build's folder, with mounts of its own. The host's tree is ./tree; what the builder
# reads afterwards is left in ./export.
set -eu
export LC_ALL=C.UTF-8 LANG=C.UTF-8
mount --make-rprivate /
# A mapped root can use this folder, but not the path to it, which is open to the building user only.
mount --no-canonicalize --bind . /mnt
cd /mnt
tree=/mnt/tree
mkdir "$tree" export
tar -C "$tree" -x --numeric-owner --xattrs --xattrs-include='*' -f host.tar
rm host.tar
mkdir -p "$tree/dev" "$tree/proc"
mv "$tree/export/packages" export/packages.host
mv "$tree/export/releases" export/releases.host
rmdir "$tree/export"
