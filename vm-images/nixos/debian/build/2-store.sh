# Makes the trees of Debian and of nixpkgs paths of the store. Expects SUITE.
kernel=$(ls "$debian/usr/lib/modules")
case $kernel in
*[!A-Za-z0-9._+-]* | "")
    echo "expected one kernel in /usr/lib/modules, found: $kernel" >&2
    exit 1
    ;;
esac
table=/build/lab/vm-images/nixos/debian
words=$(inside nix-instantiate --eval --strict --json "$table/programs.nix" | tr -d '"')
# shellcheck disable=SC2086 # a word for each program
inside perl "$table/tree.pl" "/build/debian-$SUITE" "/build/linux-$SUITE" "$kernel" $words

hash_of() { inside nix-hash --type sha256 --sri "$1"; }
add() { inside nix-store --add-fixed --recursive sha256 "/build/$1"; }
# The three of them at once: this is reading and writing.
add "linux-$SUITE" >"$work/linux.path" &
linux_added=$!
# Called so, a path of the store is taken for an input of a flake as it is; by another name it would be copied.
add source >"$work/nixpkgs.path" &
nixpkgs_added=$!
tree=$(add "debian-$SUITE")
wait "$linux_added"
wait "$nixpkgs_added"
linux=$(cat "$work/linux.path")
nixpkgs=$(cat "$work/nixpkgs.path")
rm -rf "$work/debian-$SUITE" "$work/linux-$SUITE" "$work/source"

# What every version of Nix can be asked for.
query() { inside nix-hash --type sha256 --to-sri "$(inside nix-store --query --hash "$1" | cut -d: -f2)"; }
inside dpkg-query --show --showformat='${Package}\t${Version}\n' |
    inside jq -R -s --arg suite "$SUITE" --arg tree "$(query "$tree")" --arg linux "$(query "$linux")" --arg kernel "$kernel" '{
        suite: $suite,
        tree: { name: ("debian-" + $suite), hash: $tree },
        kernel: { name: ("linux-" + $suite), hash: $linux, version: $kernel },
        versions: (split("\n") | map(select(. != "") | split("\t") | { (.[0]): .[1] }) | add)
    }' >"$debian$table/description.json"
