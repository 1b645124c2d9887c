# A firewall module as the detection reads it: only this comment names ve-+ and ve-*.
"iifname lo accept"
