# A firewall module as the detection reads it: its rules name ve- links.
"ip46tables -A nixos-fw -i ve-+ -p udp --dport 67 -j nixos-fw-accept"
