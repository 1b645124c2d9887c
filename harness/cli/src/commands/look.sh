# What a host shows of its containers' links and leases, and of what its firewall counted.
# Runs when a scenario is over, whatever is left: what is not there is left out.
for path in /sys/class/net/ve-*; do
    [ -e "$path" ] || continue
    link=${path##*/}
    networkctl --json=short status "$link" 2>/dev/null |
        jq -r '"link \(.Name): \(.OperationalState), leases given: \(.DHCPServer.Leases // [] | length)"'
done
nft -j list counters table inet nixos-fw 2>/dev/null |
    jq -r '.nftables[] | select(.counter).counter | "counter \(.name): \(.packets) packets"'
nft list chain inet nixos-fw input 2>/dev/null | sed -n 's/^[[:space:]]*\(.*dport 67 accept\)/rule \1 (counts nothing)/p'
nft list chain inet nixos-fw input-allow 2>/dev/null | sed -n 's/^[[:space:]]*\(.*dport 67 accept\)/rule \1 (counts nothing)/p'
iptables -vnxL nixos-fw 2>/dev/null |
    awk '/dpt:67/ { print "rule nixos-fw -i " $6 " udp dport 67 accept: " $1 " packets" }'
iptables -vnxL nixos-fw-refuse 2>/dev/null |
    awk '/refused-/ { print "counter " $(NF - 1) ": " $1 " packets" }'
true
