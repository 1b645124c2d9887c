#!@busybox@ sh
# shellcheck shell=sh disable=SC2154 # the variable is set by systemd-nspawn
# First process of the container. The root that systemd-nspawn hands over holds an empty /usr; the
# programs are in the Nix store, and everything else is made here. Runs as root of the container's own
# user namespace.
base=@base@
system=@out@
stop() {
    echo "init of $system: $1" >&2
    exit 1
}

mount -o bind "$base/usr" /usr || stop "can't bind the programs of $base to /usr"
for link in bin sbin lib lib64; do
    [ -L /$link ] || ln -s usr/$link /$link
done

# The link of the host to this journal needs an identity that stays the same, and a missing one would
# make systemd take every start for a first boot.
mkdir -p /etc /root /home /srv /var/log/journal /var/lib/systemd /var/cache /var/spool /run/lock
# State of services with a user of their own for each start: open to others, systemd would not use it.
[ -d /var/lib/private ] || mkdir -m 700 /var/lib/private
[ -d /var/tmp ] || mkdir -m 1777 /var/tmp
[ -L /var/run ] || ln -s /run /var/run
[ -s /etc/machine-id ] || echo "$container_uuid" | tr -d - >/etc/machine-id

# With this file journald writes to /var from its first line, instead of to memory until told.
mkdir -p /run/systemd/journal
: >/run/systemd/journal/flushed

$system/activate || stop "activation failed"

# The host starts its DHCP server when the link has a carrier, some tenths of a second later than the
# guest asks for a lease, which then takes a repeated request, 4 s later. So the carrier comes early.
if [ -e /sys/class/net/host0 ]; then ip link set host0 up; fi

# Filters are compiled per service, which takes longer than the service under emulation; the
# container's own filter, systemd-nspawn's, stays.
export SYSTEMD_SECCOMP=0
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
exec /usr/lib/systemd/systemd "$@"
