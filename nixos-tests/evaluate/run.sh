#!/bin/sh
# Evaluates the modules with nixpkgs' real module system.
#
#   nixos-tests/evaluate/run.sh NIXPKGS            compare with expected.json
#   nixos-tests/evaluate/run.sh NIXPKGS --accept   write what came out there, to be read in the diff
#
# NIXPKGS is a folder that has nixpkgs' lib/: a checkout of nixpkgs, or of nix-community/nixpkgs.lib.
#
# Exit status: 0 all as expected; 1 something differs; 2 usage.
set -u
here=$(dirname "$(readlink -f "$0")")
nixpkgs=${1-}
[ -f "$nixpkgs/lib/modules.nix" ] || {
    echo "usage: $0 NIXPKGS [--accept], with a folder that has lib/modules.nix" >&2
    exit 2
}
nixpkgs=$(readlink -f "$nixpkgs")
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
export NIX_REMOTE="local?root=$work/store" HOME="$work"

nix-instantiate --eval --strict --json --show-trace -E \
    "import $here { lib = import $nixpkgs/lib; }" >"$work/raw" 2>"$work/errors" || {
    cat "$work/errors" >&2
    exit 1
}
sed 's/,"/,\n"/g; s/:{"/:{\n"/g' "$work/raw" | awk 1 >"$work/expected.json"
if [ "${2-}" = --accept ]; then cp "$work/expected.json" "$here/expected.json"; fi
diff -u "$here/expected.json" "$work/expected.json"
