# Puts a flake of the user's own into the place of the lab's, where the deploying side deploys from. Provisioning runs it
# once as root, when that place is made. The lab's flake stays beside it, as what the other one has for its inputs
# `nixpkgs` and `spawnlab`: what the two names mean outside can't be fetched here.
set -eu
die() {
    printf 'provision: %s\n' "$1" >&2
    exit 1
}
given=/lab/guests
home=/home/deployer

# A flake of systems that are made of a Debian tree is for hosts that have one: the lab's own is of that kind.
if [ ! -e "$given/flake.nix" ] || grep -qF 'guest-base.json' "$given/flake.nix"; then
    exit 0
fi

inputs=$(nix-instantiate --eval --strict --json -E "builtins.attrNames ((import $given/flake.nix).inputs or { })")
overrides=
for input in $(printf '%s' "$inputs" | tr -d '[]"' | tr ',' ' '); do
    case $input in
        nixpkgs | spawnlab) overrides="$overrides --override-input $input path:$home/lab" ;;
        *) die "the flake has the input $input, and a host of the lab reaches no network: it gets nixpkgs and spawnlab, and no other" ;;
    esac
done

rm -rf "$home/lab"
mv "$home/flake" "$home/lab"
cp -r "$given" "$home/flake"
# With the inputs that it has here.
rm -f "$home/flake/flake.lock"
chmod -R u+w "$home/flake"
chown -R deployer:deployer "$home/flake"

# A commit, where there is git: Nix answers for one from its evaluation cache.
# shellcheck disable=SC2016 # the inner shell's
setpriv --reuid deployer --regid deployer --init-groups --reset-env \
    env PATH="$PATH" NIX_REMOTE="local?root=$home/store" sh -euc '
        cd ~/flake
        # shellcheck disable=SC2086 # words without blanks
        lock() { nix flake lock $overrides; }
        overrides=$0
        if command -v git >/dev/null; then
            git init -q -b main .
            git add .
            lock
            git add .
            git -c user.name=deployer -c user.email=deployer@localhost commit -q -m "the flake that is deployed"
        else
            lock
        fi' "$overrides"
