# The deploying side: its flake in a git repository of one commit, and a Nix store of its own, in which each machine was
# evaluated. Nix answers for a commit from its evaluation cache, so that a deploy of an unchanged flake evaluates nothing.
home=/home/deployer
mkdir -p "$debian$home/store/nix/store" "$debian$home/store/nix/var/nix"
chown -R 2001:2001 "$debian$home"
chmod 700 "$debian$home"
deployer() {
    chroot "$debian" setpriv --reuid 2001 --regid 2001 --clear-groups env -i PATH=/usr/sbin:/usr/bin HOME=$home USER=deployer \
        LC_ALL=C.UTF-8 NIX_REMOTE="local?root=$home/store" GIT_AUTHOR_DATE='@1 +0000' GIT_COMMITTER_DATE='@1 +0000' \
        sh -euc "$@"
}

# nixpkgs is in that store, too, by the same files: who changes a flake evaluates it there.
cp -al "$debian$nixpkgs" "$debian$home/store/nix/store/"
inside nix-store --dump-db "$nixpkgs" >"$work/nixpkgs.db"
deployer 'nix-store --load-db' <"$work/nixpkgs.db"

nixpkgs_hash=$(query "$nixpkgs")
# flake NAME: a repository in the deploying side's home, locked.
flake() {
    cp -r "$debian$host_files/lab/vm-images/nixos/guests" "$debian$home/$1"
    cp "$debian$host_files/lab/tooling/nix/guest.nix" "$debian$home/$1/guest.nix"
    cp -r "$debian$host_files/lab/vm-images/nixos/debian" "$debian$home/$1/debian"
    rm -rf "$debian$home/$1/debian/build"
    sed -i '/^  inputs\.nixpkgs = {$/,/^  };$/d' "$debian$home/$1/flake.nix"
    cat >"$debian$home/$1/nixpkgs.nix" <<END
builtins.path {
  name = "source";
  path = "$nixpkgs";
  sha256 = "$nixpkgs_hash";
}
END
    chown -R 2001:2001 "$debian$home/$1"
}
commit='git init -q -b main .
    git add .
    nix flake lock
    git add .
    git -c user.name=deployer -c user.email=deployer@localhost commit -q -m "the machines of the lab"'
flake flake
flake other
sed -i 's/web version 2/page of another flake/' "$debian$home/other/flake.nix"
deployer "cd $home/flake; $commit" >"$work/flake.log" 2>&1
deployer "cd $home/other; $commit" >"$work/other.log" 2>&1

evaluated() {
    deployer "cd $home/\$0; exec nix path-info --derivation \".#nixosConfigurations.\\\"\$1\\\".config.system.build.toplevel\"" \
        "$1" "$2" >"$work/guest.$1.$2" 2>"$work/guest.$1.$2.err" || {
        { echo "the guest $2 does not evaluate:"; explain "$work/guest.$1.$2.err"; } | words | give_up 22
    }
}
# One after the other: of two evaluations of one flake at once, only one writes into its cache.
evaluated other web-v2 &
pair=$!
for machine in bare web web-v2 web-manager web-broken; do evaluated flake "$machine"; done
wait "$pair"

# What is a part of several machines is in the image, built; what is a part of one is built when it is deployed.
for machine in "$work"/guest.flake.*; do
    case $machine in *.err) continue ;; esac
    deployer "nix-store --query --requisites $(cat "$machine")" | grep '\.drv$'
done | sort | uniq -c >"$work/parts"
awk '$1 > 1 { print $2 }' "$work/parts" >"$work/shared"
awk '$1 == 1 { print $2 }' "$work/parts" >"$work/single"

# Derivations come to the host as they do in a deploy, all but those that a deploy is about.
deployer 'xargs nix-store --export' <"$work/shared" | inside nix-store --import >"$work/imported"
# The inputs of what is left, and of a system that differs from all of these.
deployer 'xargs nix-store --query --references' <"$work/single" | grep '\.drv$' | sort -u >"$work/inputs.all"
grep -Fxf "$work/shared" "$work/inputs.all" >"$work/inputs"
for machine in "$work/inputs" "$work/single"; do
    missing=$(sed -n 's,^/nix/store/[a-z0-9]*-missing-program-\(.*\)\.drv$,  \1,p' "$machine" "$work/shared" | sort -u)
    [ -z "$missing" ] || give_up 24 <<END
a guest uses programs that are not among the programs of Debian that this image has:
$missing
Add them to vm-images/nixos/debian/programs.toml, if Debian has them, or leave out what uses them.
END
done
inside xargs nix-store --realise <"$work/inputs" >"$work/guests.out" 2>"$work/guests.log" || {
    { echo "the guests were evaluated, and a part of them cannot be built:"; grep -v '^building ' "$work/guests.log" | tail -n 40; } |
        words | give_up 23
}
