#!/bin/sh
# The host's Nix: an output is the derivation's name without .drv.
if [ "$1" = --version ]; then
    cat "$LAB/host-nix-version"
    exit
fi
echo "host nix $*" >>"$LAB/log"
case "$(cat "$LAB/host-nix-version") $*" in
*" 2.8."*^*)
    echo "error: path contains illegal character '^'" >&2
    exit 1
    ;;
esac
link=
while [ $# -gt 0 ]; do
    case $1 in
    --out-link)
        link=$2
        shift
        ;;
    *.drv*) installable=$1 ;;
    esac
    shift
done
if [ -e "$LAB/build-hangs" ]; then
    # `timeout` signals its child and its whole group: the second one must not disturb.
    trap 'trap "" TERM; echo >"$LAB/build-stopped"; exit 143' TERM
    if [ -p "$LAB/build-began" ]; then
        echo >"$LAB/build-began"
    fi
    sleep 60 &
    wait
fi
derivation=${installable%^*}
if [ -e "$LAB/collects-garbage" ]; then
    # A collection just now: what no link below the profiles leads to is gone.
    if ! find "$LAB/nix/var/nix/profiles" -type l -exec readlink {} + | grep -qxF "$derivation"; then
        echo "error: path '$derivation' does not exist and cannot be built: don't know how to build these paths" >&2
        exit 1
    fi
fi
out=${installable%^*}
out=${out%.drv}
if [ -e "$LAB/build-fails-${out##*/}" ]; then
    echo "error: builder for '$installable' failed with exit code 2" >&2
    exit 1
fi
mkdir -p "$out"
if [ -n "$link" ]; then ln -sfn "$out" "$link"; fi
