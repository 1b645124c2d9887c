#!/bin/sh
# Tests of the container declaration, without a VM and without a network:
#
#   tooling/nix/tests/run.sh            compare with expected/
#   tooling/nix/tests/run.sh --accept   write what came out to expected/, to be read in the diff
#
# Exit status: 0 all as expected; 1 something differs; 77 there is no Nix here, nothing was tested.
set -u
tests=$(dirname "$(readlink -f "$0")")
nix=$(dirname "$tests")
repository=$(readlink -f "$nix/../..")
accept=${1-}

if ! command -v nix-instantiate >/dev/null; then
    echo "skipped: nix-instantiate is not installed (Debian: apt install nix-bin)" >&2
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A store of its own: an ordinary user needs no daemon, and nothing is left behind.
export NIX_REMOTE="local?root=$work/store" HOME="$work"

failures=0
ok() { printf 'ok   %s\n' "$1"; }
bad() {
    printf 'FAIL %s\n' "$1"
    failures=$((failures + 1))
}
# expect DESCRIPTION COMMAND...: the command succeeds.
expect() {
    description=$1
    shift
    if "$@" >"$work/output" 2>&1; then ok "$description"; else
        bad "$description"
        sed 's/^/     /' "$work/output"
    fi
}
# same NAME: $work/NAME is what expected/NAME says.
same() {
    if [ "$accept" = --accept ]; then
        mkdir -p "$tests/expected"
        cp "$work/$1" "$tests/expected/$1"
    fi
    expect "$1 is as expected" diff -u "$tests/expected/$1" "$work/$1"
}
warnings='^warning: '
images=$repository/vm-images/nixos/tests

# --- every file is Nix

for file in "$nix"/*.nix "$tests"/*.nix "$tests"/firewalls/*/services/networking/*.nix "$repository"/scenarios/lab/*.nix \
    "$repository"/examples/suite/*.nix "$repository"/examples/suite/guests/*.nix \
    "$repository"/vm-images/guests/*.nix "$repository"/vm-images/guests/*/*.nix \
    "$repository"/*.nix "$repository"/nix/*.nix "$repository"/vm-images/nixos/*.nix "$repository"/vm-images/nixos/*/*.nix "$tests"/stub/*.nix \
    "$repository"/vm-images/nixos/guests/*.nix "$repository"/vm-images/nixos/guests/*/*.nix "$tests"/stub/nixos/lib/*.nix \
    "$repository"/nixos-tests/*.nix "$repository"/nixos-tests/*/*.nix; do
    expect "${file#"$repository"/} parses" nix-instantiate --parse "$file"
done

# --- what is declared

for attribute in declaration module refused; do
    # One setting per line, so that a difference shows which; the values hold no unquoted commas.
    # Only newer versions of Nix end the last line; awk ends it for all.
    nix-instantiate --eval --strict --json "$tests/eval.nix" -A "$attribute" 2>"$work/errors" |
        sed 's/,"/,\n"/g; s/\],\[/],\n[/g' | awk 1 >"$work/$attribute.json"
    grep -v "$warnings" "$work/errors" >&2
    same "$attribute.json"
done

# Programs of Debian in the place of nixpkgs', and what is refused by name.
nix-instantiate --eval --strict --json "$images/programs.nix" 2>"$work/errors" |
    sed 's/,"/,\n"/g; s/{"/{\n"/g' | awk 1 >"$work/programs.json"
grep -v "$warnings" "$work/errors" >&2
same programs.json

evaluate() {
    nix --extra-experimental-features nix-command eval --raw --file "$nix/portable.nix" \
        --argstr declaration "$1" manifest
}
evaluate "$tests/containers.nix" >"$work/manifest.txt" 2>"$work/errors" || cat "$work/errors" >&2
same manifest.txt
expect "the lab's own declaration is accepted" evaluate "$repository/scenarios/lab/containers.nix"

# refused TEXT MESSAGE: a declaration that can't be rendered.
refused() {
    printf '%s\n' "$1" >"$work/refused.nix"
    if evaluate "$work/refused.nix" >/dev/null 2>"$work/errors"; then
        bad "$1 is refused"
    elif grep -qF "$2" "$work/errors"; then
        ok "$1 is refused: $2"
    else
        bad "$1 is refused with: $2"
        cat "$work/errors"
    fi
}
refused '{ "a_b" = { }; }' 'container "a_b": not a valid container name'
refused '{ web.nspawnConfig.execConfig.Boot = true; }' 'container "web": nspawnConfig.execConfig.Boot must stay false'
# https://github.com/systemd/systemd/issues/38966
refused '{ web.serviceConfig.serviceConfig.SetCredential = "probe:42"; }' 'a credential that the guest never sees'
refused '{ web.nspawnConfig.filesConfig.Bind = { }; }' 'container "web": Bind is a set'
refused '{ web.serviceConfig.serviceConfig.User = "a\nExecStart=b"; }' 'container "web": User has a line break'
refused '[ ]' 'must be an attribute set'

# --- apply, into a folder

root=$work/root
mkdir "$root"
apply() { "$nix/apply" -r "$root" "$1" 2>&1 | grep -v "$warnings"; }
tree() { (cd "$root" && find etc -type f -exec sha256sum {} + -o -type l -print | sort); }

