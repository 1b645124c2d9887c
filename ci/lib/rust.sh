# shellcheck shell=bash
# Rust: the minimum, which cargo is good enough, which packages bring one, and building with it.

# Cargo.toml is the one place that states the minimum.
RUST_MINIMUM=$(sed -n 's/^rust-version = "\([0-9.]*\)"$/\1/p' "$REPO/Cargo.toml")
readonly RUST_MINIMUM

# Prints the version of a cargo or rustc, like 1.85.1; nothing when it does not answer.
rust_program_version() {
    local line
    line=$("$1" --version 2>/dev/null) || return 1
    [[ $line =~ ^[a-z]+\ ([0-9]+\.[0-9]+\.[0-9]+) ]] && printf '%s\n' "${BASH_REMATCH[1]}"
}

# Both are asked: a new cargo beside an old rustc builds nothing.
rust_folder_good_enough() {
    [[ -x $1/cargo && -x $1/rustc ]] &&
        version_at_least "$RUST_MINIMUM" "$(rust_program_version "$1/rustc")" &&
        version_at_least "$RUST_MINIMUM" "$(rust_program_version "$1/cargo")"
}

# Puts a good enough cargo first on PATH, or fails. The user's own choice wins; then rustup's folder,
# which a non-login shell does not know; then the distribution's plain and numbered packages.
rust_ready() {
    local cargo folder
    if cargo=$(command -v cargo) && command -v rustc >/dev/null; then
        if version_at_least "$RUST_MINIMUM" "$(rust_program_version rustc)" &&
            version_at_least "$RUST_MINIMUM" "$(rust_program_version "$cargo")"; then
            return 0
        fi
    fi
    # Sorting by version makes the choice among numbered ones the same every time.
    while read -r folder; do
        if rust_folder_good_enough "$folder"; then
            export PATH="$folder:$PATH"
            return 0
        fi
    done < <(
        printf '%s\n' "${CARGO_HOME:-$HOME/.cargo}/bin" /usr/local/bin /usr/bin
        printf '%s\n' /usr/lib/rust-*/bin | sort -V
    )
    return 1
}

# Prints the packages of a cargo that is new enough, or fails. Needs the lists that apt_update fetched.
rust_packages() {
    local suffix
    for suffix in '' -web; do
        if version_at_least "$RUST_MINIMUM" "$(apt_candidate "cargo$suffix")" &&
            version_at_least "$RUST_MINIMUM" "$(apt_candidate "rustc$suffix")"; then
            printf '%s\n' "cargo$suffix" "rustc$suffix"
            return 0
        fi
    done
    # The oldest that will do is the one that the stated minimum promises to work.
    while read -r suffix; do
        if version_at_least "$RUST_MINIMUM" "$suffix"; then
            printf '%s\n' "cargo-$suffix" "rustc-$suffix"
            return 0
        fi
    done < <(apt_names '^cargo-[0-9]+\.[0-9]+$' | sed 's/^cargo-//' | sort -V)
    return 1
}

# rust_component_package fmt|clippy CARGO_PACKAGE: the package that holds this part of that cargo.
rust_component_package() {
    case $1:$2 in
        fmt:cargo) echo rustfmt ;;
        fmt:cargo-*) echo "rustfmt-${2#cargo-}" ;;
        clippy:cargo) echo rust-clippy ;;
        clippy:cargo-*) echo "rust-${2#cargo-}-clippy" ;;
    esac
}

# Prints the package that the cargo in use belongs to; fails for rustup's and hand-made ones.
rust_owner() {
    local path owner
    path=$(command -v cargo) || return 1
    owner=$(dpkg -S "$path" 2>/dev/null) || return 1
    printf '%s\n' "${owner%%:*}"
}

rust_has_fmt() {
    rust_ready && cargo fmt --version >/dev/null 2>&1
}

rust_has_clippy() {
    rust_ready && cargo clippy --version >/dev/null 2>&1
}

# A relative target folder means the caller's folder, but cargo is run in the repository, where
# alone its configuration files count.
fix_target_folder() {
    if [[ -n ${CARGO_TARGET_DIR:-} && $CARGO_TARGET_DIR != /* ]]; then
        export CARGO_TARGET_DIR="$PWD/$CARGO_TARGET_DIR"
    fi
    TARGET_FOLDER=${CARGO_TARGET_DIR:-$REPO/target}
}

# What runs in the VMs is built beside the command here, and not once more to be put into it.
export SPAWNLAB_EMBED=${SPAWNLAB_EMBED:-none}

in_repo() {
    (cd "$REPO" && "$@")
}

# Builds what runs in the VMs, statically, since hosts have different C libraries: the deploy tool
# (unless another one is named), exported as SPAWNLAB_OWN_TOOL, and the agent, as SPAWNLAB_AGENT. An
# explicit target keeps these flags away from build scripts and procedural macros, which cannot be static.
build_for_vms() {
    local triple programs=()
    if [[ -z ${SPAWNLAB_OWN_TOOL:-}${SPAWNLAB_TOOL:-} ]]; then
        programs+=(-p nixos-deploy-container)
    fi
    if [[ -z ${SPAWNLAB_AGENT:-} ]]; then
        programs+=(-p spawnlab-agent)
    fi
    ((${#programs[@]} > 0)) || return 0
    triple=$(rustc -vV | sed -n 's/^host: //p')
    RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static" \
        in_repo cargo build --release --locked "${programs[@]}" --target "$triple" ||
        give_up 'what runs in the VMs could not be built; the compiler says why above'
    if [[ -z ${SPAWNLAB_OWN_TOOL:-}${SPAWNLAB_TOOL:-} ]]; then
        export SPAWNLAB_OWN_TOOL="$TARGET_FOLDER/$triple/release/nixos-deploy-container"
    fi
    export SPAWNLAB_AGENT="${SPAWNLAB_AGENT:-$TARGET_FOLDER/$triple/release/spawnlab-agent}"
}

build_spawnlab() {
    in_repo cargo build --release --locked -p spawnlab --bin spawnlab ||
        give_up 'spawnlab could not be built; the compiler says why above'
}
