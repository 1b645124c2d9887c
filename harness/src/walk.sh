# Walks the chain of one container ($1), hop by hop, and prints `HOP ok|broken|unknown DETAIL`.
# Runs on a host where something just failed, so nothing here may wait for long or stop early.
name=$1
unit="systemd-nspawn@$name.service"
profile=/nix/var/nix/profiles/per-container/$name/system
say() { printf '%s %s %s\n' "$1" "$2" "$(printf %s "$3" | tr '\n' ' ' | cut -c1-300)"; }
field() { systemctl show -p "$1" --value "$unit" 2>/dev/null; }

say host ok "$(uname -r), up $(cut -d. -f1 /proc/uptime) s"

if [ -n "$(field DropInPaths)" ] || [ -e "/etc/systemd/nspawn/$name.nspawn" ]; then
    say declaration ok "$(field DropInPaths)"
else
    say declaration broken "$unit has no drop-in and $name no .nspawn file"
fi

if [ -x "$profile/init" ]; then
    say profile ok "$(readlink -f "$profile")"
else
    say profile broken "$profile/init is not there"
fi

state=$(field ActiveState)
if [ "$state" = active ]; then
    say unit ok active
else
    say unit broken "$unit is ${state:-unknown} ($(field Result)): $(journalctl -u "$unit" -n 3 -o cat --no-pager 2>/dev/null)"
fi

if timeout 10 machinectl show "$name" >/dev/null 2>&1; then
    say machine ok registered
else
    say machine broken "machinectl does not know $name"
fi

running=$(timeout 20 systemctl -M "$name" is-system-running 2>&1)
case $running in
    running|degraded|starting) say guest ok "$running" ;;
    *) say guest broken "${running:-no answer}" ;;
esac

# An interface name holds 15 characters; the whole one is an alternative name then.
link=$(ip -o link show "ve-$name" 2>/dev/null | cut -d: -f2 | cut -d@ -f1 | tr -d ' ')
if [ -z "$link" ]; then
    say link broken "ve-$name is not there"
    say firewall unknown "no link"
    say lease broken "no link"
else
    carrier=$(cat "/sys/class/net/$link/carrier" 2>/dev/null)
    if [ "$carrier" = 1 ]; then say link ok "$link has a carrier"; else say link broken "$link has no carrier"; fi

    # Asked in the guest: machined knows addresses, but not where they are from.
    addresses=$(timeout 20 systemd-run -M "$name" --quiet --pipe --wait --collect -E PATH \
        /bin/sh -c 'ip -4 -o address show dev host0' 2>&1 | awk '{ print $4 }')
    leased=$(printf '%s\n' "$addresses" | cut -d/ -f1 | grep -E '^[0-9.]+$' | grep -v '^169\.254\.' | head -n 1)

    if [ -n "$leased" ]; then
        say firewall ok "a lease came through"
        say lease ok "$leased"
    else
        # The guest is made to ask again, and its request is counted before and behind the filters.
        if command -v nft >/dev/null 2>&1 && nft -f - 2>/dev/null <<EOF
table inet spawnlab_walk {
    chain before { type filter hook prerouting priority -450; iifname "$link" udp dport 67 counter; }
    chain behind { type filter hook input priority 450; iifname "$link" udp dport 67 counter; }
}
EOF
        then
            timeout 20 systemd-run -M "$name" --quiet --pipe --wait --collect networkctl reconfigure host0 >/dev/null 2>&1
            tries=0
            while [ $tries -lt 40 ]; do
                before=$(nft list chain inet spawnlab_walk before | sed -n 's/.*packets \([0-9]*\).*/\1/p')
                [ "${before:-0}" -ge 1 ] && break
                tries=$((tries + 1)); sleep 0.2
            done
            behind=$(nft list chain inet spawnlab_walk behind | sed -n 's/.*packets \([0-9]*\).*/\1/p')
            nft delete table inet spawnlab_walk
            if [ "${before:-0}" -eq 0 ]; then
                say firewall unknown "no DHCP request came over $link"
            elif [ "${behind:-0}" -eq 0 ]; then
                say firewall broken "$before DHCP request(s) came over $link, none got past the host's filters"
            else
                say firewall ok "$behind of $before DHCP request(s) got past the host's filters"
            fi
        else
            say firewall unknown "nft is not there to count with"
        fi
        say lease broken "the guest has ${addresses:-no IPv4 address}"
    fi
fi

resolved=$(timeout 10 getent ahostsv4 "$name" 2>/dev/null | awk '{print $1; exit}')
if [ -z "$resolved" ]; then
    say name broken "getent ahostsv4 $name finds nothing"
elif [ -n "$leased" ] && [ "$resolved" != "$leased" ]; then
    say name broken "$name is $resolved, the lease is $leased"
else
    say name ok "$resolved"
fi

if timeout 20 systemctl -M "$name" is-active --quiet nginx.service 2>/dev/null; then
    page=$(timeout 20 curl -sS -m 10 -o /dev/null -w '%{http_code}' "http://$name/" 2>&1)
    case $page in 2*) say service ok "HTTP $page" ;; *) say service broken "$page" ;; esac
else
    say service unknown "no nginx in $name"
fi
