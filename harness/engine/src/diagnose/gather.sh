# Gathers what there is to know of the way to one container, on its host. Nothing is judged here.
# Each fact is a record: its name behind a record separator, what a program printed (JSON where the
# program knows it), and behind another separator the exit status.
#
# $1 container, $2 unit of its service, $3 the service's port, $4 how many seconds anybody may take to
# answer, $5 how many a connection may take.
name=$1 service=$2 port=$3 limit=$4 connect=$5
unit="systemd-nspawn@$name.service"
profile=/nix/var/nix/profiles/per-container/$name/system

fact() {
    printf '\036%s\n' "$1"
    shift
    timeout "$limit" "$@" </dev/null 2>&1
    printf '\n\036%s\n' "$?"
}

trap 'nft delete table inet spawnlab_walk 2>/dev/null' EXIT
trap 'exit 1' INT TERM

fact host uname -r
fact unit systemctl show "$unit" -p LoadState,ActiveState,SubState,Result,ExecMainCode,ExecMainStatus,DropInPaths,MainPID,FreezerState
if ! systemctl -q is-active "$unit"; then
    fact unit-journal journalctl -u "$unit" -n 3 -o cat --no-pager
fi
fact nspawn sh -c 'cat "/etc/systemd/nspawn/$1.nspawn" "/run/systemd/nspawn/$1.nspawn" "/var/lib/machines/$1.nspawn" 2>/dev/null; :' sh "$name"
fact root ls -d "/var/lib/machines/$name"
fact roots ls /var/lib/machines
fact profile ls -L "$profile/init"
fact machine machinectl show "$name"

# A guest that machined does not know is the child of its nspawn.
leader=$(timeout "$limit" machinectl show -p Leader --value "$name" 2>/dev/null)
if [ -z "$leader" ]; then
    main=$(systemctl show -p MainPID --value "$unit")
    [ "${main:-0}" -gt 0 ] && leader=$(cut -d' ' -f1 "/proc/$main/task/$main/children" 2>/dev/null)
fi
inside() { nsenter -t "$leader" -n "$@"; }

