# Writes the closure; run inside the Nix build by the shell of a busybox, which has every command used
# here inside it. `text0`, `text1`, ... hold the files named, in the same order, by the lines of
# `paths`. Processes are what a build costs under emulation, so most of this is done by the shell alone.
# shellcheck shell=sh disable=SC2154,SC3060 # variables come from the derivation; busybox has ${//}

folder() { [ -d "$1" ] || mkdir -p "$1"; }

i=0
folder "$out"
printf '%s\n' "$paths" | while IFS= read -r path; do
    case $path in */*) folder "$out/${path%/*}" ;; esac
    eval "text=\$text$i"
    # Only the builder knows where the closure ends up.
    printf '%s' "${text//@out@/$out}" >"$out/$path"
    i=$((i + 1))
done
for path in $executables; do chmod 755 "$out/$path"; done

units=$out/etc/systemd/system
folder "$units"
folder "$out/etc/systemd/system-generators"

# "target/unit": started with that target.
printf '%s\n' "$wanted" | while IFS=/ read -r target unit; do
    folder "$units/$target.wants"
    if [ -e "$units/$unit" ]; then file=../$unit; else file=/usr/lib/systemd/system/$unit; fi
    ln -s "$file" "$units/$target.wants/$unit"
done
ln -s /usr/lib/systemd/system/multi-user.target "$units/default.target"
ln -s /usr/lib/systemd/system/dbus-broker.service "$units/dbus.service"

# An empty file masks as a link to /dev/null does.
for unit in $masked; do : >"$units/$unit"; done
# Nothing here is configured through generators (no fstab, no getty, no GPT), and they run again at
# every reload of the manager: one process each.
for generator in "$base"/usr/lib/systemd/system-generators/*; do
    : >"$out/etc/systemd/system-generators/${generator##*/}"
done

# What `activate` links into /etc: the two folders as wholes, anything else file by file.
printf '%s\n' "$paths" etc/systemd/system/ | while IFS= read -r path; do
    case $path in
        etc/systemd/system/) printf '%s\n' etc/systemd/system etc/systemd/system-generators ;;
        etc/systemd/system/*) ;;
        etc/*) printf '%s\n' "$path" ;;
    esac
done >"$out/etc-links"

ln -s "$base/usr" "$out/sw"
ln -s "$base" "$out/base"
