#!/bin/sh
# Tests of the flake, with a small stand-in for nixpkgs (stub/): no network, no /nix/store.
#
#   tooling/nix/tests/flake.sh            compare with expected/
#   tooling/nix/tests/flake.sh --accept   write what came out to expected/, to be read in the diff
#
# Exit status: 0 all as expected; 1 something differs; 77 there is no Nix here, nothing was tested.
set -u
tests=$(dirname "$(readlink -f "$0")")
repository=$(readlink -f "$tests/../../..")
accept=${1-}

if ! command -v nix >/dev/null; then
    echo "skipped: nix is not installed (Debian: apt install nix-bin)" >&2
    exit 77
fi
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
export NIX_REMOTE="local?root=$work/store" HOME="$work" XDG_CACHE_HOME="$work/cache"

# A copy without the build's output: as a path, whoever owns the checkout, committed or not.
mkdir "$work/source"
(cd "$repository" && tar -cf - --exclude=./target --exclude=./.git .) | tar -xf - -C "$work/source" || exit 1

failures=0
# flake SUBCOMMAND ARGUMENT...: of one word or two.
flake() {
    subcommand=$1
    shift
    # shellcheck disable=SC2086
    nix --extra-experimental-features 'nix-command flakes' --option flake-registry "" \
        $subcommand "$@" --override-input nixpkgs "path:$tests/stub" --no-write-lock-file
}
compare() {
    [ "$accept" = --accept ] && cp "$work/$1" "$tests/expected/$1"
    if diff -u "$tests/expected/$1" "$work/$1"; then
        echo "ok   $1 is as expected"
    else
        echo "FAIL $1 differs"
        failures=$((failures + 1))
    fi
}

# The function, as a text: an evaluation of a flake reads no other files.
listed_as() { echo "($(cat "$tests/listing.nix")) \"$1\""; }
# listing FLAKE KIND...: a line for each output, by its path and what it is. A failing one makes the command fail.
listing() {
    listed=$1
    shift
    for kind in "$@"; do
        flake eval --raw "$listed#$kind" --apply "$(listed_as "$kind")" || return
    done
}
kinds='apps checks devShells formatter lib nixosModules overlays packages'
# shellcheck disable=SC2086 # words
if listing "path:$work/source" $kinds >"$work/flake-show.txt" 2>"$work/errors"; then
    compare flake-show.txt
else
    echo "FAIL the outputs cannot be listed"
    cat "$work/errors"
    failures=$((failures + 1))
fi

# What the listing does not evaluate: programs, functions, and what they were given.
# has DESCRIPTION TEXT ATTRIBUTE [FUNCTION]: the value, as JSON, contains the text.
has() {
    flake eval --json "path:$work/source#$3" --apply "${4-value: value}" >"$work/value" 2>"$work/errors"
    if grep -qF -- "$2" "$work/value"; then
        echo "ok   $1"
    else
        echo "FAIL $1: $3 has no $2"
        cat "$work/value" "$work/errors"
        failures=$((failures + 1))
    fi
}
has "the app is the lab's command" 'spawnlab-0.1.0/bin/spawnlab"' apps.x86_64-linux.lab.program
has "so is the one that compares" "-spawnlab-verify/bin/spawnlab-verify\"" apps.x86_64-linux.verify.program
has "what runs in hosts is handed to the lab" spawnlab-in-hosts-0.1.0 packages.x86_64-linux.spawnlab \
    'package: package.passedTo.postInstall'
has "the overlay brings both programs" '{"nixos-deploy-container":"deploy-tool.nix","spawnlab":"spawnlab.nix"}' \
    overlays.default 'overlay: overlay {
        stdenv.hostPlatform.system = "x86_64-linux";
        callPackage = file: _: baseNameOf file;
    } { }'
# nixpkgs makes `final` of them: names that depend on it would recurse without an end.
has "its names do not depend on the packages" '["nixos-deploy-container","spawnlab"]' overlays.default \
    'overlay: builtins.attrNames (overlay (throw "asked for packages") { })'
has "a guest imports the guest's module" '/tooling/nix/guest.nix' lib.mkGuest \
    'mkGuest: map toString (mkGuest { }).passedTo.modules'
has "a guest is for the system it is asked for" '"aarch64-linux"' lib.mkGuest \
    'mkGuest: (mkGuest { system = "aarch64-linux"; }).passedTo.system'
