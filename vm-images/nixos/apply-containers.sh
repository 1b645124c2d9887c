# apply-containers FILE: makes the running host one that has the containers that FILE declares. On NixOS that is
# another system; those that scenarios want were built with the image, for the lab has no network to build more.
set -eu
[ $# = 1 ] || {
    echo "usage: apply-containers FILE" >&2
    exit 2
}
wanted=$(nix-instantiate --eval --strict --json "$1")
booted=/run/booted-system
system=
for known in /etc/spawnlab/declarations/*.json; do
    [ "$wanted" = "$(cat "$known")" ] || continue
    case $known in
        */declared.json) system=$booted ;;
        *) system=$booted/specialisation/$(basename "$known" .json) ;;
    esac
done
# An image of Debian's programs has what a host is made of, too: any other system is evaluated and built here.
host=/var/lib/spawnlab/host/host.nix
if [ -z "$system" ] && [ -e "$host" ]; then
    echo "apply-containers: this image has no system with the containers of $1: making one" >&2
    system=$(nix-build --no-out-link "$host" -A toplevel --arg containers "$(realpath "$1")")
fi
if [ -z "$system" ]; then
    echo "apply-containers: this image has no system with the containers of $1; it has:" >&2
    ls /etc/spawnlab/declarations >&2
    exit 1
fi
exec "$system/bin/switch-to-configuration" test
