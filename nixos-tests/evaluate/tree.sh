#!/bin/sh
# Evaluates every output of the flake, and of skew/, to its derivation, with a real nixpkgs.
#
#   nixos-tests/evaluate/tree.sh NIXPKGS            all of them
#   nixos-tests/evaluate/tree.sh NIXPKGS KIND...    those of a kind: checks.x86_64-linux, packages, skew, lib
#
# NIXPKGS is a checkout of nixpkgs, whole or without the lists of packages that are too large for some copies of it:
# hackage.nix stands in for the one that this flake comes across. Nothing is built and nothing is fetched.
#
# Exit status: 0 all evaluate; 1 some do not; 2 usage; 77 there is no Nix here that can read a nixpkgs of today.
set -u
here=$(dirname "$(readlink -f "$0")")
repository=$(readlink -f "$here/../..")
nixpkgs=${1-}
if [ ! -f "$nixpkgs/flake.nix" ] || [ ! -d "$nixpkgs/nixos/modules" ]; then
    echo "usage: $0 NIXPKGS [KIND...], with a checkout of nixpkgs" >&2
    exit 2
fi
nixpkgs=$(readlink -f "$nixpkgs")
shift

version=$(nix-instantiate --version 2>/dev/null | sed 's/.* //')
if [ "$(printf '%s\n' "${version:-0}" 2.18 | sort -V | head -n 1)" != 2.18 ]; then
    echo "skipped: nixpkgs needs Nix 2.18 or newer, here is ${version:-none}" >&2
    exit 77
fi

work=$(mktemp -d)
# Folders only: files below may be links to the user's own.
trap 'find "$work" -type d -exec chmod u+w {} +; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
export HOME="$work" XDG_CACHE_HOME="$work/cache" NIX_REMOTE="local?root=$work/store"

# Without what is built in it, whoever owns it, committed or not.
mkdir "$work/flake"
(cd "$repository" && tar -cf - --exclude=./target --exclude=./.git .) | tar -xf - -C "$work/flake" || exit 1

haskell=pkgs/development/haskell-modules
if [ ! -e "$nixpkgs/$haskell/hackage-packages.nix" ]; then
    echo "this nixpkgs lacks $haskell/hackage-packages.nix: programs in Haskell are stand-ins"
    # Links to the files take no room, where the two are in one file system.
    cp -al "$nixpkgs" "$work/nixpkgs" 2>/dev/null ||
        { rm -rf "$work/nixpkgs" && cp -a "$nixpkgs" "$work/nixpkgs"; } || exit 1
    chmod u+w "$work/nixpkgs/$haskell"
    cp "$here/hackage.nix" "$work/nixpkgs/$haskell/hackage-packages.nix" || exit 1
    nixpkgs=$work/nixpkgs
fi

# evaluate EXPRESSION: of `outputs`; JSON into `value`, what Nix says into `errors`.
evaluate() {
    nix-instantiate --eval --strict --json --option build-users-group '' -E \
        "let outputs = import $here/tree.nix { nixpkgs = $nixpkgs; flake = $work/flake; }; in $1" \
        >"$work/value" 2>"$work/errors"
}
words() {
    tr -d '[]"' <"$work/value" | tr ',' '\n'
}
asked() {
    kind=$1
    shift
    [ $# -gt 0 ] || return 0
    for name in "$@"; do
        case $kind. in "$name".*) return 0 ;; esac
    done
    return 1
}

all=0 failures=0
evaluate 'builtins.attrNames outputs' || {
    cat "$work/errors"
    exit 1
}
for kind in $(words); do
    asked "$kind" "$@" || continue
    started=$(date +%s)
    evaluate "builtins.attrNames outputs.\"$kind\"" || {
        echo "FAIL $kind"
        tail -n 40 "$work/errors"
        all=$((all + 1)) failures=$((failures + 1))
        continue
    }
    names=$(words)
    count=$(echo "$names" | wc -l)
    all=$((all + count))
    # In one evaluation, which shares what they have in common; after an error each alone, to say which it is.
    if evaluate "outputs.\"$kind\""; then
        echo "ok   $kind: $(echo "$names" | paste -sd ' ') ($(($(date +%s) - started)) s)"
        continue
    fi
    for name in $names; do
        if evaluate "outputs.\"$kind\".\"$name\""; then
            echo "ok   $kind: $name"
        else
            echo "FAIL $kind: $name"
            tail -n 40 "$work/errors"
            failures=$((failures + 1))
        fi
    done
done

if [ "$all" = 0 ]; then
    echo "no output of the flake is one of: $*" >&2
    exit 2
fi
echo "$((all - failures)) of $all outputs evaluate, with Nix $version"
[ "$failures" = 0 ]
