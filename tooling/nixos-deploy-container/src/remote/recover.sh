# After the host went down in the middle of a deploy: what was registered since that deploy began may be there in name
# only. Nix takes a registered path for whole, so that building or copying it again does nothing: what is not whole has
# to go first. All of this can be done twice.

limited() { timeout -k 10 "$build_seconds" "$@"; }

# Runs nix-store with the paths that the file $1 lists, for the rest of its arguments.
of_paths_in() {
    list=$1
    shift
    xargs -r -n 500 timeout -k 10 "$build_seconds" nix-store "$@" <"$list"
}

# The paths of the file $1 that Nix takes for valid. Of 0 and 1 from grep, 1 is that none is left.
only_valid() {
    of_paths_in "$1" --check-validity --print-invalid >"$scratch/invalid" || return
    grep -vxF -f "$scratch/invalid" "$1" || [ "$?" = 1 ]
}

# Registered paths that are not there at all: Nix forgets those that no registered path needs, and names the others.
find_missing() {
    limited nix-store --verify </dev/null >"$scratch/said" 2>&1
    verified=$?
    sed -n "s,.*path '\($store/[^']*\)' disappeared\, but.*,\1,p" "$scratch/said" >"$scratch/missing"
    if [ "$verified" != 0 ] && ! [ -s "$scratch/missing" ]; then
        cat "$scratch/said"
        return "$verified"
    fi
}

# Paths that came into the store since one of the deploys began, and that Nix takes for valid.
find_suspects() {
    for link in $links; do
        if [ -L "$link" ]; then
            find "$store" -mindepth 1 -maxdepth 1 -name '????????????????????????????????-*' -cnewer "$link"
        fi
    done | sort -u >"$scratch/found"
    only_valid "$scratch/found" >"$scratch/suspects"
}

# Compares the suspects with the hashes in Nix' database, and lists those that differ, with those that are missing.
compare() {
    of_paths_in "$scratch/suspects" --verify-path >"$scratch/said" 2>&1
    compared=$?
    sed -n "s,.*path '\($store/[^']*\)' was modified.*,\1,p" "$scratch/said" >"$scratch/broken"
    if grep -q '^error' "$scratch/said"; then
        # One that can't be read ends the comparison of all that come after it.
        while read -r path; do
            limited nix-store --verify-path "$path" </dev/null >/dev/null 2>&1 || printf '%s\n' "$path"
        done <"$scratch/suspects" >"$scratch/broken"
    fi
    cat "$scratch/missing" >>"$scratch/broken"
    [ "$compared" = 0 ] && ! [ -s "$scratch/broken" ]
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

# Deletes the paths of the file $1. Nix deletes none whose referrers are not named with it, and by default no derivation
# whose outputs are not: these settings, which are for those that it trusts, take outputs and derivations for themselves.
delete() {
    xargs -r timeout -k 10 "$build_seconds" nix-store --option keep-derivations false --option keep-outputs false --delete \
        <"$1" >"$scratch/deleted" 2>&1
}

# Adds to the file $1 whatever has to be deleted with its paths, by somebody whom Nix does not trust. The outputs of a
# derivation have its name; asked for them, Nix would read the derivation, which is not whole.
widen() {
    : >"$scratch/before"
    while ! cmp -s "$1" "$scratch/before"; do
        cp "$1" "$scratch/before"
        of_paths_in "$scratch/before" --query --referrers-closure >"$scratch/more" || return
        of_paths_in "$scratch/before" --query --valid-derivers >>"$scratch/more" 2>/dev/null
        outputs_of "$1" >>"$scratch/more" || return
        sort -u "$scratch/before" "$scratch/more" >"$1"
    done
}

# The registered outputs of the derivations that the file $1 lists.
outputs_of() {
    sed -n "s,^$store/[^-]*-\(.*\)\.drv\$,\1,p" "$1" >"$scratch/names"
    find "$store" -mindepth 1 -maxdepth 1 -name '????????????????????????????????-*' ! -name '*.drv' |
        awk -v start="$((${#store} + 35))" 'NR == FNR { named[$0]; next }
            { name = substr($0, start); while (!(name in named) && sub(/-[^-]*$/, "", name)) { } }
            name in named' "$scratch/names" - >"$scratch/named"
    only_valid "$scratch/named" >"$scratch/outputs" || return
    of_paths_in "$scratch/outputs" --query --deriver | paste -d ' ' - "$scratch/outputs" |
        awk 'NR == FNR { doomed[$0]; next } $1 in doomed { print $2 }' "$1" -
}

# What is whole and needs something that is not, goes with it. What is in use can't be removed, but may be built anew in
# its place. Whether all is well afterwards is for the next comparison.
remove_broken() {
    release
    sed 's/^/not whole: /' "$scratch/broken"
    delete_all "$scratch/broken" && return
    while read -r path; do
        printf '%s\n' "$path" >"$scratch/one"
        only_valid "$scratch/one" >"$scratch/it"
        if [ -s "$scratch/it" ] && ! delete_all "$scratch/it"; then
            limited nix-store --repair-path "$path" </dev/null || {
                cat "$scratch/deleted"
                limited nix-store --query --roots "$path" </dev/null 2>&1 | sed 's/^/in use by: /'
            }
        fi
    done <"$scratch/broken"
}

# Deletes the paths of the file $1 and those that need them.
delete_all() {
    of_paths_in "$1" --query --referrers-closure | sort -u >"$scratch/set"
    delete "$scratch/set" && return
    only_valid "$scratch/set" >"$scratch/left" && widen "$scratch/left" && delete "$scratch/left"
}

recover() {
    find_missing && find_suspects || return
    echo "this host went down during a deploy: comparing the $(wc -l <"$scratch/suspects") paths that were registered since"
    if ! compare; then
        remove_broken
        find_missing && find_suspects || return
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
