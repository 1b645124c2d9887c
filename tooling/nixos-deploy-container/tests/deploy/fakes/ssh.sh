#!/bin/sh
# An ssh whose host is this machine, with everything absolute moved into $LAB. What runs on the "host" is in a session
# of its own, as it is with a real host: it does not die with the ssh that started it.
echo "ssh $*" >>"$LAB/log"
tty=
for argument in "$@"; do
    case $argument in
    ControlPath=*) socket=${argument#ControlPath=} ;;
    ControlMaster=yes) master=yes ;;
    # The first value of an option counts, and the last flag, over any option.
    RequestTTY=*) tty=${tty:-${argument#RequestTTY=}} ;;
    -t | -tt) tty=force ;;
    -T) tty=no ;;
    SessionType=*)
        if [ -e "$LAB/ssh-is-old" ]; then
            echo "command-line: line 0: Bad configuration option: sessiontype" >&2
            exit 255
        fi
        ;;
    esac
done
if [ -e "$LAB/ssh-refuses" ]; then
    echo "root@host: Permission denied (publickey)." >&2
    exit 255
fi
if [ -e "$LAB/ssh-hangs" ]; then
    sleep 60
fi
if [ "$master" = yes ]; then
    stat -c 'folder %a' "$(dirname "$socket")" >>"$LAB/log"
    echo "$socket" >"$LAB/socket"
    : >"$socket"
    # A real one removes its socket when it is asked to end.
    trap 'rm -f "$socket"; exit 255' TERM
elif ! [ -e "$socket" ]; then
    echo "no connection to share" >&2
    exit 255
fi
PATH=$LAB/host:$PATH
hide=
if [ -e "$LAB/host-has-no-nix" ]; then
    hide='s#command -v nix >#false >#'
fi
if [ -e "$LAB/host-has-no-daemon" ]; then
    hide='s#command -v nix-daemon#false#'
fi
# What the host's shell prints before it comes to what it was asked.
if [ -e "$LAB/shell-greets" ]; then
    printf 'tip of the day: '
fi
if [ -e "$LAB/no-account" ]; then
    echo "This account is currently not available."
    exit 1
fi
lose=
# Nothing that the tool says reaches the host any more, and neither of them is told.
if [ -e "$LAB/network-is-cut-in-the-build" ]; then
    lose='/^go$/d'
fi
patience=
if [ -e "$LAB/host-has-little-patience" ]; then
    patience='s#^silence_seconds=.*#silence_seconds=5#'
fi
path=
if [ -e "$LAB/nix-is-elsewhere" ]; then
    path='s#^login_path=.*#login_path=/nowhere#'
fi
sed -u -e "$hide" -e "$lose" -e "$path" -e "$patience" -e "s#\([=:]\)/nix/var/#\1$LAB/nix/var/#g" -e "s#/etc/systemd/#$LAB/etc/systemd/#g" -e "s#/run/systemd/#$LAB/run/systemd/#g" \
    -e "s#^store=.*#store=$LAB/nix/store#" -e "s#/proc/sys/kernel/random/boot_id#$LAB/boot-id#" \
    -e "s#/proc/[$]leader/root/run/#$LAB/guests/\$container/#g" |
    setsid sh -c "${LAB_SHELL:-sh}"' | if [ "'"$tty"'" = force ]; then sed -u "s/$/\r/"; else cat; fi; if [ -p "$LAB/host-finished" ]; then timeout 60 sh -c "echo >\"$LAB/host-finished\""; fi'
