# After the host went down in the middle of a deploy: what was registered since that deploy began may be there in name
# only. Nix takes a registered path for whole, so that building or copying it again does nothing: what is not whole has
# to go first. All of this can be done twice.

limited() { timeout -k 10 "$build_seconds" "$@"; }

# Paths that came into the store since one of the deploys began, and that Nix takes for valid.
find_suspects() {
    for link in $links; do
        if [ -L "$link" ]; then
            find "$store" -mindepth 1 -maxdepth 1 -name '????????????????????????????????-*' -cnewer "$link"
        fi
    done | sort -u >"$scratch/found"
    xargs -r -n 500 timeout -k 10 "$build_seconds" nix-store --check-validity --print-invalid \
        <"$scratch/found" >"$scratch/invalid" || return
    grep -vxF -f "$scratch/invalid" "$scratch/found" >"$scratch/suspects"
    # With 1, grep found nothing.
    [ "$?" -lt 2 ]
}

# Compares the suspects with the hashes in Nix' database, and lists those that differ.
compare() {
    xargs -r -n 500 timeout -k 10 "$build_seconds" nix-store --verify-path <"$scratch/suspects" >"$scratch/said" 2>&1
    compared=$?
    sed -n "s,.*path '\($store/[^']*\)' was modified.*,\1,p" "$scratch/said" >"$scratch/broken"
    return "$compared"
}

# What the deploys kept from being collected is to go. Their links stay, with their times, until this is over.
release() {
    for link in $links; do
        folder=${link%/*}
        if [ -L "$link" ] && [ -w "$folder" ]; then
            ln -sfn lost "$folder/.lost" && touch -h -r "$link" "$folder/.lost" && mv -fT "$folder/.lost" "$link"
            # A deploy that is under way now has the folder locked.
            (flock -n 9 && rm -f "$folder/.next" "$folder"/.next-*) 9<"$folder"
        fi
    done
}

remove_broken() {
    release
    while read -r path; do
        echo "not whole: $path"
        # What is in use can't be removed, and what was copied can't be built: one of the two may be.
        limited nix-store --delete "$path" </dev/null >"$scratch/deleted" 2>&1 ||
            limited nix-store --repair-path "$path" </dev/null || {
            cat "$scratch/deleted"
            return 1
        }
    done <"$scratch/broken"
}

recover() {
    # Forgets what is registered and not there at all.
    limited nix-store --verify </dev/null || return
    find_suspects || return
    echo "this host went down during a deploy: comparing the $(wc -l <"$scratch/suspects") paths that were registered since"
    if ! compare; then
        remove_broken && find_suspects || return
        compare || {
            cat "$scratch/said"
            return 1
        }
    fi
    on_disk "$build_seconds" "$store" "$registered" || return
    for link in $links; do
        if [ -w "${link%/*}" ]; then
            rm -f "$link"
        fi
    done
}

main() {
    trap '' HUP PIPE
    exec 2>&1
    say step recover
    scratch=$(mktemp -d) || {
        say ended 1
        end
    }
    recover
    say ended "$?"
    rm -rf "$scratch"
    end
}

main 3<&0 </dev/null
