#!/bin/sh
# The host's Nix, asked for paths: what is in the store is valid, and a file `whole` in it makes it what was registered.
echo "host nix-store $*" >>"$LAB/log"
verb=$1
shift
status=0
for path in "$@"; do
    case $verb in
    --verify-path)
        if ! [ -e "$path/whole" ]; then
            echo "path '$path' was modified! expected hash 'sha256:1', got 'sha256:2'" >&2
            status=1
        fi
        ;;
    --delete)
        if [ -e "$LAB/in-use" ]; then
            echo "error: Cannot delete path '$path' since it is still alive." >&2
            exit 1
        fi
        rm -r "$path"
        ;;
    --repair-path)
        if [ -e "$LAB/can-not-be-repaired" ]; then
            echo "error: you are not privileged to repair paths" >&2
            exit 1
        fi
        touch "$path/whole"
        ;;
    esac
done
exit "$status"
