# Brings one container to another generation, and back when that fails. From the moment a profile may have changed
# this script ends by itself: the tool may die, and the connection may break.
#
# Nix by default does not wait for what it has built to be on disk. So the profile moves when that is, and nothing is
# said of where the profile points before the move is.

# Seconds since the host's start, which nobody sets: a limit that the clock counts ends early or late when the clock is set.
now() {
    read -r uptime _ </proc/uptime
    printf '%s\n' "${uptime%%.*}"
}

# What a guest writes while it starts, several times over.
room_bytes=16777216

unit=systemd-nspawn@$container.service
folder=$profiles/$container
profile=$folder/system
holder=$folder/.locked-by
next=$folder/.next
room=$folder/.room

# Replaces the link in one step: a container that starts meanwhile, or after a power cut, finds the old one or the new one.
point_profile_at() {
    ln -sfn "$1" "$folder/.system-next" && mv -fT "$folder/.system-next" "$profile"
}

# Asks inside the guest which closure it runs, within $1 seconds. Sets `guest`. Both programs below can end with
# status 0 when they lost the guest, and `machinectl shell` never passes a status on: only the token counts.
ask() {
    asked=$((asked + 1))
    token=$nonce-$asked
    # Without a dollar sign: systemd would expand it.
    question="cd -P /run/current-system && echo $token:\`pwd -P\`:$token"
    if [ "$uid" = 0 ]; then
        answer=$(timeout -k 5 "$1" systemd-run --quiet --machine="$container" --collect --no-ask-password --pipe --wait \
            --service-type=exec /bin/sh -c "$question" 2>&1 </dev/null)
    else
        # systemd-run --machine is for root; machinectl shell is what polkit can allow for one machine. It leaves
        # as soon as its input ends, so its input is a pipe that is held open for writing as well.
        answer=$(: | {
            exec 4<>/proc/self/fd/0
            timeout -k 5 "$1" machinectl --quiet --no-ask-password shell "$container" /bin/sh -c "$question" 2>&1 <&4
        })
    fi
    case $answer in
    *"$token:"*":$token"*)
        guest=${answer#*"$token:"}
        guest=${guest%%":$token"*}
        return 0
        ;;
    esac
    guest=
    return 1
}

# Asks until there is an answer: a guest that has just started may not listen yet.
ask_patiently() {
    limit=$(($(now) + verify_seconds))
    while left=$((limit - $(now))) && [ "$left" -gt 0 ]; do
        if ask "$left"; then
            return 0
        fi
        sleep 1
    done
    printf '%s\n' "the guest did not say what it runs within $verify_seconds s" "$answer"
    return 1
}

guest_runs() {
    ask_patiently || return 1
    if [ "$guest" = "$1" ]; then
        return 0
    fi
    printf '%s\n' "the guest runs $guest" "instead of     $1"
    return 1
}

# The closure that runs now, read without a question where that is allowed: it is a hint for going back, not a proof.
# Sets `running`, empty when unknown.
note_running_closure() {
    if [ "$uid" = 0 ]; then
        leader=$(timeout 10 machinectl show --property=Leader --value "$container" 2>/dev/null)
        running=$(readlink "/proc/$leader/root/run/current-system" 2>/dev/null)
    elif ask "$verify_seconds"; then
        running=$guest
    fi
}

# What there was before. A build leaves time to ask for it, since it changes neither the service nor the guest.
note_state() {
    if [ "$state_noted" = yes ]; then
        return
    fi
    state_noted=yes
    uid=$(id -u)
    case $(systemctl is-active "$unit" 2>/dev/null </dev/null) in
    active | reloading) was_active=yes ;;
    *) was_active=no ;;
    esac
    running=
    if [ "$was_active" = yes ] && [ "$mode" != stage ]; then
        note_running_closure
    fi
}

meanwhile() { note_state; }

