# Drop-in for the daemons that are hardened upstream with some thirty mounts each. The container is
# the sandbox here, and under emulation every one of those mounts is time.
''
  [Service]
  WatchdogSec=0
  ProtectSystem=no
  ProtectHome=no
  ProtectProc=default
  ProtectControlGroups=no
  ProtectKernelLogs=no
  ProtectKernelModules=no
  ProtectKernelTunables=no
  PrivateDevices=no
  PrivateTmp=no
''
