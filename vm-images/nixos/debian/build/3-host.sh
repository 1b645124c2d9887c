# Evaluates and builds the host. Expects HOST_MODULES, NIXOS_MODULES and NIXPKGS_LABEL.
# In the image, too: its host makes itself one with other containers.
mkdir -p "$debian/var/lib/spawnlab/host"
mv "$work/lab" "$work/modules" "$debian/var/lib/spawnlab/host/"
host_files=/var/lib/spawnlab/host
modules=
for module in $NIXOS_MODULES; do modules="$modules $host_files/lab/vm-images/nixos/$module"; done
for module in $HOST_MODULES; do modules="$modules $host_files/modules/$module"; done

# The tree's own words: what comes after the last "error:", and not by which way Nix came there.
explain() {
    awk '{ lines[NR] = $0 } /^ *error:/ { last = NR }
        END { for (line = last ? last : 1; line <= NR; line++) { sub(/^       /, "", lines[line]); print lines[line] } }' "$1" |
        sed '/^warning: /d' | tail -n 55
}
# The user's files are known by another path.
words() { sed -E 's,/var/lib/spawnlab/host/modules/[0-9]+/,,g; s,/var/lib/spawnlab/host/lab/,,g; s,/nix/store/[a-z0-9]{32}-source/,nixpkgs/,g'; }

cat >"$debian$host_files/host.nix" <<END
{
  containers ? null,
}:
import $host_files/lab/vm-images/nixos/debian/evaluate.nix {
  nixpkgs = $nixpkgs;
  modules = [ $modules ];
  inherit containers;
}
END
host=$(inside nix-instantiate $host_files/host.nix -A toplevel --add-root /build/host.drv 2>"$work/host.err") || {
    { echo "the host does not evaluate:"; explain "$work/host.err"; } | words | give_up 22
}
host=$(inside readlink -f /build/host.drv)

# What would have to be fetched, and what Debian's tree has not: all of it by name, before anything is built.
refuse_missing() {
    inside nix-store --query --requisites "$1" >"$work/needed"
    missing=$(sed -n 's,^/nix/store/[a-z0-9]*-missing-program-\(.*\)\.drv$,  \1,p' "$work/needed" | sort -u)
    [ -z "$missing" ] || give_up 24 <<END
$2 uses programs that are not among the programs of Debian that this image has:
$missing
Add them to vm-images/nixos/debian/programs.toml, if Debian has them, or leave out what uses them.
END
}
refuse_missing "$host" "the host"

inside nix-store --realise "$host" --add-root /nix/var/nix/profiles/system-1-link >"$work/host.out" 2>"$work/host.log" || {
    # nixpkgs' modules name units of the systemd that nixpkgs has. The first that is not there ends the build.
    unit=$(sed -n 's,.*missing /nix/store/.*/programs/systemd/.*/\([^/]*\)$,\1,p' "$work/host.log" | head -n 1)
    [ -z "$unit" ] || give_up 24 <<END
this nixpkgs asks for the unit $unit, which the systemd of Debian $SUITE does not have: it needs programs of a newer suite.
END
    { echo "the host was evaluated, and a part of it cannot be built:"; grep -v '^building ' "$work/host.log" | tail -n 40; } |
        words | give_up 23
}
system=$(inside readlink -f /nix/var/nix/profiles/system-1-link)
ln -sfn system-1-link "$debian/nix/var/nix/profiles/system"

inside nix-instantiate $host_files/host.nix --eval --strict --json -A description 2>/dev/null >"$work/description.json"
inside jq --arg toplevel "$system" --arg label "$NIXPKGS_LABEL" --arg suite "$SUITE" '
    { toplevel: $toplevel } + .
    | .os.pretty = "NixOS " + .os.version + " (nixpkgs " + $label + "), programs of Debian " + $suite
' /build/description.json >export/system.json
