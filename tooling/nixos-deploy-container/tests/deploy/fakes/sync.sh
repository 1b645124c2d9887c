#!/bin/sh
# What is on disk, and when: beside the order of all else. The profile is noted as it is then.
profile=$(readlink "$LAB/nix/var/nix/profiles/per-container/web/system")
echo "sync $* (profile: ${profile:-none})" >>"$LAB/log"
shift
for path in "$@"; do
    if [ -e "$LAB/disk-fails-${path##*/}" ]; then
        echo "sync: error syncing '$path': Input/output error" >&2
        exit 1
    fi
done
