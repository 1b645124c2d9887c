# shellcheck shell=bash
# What has to be on the machine, how to see whether it is, and getting it there.
#
# A need is checked by looking for the thing itself, not for a package: it may have come from
# anywhere, and on a machine that has everything this must cost next to nothing.

# Prints what a purpose needs: `build` (to start spawnlab at all), `hosts` (to boot some with a spawnlab that is built),
# `run` (both) or `test`.
needs_of() {
    echo certificates
    if [[ $1 != hosts ]]; then
        echo linker rust
    fi
    if [[ $1 == hosts || $1 == run || $1 == test ]]; then
        echo qemu qemu-img mmdebstrap mount gpg uidmap keyring mke2fs ssh setpriv
    fi
    if [[ $1 == test ]]; then
        echo rustfmt clippy nix shellcheck nft iptables fakeroot sqlite3 tshark jq chromium chromedriver
    fi
}

# Those without which one step of ci/test is left out, and everything else still works.
is_optional() {
    [[ " rustfmt clippy nix shellcheck nft iptables fakeroot sqlite3 tshark jq chromium chromedriver " == *" $1 "* ]]
}

# Elsewhere a browser is a snap, or comes from its makers: that is for the machine's owner to decide, and
# the test that needs one says that it is left out.
has_browser_package() {
    read_distribution
    [[ $DISTRIBUTION == debian ]]
}

