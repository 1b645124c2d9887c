
# Gathers the way from a container to those beyond its host, and their way in by the host's ports. Comes behind
# gather.sh, whose variables and functions it uses.
# shellcheck shell=sh disable=SC2154 # they are set there

word_after() { printf '%s\n' "$2" | sed -n "s/.* $1 \([^ ]*\).*/\1/p"; }
# One packet from the guest to $beyond, counted where it comes in, is to be forwarded, was let through, and leaves
# with the guest's address or another one.
send() {
    nft -f - 2>/dev/null <<EOF || return
table inet spawnlab_walk {
    chain sent { type filter hook prerouting priority -450; iifname "$door" ip daddr $beyond udp dport 9 counter; }
    chain came { type filter hook forward priority -450; iifname "$door" ip daddr $beyond udp dport 9 counter; }
    chain past { type filter hook forward priority 450; iifname "$door" ip daddr $beyond udp dport 9 counter; }
    chain own { type filter hook postrouting priority 450; ip saddr $address ip daddr $beyond udp dport 9 counter; }
    chain masked { type filter hook postrouting priority 450; ip saddr != $address ip daddr $beyond udp dport 9 counter; }
}
EOF
    # shellcheck disable=SC2016 # for the shell that sends
    inside timeout "$connect" bash -c 'echo spawnlab >"/dev/udp/$0/9"' "$beyond" 2>/dev/null </dev/null
    tries=0
    while [ $tries -lt 10 ] && [ "$(counted sent)" = 0 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    past=$(counted past)
    packets="$(counted sent) $(counted came) $past $(counted own) $(counted masked)"
    nft delete table inet spawnlab_walk
}
# A question for the address of a name, and the first four bytes of an answer: the last of them has its code.
ask() {
    # shellcheck disable=SC2016 # for the shell that asks
    inside timeout "$2" bash -c 'exec 3<>"/dev/udp/$0/53" &&
        printf "\123\127\001\000\000\001\000\000\000\000\000\000\007example\003com\000\000\001\000\001" >&3 &&
        head -c 4 <&3 | od -An -tu1' "$1" 2>/dev/null </dev/null
}

if [ -n "$address" ] && [ -n "$link" ]; then
    door=${master:-$link}
    # Beyond the host is its router, or where it has none, somebody in another network that the host is in: if need be
    # one of another container.
    default=$(ip -4 route show default | head -n 1)
    router=
    if [ -n "$default" ]; then
        uplink=$(word_after dev "$default") router=$(word_after via "$default")
        beyond=${router:-192.0.2.1}
    else
        networks=$(ip -4 route show scope link proto kernel | grep -Ev "^169\.254\.| dev (lo|$door) | linkdown")
        network=$(printf '%s\n' "$networks" | grep -Ev ' dev (ve-|vb-|vz-)' | head -n 1)
        [ -n "$network" ] || network=$(printf '%s\n' "$networks" | head -n 1)
        uplink=$(word_after dev "$network") base=${network%%/*}
        beyond=
        if [ -n "$uplink" ]; then
            beyond=${base%.*}.$((${base##*.} + 1))
            [ "$beyond" != "$(word_after src "$network")" ] || beyond=${base%.*}.$((${base##*.} + 2))
        fi
    fi
    fact beyond printf '%s %s' "$beyond" "$uplink"
    fact host-routes ip -j -4 route show default
    # shellcheck disable=SC2016 # for the shell that reads
    fact forwarding sh -c 'for link; do printf "%s=" "$link"; cat "/proc/sys/net/ipv4/conf/$link/forwarding"; done' \
        sh "$door" ${uplink:+"$uplink"}
    past='' packets=''
    [ -z "$beyond" ] || send
    [ -z "$packets" ] || fact forwarded printf %s "$packets"
    # Which rule counts one more packet?
    if [ "$past" = 0 ]; then
        fact out-rules-before nft -a list ruleset
        send
        fact out-rules-after nft -a list ruleset
    fi
    if [ -n "$router" ]; then
        # For what is known of the router afterwards: its answer does not matter.
        curl -4 -s -o /dev/null --connect-timeout "$connect" -m "$connect" "http://$router:9/" </dev/null
        fact router ip -j neighbour show to "$router" dev "$uplink"
        fact answered nsenter -t "$leader" -n ping -n -c 1 -W "$connect" "$router"
    fi
    if [ -n "$default" ]; then
        # What the guest's programs ask, or if that is its systemd-resolved, whom this one asks.
        told=$(printf '%s\n' "$asked" | sed -n 's/^nameserver[[:space:]]*//p')
        case $told in
            127.0.0.53* | 127.0.0.54*)
                stub=${told%%[!0-9.]*}
                told=$(sed -n 's/^nameserver[[:space:]]*//p' "/proc/$leader/root/run/systemd/resolve/resolv.conf" 2>/dev/null)
                [ -n "$told" ] || fact name-servers-unknown printf '%s %s' "$stub" "$(ask "$stub" "$limit")"
                ;;
        esac
        answers=
        for server in $(printf '%s\n' "$told" | head -n 3); do
            case $server in *:*) continue ;; esac
            answers="$answers$server $(ask "$server" "$connect")
"
        done
        [ -z "$told" ] || fact name-servers printf %s "$answers"
    fi

    # systemd-nspawn reads the first of these files, and no other.
    ports=
    for file in "/etc/systemd/nspawn/$name.nspawn" "/run/systemd/nspawn/$name.nspawn" "/var/lib/machines/$name.nspawn"; do
        [ -f "$file" ] || continue
        ports=$(sed -n 's/^[[:space:]]*Port[[:space:]]*=[[:space:]]*//p' "$file")
        break
    done
    fact ports printf %s "$ports"
    if [ -n "$ports" ]; then
        fact forwards sh -c 'nft list table ip io.systemd.nat; iptables -w -t nat -S; :'
        answers=
        for port in $ports; do
            case $port in udp:* | sctp:*) continue ;; esac
            port=${port#tcp:} port=${port%%:*}
            took=$(curl -4 -s -o /dev/null --connect-timeout "$connect" -m "$limit" -w '%{time_connect}' \
                "http://$own:$port/" </dev/null)
            answers="$answers$port $? $took
"
        done
        fact ports-answer printf %s "$answers"
    fi
fi
