#!/bin/sh
# The deploying side's Nix. Machine NAME evaluates to a derivation named after the text in $LAB/flake/NAME.
echo "nix $*" >>"$LAB/log"
case "$*" in
--version)
    cat "$LAB/local-nix-version"
    ;;
*" path-info "*)
    if [ -e "$LAB/evaluate-hangs" ]; then
        echo "fetching forever" >&2
        sleep 60
    fi
    machine=$(printf '%s\n' "$*" | sed 's/.*nixosConfigurations\."\([^"]*\)".*/\1/')
    if [ -e "$LAB/flake-of-another" ]; then
        cat "$LAB/flake-of-another" >&2
        exit 1
    fi
    if ! [ -e "$LAB/flake/$machine" ]; then
        echo "error: attribute '$machine' missing" >&2
        exit 1
    fi
    printf '%s' "$LAB/nix/store/$(cat "$LAB/flake/$machine").drv"
    ;;
*" copy "*)
    echo "NIX_SSHOPTS $NIX_SSHOPTS" >>"$LAB/log"
    case "$(cat "$LAB/local-nix-version") $*" in
    *" 2.8."*^*)
        echo "error: path contains illegal character '^'" >&2
        exit 1
        ;;
    esac
    case "$(ls "$LAB/nix-is-elsewhere" 2>/dev/null) $*" in
    *"?remote-program=$LAB/host/nix-daemon "*) ;;
    *nix-is-elsewhere*)
        echo "sh: line 1: nix-daemon: command not found" >&2
        exit 1
        ;;
    esac
    case "$(ls "$LAB/one-session" 2>/dev/null) $NIX_SSHOPTS" in
    *ControlPath=none*) ;;
    *one-session*)
        echo "mux_client_request_session: session request failed: Session open refused by peer" >&2
        echo "error: cannot open connection to remote store 'ssh-ng://': error: protocol mismatch, got 'started" >&2
        exit 1
        ;;
    esac
    if [ -e "$LAB/copy-fails" ]; then
        echo "error: cannot add path: lacks a signature" >&2
        exit 1
    fi
    ;;
esac