cp "$tests/containers.nix" "$work/declared.nix"
apply "$work/declared.nix" >"$work/apply.txt"
same apply.txt
expect "a second run changes nothing" test "$(apply "$work/declared.nix")" = "nothing changed"
expect "the container is enabled" test -L "$root/etc/systemd/system/multi-user.target.wants/systemd-nspawn@plain.service"

# As a run leaves it that was killed between installing and restarting.
echo plain >"$root/run/spawnlab-apply/pending"
expect "a run that was cut short is taken up" test "$(apply "$work/declared.nix")" = "taking up what an earlier run left: plain"
expect "and that only once" test "$(apply "$work/declared.nix")" = "nothing changed"

before=$(tree)
echo '{ plain = { }; "bad name" = { }; }' >"$work/bad.nix"
"$nix/apply" -r "$root" "$work/bad.nix" >/dev/null 2>&1
expect "a declaration with an error ends with 1" test $? = 1
expect "a declaration with an error changes nothing" test "$(tree)" = "$before"
"$nix/apply" -r "$root" "$work/missing.nix" >/dev/null 2>&1
expect "a missing declaration ends with 1" test $? = 1
"$nix/apply" --nonsense >/dev/null 2>&1
expect "an unknown option ends with 2" test $? = 2

echo '{ plain.nspawnConfig.networkConfig.Zone = "z"; fresh = { }; }' >"$work/declared.nix"
"$nix/apply" -n -r "$root" "$work/declared.nix" 2>&1 | grep -v "$warnings" >"$work/apply-change.txt"
expect "-n changes nothing" test "$(tree)" = "$before"
same apply-change.txt
apply "$work/declared.nix" >"$work/again.txt"
expect "what -n says is what is done" diff "$work/apply-change.txt" "$work/again.txt"
expect "an undeclared container is gone" test "$(find "$root/etc" -name '*everything*')" = ""
expect "its data is kept" test -d "$root/var/lib/machines/everything"
expect "no file of the installation is left over" test "$(find "$root" -name '*spawnlab-new' -o -name 'work.*')" = ""

# --- the machines that are deployed

# Scenarios name machines of the Debian host's flake; on a NixOS host the same names are NixOS systems.
nix-instantiate --eval --strict --json -E "
    let
      names = flake: arguments: builtins.attrNames ((import flake).outputs arguments).nixosConfigurations;
      nixos = names $repository/vm-images/nixos/guests/flake.nix { nixpkgs = /nowhere; };
    in
    builtins.filter (name: !(builtins.elem name nixos)) (names $repository/vm-images/guests/flake.nix { self = { }; })
" >"$work/machines" 2>"$work/errors" || cat "$work/errors"
expect "every machine of vm-images/guests is one of vm-images/nixos/guests" test "$(cat "$work/machines")" = "[]"

# --- the description of a NixOS image

described() { nix-instantiate --eval --strict --json "$images/eval.nix" -A "$1" 2>/dev/null; }
# Also read by a test of the harness: what is described here is what the lab boots.
described image | sed 's/,"/,\n"/g' | awk 1 >"$work/image.json"
if [ "$accept" = --accept ]; then cp "$work/image.json" "$images/image.json"; fi
expect "image.json is as expected" diff -u "$images/image.json" "$work/image.json"
expect "unfit images are refused" test "$(described accepted)" = "[]"
expect "another system is another recipe" test "$(described recipeFollowsTheInputs)" = true

# Without one of its programs, which ci/install installs, it is left out, and says which.
"$images/disk.sh" >"$work/output" 2>&1
case $? in
    0) ok "the disk of an image is as expected" ;;
    77) sed 's/^/     /' "$work/output" ;;
    *)
        bad "the disk of an image is as expected"
        sed 's/^/     /' "$work/output"
        ;;
esac

# --- the flake

expect "a flake of the user's own takes the place of the lab's" "$images/own-flake.sh"
expect "nix run .#verify builds two hosts and hands them on" "$repository/nix/tests/verify.sh"

if [ "$accept" = --accept ]; then "$tests/flake.sh" --accept; else
    expect "the flake's outputs are as expected" "$tests/flake.sh"
fi

# --- the shell programs

if command -v shellcheck >/dev/null; then
    expect "shellcheck is content" shellcheck "$nix/apply" "$tests/run.sh" "$tests/flake.sh" "$repository/harness/engine/lab/provision" \
        "$repository/nix/verify.sh" "$repository/nix/tests/verify.sh" "$images/disk.sh" "$images/own-flake.sh"
    expect "shellcheck is content with what scenarios call" shellcheck -s sh "$repository"/scenarios/lab/tools/*
    expect "shellcheck is content with the guests" shellcheck -s sh "$repository"/vm-images/guests/lib/*.sh
    expect "shellcheck is content with what builds and provisions NixOS hosts" shellcheck -s sh "$repository"/vm-images/nixos/*.sh
else
    echo "     shellcheck is not installed: the shell programs are not checked"
fi

[ "$failures" = 0 ] || {
    echo "$failures failed"
    exit 1
}
