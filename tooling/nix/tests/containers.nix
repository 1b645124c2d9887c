# Declarations that use every part of the form once.
{
  plain = { };

  everything = {
    deployGroup = "deployers";
    nspawnConfig = {
      execConfig = {
        NotifyReady = true; # saying again what is fixed is fine
        KillSignal = "SIGTERM";
        Environment = [
          "A=1"
          "B=2"
        ];
      };
      filesConfig = {
        Bind = "/srv/data:/data:idmap";
        BindReadOnly = "/etc/ssl:/etc/ssl";
      };
      networkConfig.VirtualEthernet = false;
    };
    serviceConfig = {
      after = [ "postgresql.service" ];
      wants = "postgresql.service";
      unitConfig.StartLimitBurst = 3;
      environment.GREETING = ''good "day"'';
      serviceConfig = {
        MemoryMax = "2G";
        TimeoutStartSec = 300;
        DeviceAllow = [
          "/dev/kvm rw"
          "/dev/fuse rwm"
        ];
        WatchdogSec = null;
      };
    };
  };
}
