#!/bin/sh
# Tests of ../verify.sh with a `nix` that builds nothing and a `spawnlab` that says what it was asked for.
#
# Exit status: 0 all as expected; 1 something is not.
set -u
tests=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

mkdir "$work/bin" "$work/images"
# What it builds depends on nothing but the nixpkgs; `github:none` can't be built.
cat >"$work/bin/nix" <<'END'
#!/bin/sh
echo "nix $*" >>"$WORK/asked"
while [ $# -gt 0 ]; do
    case $1 in
        --out-link) link=$2 && shift ;;
        --override-input) nixpkgs=$3 && shift 2 ;;
    esac
    shift
done
case $nixpkgs in
    github:none) echo "error: no such thing" >&2; exit 1 ;;
    github:same*) name=same ;;
    *) name=${nixpkgs##*/} ;;
esac
mkdir -p "$WORK/images/$name"
ln -sfn "$WORK/images/$name" "$link"
END
cat >"$work/bin/spawnlab" <<'END'
#!/bin/sh
echo "spawnlab $*" >>"$WORK/asked"
exit "${SPAWNLAB_EXITS:-0}"
END
chmod +x "$work/bin/nix" "$work/bin/spawnlab"

# verify STATUS ARGUMENT...: how it ends; what was asked of others is in `asked`, what it said in `said`.
verify() {
    wanted=$1
    shift
    : >"$work/asked"
    WORK=$work PATH=$work/bin:$PATH SPAWNLAB_FLAKE=path:/flake SPAWNLAB_CACHE=$work/cache \
        "$tests/../verify.sh" "$@" >"$work/said" 2>&1
    status=$?
    if [ "$status" = "$wanted" ]; then
        echo "ok   verify $*: $status"
    else
        echo "FAIL verify $*: $status instead of $wanted"
        cat "$work/said"
        failures=$((failures + 1))
    fi
}
# has FILE TEXT
has() {
    if grep -qF -- "$2" "$work/$1"; then
        echo "ok        $2"
    else
        echo "FAIL      $1 has no: $2"
        cat "$work/$1"
        failures=$((failures + 1))
    fi
}

verify 0 --base github:a/base --change=github:a/change --repeat 1 firewall
has asked "build --out-link $work/cache/flakes/verify-host-"
has asked '--no-write-lock-file --override-input nixpkgs github:a/base path:/flake#verify-host'
has asked '--override-input nixpkgs github:a/change path:/flake#verify-host'
has asked "spawnlab verify --base image=$work/images/base --change image=$work/images/change --repeat 1 firewall"

verify 0 --base github:a/base --change github:a/change --backend nftables --exact names::http_by_name
has asked 'path:/flake#verify-host-nftables'
has asked "--change image=$work/images/change --exact names::http_by_name"

SPAWNLAB_EXITS=1 && export SPAWNLAB_EXITS
verify 1 --base github:a/base --change github:a/change
unset SPAWNLAB_EXITS

verify 2 --base github:a/base
has said 'next: name the nixpkgs with it'
verify 2 --change github:a/change
has said 'next: name the nixpkgs without the change'
verify 2 --base github:a/base --change
has said '--change needs a value'
verify 2 --base github:a/base --change github:a/base
has said 'name two different ones'
verify 2 --base github:a/base --change github:a/change --backend firewalld
has said '--backend firewalld is neither iptables nor nftables'
verify 2 --base github:same/1 --change github:same/2
has said 'the change makes no difference to the host'
verify 3 --base github:a/base --change github:none
has said 'error: no such thing'
has said 'the host of --change can not be built with github:none'
verify 0 --help
has said 'Usage: nix run .#verify --'

[ "$failures" = 0 ] || {
    echo "$failures failed"
    exit 1
}
