# shellcheck shell=bash
# What every script here needs: the repository's folder, messages, the documented exit codes, versions.
# The names set here are used by the files that are sourced after this one.
# shellcheck disable=SC2034

REPO=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
readonly REPO

# The same meaning as `spawnlab`'s own codes: the machine, not a scenario, is at fault.
readonly EXIT_INFRASTRUCTURE=3

# mke2fs and friends live in sbin, which an ordinary Debian user does not have on PATH. Last, so that
# nothing of the user's own choosing is shadowed; exported, because spawnlab calls them too.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# Progress goes to stderr: stdout belongs to the program that is started in the end.
say() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# Ends the script because of the machine it runs on; more arguments are further lines of advice.
give_up() {
    say "$1"
    shift
    if (($# > 0)); then
        printf '  %s\n' "$@" >&2
    fi
    exit "$EXIT_INFRASTRUCTURE"
}

# version_at_least WANTED FOUND: compares major and minor, numerically; anything unreadable is too old.
version_at_least() {
    local wanted_major=${1%%.*} wanted_minor=${1#*.} found_major found_minor
    [[ $2 =~ ^([0-9]+)\.([0-9]+) ]] || return 1
    found_major=${BASH_REMATCH[1]} found_minor=${BASH_REMATCH[2]}
    ((found_major > wanted_major || (found_major == wanted_major && found_minor >= ${wanted_minor%%.*})))
}

# Sets DISTRIBUTION (os-release's ID) and DISTRIBUTION_VERSION (its VERSION_ID, empty on sid).
read_distribution() {
    DISTRIBUTION=unknown DISTRIBUTION_VERSION=''
    if [[ -r /etc/os-release ]]; then
        # In a subshell: os-release sets a dozen names that are none of our business.
        # shellcheck source=/dev/null
        IFS='|' read -r DISTRIBUTION DISTRIBUTION_VERSION < <(
            . /etc/os-release && printf '%s|%s\n' "${ID:-unknown}" "${VERSION_ID:-}"
        )
    fi
}
