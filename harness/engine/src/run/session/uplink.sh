# Leaves the network card to the lab: up, without an address, and asking nobody for one. A clone that is alone stays
# like that; one in a lab gets addresses of its own when it is resumed, and `KeepConfiguration` keeps them when networkd
# is started again. It takes the place of the image's own file, of whatever name, by the order of names.
set -e
for card in /sys/bus/virtio/drivers/virtio_net/virtio*/net/*; do card=${card##*/}; done
for folder in /etc/systemd/network /run/systemd/network; do
    if mkdir -p $folder && printf '%s\n' '[Match]' Driver=virtio_net \
        '[Network]' DHCP=no LinkLocalAddressing=no IPv6AcceptRA=no KeepConfiguration=yes LLDP=no EmitLLDP=no \
        '[DHCPv4]' ClientIdentifier=mac '[DHCPv6]' DUIDType=link-layer >$folder/00-lab.network
    then break; fi
done
networkctl reload
# What the image's own file has brought about until now.
ip address flush dev $card
