# Makes the file system of the finished tree, without a loop device. Expects DISK, which exists in full size.
for device in null zero full random urandom; do
    umount "$tree/dev/$device"
    rm "$tree/dev/$device"
done
umount "$tree/proc"
mke2fs -q -F -t ext4 -L root -m 0 -E lazy_itable_init=1,lazy_journal_init=1,nodiscard -d "$tree" "$DISK"
rm -rf "$tree"
