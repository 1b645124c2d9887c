# shellcheck shell=bash
# QEMU: which one is there, and where a new enough one comes from.

# `file:` migration, which saves a layer, came with 8.2; and 7.2 double-faults a 6.12 kernel under
# emulation with two processors, so "nearly new enough" does not exist.
readonly QEMU_MINIMUM=8.2

readonly DEBIAN_MIRROR=http://deb.debian.org/debian
readonly BACKPORTS=bookworm-backports
readonly BACKPORTS_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# Prints the version of the QEMU on PATH, like 10.0.2; nothing when there is none or it does not start.
qemu_version() {
    local line
    line=$(qemu-system-x86_64 --version 2>/dev/null) || return 1
    [[ $line =~ version\ ([0-9.]+) ]] && printf '%s\n' "${BASH_REMATCH[1]}"
}

qemu_new_enough() {
    version_at_least "$QEMU_MINIMUM" "$(qemu_version)"
}

# A QEMU that no package owns (built by hand, first on PATH) would still be found after an
# installation: refuse it by name instead of installing in vain.
refuse_foreign_qemu() {
    local path version
    path=$(command -v qemu-system-x86_64) || return 0
    version=$(qemu_version) || version='of unknown version'
    if ! version_at_least "$QEMU_MINIMUM" "$version" && ! dpkg -S "$path" >/dev/null 2>&1; then
        give_up "$path is QEMU $version; spawnlab needs $QEMU_MINIMUM or newer" \
            'next: remove it or put a newer one first on PATH'
    fi
}

# Debian 12's own QEMU is too old; the one in its backports is not.
qemu_from_backports() {
    [[ $DISTRIBUTION == debian && $DISTRIBUTION_VERSION == 12 ]]
}

# The backports as one line of a sources list.
backports_line() {
    printf 'deb [signed-by=%s] %s %s main\n' "$BACKPORTS_KEYRING" "$DEBIAN_MIRROR" "$BACKPORTS"
}

# Whether this machine's own apt configuration names the backports already. Naming them twice with
# different options is an error to apt.
backports_configured() {
    grep -qrsE "^[^#]*\b$BACKPORTS\b" /etc/apt/sources.list /etc/apt/sources.list.d
}
