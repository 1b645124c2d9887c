#!/bin/sh
echo "nix-store $*" >>"$LAB/log"
for derivation in "$@"; do :; done
echo "${derivation%.drv}"
