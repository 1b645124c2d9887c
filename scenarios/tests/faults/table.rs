//! What is broken, and the hop that has to be named.

use spawnlab::verdict::hop::Hop;

/// A way to break a host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    /// The hop that it breaks.
    pub(crate) hop: Hop,
    /// Breaks it; `$leader` is the guest's PID 1, `$address` its address, `$own` the host's on the link, and
    /// `inside` runs a program in the guest's network.
    pub(crate) inject: &'static str,
    /// Succeeds once it is broken.
    pub(crate) until: &'static str,
}

/// What every injection may use.
pub(crate) const HELP: &str = "
    leader=$(machinectl show -p Leader --value web 2>/dev/null)
    inside() { nsenter -t \"$leader\" -n \"$@\"; }
    in_guest() { timeout 20 systemd-run -M web --quiet --wait --pipe --collect \"$@\"; }
    first() { sed -n 's/.* inet \\([0-9.]*\\).*/\\1/p' | head -n 1; }
    address=$(inside ip -4 -o address show dev host0 scope global 2>/dev/null | first)
    own=$(ip -4 -o address show dev ve-web scope global 2>/dev/null | first)
    network=$(ip -4 route show dev ve-web proto kernel 2>/dev/null | grep -v ^169.254 | cut -d' ' -f1)
";

/// The faults that the walk was made for, along the way.
pub(crate) const LISTED: [Fault; 8] = [
    Fault {
        name: "host-unit-failed",
        hop: Hop::Unit,
        inject: "systemctl kill --signal=KILL systemd-nspawn@web.service",
        until: "systemctl is-failed systemd-nspawn@web.service",
    },
    Fault {
        name: "guest-dead",
        hop: Hop::Guest,
        inject: "kill -STOP \"$leader\"",
        until: "grep -q '^State:.T' /proc/\"$leader\"/status",
    },
    Fault {
        name: "link-down",
        hop: Hop::Link,
        inject: "ip link set ve-web down",
        until: "ip -o link show ve-web | grep -q 'state DOWN'",
    },
    Fault {
        name: "dhcp-dropped",
        hop: Hop::Firewall,
        inject: "nft add table inet sabotage
            nft 'add chain inet sabotage input { type filter hook input priority 0; }'
            nft 'add rule inet sabotage input iifname \"ve-*\" udp dport 67 counter drop'
            in_guest sh -c 'networkctl down host0; networkctl up host0'",
        until: "[ -z \"$address\" ] && nft list chain inet sabotage input | grep -q 'packets [1-9]'",
    },
    Fault {
        name: "no-route",
        hop: Hop::Route,
        inject: "ip route del \"$network\" dev ve-web",
        until: "[ -z \"$network\" ]",
    },
    Fault {
        name: "name-stale",
        hop: Hop::Name,
        inject: "echo '192.0.2.9 web' >>/etc/hosts",
        until: "getent ahostsv4 web | grep -q 192.0.2.9",
    },
    Fault {
        name: "port-closed",
        hop: Hop::Port,
        inject: "inside nft add table inet sabotage
            inside nft 'add chain inet sabotage input { type filter hook input priority 0; }'
            inside nft 'add rule inet sabotage input tcp dport 80 counter reject with tcp reset'",
        until: "inside nft list chain inet sabotage input | grep -q reject",
    },
    Fault {
        name: "service-dead",
        hop: Hop::Service,
        inject: "systemctl -M web kill --signal=KILL nginx.service",
        until: "systemctl -M web is-failed nginx.service",
    },
];

/// Faults that nobody thought of when the walk was made.
pub(crate) const OTHERS: [Fault; 19] = [
    Fault {
        name: "not-deployed",
        hop: Hop::Profile,
        inject: "rm /nix/var/nix/profiles/per-container/web/system*",
        until: "! ls /nix/var/nix/profiles/per-container/web/system",
    },
    Fault {
        name: "unit-stopped",
        hop: Hop::Unit,
        inject: "systemctl stop systemd-nspawn@web.service",
        until: "! systemctl -q is-active systemd-nspawn@web.service",
    },
    Fault {
        name: "machine-unregistered",
        hop: Hop::Machine,
        inject: "busctl call org.freedesktop.machine1 /org/freedesktop/machine1 \
            org.freedesktop.machine1.Manager UnregisterMachine s web",
        until: "! machinectl show web",
    },
    Fault {
        name: "guest-frozen",
        hop: Hop::Guest,
        inject: "systemctl freeze systemd-nspawn@web.service",
        until: "[ \"$(systemctl show -p FreezerState --value systemd-nspawn@web.service)\" = frozen ]",
    },
    Fault {
        name: "guest-bus-down",
        hop: Hop::Guest,
        inject: "in_guest systemctl --no-block stop dbus.socket dbus-broker.service || true",
        until: "! timeout 5 systemd-run -M web --quiet --wait true",
    },
    Fault {
        name: "guest-link-down",
        hop: Hop::Link,
        inject: "inside ip link set host0 down",
        until: "ip -o link show ve-web | grep -q NO-CARRIER",
    },
    Fault {
        name: "link-gone",
        hop: Hop::Link,
        inject: "ip link del ve-web",
        until: "! ip link show ve-web",
    },
    Fault {
        name: "mtu-nonsense",
        hop: Hop::Link,
        inject: "inside ip link set host0 mtu 600",
        until: "inside ip -o link show host0 | grep -q 'mtu 600'",
    },
    Fault {
        name: "firewall-closed",
        hop: Hop::Firewall,
        inject: "nft add table inet sabotage
            nft 'add chain inet sabotage input { type filter hook input priority 0; policy drop; }'
            nft 'add rule inet sabotage input ct state established,related accept'
            nft 'add rule inet sabotage input meta l4proto { tcp, icmp } accept'
            in_guest sh -c 'networkctl down host0; networkctl up host0'",
        until: "[ -z \"$address\" ]",
    },
    Fault {
        name: "no-dhcp-server",
        hop: Hop::Lease,
        inject: "mkdir -p /run/systemd/network/80-container-ve.network.d
            printf '[Network]\\nDHCPServer=no\\n' >/run/systemd/network/80-container-ve.network.d/sabotage.conf
            networkctl reload
            in_guest sh -c 'networkctl down host0; networkctl up host0'",
        until: "[ -z \"$address\" ]",
    },
    Fault {
        name: "address-lost",
        hop: Hop::Lease,
        inject: "in_guest systemctl stop systemd-networkd.socket systemd-networkd.service
            inside ip address flush dev host0 scope global",
        until: "[ -z \"$address\" ]",
    },
    Fault {
        name: "address-of-another-network",
        hop: Hop::Lease,
        inject: "inside ip address flush dev host0 scope global
            inside ip address add 10.99.0.2/24 dev host0",
        until: "[ \"$address\" = 10.99.0.2 ]",
    },
    Fault {
        name: "address-conflict-on-the-host",
        hop: Hop::Route,
        inject: "ip address add \"$address/32\" dev lo",
        until: "ip route get \"$address\" | grep -q ^local",
    },
    Fault {
        name: "address-conflict-in-the-guest",
        hop: Hop::Route,
        inject: "inside ip address add \"$own/32\" dev lo",
        until: "inside ip route get \"$own\" | grep -q ^local",
    },
    Fault {
        name: "wrong-netmask",
        hop: Hop::Route,
        inject: "inside ip address add \"$address/8\" dev host0
            inside ip address del \"$address/28\" dev host0",
        until: "inside ip -4 -o address show dev host0 | grep -q /8",
    },
    Fault {
        name: "no-arp",
        hop: Hop::Route,
        inject: "inside ip link set host0 arp off; ip neighbour flush dev ve-web",
        until: "inside ip -o link show host0 | grep -q NOARP",
    },
    Fault {
        name: "guest-resolver-stopped",
        hop: Hop::Name,
        inject: "systemctl -M web stop 'systemd-resolved*'",
        until: "! systemctl -M web -q is-active systemd-resolved.service",
    },
    Fault {
        name: "listens-locally-only",
        hop: Hop::Port,
        inject: "in_guest sh -c 'mkdir -p /run/systemd/system/nginx.service.d
            sed \"s/listen 80/listen 127.0.0.1:80/; s/listen \\[::\\]:80/listen [::1]:80/\" /etc/nginx/nginx.conf >/run/nginx.conf
            printf \"[Service]\\nExecStart=\\nExecStart=/usr/sbin/nginx -e stderr -c /run/nginx.conf\\n\" \
                >/run/systemd/system/nginx.service.d/sabotage.conf
            systemctl daemon-reload; systemctl restart nginx.service'",
        until: "inside ss -Hltn | grep -q 127.0.0.1:80",
    },
    Fault {
        name: "service-stopped",
        hop: Hop::Service,
        inject: "systemctl -M web stop nginx.service",
        until: "! systemctl -M web -q is-active nginx.service",
    },
];

/// Gives the host a way out, with a router that is a name server, too, and the guest one of the host's ports as
/// systemd-nspawn does for `Port=`.
pub(crate) const BEYOND: &str = r#"
    ip netns add outside
    ip link add uplink0 type veth peer name eth0 netns outside
    ip address add 203.0.113.1/24 dev uplink0
    ip link set uplink0 up
    ip -n outside address add 203.0.113.2/24 dev eth0
    ip -n outside link set eth0 up
    ip route add default via 203.0.113.2
    cat >/run/answers.pl <<'END'
use IO::Socket::INET;
my $socket = IO::Socket::INET->new(LocalAddr => "203.0.113.2", LocalPort => 53, Proto => "udp") or die;
while (defined $socket->recv(my $question, 512)) {
    $socket->send(substr($question, 0, 2) . "\x81\x83" . substr($question, 4));
}
END
    systemd-run --quiet --collect ip netns exec outside perl /run/answers.pl
    in_guest resolvectl dns host0 203.0.113.2
    for try in $(seq 50); do
        [ -z "$(ip netns exec outside ss -Hlun 'sport = 53')" ] || break
        sleep 0.1
    done
    [ -n "$(ip netns exec outside ss -Hlun 'sport = 53')" ]
    printf '[Network]\nPort=tcp:8088:80\n' >>/etc/systemd/nspawn/web.nspawn
    nft add element ip io.systemd.nat map_port_ipport "{ tcp . 8088 : $address . 80 }"
"#;

/// Faults of the way out and the way in, on a host that has them.
pub(crate) const WAYS: [Fault; 12] = [
    Fault {
        name: "forwarding-off",
        hop: Hop::Forwarding,
        inject: "sysctl -q net.ipv4.conf.ve-web.forwarding=0",
        until: "grep -qx 0 /proc/sys/net/ipv4/conf/ve-web/forwarding",
    },
    // https://github.com/systemd/systemd/issues/33004
    Fault {
        name: "uplink-forwarding-off",
        hop: Hop::Forwarding,
        inject: "sysctl -q net.ipv4.conf.uplink0.forwarding=0",
        until: "grep -qx 0 /proc/sys/net/ipv4/conf/uplink0/forwarding",
    },
    // https://github.com/moby/moby/issues/39439
    Fault {
        name: "forward-policy-drop",
        hop: Hop::ForwardFilter,
        inject: "iptables -P FORWARD DROP",
        until: "iptables -S FORWARD | grep -q -- '-P FORWARD DROP'",
    },
    Fault {
        name: "forward-dropped",
        hop: Hop::ForwardFilter,
        inject: "nft add table inet sabotage
            nft 'add chain inet sabotage forward { type filter hook forward priority 0; }'
            nft 'add rule inet sabotage forward iifname \"ve-*\" counter drop'",
        until: "nft list chain inet sabotage forward | grep -q drop",
    },
    Fault {
        name: "dropped-before-forwarding",
        hop: Hop::ForwardFilter,
        inject: "nft add table inet sabotage
            nft 'add chain inet sabotage prerouting { type filter hook prerouting priority 0; }'
            nft 'add rule inet sabotage prerouting iifname \"ve-*\" ip daddr 203.0.113.0/24 counter drop'",
        until: "nft list chain inet sabotage prerouting | grep -q drop",
    },
    Fault {
        name: "masquerade-removed",
        hop: Hop::Masquerade,
        inject: "nft flush set ip io.systemd.nat masq_saddr",
        until: "! nft list set ip io.systemd.nat masq_saddr | grep -q elements",
    },
    Fault {
        name: "uplink-without-carrier",
        hop: Hop::Uplink,
        inject: "ip -n outside link set eth0 down",
        until: "ip -o link show uplink0 | grep -q NO-CARRIER",
    },
    Fault {
        name: "router-silent",
        hop: Hop::Uplink,
        inject: "ip -n outside address flush dev eth0; ip neighbour flush dev uplink0",
        until: "! ip -n outside -4 -o address show dev eth0 | grep -q inet",
    },
    Fault {
        name: "name-server-silent",
        hop: Hop::NameServers,
        inject: "in_guest resolvectl dns host0 203.0.113.9",
        until: "in_guest resolvectl dns host0 | grep -q 203.0.113.9",
    },
    Fault {
        name: "no-name-server",
        hop: Hop::NameServers,
        inject: "in_guest resolvectl dns host0 ''",
        until: "! in_guest resolvectl dns host0 | grep -q 203.0.113",
    },
    Fault {
        name: "port-not-loaded",
        hop: Hop::PortForwards,
        inject: "nft delete element ip io.systemd.nat map_port_ipport '{ tcp . 8088 }'",
        until: "! nft list map ip io.systemd.nat map_port_ipport | grep -q 8088",
    },
    Fault {
        name: "port-of-a-former-address",
        hop: Hop::PortForwards,
        inject: "nft delete element ip io.systemd.nat map_port_ipport '{ tcp . 8088 }'
            nft add element ip io.systemd.nat map_port_ipport '{ tcp . 8088 : 10.99.0.2 . 80 }'",
        until: "nft list map ip io.systemd.nat map_port_ipport | grep -q 10.99.0.2",
    },
];

/// Faults of a host that has no way out.
pub(crate) const NO_WAY_OUT: [Fault; 2] = [
    // https://github.com/moby/moby/issues/39439
    Fault {
        name: "forward-policy-drop-without-an-uplink",
        hop: Hop::ForwardFilter,
        inject: "iptables -P FORWARD DROP",
        until: "iptables -S FORWARD | grep -q -- '-P FORWARD DROP'",
    },
    Fault {
        name: "forwarding-off-without-an-uplink",
        hop: Hop::Forwarding,
        inject: "sysctl -q net.ipv4.conf.ve-web.forwarding=0",
        until: "grep -qx 0 /proc/sys/net/ipv4/conf/ve-web/forwarding",
    },
];
