# Declarations that must be refused, each with a message that names its container.
[
  { "under_score" = { }; }
  { "-leading" = { }; }
  { "trailing-" = { }; }
  { "dotted.name" = { }; }
  { "" = { }; }
  { "two words" = { }; }
  { "../escape" = { }; }
  { "a12345678901234567890123456789012345678901234567890123456789012x" = { }; }
  { web = 3; }
  { web.nspawn = { }; }
  { web.deployGroup = "two words"; }
  { web.deployGroup = [ "a" ]; }
  { web.nspawnConfig = [ ]; }
  { web.nspawnConfig.VirtualEthernet = false; }
  { web.nspawnConfig.execConfig = "x"; }
  { web.nspawnConfig.execConfig.Boot = true; }
  { web.nspawnConfig.execConfig.Parameters = "/bin/sh"; }
  { web.serviceConfig.MemoryMax = "1G"; }
  { web.serviceConfig.serviceConfig.ExecReload = "/bin/true"; }
  # https://github.com/systemd/systemd/issues/38966
  { web.serviceConfig.serviceConfig.SetCredential = "probe:42"; }
  { web.serviceConfig.serviceConfig.LoadCredential = [ "probe:/etc/probe" ]; }
]
