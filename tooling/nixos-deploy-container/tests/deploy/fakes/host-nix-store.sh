#!/bin/sh
# The host's Nix, asked for paths: what is in the store is valid, and a file `whole` in it makes it what was registered.
echo "host nix-store $*" >>"$LAB/log"
while [ "$1" = --option ]; do
    shift 3
done
verb=$1
shift
if [ "$verb" = --query ]; then
    verb=$1
    shift
fi
status=0
for path in "$@"; do
    case $verb in
    --verify-path)
        if ! [ -e "$path/whole" ]; then
            echo "path '$path' was modified! expected hash 'sha256:1', got 'sha256:2'" >&2
            status=1
        fi
        ;;
    --referrers-closure)
        echo "$path"
        if [ -e "$LAB/whole-needs-came" ]; then echo "${path%-*}-whole"; fi
        ;;
    --deriver) echo unknown-deriver ;;
    --roots) echo "$LAB/nix/var/nix/gcroots/by-hand -> $path" ;;
    --delete)
        if [ -e "$LAB/in-use" ] || { [ -e "$LAB/whole-needs-came" ] && [ $# = 1 ]; }; then
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
