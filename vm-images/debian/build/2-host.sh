# Makes the tree a host: the recipe's files and units, nothing of the machine that builds.
# Expects FILES (a tar of the recipe's files), ENABLE, DISABLE, MASK and MODULES.
tar -C "$tree" -x --no-overwrite-dir -f "$FILES"

for unit in $ENABLE; do chroot "$tree" systemctl --quiet enable "$unit"; done
for unit in $DISABLE; do chroot "$tree" systemctl --quiet disable "$unit"; done
for unit in $MASK; do chroot "$tree" systemctl --quiet mask "$unit"; done

# Never the building machine's, never shared by two hosts: an empty machine-id is filled in at boot, host
# keys are made by provisioning.
ln -sfn ../run/systemd/resolve/stub-resolv.conf "$tree/etc/resolv.conf"
rm -f "$tree/etc/.resolv.conf.systemd-resolved.bak"
rm -f "$tree"/etc/ssh/ssh_host_*_key "$tree"/etc/ssh/ssh_host_*_key.pub
: >"$tree/etc/machine-id"
chroot "$tree" passwd --quiet --lock root
mkdir -p "$tree/lab" "$tree/var/log/journal" "$tree/etc/spawnlab"

# Otherwise the first boot takes the image for one that has just been updated, and does that work again.
rm -f "$tree/etc/.updated" "$tree/var/.updated"
# bookworm has no such program; there only systemd-sysusers asks, and works for a moment.
if [ -x "$tree/usr/lib/systemd/systemd-update-done" ]; then
    chroot "$tree" /usr/lib/systemd/systemd-update-done 2>/dev/null
fi

kernel=$(ls "$tree/usr/lib/modules")
case $kernel in
*[!A-Za-z0-9._+-]* | "")
    echo "expected one kernel in /usr/lib/modules, found: $kernel" >&2
    exit 1
    ;;
esac
cp "$tree/boot/vmlinuz-$kernel" export/vmlinuz
cp "$tree/usr/bin/busybox" export/busybox
cp -L "$tree/etc/os-release" export/os-release
printf '%s\n' "$kernel" >export/kernel
# The lab boots its own copies.
rm -f "$tree"/boot/* "$tree"/vmlinuz* "$tree"/initrd.img*

# shellcheck disable=SC2086 # a word for each module
export_modules "$tree/usr/lib/modules/$kernel" $MODULES

# Nix looks at /proc, and wants the usual devices.
mount -t proc proc "$tree/proc"
for device in null zero full random urandom; do
    : >"$tree/dev/$device"
    mount --bind "/dev/$device" "$tree/dev/$device"
done
