#!@busybox@ sh
# shellcheck shell=sh
# Makes the running container this closure. Units are compared with those of the closure that runs:
# equal ones keep running, one that differs in its X-Reload-Triggers only (or says
# X-ReloadIfChanged=true) is reloaded, any other difference restarts it unless it says
# X-RestartIfChanged=false, removed ones are stopped, and wanted ones that don't run are started. Where
# the service manager's own settings differ, it is executed anew.
#
# Exit status: 0 done; 1 nothing was changed, and why is on stderr; 2 usage; 4 this closure is active
# and some of its units failed.
base=@base@
system=@out@
PATH=/usr/sbin:/usr/bin
refuse() {
    echo "switch-to-configuration: $1" >&2
    exit 1
}

case ${1-} in
    switch | test) dry= ;;
    dry-activate) dry=yes ;;
    boot) exit 0 ;; # what the next start uses is the host's profile link
    *)
        echo "usage: ${0##*/} switch|test|boot|dry-activate" >&2
        exit 2
        ;;
esac

exec 9>/run/switch-to-configuration.lock
flock -n 9 || refuse "another switch is running in this container"

running=$(readlink -f /run/current-system) || refuse "/run/current-system is missing"
# /usr can't be exchanged under running programs.
[ "$(readlink "$running/base")" = "$base" ] ||
    refuse "the guest base changed: restart the container to get $system"

# line LIST UNIT: what a closure's list says of that unit, or nothing.
line() {
    case "
$1" in
        *"
$2 "*)
            rest="
$1"
            rest=${rest#*"
$2 "}
            echo "${rest%%
*}"
            ;;
    esac
}

changed_to_reload='' changed_to_restart='' removed='' wanted=''
old_units=$(cat "$running/units")
new_units=$(cat $system/units)

while read -r unit all rest kind policy; do
    # shellcheck disable=SC2046 # the fields of the line
    set -- $(line "$old_units" "$unit")
    if [ $# = 0 ]; then
        # A new drop-in for a unit of the base; new units are started because they're wanted.
        [ "$kind" = unit ] || changed_to_restart="$changed_to_restart $unit"
    elif [ "$all" = "$1" ] || [ "$policy" = keep ]; then
        continue
    elif [ "$policy" = reload ] || [ "$rest" = "$2" ]; then
        changed_to_reload="$changed_to_reload $unit"
    else
        changed_to_restart="$changed_to_restart $unit"
    fi
done <<END
$new_units
END
while read -r unit _ _ kind _; do
    [ -n "$(line "$new_units" "$unit")" ] && continue
    # Without its drop-in a unit of the base is still there.
    if [ "$kind" = unit ]; then removed="$removed $unit"; else changed_to_restart="$changed_to_restart $unit"; fi
done <<END
$old_units
END
for link in "$system"/etc/systemd/system/*.wants/*; do wanted="$wanted ${link##*/}"; done

# One question to the service manager for all that is asked below: each is a process and a bus message.
running_units='' failed_before=''
list_units() { systemctl list-units --all --plain --no-legend --no-pager "$@"; }
while read -r unit _ state _; do
    case $state in
        active | activating | reloading) running_units="$running_units $unit" ;;
        failed) failed_before="$failed_before $unit" ;;
    esac
done <<END
$(list_units)
END

# among LIST UNIT...: those of the units that are in the list; missing: those that aren't.
among() { select_units yes "$@"; }
missing() { select_units no "$@"; }
select_units() {
    want=$1 list=" $2 "
    shift 2
    for unit; do
        case $list in *" $unit "*) found=yes ;; *) found=no ;; esac
        [ $found != "$want" ] || printf ' %s' "$unit"
    done
}

# shellcheck disable=SC2086 # lists of unit names, which hold no blanks
{
    to_stop=$removed
    to_reload=$(among "$running_units" $changed_to_reload)
    to_restart=$(among "$running_units" $changed_to_restart)
    to_start=$(missing "$running_units" $wanted)
}

# settings CLOSURE: those of the service manager.
settings() { cat "$1"/etc/systemd/system.conf.d/*; }
manager=
[ "$(settings "$running")" = "$(settings "$system")" ] || manager=" systemd"

say() { [ -z "$2" ] || echo "$1:$2"; }
say "executing anew" "$manager"
say "stopping" "$to_stop"
say "reloading" "$to_reload"
say "restarting" "$to_restart"
say "starting" "$to_start"
[ -z "$dry" ] || exit 0

# shellcheck disable=SC2086
{
    # With their old definitions, which are about to go.
    [ -z "$to_stop" ] || systemctl stop $to_stop
    $system/activate || refuse "activation failed, $running may be active in part"
    if [ "$running" != "$system" ]; then
        if [ -n "$manager" ]; then
            systemctl daemon-reexec || refuse "the service manager could not be executed anew"
        else
            systemctl daemon-reload || refuse "the service manager could not read the new units"
        fi
        # A unit that is gone would stay listed as failed.
        [ -z "$to_stop" ] || systemctl reset-failed $to_stop 2>/dev/null
    fi
    bad=
    [ -z "$to_reload" ] || systemctl reload $to_reload || bad=yes
    [ -z "$to_restart" ] || systemctl restart $to_restart || bad=yes
    [ -z "$to_start" ] || systemctl start $to_start || bad=yes
}

# A service of Type=simple is "started" before it fails: what counts is the state afterwards. A unit
# that had failed before and wasn't touched is not this switch's doing.
failed=
while read -r unit _; do
    known=$(among "$failed_before" "$unit")
    touched=$(among "$to_reload$to_restart$to_start" "$unit")
    [ -z "$unit" ] || { [ -n "$known" ] && [ -z "$touched" ]; } || failed="$failed $unit"
done <<END
$(list_units --state=failed)
END
if [ -n "$failed" ]; then
    echo "failed:$failed" >&2
    # shellcheck disable=SC2086
    systemctl status --no-pager --full --lines=5 $failed >&2
    exit 4
fi
[ -z "$bad" ] || exit 4