answers=no
if [ -n "$leader" ]; then
    fact leader sed -n 's/^State:[[:space:]]*//p' "/proc/$leader/status"
    fact networks sh -c 'readlink /proc/self/ns/net "/proc/$1/ns/net"' sh "$leader"
    state=$(sed -n 's/^State:[[:space:]]*//p' "/proc/$leader/status")
    # Who is stopped or frozen is not asked: no answer would come, and only late.
    case $state$(systemctl show -p FreezerState --value "$unit") in
        [TtZX]* | *frozen*) ;;
        *)
            # shellcheck disable=SC2016 # for the guest's shell
            asked=$(timeout "$limit" systemd-run -M "$name" --quiet --pipe --wait --collect \
                --setenv=PATH=/run/wrappers/bin:/run/current-system/sw/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
                -- /bin/sh -c '
                fact() { printf "\036%s\n" "$1"; shift; "$@" </dev/null 2>&1; printf "\n\036%s\n" "$?"; }
                fact guest-state systemctl is-system-running
                fact guest-failed systemctl --failed --plain --no-legend --no-pager
                fact guest-service systemctl show "$1" -p LoadState,ActiveState,SubState,Result,ExecMainCode,ExecMainStatus
                systemctl -q is-active "$1" || fact guest-service-journal journalctl -u "$1" -n 3 -o cat --no-pager
                fact guest-networkd-unit systemctl show systemd-networkd.service -p ActiveState,SubState,Result
                fact guest-networkd networkctl --json=short status host0
                fact guest-resolver cat /etc/resolv.conf' sh "$service" 2>&1 </dev/null)
            status=$?
            [ $status = 0 ] && answers=yes
            printf '%s\n\036guest\n\036%s\n' "$asked" "$status"
            ;;
    esac
fi

# A name that is too long for an interface is its alternative name; bridges have vb-, and whatever
# else there is, is found by the guest's end.
link=
for candidate in "ve-$name" "vb-$name"; do
    [ -n "$link" ] || link=$(ip -o link show "$candidate" 2>/dev/null | cut -d: -f2 | cut -d@ -f1 | tr -d ' ')
done
if [ -n "$leader" ]; then
    peer=$(inside ip -o link show host0 2>/dev/null | sed -n 's/.*host0@if\([0-9]*\):.*/\1/p')
    [ -n "$link" ] || [ -z "$peer" ] || link=$(ip -o link | sed -n "s/^$peer: \([^:@]*\).*/\1/p")
fi
fact link printf %s "$link"
fact addresses ip -j address
[ -z "$link" ] || fact networkd networkctl --json=short status "$link"
if [ -n "$leader" ]; then
    fact guest-addresses nsenter -t "$leader" -n ip -j address
    fact guest-routes nsenter -t "$leader" -n ip -j -4 route
    fact guest-listens nsenter -t "$leader" -n ss -Hltunp
fi

address_of() { "$@" 2>/dev/null | sed -n 's/.* inet \([0-9.]*\).*/\1/p' | head -n 1; }
guests_address() {
    [ -n "$leader" ] || return
    address=$(address_of inside ip -4 -o address show dev host0 scope global dynamic)
    [ -n "$address" ] || address=$(address_of inside ip -4 -o address show dev host0 scope global)
}
counted() { nft list chain inet spawnlab_walk "$1" | sed -n 's/.*packets \([0-9]*\).*/\1/p'; }

address=
guests_address
if [ -z "$address" ] && [ -n "$link" ] && [ $answers = yes ]; then
    # The guest is made to ask for a lease once more, and its request is counted before and behind
    # the host's filters, until it has a lease or was seen to be refused.
    fact rules-before nft -a list ruleset
    if nft -f - 2>/dev/null <<EOF; then
table inet spawnlab_walk {
    chain before { type filter hook prerouting priority -450; iifname "$link" udp dport 67 counter; }
    chain behind { type filter hook input priority 450; iifname "$link" udp dport 67 counter; }
}
EOF
        timeout "$limit" systemd-run -M "$name" --quiet --pipe --wait --collect networkctl reconfigure host0 </dev/null >/dev/null 2>&1
        tries=0
        while [ $tries -lt 40 ]; do
            guests_address
            [ -z "$address" ] || break
            if [ "$(counted before)" -ge 1 ] && [ "$(counted behind)" = 0 ]; then break; fi
            tries=$((tries + 1))
            sleep 0.2
        done
        fact requests printf '%s %s' "$(counted before)" "$(counted behind)"
        nft delete table inet spawnlab_walk
        fact guest-addresses nsenter -t "$leader" -n ip -j address
        fact guest-routes nsenter -t "$leader" -n ip -j -4 route
        fact networkd networkctl --json=short status "$link"
    fi
    fact rules-after nft -a list ruleset
fi
fact address printf %s "$address"

fact name getent ahostsv4 "$name"
fact hosts-file grep -nwF -- "$name" /etc/hosts
fact nsswitch sed -n 's/^hosts:[[:space:]]*//p' /etc/nsswitch.conf

if [ -n "$address" ]; then
    master=$(ip -o link show "$link" 2>/dev/null | sed -n 's/.* master \([^ ]*\).*/\1/p')
    own=$(address_of ip -4 -o address show dev "${master:-$link}" scope global)
    fact route ip -j route get "$address"
    [ -z "$own" ] || fact guest-route nsenter -t "$leader" -n ip -j route get "$own"
    # In $fetched remains how the connection ended.
    fetch() {
        said=$(timeout "$limit" curl -4 -sS -o /dev/null -m "$limit" --connect-timeout "$connect" -w '%{json}' "$2" 2>&1 </dev/null)
        fetched=$?
        printf '\036%s\n%s\n\036%s\n' "$1" "$said" "$fetched"
    }
    fetch by-address "http://$address:$port/"
    fact neighbour ip -j neighbour show to "$address" dev "${master:-$link}"
    # Refused, or never answered: which rule counts one more attempt?
    if [ $fetched = 7 ] || [ $fetched = 28 ]; then
        fact rules-before nft -a list ruleset
        fact guest-rules-before nsenter -t "$leader" -n nft -a list ruleset
        fetch by-address "http://$address:$port/"
        fact rules-after nft -a list ruleset
        fact guest-rules-after nsenter -t "$leader" -n nft -a list ruleset
    fi
    fetch by-name "http://$name:$port/"
fi
