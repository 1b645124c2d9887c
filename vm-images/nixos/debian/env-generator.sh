# shellcheck shell=bash
# What NixOS' generators of systemd find in their environment: /etc/systemd/generator-environment.json as lines. nixpkgs has a
# compiled program for it.
exec @path@/jq -r --arg path "$PATH" 'to_entries[]
    | .key + "=" + (.value + (if .key == "PATH" and $path != "" then ":" + $path else "" end) | tojson)' \
    /etc/systemd/generator-environment.json
