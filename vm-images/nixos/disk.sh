# disk.sh CLOSURE SYSTEM MIB DISK [ROOT]: writes an ext4 file system that holds the store paths of CLOSURE
# (pkgs.closureInfo), a Nix database that knows them, and SYSTEM as the system profile. With ROOT, the store
# is below that folder.
#
# Without a VM and without a loop device: mke2fs copies a folder, and fakeroot makes it root's. nixpkgs'
# make-disk-image boots a VM for the same, and make-ext4-fs leaves the database to the first boot.
set -eu
closure=$1 system=$2 mib=$3 disk=$4 root=${5-}
tree=$PWD/tree

mkdir -p "$tree/nix/store" "$tree/nix/var/nix/gcroots" "$tree/nix/var/nix/profiles" "$tree/etc" "$tree/root"
mkdir -m 1777 "$tree/tmp"
sed "s,^,$root," "$closure/store-paths" | xargs cp -a --reflink=auto -t "$tree/nix/store"

# Registered at the epoch: the time of the build is no property of the image.
NIX_REMOTE="local?root=$tree" nix-store --load-db <"$closure/registration"
sqlite3 "$tree/nix/var/nix/db/db.sqlite" "UPDATE ValidPaths SET registrationTime = 1"

ln -s "$system" "$tree/nix/var/nix/profiles/system-1-link"
ln -s system-1-link "$tree/nix/var/nix/profiles/system"
# What only deploys need belongs to the image, too.
mkdir "$tree/nix/var/nix/gcroots/image"
while read -r path; do
    ln -s "$path" "$tree/nix/var/nix/gcroots/image/${path##*/}"
done <"$closure/store-paths"

truncate -s "${mib}M" "$disk"
fakeroot mke2fs -q -F -t ext4 -L root -m 0 -U 44444444-4444-4444-8888-888888888888 \
    -E hash_seed=44444444-4444-4444-8888-888888888888,lazy_itable_init=1,lazy_journal_init=1,nodiscard \
    -d "$tree" "$disk"
# A disk that is too small was refused above; one that came out damaged is noticed here and not in a VM.
log=$(e2fsck -f -n "$disk" 2>&1) || {
    printf '%s\n' "$log" >&2
    exit 1
}
