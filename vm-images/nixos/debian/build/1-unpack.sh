# The parts of build/ are put together into one script, which runs as (a mapped) root in the build's folder, with mounts of its
# own and without a network. Debian's tree is the machine that builds: its Nix makes the store that becomes the image's.
# What the builder reads afterwards is left in ./export.
set -eu
export LC_ALL=C.UTF-8 LANG=C.UTF-8
mount --make-rprivate /
# A mapped root can use this folder, but not the path to it, which is open to the building user only.
mount --no-canonicalize --bind . /mnt
cd /mnt
debian=/mnt/debian
work=$debian/build
mkdir "$debian" export

# give_up CODE: ends the build. What is on standard input is for the user.
give_up() {
    head -n 60 >export/why
    cat export/why >&2
    exit "$1"
}

tar -C "$debian" -x --numeric-owner --xattrs --xattrs-include='*' -f programs.tar
rm programs.tar
mv "$debian/export/packages" export/packages.programs
mv "$debian/export/releases" export/releases.programs
rmdir "$debian/export"

mkdir -p "$work/source" "$work/lab" "$work/modules"
tar -C "$work/source" -x --no-same-owner -f nixpkgs.tar
rm nixpkgs.tar
tar -C "$work/lab" -x --no-same-owner -f lab.tar
if [ -e modules.tar ]; then tar -C "$work/modules" -x --no-same-owner -f modules.tar; fi

# --- is it a nixpkgs, and one of today?

for file in lib/default.nix nixos/lib/eval-config.nix nixos/modules/module-list.nix pkgs/top-level/default.nix; do
    [ -e "$work/source/$file" ] || give_up 20 <<END
it has no $file: it is no nixpkgs, or not all of one. A checkout of NixOS/nixpkgs has them.
END
done
wanted=26.05
found=$(cat "$work/source/lib/.version" "$work/source/.version" 2>/dev/null | head -n 1)
case $found in
[0-9][0-9].[0-9][0-9]*) ;;
*) found=00.00 ;;
esac
oldest=$(printf '%s\n' "${found%%[!0-9.]*}" "$wanted" | sort -V | head -n 1)
[ "$oldest" = "$wanted" ] || give_up 20 <<END
it is nixpkgs $found, and programs of Debian need $wanted or newer: older ones build their systems in another way.
END

if [ "$PATCH" = yes ]; then
    cp nixpkgs.patch "$work/nixpkgs.patch"
    said=$(chroot "$debian" patch -p1 --batch --forward --no-backup-if-mismatch --reject-file=- \
        --directory=/build/source --input=/build/nixpkgs.patch 2>&1) || give_up 21 <<END
the patch does not apply:
$said
END
fi

# --- what Nix wants of a machine

mkdir -p "$debian/proc" "$debian/dev/pts" "$debian/dev/shm"
mount -t proc proc "$debian/proc"
for device in null zero full random urandom; do
    : >"$debian/dev/$device"
    mount --bind "/dev/$device" "$debian/dev/$device"
done
# Builders write to a terminal of their own.
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$debian/dev/pts"
ln -sfn pts/ptmx "$debian/dev/ptmx"
# bash names a process substitution by it.
ln -sfn /proc/self/fd "$debian/dev/fd"
mkdir -p "$debian/etc/nix" "$debian/run"
cat >"$debian/etc/nix/nix.conf" <<END
experimental-features = nix-command flakes
build-users-group =
sandbox = false
substitute = false
flake-registry =
warn-dirty = false
fsync-metadata = false
max-jobs = $((CORES * 2))
cores = 1
END
inside() { chroot "$debian" env -i PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8 "$@"; }