is_there() {
    local file
    case $1 in
        rust) rust_ready ;;
        rustfmt) rust_has_fmt ;;
        clippy) rust_has_clippy ;;
        qemu) qemu_new_enough ;;
        uidmap) command -v newuidmap >/dev/null ;;
        nix) command -v nix-instantiate >/dev/null ;;
        # The static C library is asked for, too: what runs in a VM is linked against it.
        linker) file=$(cc -print-file-name=libc.a 2>/dev/null) && [[ $file == /* && -r $file ]] ;;
        chromium) command -v chromium chromium-browser google-chrome >/dev/null || ! has_browser_package ;;
        chromedriver) command -v chromedriver >/dev/null || ! has_browser_package ;;
        # The ending depends on the age of the package.
        keyring) compgen -G '/usr/share/keyrings/debian-archive-keyring.[gp]*' >/dev/null ;;
        # Ordinary users do not have their folder on PATH.
        nft | iptables) [[ -x /usr/sbin/$1 ]] || command -v "$1" >/dev/null ;;
        # One package brings both.
        tshark) command -v tshark >/dev/null && command -v capinfos >/dev/null ;;
        certificates)
            for file in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt \
                /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem; do
                [[ -n $file && -s $file ]] && return 0
            done
            return 1
            ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

reason_for() {
    case $1 in
        rust) echo "cargo and rustc $RUST_MINIMUM or newer build spawnlab" ;;
        rustfmt) echo 'checks the formatting' ;;
        clippy) echo 'checks the Rust code' ;;
        qemu) echo "QEMU $QEMU_MINIMUM or newer runs the hosts" ;;
        qemu-img) echo "makes the hosts' disks" ;;
        mmdebstrap) echo 'builds the host image' ;;
        mount) echo 'mmdebstrap mounts /proc in the image' ;;
        gpg) echo "checks the archive's signature" ;;
        uidmap) echo 'an ordinary user builds images in a user namespace' ;;
        keyring) echo "Debian's archive keys, to check the image's packages" ;;
        mke2fs) echo "writes the image's file system" ;;
        ssh) echo 'the deploy tool reaches a host over SSH' ;;
        setpriv) echo 'ends a host when spawnlab is killed' ;;
        linker) echo 'a C linker and the static C library, for Rust' ;;
        certificates) echo 'cargo fetches crates over HTTPS' ;;
        nix) echo 'checks the Nix files' ;;
        shellcheck) echo 'checks the shell scripts' ;;
        nft | iptables) echo "checks the firewall variants against this machine's kernel" ;;
        fakeroot) echo "makes the disk of a NixOS host, in the Nix files' tests" ;;
        sqlite3) echo "reads the Nix database on that disk" ;;
        tshark) echo 'reads the recordings of networks, in a test' ;;
        jq) echo 'writes the comment below a pull request, in a test of ci/step' ;;
        chromium) echo 'the browser that the page of a report is looked at with' ;;
        chromedriver) echo 'drives that browser in a test' ;;
    esac
}

# Prints the packages for a need, one per line; fails when this distribution has none.
packages_for() {
    local cargo_package
    case $1 in
        rust) rust_packages ;;
        rustfmt | clippy)
            # It has to fit the cargo that is used: the one there, or the one about to come.
            if rust_ready; then
                cargo_package=$(rust_owner) || return 1
            else
                cargo_package=$(rust_packages | head -n 1)
            fi
            rust_component_package "${1#rust}" "$cargo_package"
            ;;
        qemu) echo qemu-system-x86 ;;
        qemu-img) echo qemu-utils ;;
        keyring) echo debian-archive-keyring ;;
        mke2fs) echo e2fsprogs ;;
        ssh) echo openssh-client ;;
        setpriv) echo util-linux ;;
        linker) printf '%s\n' gcc libc6-dev ;;
        certificates) echo ca-certificates ;;
        nix) echo nix-bin ;;
        nft) echo nftables ;;
        chromedriver) echo chromium-driver ;;
        *) echo "$1" ;;
    esac
}

# Sets MISSING to what PURPOSE needs and is not there.
find_missing() {
    local need
    MISSING=()
    for need in $(needs_of "$1"); do
        is_there "$need" || MISSING+=("$need")
    done
}

# Prints "need (why)" lines for the arguments.
explain() {
    local need
    for need in "$@"; do
        printf '%s: %s\n' "$need" "$(reason_for "$need")"
    done
}

refuse_machine() {
    local advice
    if [[ $(uname -m) != x86_64 ]]; then
        give_up "this is a $(uname -m) machine; the images are for x86_64 only"
    fi
    if [[ $DISTRIBUTION != debian && $DISTRIBUTION != ubuntu ]] || ! command -v apt-get >/dev/null; then
        mapfile -t advice < <(explain "${MISSING[@]}")
        give_up "packages are installed on Debian and Ubuntu only, this is $DISTRIBUTION; missing here:" \
            "${advice[@]}" 'next: install these in your own way and run this again'
    fi
}

# Sets PACKAGES, and says for each why it comes. Ends the script when something needed has no package.
plan_packages() {
    local need version packages
    PACKAGES=()
    for need in "${MISSING[@]}"; do
        if ! packages=$(packages_for "$need") || [[ -z $packages ]]; then
            [[ $need != rust ]] || give_up \
                "no cargo $RUST_MINIMUM or newer is here or in this distribution's packages" \
                'next: install Rust with rustup (https://rustup.rs), then run this again'
            is_optional "$need" || give_up "this distribution has no package for $need ($(reason_for "$need"))"
            continue
        fi
        if [[ $need == qemu ]]; then
            version=$(apt_candidate qemu-system-x86)
            version_at_least "$QEMU_MINIMUM" "$version" || give_up \
                "the packages here bring QEMU ${version:-of no version}; spawnlab needs $QEMU_MINIMUM or newer" \
                'next: put a newer qemu-system-x86_64 on PATH, or use a newer release of the distribution'
            if version=$(qemu_version); then
                say "QEMU $version is here and too old; its packages are upgraded"
            fi
        fi
        for package in $packages; do
            if [[ -n $(apt_candidate "$package") ]]; then
                PACKAGES+=("$package")
                say "needs $package $(apt_candidate "$package") ($(reason_for "$need"))"
            elif ! is_optional "$need"; then
                give_up "the package $package is in none of this machine's sources ($(reason_for "$need"))" \
                    'next: on Ubuntu the component "universe" has to be enabled'
            fi
        done
    done
}

# The way for somebody who may not become root here: what an administrator has to type.
refuse_without_root() {
    local commands=('apt-get update') plain=() backported=() package
    for package in "${PACKAGES[@]}"; do
        if qemu_from_backports && [[ $package == qemu-* ]]; then
            backported+=("$package")
        else
            plain+=("$package")
        fi
    done
    if ((${#backported[@]} > 0)); then
        commands+=("apt-get install --no-install-recommends -t $BACKPORTS ${backported[*]}")
        backports_configured ||
            commands=("echo '$(backports_line)' >/etc/apt/sources.list.d/$BACKPORTS.list" "${commands[@]}")
    fi
    if ((${#plain[@]} > 0)); then
        commands+=("apt-get install --no-install-recommends ${plain[*]}")
    fi
    give_up 'packages are missing, and root is out of reach (no sudo, or it wants a password)' \
        'next: have this done as root, then run this again:' "${commands[@]/#/    }"
}

# Installs what PURPOSE needs and the machine lacks. Silent and quick when there is nothing to do.
install_missing() {
    local before=()
    find_missing "$1"
    if ((${#MISSING[@]} == 0)); then
        return 0
    fi
    read_distribution
    refuse_machine
    if [[ " ${MISSING[*]} " == *' qemu '* ]]; then
        refuse_foreign_qemu
    fi
    before=("${MISSING[@]}")
    apt_prepare
    if qemu_from_backports && [[ " ${MISSING[*]} " == *' qemu'* ]]; then
        apt_add_backports
    fi
    say "missing here: ${MISSING[*]}; asking the package lists"
    apt_update
    plan_packages
    if ((${#PACKAGES[@]} > 0)); then
        can_be_root || refuse_without_root
        apt_install "${PACKAGES[@]}"
        say "installed ${#PACKAGES[@]} packages"
    fi
    apt_clean
    hash -r
    find_missing "$1"
    for need in "${MISSING[@]}"; do
        is_optional "$need" || give_up "$need is still not usable ($(reason_for "$need"))" \
            "next: look at what is there; it was missing before, too: ${before[*]}"
    done
}