# Starting a guest takes some room. What is held from before the build is given back when a switch fails: whoever fills
# the disk meanwhile can't keep the old generation from starting. A file system without fallocate is written to instead.
# Fails in the step $1.
hold_room() {
    # One that a power cut left may be somebody else's.
    rm -f "$room"
    fallocate -l "$room_bytes" "$room" 2>/dev/null || head -c "$room_bytes" /dev/zero >"$room" && return
    echo "the way back from a switch that fails takes $room_bytes bytes on the disk, and there are less"
    say failed "$1" 1
    return 1
}

give_room_back() { rm -f "$room"; }

# Runs a job of the service: its name, and how many seconds it may take.
job() {
    timeout -k 10 "$2" systemctl --no-ask-password "$1" "$unit" </dev/null
    job_status=$?
    if [ "$job_status" = 124 ] || [ "$job_status" = 137 ]; then
        # The job outlives the command that waited for it, and the way back would queue behind it.
        timeout 10 systemctl --no-ask-password kill --kill-whom=control "$unit" </dev/null 2>/dev/null
    fi
    return "$job_status"
}

generation_of() {
    for link in "$folder"/system-*-link; do
        if [ "$(readlink "$link")" = "$1" ]; then
            printf '%s\n' "${link##*/}"
            return 0
        fi
    done
    return 1
}

generation_before() {
    current=${1#system-}
    current=${current%-link}
    case $current in '' | *[!0-9]*) return 1 ;; esac
    best=
    for link in "$folder"/system-*-link; do
        number=${link##*/system-}
        number=${number%-link}
        case $number in '' | *[!0-9]*) continue ;; esac
        if [ "$number" -lt "$current" ] && { [ -z "$best" ] || [ "$number" -gt "$best" ]; }; then
            best=$number
        fi
    done
    if [ -z "$best" ]; then
        return 1
    fi
    printf 'system-%s-link\n' "$best"
}

newest_generation() {
    newest=0
    for link in "$folder"/system-*-link; do
        number=${link##*/system-}
        number=${number%-link}
        case $number in '' | *[!0-9]*) continue ;; esac
        if [ "$number" -gt "$newest" ]; then
            newest=$number
        fi
    done
    printf '%s\n' "$newest"
}