has "the documentation is that of the host's module" '/tooling/nix/host.nix' \
    packages.x86_64-linux.options-documentation \
    'page: toString (builtins.head page.passedTo.options.spawnlab.modules)'

# Every output for one system, with all that it was given: which of them need more than the stand-in has. Only
# what is thrown can be caught; any other error ends the command.
for kind in packages checks devShells apps; do
    # shellcheck disable=SC2016 # Nix' expressions
    flake eval --raw "path:$work/source#$kind.x86_64-linux" --apply 'outputs:
        let
          inherit (builtins) attrNames concatStringsSep deepSeq tryEval;
          evaluates = value: (tryEval (deepSeq (value.passedTo or value) true)).success;
          line = name: "'$kind'.x86_64-linux.${name} ${if evaluates outputs.${name} then "evaluates" else "throws"}\n";
        in
        concatStringsSep "" (map line (attrNames outputs))' 2>"$work/errors" || {
        echo "FAIL one of the $kind can not be evaluated, for another reason than a missing nixpkgs" >&2
        cat "$work/errors" >&2
    }
done >"$work/flake-evaluated.txt"
compare flake-evaluated.txt

# And why: what throws says that it is the stand-in's fault.
# All hosts are of one function: one of each kind will do.
for output in packages.x86_64-linux.host-image checks.x86_64-linux.nixos-names; do
    flake eval "path:$work/source#$output" --apply 'value: builtins.deepSeq value.passedTo true' >/dev/null 2>"$work/errors"
    if grep -q 'this is the stand-in for nixpkgs' "$work/errors"; then
        echo "ok   $output needs the real nixpkgs, and nothing else"
    else
        echo "FAIL $output fails for another reason"
        cat "$work/errors"
        failures=$((failures + 1))
    fi
done

# The flake for hosts and guests of two releases, with both of them the stand-in.
skew() {
    for kind in checks packages; do
        nix --extra-experimental-features 'nix-command flakes' --option flake-registry "" eval --raw \
            "path:$work/source/nixos-tests/skew#$kind" --apply "$(listed_as "$kind")" \
            --override-input stable "path:$tests/stub" --override-input unstable "path:$tests/stub" \
            --override-input spawnlab "path:$work/source" --no-write-lock-file || return
    done
}
if skew >"$work/skew-show.txt" 2>"$work/errors"; then
    compare skew-show.txt
else
    echo "FAIL the outputs of nixos-tests/skew cannot be listed"
    cat "$work/errors"
    failures=$((failures + 1))
fi

# The flake that a NixOS host deploys, as the image's builder leaves it: its nixpkgs is a folder, and no flake.
cp -r "$repository/vm-images/nixos/guests" "$work/guests"
cp "$repository/tooling/nix/guest.nix" "$work/guests/"
sed -i "s,@nixpkgs@,$tests/stub," "$work/guests/flake.nix"
# shellcheck disable=SC2016 # Nix' expressions
nix --extra-experimental-features 'nix-command flakes' --option flake-registry "" \
    eval --json "path:$work/guests#nixosConfigurations" --apply '
        builtins.mapAttrs (_: machine: map (module:
            if builtins.isFunction module then "a function"
            else if builtins.isPath module then toString module
            else module) machine.config.modules)' \
    >"$work/value" 2>"$work/errors" || cat "$work/errors"
for part in '"web-v2":' '-source/guest.nix"' '-source/common.nix"' '-source/machines/broken-unit.nix"' '"guest-system-bare"'; do
    if grep -qF -- "$part" "$work/value"; then
        echo "ok   a guest of a NixOS host has $part"
    else
        echo "FAIL a guest of a NixOS host has no $part"
        cat "$work/value"
        failures=$((failures + 1))
    fi
done

# An output that cannot be evaluated fails the listing: the comparison above is not all there is.
rm "$work/source/nix/shell.nix"
if listing "path:$work/source" devShells >/dev/null 2>"$work/errors"; then
    echo "FAIL a flake with a missing file is listed as if it were whole"
    failures=$((failures + 1))
elif grep -q 'nix/shell.nix' "$work/errors"; then
    echo "ok   a flake with a missing file is refused"
else
    echo "FAIL a flake with a missing file is refused for it"
    cat "$work/errors"
    failures=$((failures + 1))
fi

[ "$failures" = 0 ] || {
    echo "$failures failed"
    exit 1
}
