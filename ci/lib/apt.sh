# shellcheck shell=bash
# apt: fetch lists, ask them, install. One transaction, with a configuration of its own.

# Where this transaction keeps its lists, and its sources and pins where they differ from the
# machine's. The machine's own files under /etc/apt and its lists are read or left alone, never
# changed, so nothing that we needed once surprises a later `apt-get upgrade`.
APT_FOLDER=''
APT_OPTIONS=()

apt_prepare() {
    APT_FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/spawnlab-apt.XXXXXX") ||
        give_up 'no temporary folder could be made' "next: make room in ${TMPDIR:-/tmp}"
    trap apt_clean EXIT
    # apt downloads as its own user, which must be able to walk in.
    (umask 022 && mkdir -p "$APT_FOLDER/lists/partial" "$APT_FOLDER/sources" "$APT_FOLDER/pins")
    chmod 755 "$APT_FOLDER"
    APT_OPTIONS=(
        -o "Dir::State::lists=$APT_FOLDER/lists"
        # The binary caches describe the machine's own lists: don't mix.
        -o "Dir::Cache::pkgcache=$APT_FOLDER/pkgcache.bin" -o Dir::Cache::srcpkgcache=
        -o Acquire::Retries=3 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30
        -o Acquire::Languages=none
        # An automatic upgrade may hold the lock; wait for it, but not for ever.
        -o DPkg::Lock::Timeout=300
    )
}

apt_clean() {
    if [[ -n $APT_FOLDER ]]; then
        # The parts that root's apt wrote for its own user go with the folder or stay in /tmp.
        rm -rf "$APT_FOLDER" 2>/dev/null || as_root rm -rf "$APT_FOLDER" || true
        APT_FOLDER=''
    fi
}

# Lets QEMU and its firmware, and nothing else, come from the backports in this one transaction. By pin and not by
# target release: a qemu-utils that was backported earlier breaks the old qemu-system-common, so
# all parts of QEMU have to move together.
apt_add_backports() {
    if [[ -d /etc/apt/sources.list.d ]]; then
        cp -RL /etc/apt/sources.list.d/. "$APT_FOLDER/sources/"
    fi
    if [[ -d /etc/apt/preferences.d ]]; then
        cp -RL /etc/apt/preferences.d/. "$APT_FOLDER/pins/"
    fi
    if ! backports_configured; then
        backports_line >"$APT_FOLDER/sources/spawnlab-backports.list"
    fi
    # The firmware moves along: the newer QEMU depends on a newer seabios.
    printf '%s\n' 'Package: qemu-* seabios ipxe-qemu' "Pin: release n=$BACKPORTS" 'Pin-Priority: 990' \
        >"$APT_FOLDER/pins/spawnlab-qemu.pref"
    APT_OPTIONS+=(
        -o "Dir::Etc::sourceparts=$APT_FOLDER/sources"
        -o "Dir::Etc::preferencesparts=$APT_FOLDER/pins"
    )
}

apt_update() {
    local log="$APT_FOLDER/update.log"
    # Into a folder of our own an ordinary user may do this, too.
    if ! timeout 300 apt-get "${APT_OPTIONS[@]}" -qq update >"$log" 2>&1; then
        give_up "apt-get could not fetch the package lists: $(tail -n 3 "$log" | tr '\n' ' ')" \
            'next: check the network and the sources under /etc/apt'
    fi
}

# Prints the version that would be installed, without the epoch; nothing for an unknown package.
apt_candidate() {
    apt-cache "${APT_OPTIONS[@]}" policy "$1" 2>/dev/null |
        sed -n -e '/(none)/d' -e 's/^  Candidate: \([0-9]*:\)\{0,1\}//p'
}

# Prints the names of all packages that match.
apt_names() {
    apt-cache "${APT_OPTIONS[@]}" search --names-only "$1" 2>/dev/null | cut -d' ' -f1
}

# Runs a command as root, or fails when that would need a password.
as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        sudo -n "$@"
    fi
}

can_be_root() {
    ((EUID == 0)) || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

apt_install() {
    local common=(
        env DEBIAN_FRONTEND=noninteractive
        # Restarting services is the machine owner's business.
        NEEDRESTART_SUSPEND=1
        apt-get "${APT_OPTIONS[@]}" -q -y
        --no-install-recommends
        # What is there stays there: rather an error than somebody's rustc removed.
        --no-remove
        -o Dpkg::Use-Pty=0
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold
    )
    local log="$APT_FOLDER/install.log"
    # The network gets a deadline. The unpacking gets none: killing dpkg half-way harms the machine.
    if ! as_root timeout 900 "${common[@]}" --download-only install "$@" </dev/null >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        give_up "apt-get could not plan or download: $*" \
            'next: apt-get says why above; packages that would have to be removed are yours to remove'
    fi
    if ! as_root "${common[@]}" install "$@" </dev/null >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        give_up "apt-get could not install: $*" 'next: repair the package system with "apt-get -f install"'
    fi
}
