#!@busybox@ sh
# shellcheck shell=sh disable=SC3013 # busybox has -ef
# Makes /etc and /run/current-system those of this closure. Runs at every start and at every switch;
# a second run changes nothing.
# The shell is a busybox and finds its own commands before any in PATH.
set -e
base=@base@
system=@out@

# Plain files of the base (users, PAM, name service switch) are copied once per base, since programs
# write to some of them.
read -r filled 2>/dev/null </etc/.guest-base || filled=
if [ "$filled" != "$base" ]; then
    # Not the time zone, which is the host's: systemd-nspawn mounts it over that path. tar, because it
    # replaces what an interrupted first start left, links included.
    (
        cd "$base/etc"
        set --
        for entry in *; do [ "$entry" = localtime ] || set -- "$@" "$entry"; done
        tar -cf - "$@" | tar -xf - -C /etc
    )
    chmod -R u+w /etc 2>/dev/null || true # the time zone again
    chmod 640 /etc/shadow /etc/gshadow
    chgrp shadow /etc/shadow /etc/gshadow
    ln -sfn ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
    echo "$base" >/etc/.guest-base
fi

# replace LINK TARGET: by renaming, so that nobody ever sees the path missing.
replace() {
    ln -sfn "$2" "$1.new"
    mv -fT "$1.new" "$1"
}
replace /etc/static "$system/etc"

# Every path of the closure's etc/ is a link into /etc/static. The list of the last activation says
# which links have no file any more.
while IFS= read -r path; do
    [ -h "/$path" ] && [ "/$path" -ef "/etc/static/${path#etc/}" ] && continue
    mkdir -p "/${path%/*}"
    rm -rf "/${path:?}"
    ln -s "/etc/static/${path#etc/}" "/$path"
done <"$system/etc-links"
if [ -e /etc/.static-links ]; then
    while IFS= read -r path; do
        [ -e "/$path" ] || rm -f "/$path"
    done </etc/.static-links
fi
cp "$system/etc-links" /etc/.static-links.new
mv -f /etc/.static-links.new /etc/.static-links

replace /run/current-system "$system"
