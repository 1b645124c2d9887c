#!/bin/sh
# Tests of ../own-flake.sh: which flakes it puts into the place of the lab's, and with what for their inputs. Folders stand
# for the lab disk and for the home of the deploying side, and nobody becomes another user.
#
# Exit status: 0 all as expected; 1 something is not.
set -u
tests=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0 status=0
export NIX_REMOTE="local?root=$work/store" HOME="$work/home"

mkdir "$work/bin"
printf '#!/bin/sh\n' >"$work/bin/chown"
# shellcheck disable=SC2016 # the program's own
printf '#!/bin/sh\nwhile [ "$1" != env ]; do shift; done\nexec "$@"\n' >"$work/bin/setpriv"
# shellcheck disable=SC2016
printf '#!/bin/sh\necho "nix $*" >>"$HOME/asked"\n: >flake.lock\n' >"$work/bin/nix"
chmod +x "$work/bin/chown" "$work/bin/setpriv" "$work/bin/nix"
sed "s,/lab/guests,$work/given,; s,/home/deployer,$work/home,g" "$tests/../own-flake.sh" >"$work/script"

# given TEXT: the flake on the lab disk; the script's status is in `status`, and what it said in `said`.
given() {
    rm -rf "${work:?}/home" "${work:?}/given"
    mkdir -p "$work/home/flake" "$work/given"
    echo 'the lab' >"$work/home/flake/flake.nix"
    printf '%s\n' "$1" >"$work/given/flake.nix"
    echo '{ "of": "another machine" }' >"$work/given/flake.lock"
    PATH=$work/bin:$PATH sh "$work/script" >"$work/said" 2>&1
    status=$?
}
# check WHAT COMMAND...
check() {
    what=$1
    shift
    if "$@"; then
        echo "ok   $what"
    else
        echo "FAIL $what"
        cat "$work/said"
        failures=$((failures + 1))
    fi
}
deployed() { grep -qF "$1" "$work/home/flake/flake.nix"; }

given '{ outputs = { self }: import ./lib (builtins.readFile ./guest-base.json); }'
check "systems of a Debian tree leave the lab's flake where it is" [ "$status" = 0 ]
check "and are not deployed" deployed 'the lab'

given '{ inputs.nixpkgs.url = "x:y"; inputs.spawnlab.url = "x:z"; outputs = inputs: { mine = 1; }; }'
check "a flake of NixOS systems is taken" [ "$status" = 0 ]
check "and is deployed" deployed 'mine = 1'
check "the lab's lies beside it" grep -qF 'the lab' "$work/home/lab/flake.nix"
check "both inputs are the host's" grep -qxF \
    "nix flake lock --override-input nixpkgs path:$work/home/lab --override-input spawnlab path:$work/home/lab" "$work/home/asked"
check "locks of another machine are gone" [ ! -s "$work/home/flake/flake.lock" ]

given '{ outputs = { self }: { mine = 2; }; }'
check "a flake without inputs is given none" grep -qxF 'nix flake lock' "$work/home/asked"

given '{ inputs.agenix.url = "x:y"; outputs = inputs: { mine = 3; }; }'
check "an input that can't be had is refused" [ "$status" = 1 ]
check "by its name" grep -qF 'the flake has the input agenix' "$work/said"
check "before anything is changed" deployed 'the lab'

[ "$failures" = 0 ]
