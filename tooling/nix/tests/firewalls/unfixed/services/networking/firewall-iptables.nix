# A firewall module as the detection reads it: only this comment names ve-+ and ve-*.
"ip46tables -A nixos-fw -i lo -j nixos-fw-accept"
