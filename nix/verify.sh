#!/usr/bin/env bash
# Does a change of nixpkgs do what it claims? Builds a NixOS host with nixpkgs as it was and one with the
# change, and has `spawnlab verify` compare them.
set -euo pipefail

# The flake with the hosts; the package replaces it by itself.
flake=${SPAWNLAB_FLAKE:-@flake@}

usage() {
    cat <<'END'
Usage: nix run .#verify -- --base FLAKEREF --change FLAKEREF [OPTION]... [FILTER]...

Builds two NixOS hosts, with nixpkgs from --base and from --change, and compares them.

  --base FLAKEREF     nixpkgs without the change, such as github:NixOS/nixpkgs/nixos-unstable
  --change FLAKEREF   nixpkgs with it, such as github:NixOS/nixpkgs/pull/498177/head
  --backend NAME      the hosts' firewall: iptables (NixOS' default) or nftables
  -h, --help          this text

A FILTER is one of `spawnlab verify`, which calls what the hosts' own firewall decides (networking::, names::
and uplink::) `firewall`. Everything else is handed to `spawnlab verify` as it is: its options are
those of `spawnlab verify --help`. The hosts have no workaround of this flake's for containers' leases.

Exit codes are those of `spawnlab verify`; 2 is a wrong command line, 3 a host that can't be built.
END
}

# refuse WHAT NEXT
refuse() {
    printf 'verify: %s\nnext: %s\n' "$1" "$2" >&2
    exit 2
}

base='' change='' backend=iptables rest=()
while (($# > 0)); do
    case $1 in
        --base | --change | --backend)
            (($# > 1)) || refuse "$1 needs a value" "add one, or see --help"
            case $1 in
                --base) base=$2 ;;
                --change) change=$2 ;;
                --backend) backend=$2 ;;
            esac
            shift 2
            ;;
        --base=*) base=${1#*=} && shift ;;
        --change=*) change=${1#*=} && shift ;;
        --backend=*) backend=${1#*=} && shift ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) rest+=("$1") && shift ;;
    esac
done
[[ -n $base ]] || refuse 'there is no --base' 'name the nixpkgs without the change, such as --base github:NixOS/nixpkgs/nixos-unstable'
[[ -n $change ]] || refuse 'there is no --change' 'name the nixpkgs with it, such as --change github:NixOS/nixpkgs/pull/NUMBER/head'
[[ $base != "$change" ]] || refuse "--base and --change are both $base" 'name two different ones'
case $backend in
    iptables) host=verify-host ;;
    nftables) host=verify-host-nftables ;;
    *) refuse "--backend $backend is neither iptables nor nftables" 'name one of them' ;;
esac

# Links keep the hosts from being collected as garbage: layers that are saved from them need them again.
links=${SPAWNLAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spawnlab}/flakes
mkdir -p "$links"

# build SIDE NIXPKGS: the folder of the host, on standard output; Nix' own words go to standard error.
build() {
    local link
    link=$links/$host-$(printf %s "$2" | sha256sum | cut -c1-16)
    printf 'verify: building %s with %s\n' "$1" "$2" >&2
    if ! nix --extra-experimental-features 'nix-command flakes' build --out-link "$link" \
        --no-write-lock-file --override-input nixpkgs "$2" "$flake#$host" >&2; then
        printf 'verify: the host of --%s can not be built with %s (see above)\n' "$1" "$2" >&2
        return 3
    fi
    readlink -f "$link"
}
base_image=$(build base "$base") || exit 3
change_image=$(build change "$change") || exit 3
if [[ $base_image == "$change_image" ]]; then
    refuse "the change makes no difference to the host: both are $base_image" \
        'check that it is in the nixpkgs of --change, and not yet in that of --base'
fi

exec spawnlab verify --base "image=$base_image" --change "image=$change_image" "${rest[@]}"
