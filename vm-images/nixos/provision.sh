# Makes a freshly booted NixOS host the lab's container host. Run once as root, with the lab disk at /lab. All that
# can be configuration is in system.nix; this is what differs from boot to boot: keys, the deploying
# side's flake and store, and the tool under test.
set -eu
die() {
    printf 'provision: %s\n' "$1" >&2
    exit 1
}

# --- can this host run containers at all?

# systemd-nspawn says so, too, in the middle of the first deploy and in other words.
store=$(findmnt -n -o FSTYPE -T /nix/store)
case $store in
    ext4 | xfs | btrfs) ;;
    *) die "/nix/store is on $store, which takes no idmapped mounts: containers cannot start; use ext4 without an overlay" ;;
esac
case ,$(findmnt -n -o OPTIONS /), in
    *,rw,*) ;;
    *) die "the root file system is mounted read-only: nothing can be deployed" ;;
esac
[ -d /lab/tool ] || die "the lab disk is not mounted at /lab"

# The containers are the configuration's; a lab that declares others needs a system that was built with the image.
declared=$(nix-instantiate --eval --strict --json /lab/containers.nix)
[ "$declared" = "$(cat /etc/spawnlab/declarations/declared.json)" ] || apply-containers /lab/containers.nix

# --- ssh from the host to itself

key=/home/deployer/.ssh/id_ed25519
for user in deployer teamdev; do
    install -d -o "$user" -g "$user" -m 700 "/home/$user/.ssh"
done
install -d -m 700 /root/.ssh
[ -f "$key" ] || ssh-keygen -q -t ed25519 -N '' -C deployer -f "$key"
chown deployer:deployer "$key" "$key.pub"
install -m 600 "$key.pub" /root/.ssh/authorized_keys
install -o teamdev -g teamdev -m 600 "$key.pub" /home/teamdev/.ssh/authorized_keys

# sshd makes its key when it is first started.
systemctl start sshd.service
read -r type public _ </etc/ssh/ssh_host_ed25519_key.pub
install -d /var/lib/spawnlab
echo "localhost,127.0.0.1,::1 $type $public" >/var/lib/spawnlab/known_hosts

# --- the tool under test

install -d /usr/local/bin
ln -sfn /lab/tool/nixos-deploy-container /usr/local/bin/nixos-deploy-container

# --- the flake of the deploying side, which has a Nix store of its own

# An image of Debian's programs has both, with every machine evaluated.
guests=@guests@
flake=/home/deployer/flake
if [ -n "$guests" ]; then
    rm -rf "$flake"
    cp -rL "$guests" "$flake"
    chmod -R u+w "$flake"
    chown -R deployer:deployer "$flake"

    # Everything but the last step of every deploy, once: the nixpkgs of the flake is read into the deploying side's
    # store, a machine is evaluated, and the host learns how its parts are made. What a deploy brings is
    # its system's derivation and whatever differs.
    # shellcheck disable=SC2016 # the inner shell's
    setpriv --reuid deployer --regid deployer --init-groups --reset-env \
        env PATH="$PATH" NIX_REMOTE='local?root=/home/deployer/store' sh -euc '
            cd "$0"
            etc=$(nix eval --raw .#nixosConfigurations.web.config.system.build.etc.drvPath)
            nix copy --derivation --to ssh-ng://root@localhost "$etc"' "$flake"
fi

# Or one of the user's own.
spawnlab-own-flake
