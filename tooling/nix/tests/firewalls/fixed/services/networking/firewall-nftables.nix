# A firewall module as the detection reads it: its rules name ve- links.
"iifname { \"ve-*\" } udp dport 67 accept"