# A generation that this deploy made and that does not work would be where the next rollback leads to.
forget_generation() {
    number=${made#system-}
    number=${number%-link}
    if [ "$mode" = deploy ] && [ "$number" -gt "$newest_before" ]; then
        rm -f "$folder/$made"
    fi
    on_disk "$build_seconds" "$folder"
}

restore_profile() {
    if [ -n "$was_link" ]; then
        if [ "$(readlink "$profile")" != "$was_link" ]; then
            point_profile_at "$was_link"
        fi
    else
        rm -f "$profile"
    fi
}

restore() {
    say step restore
    give_room_back
    if [ -z "$was_link" ] || [ "$was_active" = no ]; then
        job stop "$restore_seconds"
        stopped=$?
        if restore_profile && [ "$stopped" = 0 ] && forget_generation; then
            say result stopped
        else
            say result unrestored
        fi
        return
    fi
    back=$was_link
    if [ -n "$running" ] && [ "$running" != "$was_closure" ]; then
        # The profile was ahead of the guest: reload to what really ran, and leave the profile as it was.
        back=$(generation_of "$running") || back=$was_link
    fi
    point_profile_at "$back"
    target=$(readlink -f "$profile")
    if { job reload-or-restart "$restore_seconds" && guest_runs "$target"; } || { job restart "$restore_seconds" && guest_runs "$target"; }; then
        outcome=restored
    else
        outcome=unrestored
    fi
    restore_profile || outcome=unrestored
    if [ "$outcome" = restored ]; then
        forget_generation || outcome=unrestored
    fi
    say result "$outcome"
}

# A connection whose network was cut without a word looks as it did before, and the tool has long said that nothing
# was changed. So the profile moves only if the tool answers that it is there.
is_still_wanted() {
    say built
    answer=$(timeout -k 5 "$connect_seconds" head -n 1 <&3)
    if [ "$answer" = go ]; then
        return 0
    fi
    echo "the build is done, and the deploy tool did not answer within $connect_seconds s: it or the connection is gone"
    return 1
}

# Sets `built`. A link below the profiles keeps it from being collected until a generation does.
build_next() {
    say step build
    hold_room build || return
    build --out-link "$next" "$installable"
    status=$?
    if [ "$abandoned" = yes ]; then
        status=143
    fi
    if [ "$status" = 0 ]; then
        is_still_wanted && built=$(readlink "$next") && return
        status=1
    fi
    forget_next
    say failed build "$status"
    return 1
}

# Other outputs of the same derivation have links whose names go on.
forget_next() { rm -f "$next" "$next"-*; }

# The newest generation of the same closure is taken again, as `nix build --profile` does.
generation_for() {
    if [ "$(readlink "$folder/system-$newest_before-link")" = "$1" ]; then
        printf 'system-%s-link\n' "$newest_before"
        return
    fi
    made=system-$((newest_before + 1))-link
    ln -s "$1" "$folder/$made" && printf '%s\n' "$made"
}

move_profile() {
    say step flush
    on_disk "$build_seconds" "$store" "$registered" || {
        say failed flush "$?"
        return 1
    }
    if [ "$mode" != rollback ]; then
        generation=$(generation_for "$built") || {
            say failed flush "$?"
            return 1
        }
    fi
    if [ "$(readlink "$profile")" != "$generation" ]; then
        point_profile_at "$generation"
    fi && on_disk "$build_seconds" "$folder" && return
    say failed flush "$?"
    # The guest was not touched.
    made=$generation
    if ! restore_profile || ! forget_generation; then
        say result unrestored
    fi
    return 1
}

choose_generation() {
    if [ "$mode" = rollback ]; then
        say step rollback
        note_state
        generation=$(generation_before "$was_link") || {
            echo "there is no generation before ${was_link:-the first}"
            say failed rollback 1
            return 1
        }
        hold_room rollback || return
        move_profile
        return
    fi
    build_next || return 1
    move_profile
    chosen=$?
    forget_next
    return "$chosen"
}

activate() {
    say step activate
    began=$(date +%s)
    job reload-or-restart "$activate_seconds"
    status=$?
    if [ "$status" != 0 ]; then
        timeout 10 journalctl --quiet --no-pager --output=cat --lines=40 --unit="$unit" --since="@$began" 2>/dev/null </dev/null
        say failed activate "$status"
        return 1
    fi
    say step verify
    guest_runs "$closure" || {
        say failed verify 1
        return 1
    }
}

main() {
    trap '' HUP PIPE
    exec 2>&1
    asked=0
    exec 9<"$folder"
    flock -n 9
    if [ "$?" = 1 ]; then
        echo "another deploy of this container is under way: $(readlink "$holder" || echo "nobody says whose")"
        say failed lock 1
        end
    fi
    # A link, which takes no rights in a file of somebody else. Without the lock it says nothing.
    ln -sfn "$caller, as $(id -un) here, since $(date -u '+%Y-%m-%d %H:%M:%S UTC')" "$holder"
    was_link=$(readlink "$profile")
    was_closure=$(readlink -f "$profile")
    newest_before=$(newest_generation)
    state_noted=no
    say was "$was_link"
    if choose_generation; then
        closure=$(readlink -f "$profile")
        say closure "$closure"
        made=$(readlink "$profile")
        say generation "$made"
        if [ "$mode" = stage ]; then
            say result staged
        elif [ "$was_active" = yes ] && [ "$was_closure" = "$closure" ] && ask "$verify_seconds" && [ "$guest" = "$closure" ]; then
            say result unchanged
        elif activate; then
            say result deployed
        else
            restore
        fi
    fi
    give_room_back
    rm -f "$holder"
    end
}

main 3<&0 </dev/null
