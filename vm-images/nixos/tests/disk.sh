#!/bin/sh
# Tests of ../disk.sh: a disk of a small closure, made by the real mke2fs and the real Nix, and read again.
#
# Exit status: 0 all as expected; 1 something is not; 77 a program is missing here, nothing was tested.
set -u
tests=$(dirname "$(readlink -f "$0")")
# Ordinary users have no sbin in their PATH.
PATH=$PATH:/usr/sbin:/sbin
for program in nix-store fakeroot mke2fs debugfs sqlite3; do
    command -v "$program" >/dev/null || {
        echo "skipped: $program is not installed" >&2
        exit 77
    }
done
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work" || exit 1
export HOME="$work"

failures=0
# expect DESCRIPTION TEXT WANTED: the text contains it.
expect() {
    case $2 in
        *"$3"*) echo "ok   $1" ;;
        *)
            echo "FAIL $1: no $3 in: $2"
            failures=$((failures + 1))
            ;;
    esac
}

# --- a closure of three paths, as pkgs.closureInfo describes it

store="local?root=$work/built"
mkdir system closure image
echo 'a program' >init
chmod 755 init
init=$(NIX_REMOTE=$store nix-store --add init)
ln -s "$init" system/init
system=$(NIX_REMOTE=$store nix-store --add system)
# Two MiB that don't compress away.
head -c 2097152 /dev/urandom >source
source=$(NIX_REMOTE=$store nix-store --add source)
printf '%s\n' "$system" "$init" "$source" >closure/store-paths
NIX_REMOTE=$store nix-store --dump-db "$system" "$init" "$source" >closure/registration

# In the folder of the build, as Nix runs it.
(cd image && sh -eu "$tests/../disk.sh" "$work/closure" "$system" 64 "$work/root.raw" "$work/built") || exit 1

# --- what is on it

on_disk() { debugfs -R "$1" root.raw 2>/dev/null; }
expect "the disk has its size" "$(stat -c %s root.raw)" $((64 << 20))
expect "what was built by anybody is root's" "$(on_disk "stat $init")" 'User:     0   Group:     0'
expect "modes are those of a store" "$(on_disk "stat $init")" 'Mode:  0555'
expect "the system profile is a generation" "$(on_disk 'stat /nix/var/nix/profiles/system')" 'system-1-link'
expect "which is the system" "$(on_disk 'stat /nix/var/nix/profiles/system-1-link')" "$(basename "$system")"
expect "what only deploys need is kept from the collector" "$(on_disk 'ls /nix/var/nix/gcroots/image')" "$(basename "$source")"
expect "everybody may write to /tmp" "$(on_disk 'stat /tmp')" 'Mode:  01777'
on_disk 'dump /nix/var/nix/db/db.sqlite db.sqlite'
expect "the database knows every path, and no build time" \
    "$(sqlite3 db.sqlite 'SELECT count(*) FROM ValidPaths WHERE registrationTime = 1')" 3
# Read again by Nix: a disk whose database does not fit its store would be noticed in the VM only.
mkdir -p copy && on_disk "rdump /nix copy"
expect "Nix finds the whole closure valid" \
    "$(NIX_REMOTE="local?root=$work/copy" nix-store --verify --check-contents 2>&1; echo "status $?")" 'status 0'

# --- a closure that does not fit

if (mkdir small && cd small && sh -eu "$tests/../disk.sh" "$work/closure" "$system" 1 "$work/small.raw" "$work/built") >small.txt 2>&1; then
    expect "a disk that is too small is refused" "it was made" "refused"
else
    expect "a disk that is too small is refused" "$(cat small.txt)" "Could not allocate block"
fi

[ "$failures" = 0 ] || {
    echo "$failures failed"
    exit 1
}
