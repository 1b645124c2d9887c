# Shared by every script that the tool runs on a host. Each is read by `sh` from its standard input, which stays
# open afterwards (descriptor 3 inside `main`): its end means that the caller, or the connection, is gone.
# Lines that begin with the nonce are for the tool; all others are what a step had to say.

say() { printf '%s %s\n' "$nonce" "$*"; }

# Without an exit the shell would look for more script in its input, which stays open.
end() {
    say end
    exit 0
}

# What a shell's own files print may lack the end of its line.
printf '\n'

# A login shell may not set these for a command that is run over ssh.
login_path=$PATH
PATH=$PATH:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin

profiles=/nix/var/nix/profiles/per-container
store=/nix/store
registered=/nix/var/nix/db
boot=$(cat /proc/sys/kernel/random/boot_id)

# Waits until everything that the file systems of $2 and the following were given is on disk, for at most $1 seconds.
on_disk() {
    flush_seconds=$1
    shift
    timeout -k 10 "$flush_seconds" sync -f "$@" </dev/null
}
