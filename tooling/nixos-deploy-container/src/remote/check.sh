# Reads what a deploy needs to know about the host, and changes nothing. Afterwards it stays until the caller
# closes its input: this session carries the connection that the later steps share.

exists_any() {
    for candidate in "$@"; do
        if [ -e "$candidate" ]; then
            return 0
        fi
    done
    return 1
}

describe() {
    folder=$profiles/$container
    say container "$container"
    if exists_any "/etc/systemd/nspawn/$container.nspawn" "/run/systemd/nspawn/$container.nspawn"; then
        say settings yes
    fi
    # shellcheck disable=SC2086 # no name holds a blank, and the pattern has to be expanded
    if exists_any /etc/systemd/system/systemd-nspawn@$container.service.d/*.conf \
        /run/systemd/system/systemd-nspawn@$container.service.d/*.conf; then
        say dropin yes
    fi
    if [ -d "$folder" ]; then
        say folder yes
    fi
    if [ -w "$folder" ]; then
        say writable yes
    else
        say user "$(id -un)"
    fi
    # Every process costs time, and only a dry run tells the rest.
    if [ "$detail" = no ]; then
        return
    fi
    if [ -L "$folder/system" ]; then
        say generation "$(readlink "$folder/system")"
        say closure "$(readlink -f "$folder/system")"
    fi
    say state "$(systemctl is-active "systemd-nspawn@$container.service" 2>/dev/null)"
}

main() {
    if command -v nix >/dev/null; then
        say nix yes
    fi
    for settings in /etc/systemd/nspawn/*.nspawn; do
        if [ -e "$settings" ]; then
            name=${settings##*/}
            say declared "${name%.nspawn}"
        fi
    done
    for container in $containers; do
        describe
    done
    say end
    exec cat <&3 >/dev/null
}

main 3<&0 </dev/null
