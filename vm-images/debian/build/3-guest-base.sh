# Adds one guest base to the Nix store of the tree, once per base.
# Expects NAME, SUITE, TAR, BUSYBOX, KEEP, REMOVE and FIRST.
base=$tree/var/tmp/$NAME
mkdir "$base"
tar -C "$base" -x -f "$TAR"
rm "$TAR"
mv "$base/export/packages" "export/packages.$NAME"
mv "$base/export/releases" "export/releases.$NAME"

for entry in "$base"/* "$base"/.[!.]*; do
    case " $KEEP " in
    *" ${entry##*/} "*) ;;
    *) rm -rf "$entry" ;;
    esac
done
for pattern in $REMOVE; do
    rm -rf "$base"/$pattern
done
if [ ! -x "$base$BUSYBOX" ]; then
    echo "guest base $NAME has no $BUSYBOX" >&2
    exit 1
fi

path=$(chroot "$tree" nix-store --add-fixed --recursive sha256 "/var/tmp/$NAME")
rm -rf "$base"
mkdir -p "$tree/nix/var/nix/gcroots"
ln -sfn "$path" "$tree/nix/var/nix/gcroots/$NAME"
# The hash in the form that flakes are written in: sha256-BASE64.
hex=$(chroot "$tree" nix-hash --type sha256 "$path")
octets=$(printf '%s' "$hex" | sed 's/../\\x&/g')
hash=sha256-$(env printf "$octets" | base64 -w0)
printf '{"name":"%s","path":"%s","hash":"%s","busybox":"%s","suite":"%s"}\n' \
    "$NAME" "$path" "$hash" "$BUSYBOX" "$SUITE" >"export/guest-base.$NAME.json"
if [ "$FIRST" = yes ]; then cp "export/guest-base.$NAME.json" "$tree/etc/spawnlab/guest-base.json"; fi
