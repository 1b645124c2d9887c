# Reads what a deploy needs to know about the host, and changes nothing. Afterwards it stays until the caller
# closes its input: this session carries the connection that the later steps share. While it stays, it keeps
# what the caller copies from being collected as garbage.

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

# Nix' own connection starts this program, by its name or by a path, with the PATH as it was.
find_daemon() {
    daemon=$(command -v nix-daemon) || return
    by_name=$(PATH=$login_path && command -v nix-daemon)
    if [ "$by_name" = "$daemon" ]; then
        say daemon
    else
        say daemon "$daemon"
    fi
}

# A link below the profiles is a root, also to what is still on its way. Lines of the caller: container, derivation.
keep() {
    while read -r container derivation; do
        folder=$profiles/$container
        ln -sfn "$derivation" "$folder/.deploying-$nonce"
        say kept "$?"
        # Of a deploy whose host went down.
        set -- "$folder"/.deploying-*
        if [ "$#" -gt 1 ]; then
            find "$folder" -maxdepth 1 -name '.deploying-*' -mtime +0 -exec rm -f {} + 2>/dev/null
        fi
    done <&3
    for container in $containers; do
        rm -f "$profiles/$container/.deploying-$nonce"
    done
}

main() {
    trap '' HUP PIPE
    if command -v nix >/dev/null; then
        say nix yes
        find_daemon
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
    keep
    exit 0
}

main 3<&0 </dev/null
