#!/bin/sh
# A clock that somebody sets back by an hour whenever it is asked, if the test says so.
if [ "$*" = +%s ] && [ -e "$LAB/clock-goes-back" ]; then
    back=$(($(cat "$LAB/clock-back" 2>/dev/null || echo 0) + 3600))
    echo "$back" >"$LAB/clock-back"
    echo "$(($(/bin/date +%s) - back))"
    exit
fi
exec /bin/date "$@"
