# The store of the machine that built is the image's. Expects DISK, which exists in full size, INITRD_MODULES and $kernel.
image=/mnt/image
mkdir -p "$image/dev" "$image/proc" "$image/sys" "$image/run" "$image/etc" "$image/root" "$image/home" "$image/lab" \
    "$image/var/local/bin" "$image/var/log/journal"
mkdir -m 1777 "$image/tmp"
chmod 700 "$image/root"

# Nothing of it is ever collected: deploys need more than the system.
mkdir -p "$debian/nix/var/nix/gcroots/image"
for path in "$debian"/nix/store/*; do
    case $path in */.links) ;; *) ln -s "${path#"$debian"}" "$debian/nix/var/nix/gcroots/image/${path##*/}" ;; esac
done

printf '%s\n' "$kernel" >export/kernel
cp "$debian$linux/bzImage" export/vmlinuz
cp "$debian$tree/usr/bin/busybox" export/busybox
# shellcheck disable=SC2086 # a word for each module
export_modules "$debian$linux/lib/modules/$kernel" $INITRD_MODULES

umount "$debian/dev/pts"
for device in null zero full random urandom; do umount "$debian/dev/$device"; done
umount "$debian/proc"
mv "$debian/nix" "$image/nix"
mv "$debian/home/deployer" "$image/home/deployer"
mkdir -p "$image/var/lib/spawnlab"
mv "$debian$host_files" "$image$host_files"
rm -f "$image/nix/var/nix/gcroots/auto"/*
mke2fs -q -F -t ext4 -L root -m 0 -E lazy_itable_init=1,lazy_journal_init=1,nodiscard -d "$image" "$DISK"
rm -rf "$image" "$debian"
