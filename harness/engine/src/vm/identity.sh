# Makes a clone one machine of a lab: names and addresses of its own, for now and for after a reboot.
# Its variables (name, mac, ipv4, ...) are set before it. One command, since every program that a resumed machine
# starts costs its emulator a translation.
set -e
for card in /sys/bus/virtio/drivers/virtio_net/virtio*/net/*; do card=${card##*/}; done
echo 0 >/proc/sys/net/ipv6/conf/$card/disable_ipv6
# The hardware address of the layer is taken for this one's: no time for a neighbour to learn the wrong one. Without
# detection of duplicates the addresses are of use at once.
ip -batch - <<LINK
link set dev $card address $mac
address replace $ipv4/24 dev $card
address replace $ipv6/64 dev $card nodad
address replace $link_local/64 dev $card nodad
LINK
for folder in /etc/systemd/network /run/systemd/network; do
    [ -e $folder/00-lab.network ] || continue
    mkdir -p $folder/00-lab.network.d
    printf '%s\n' '[Network]' Address=$ipv4/24 Address=$ipv6/64 Address=$link_local/64 >$folder/00-lab.network.d/address.conf
done

# The layer's journal is this machine's all the same.
cp /etc/machine-id /var/lib/spawnlab-machine-id
echo $id >/etc/machine-id
read -r was </proc/sys/kernel/hostname
if [ "$was" != "$name" ]; then
    echo "$name" >/proc/sys/kernel/hostname
    # A link into the Nix store on NixOS.
    rm -f /etc/hostname
    echo "$name" >/etc/hostname
fi
# What the image says of these names means itself. sed puts a file into the place of a link.
sed -i "/[[:space:]]\\($names\\|$was\\)\\([[:space:]]\\|\$\\)/d" /etc/hosts
printf '%s\n' "$hosts" >>/etc/hosts

# The layer's key is that of all of its clones.
for file in /etc/ssh/ssh_known_hosts /var/lib/spawnlab/known_hosts; do
    if [ -f $file ] && [ -w $file ]; then
        while read -r which key; do
            case $which in localhost,*) echo "$known $key"; break ;; esac
        done <$file >$file.lab
        while read -r line; do echo "$line"; done <$file.lab >>$file
        rm $file.lab
    fi
done
