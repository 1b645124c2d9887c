# Reads what a deploy needs to know about the host, and changes nothing. Afterwards it stays until the caller
# closes its input, or is silent for too long: this session carries the connection that the later steps share. While it
# stays, it keeps what the caller copies from being collected as garbage.

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

# Links of deploys that were under way when the host went down: they have the number of another boot.
find_cut_short() {
    for link in "$profiles"/*/.deploying-*; do
        if [ -L "$link" ]; then
            case ${link##*/} in ".deploying-$boot-"*) ;; *) say cut-short "$link" ;; esac
        fi
    done
}

# Reads a line of the caller's, for which it has $silence_seconds. The shell of its own reads no further than that line.
hear() {
    # shellcheck disable=SC2016 # that shell expands it
    line=$(timeout "$silence_seconds" sh -c 'IFS= read -r line && printf "%s\n" "$line"' <&3)
    heard=$?
    return "$heard"
}

# Ends the connection, and with it all sessions of this deploy: over a network that was cut without a word, its end is
# not told. It belongs to the sshd that has started this shell, or the shell of the account before it.
hang_up() {
    process=$PPID
    for _ in 1 2 3; do
        read -r name <"/proc/$process/comm" || return
        case $name in
        sshd*)
            kill "$process"
            return
            ;;
        esac
        process=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$process/status")
    done
} 2>/dev/null

# A link below the profiles is a root, also to what is still on its way. It is on disk before anything is copied, so
# that a deploy after a power cut knows of this one. Lines of the caller: container, derivation; an empty one when all
# is switched; a dot while there is nothing else to say.
keep() {
    link=.deploying-$boot-$nonce
    under_way=no
    while hear; do
        case $line in
        .) continue ;;
        '')
            under_way=no
            release
            say released
            continue
            ;;
        esac
        under_way=yes
        folder=$profiles/${line%% *}
        ln -sfn "${line#* }" "$folder/$link" && on_disk "$connect_seconds" "$folder"
        say kept "$?"
    done
    if [ "$heard" = 124 ]; then
        hang_up
    fi
    # Of a deploy that was given up something may be registered and not on disk.
    if [ "$under_way" = yes ] && on_disk "$build_seconds" "$store" "$registered"; then
        release
    fi
}

release() {
    for container in $containers; do
        rm -f "$profiles/$container/$link"
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
    find_cut_short
    say end
    keep
    exit 0
}

main 3<&0 </dev/null
