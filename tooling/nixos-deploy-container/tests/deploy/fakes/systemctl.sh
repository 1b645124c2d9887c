#!/bin/sh
# Containers are folders: `active` exists while one runs, `current-system` is what it runs.
while :; do
    case $1 in
    --no-ask-password) shift ;;
    --kill-whom=*) shift ;;
    *) break ;;
    esac
done
verb=$1
shift
for unit in "$@"; do :; done
container=${unit#systemd-nspawn@}
container=${container%.service}
guest=$LAB/guests/$container
closure=$(readlink -f "$LAB/nix/var/nix/profiles/per-container/$container/system")
if [ "$verb" = is-active ]; then
    if [ -e "$guest/active" ]; then echo active; else echo inactive; fi
    exit
fi
echo "systemctl $verb $unit" >>"$LAB/log"
case $verb in
reload-or-restart | restart)
    if [ -p "$LAB/reload-began" ]; then
        echo >"$LAB/reload-began"
        read -r _ <"$LAB/reload-may-end"
    fi
    # On a full disk nothing starts, as long as nobody gives room back.
    if [ -e "$LAB/disk-full" ] && [ -e "$LAB/nix/var/nix/profiles/per-container/$container/.room" ]; then
        echo "No space left on device" >&2
        exit 1
    fi
    if [ -e "$LAB/hangs-${closure##*/}" ]; then
        sleep 60
    fi
    if [ -e "$LAB/breaks-${closure##*/}" ] || { [ "$verb" = reload-or-restart ] && [ -e "$LAB/no-reload-to-${closure##*/}" ]; }; then
        # Like a switch that fails: the guest has gone half the way.
        ln -sfn "$closure" "$guest/current-system"
        echo "Job for $unit failed." >&2
        exit 1
    fi
    if [ -e "$LAB/reload-does-nothing" ] && [ -e "$guest/active" ]; then
        exit 0
    fi
    : >"$guest/active"
    ln -sfn "$closure" "$guest/current-system"
    ;;
stop) rm -f "$guest/active" "$guest/current-system" ;;
esac
