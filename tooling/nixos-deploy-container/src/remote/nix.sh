# Running Nix on the host, for the scripts that build.

# Runs a command for at most $1 seconds, and stops it early when the caller goes away.
# Sets `abandoned` to yes in that case. Returns the command's status, 124 for a timeout. The script says in
# `meanwhile` what can be done while the command runs.
attended() {
    abandoned=no
    timeout -k 10 "$@" </dev/null &
    attended_pid=$!
    (
        read -r _ <&3
        # The whole group that timeout made: signalled alone right after its start it would leave its child behind.
        kill -TERM "-$attended_pid" 2>/dev/null || kill "$attended_pid" 2>/dev/null
        exit 0
    ) &
    watcher=$!
    meanwhile
    wait "$attended_pid"
    attended_status=$?
    kill "$watcher" 2>/dev/null
    # A watcher that had to be killed saw no end of input.
    wait "$watcher" 2>/dev/null && abandoned=yes
    return "$attended_status"
}

# Before Nix 2.13 a derivation's outputs are asked for by its bare path. Looked up after a failure only: starting Nix
# for its version costs time on every other host.
nix_is_old() {
    version=$(nix --version 2>/dev/null)
    version=${version##* }
    major=${version%%.*}
    minor=${version#*.}
    minor=${minor%%[!0-9]*}
    case $major$minor in '' | *[!0-9]*) return 1 ;; esac
    [ "$major" -lt 2 ] || { [ "$major" = 2 ] && [ "$minor" -lt 13 ]; }
}

# Builds with the given flags and installables, written as `DRV^*`.
build() {
    # shellcheck disable=SC2086 # flags are words without blanks
    attended "$build_seconds" nix --extra-experimental-features "nix-command flakes" build $nix_flags "$@"
    build_status=$?
    if [ "$build_status" = 1 ] && [ "$abandoned" = no ] && nix_is_old; then
        for word in "$@"; do
            shift
            set -- "$@" "${word%"^*"}"
        done
        echo "this host's Nix is older than 2.13: building again, without ^*"
        # shellcheck disable=SC2086
        attended "$build_seconds" nix --extra-experimental-features "nix-command flakes" build $nix_flags "$@"
        build_status=$?
    fi
    return "$build_status"
}
