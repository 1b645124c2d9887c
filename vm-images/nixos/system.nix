# The NixOS host that the lab boots: what ../debian/trixie.toml and the lab's provisioning make of Debian is a
# configuration here. Only what has to differ from boot to boot is left to provision.sh.
{
  config,
  lib,
  modulesPath,
  pkgs,
  ...
}:
let
  cfg = config.spawnlab.lab;

  # What apply-containers.sh can make of a running host: the declaration as it is, and with a change.
  declared = cfg.containers;
  change.web.nspawnConfig.execConfig.Environment = "LAB=changed";

  # A program from a file beside this one, with store paths in the place of @NAME@.
  program =
    name: file: values:
    pkgs.writeShellScriptBin name (
      builtins.replaceStrings (map (key: "@${key}@") (builtins.attrNames values)) (map toString (
        builtins.attrValues values
      )) (builtins.readFile file)
    );
in
{
  imports = [
    ../../tooling/nix/host.nix
    ./evaluated.nix
    (modulesPath + "/profiles/minimal.nix")
    (modulesPath + "/profiles/qemu-guest.nix")
  ];

  options.spawnlab.lab = {
    containers = lib.mkOption {
      type = lib.types.attrs;
      default = import ../../scenarios/lab/containers.nix;
      description = "Containers of the host, as `spawnlab.containers` takes them.";
    };
    guests = lib.mkOption {
      type = lib.types.nullOr lib.types.path;
      default = null;
      description = ''
        Folder with the flake that is deployed: its `flake.nix` names the machines of the lab, and whatever
        it refers to is in the host's store. `null` where the image has it in the deploying side's home.
      '';
    };
  };

  config = {
    # --- the machine: QEMU gives it a kernel, two disks, one network card, a console and the agent's port

    boot.loader.grub.enable = false;
    boot.kernelParams = [
      "console=ttyS0"
      # Under emulation on a busy machine the timer comes late, and a kernel that checks it panics at boot.
      "no_timer_check"
    ];
    fileSystems."/" = {
      # By the serial number that image.json gives the disk. No overlay: /nix/store has to take idmapped mounts.
      device = "/dev/disk/by-id/virtio-root";
      fsType = "ext4";
    };
    # Neither a screen nor a keyboard, and nobody at a terminal: the lab's own shell has /dev/hvc0, and a login
    # there would read half of what is typed.
    console.enable = false;
    systemd.generators.systemd-getty-generator = "/dev/null";
    systemd.services."getty@tty1".enable = false;
    fonts.fontconfig.enable = false;
    programs.bash.completion.enable = false;
    programs.ssh.setXAuthLocation = false;
    # The lab sets the clock of every machine that it resumes, and there is no network to ask.
    services.timesyncd.enable = false;
    services.qemuGuest.enable = true;
    # It logs every command that it is sent; polling would fill the journal that scenarios read.
    systemd.services.qemu-guest-agent.serviceConfig.LogFilterPatterns = "~guest-[a-z-]+ called";

    networking.hostName = lib.mkDefault "host";
    networking.useDHCP = false;
    # Matched by its driver: by type, it would be every ve-*, too. The emulated router answers no DNS
    # in a closed lab: asking it would cost every lookup a timeout.
    systemd.network.networks."10-uplink" = {
      matchConfig.Driver = "virtio_net";
      networkConfig.DHCP = "ipv4";
      dhcpV4Config = {
        UseDNS = false;
        UseNTP = false;
        UseHostname = false;
      };
      ipv6AcceptRAConfig.UseDNS = false;
    };
    systemd.network.wait-online.enable = false;
    services.resolved.enable = true;
    # Drop-ins are the same in every release of NixOS; its options for these settings are not.
    environment.etc."systemd/resolved.conf.d/10-lab.conf".text = ''
      [Resolve]
      FallbackDNS=
    '';
    environment.etc."systemd/journald.conf.d/10-lab.conf".text = ''
      [Journal]
      Storage=persistent
      RateLimitIntervalSec=0
    '';
    # On a busy machine a start or stop takes longer than systemd's 90 s, or than the two minutes of the container's
    # unit; a hang is the harness's to notice.
    environment.etc."systemd/system.conf.d/10-lab.conf".text = ''
      [Manager]
      DefaultTimeoutStartSec=5min
      DefaultTimeoutStopSec=5min
    '';
    # NixOS calls its drop-ins alike, of a template and of an instance, and then the template's counts for no instance that has one.
    systemd.packages = [
      (pkgs.writeTextDir "lib/systemd/system/systemd-nspawn@.service.d/10-lab.conf" ''
        [Service]
        TimeoutStartSec=5min
      '')
    ];

    # --- who is who, as on the Debian host

    users.groups = {
      deployers.gid = 2000;
      deployer.gid = 2001;
      teamdev.gid = 2002;
      stranger.gid = 2003;
    };
    users.users =
      lib.mapAttrs
        (
          name: user:
          user
          // {
            isNormalUser = true;
            group = name;
            # No password, which is not the same as a locked account: sshd refuses those.
            hashedPassword = "*";
          }
        )
        {
          deployer = {
            uid = 2001;
            description = "Deploying side";
          };
          teamdev = {
            uid = 2002;
            description = "May deploy the container team";
            extraGroups = [ "deployers" ];
          };
          stranger = {
            uid = 2003;
            description = "May use Nix and nothing else";
          };
        }
      // {
        root.hashedPassword = "*";
      };

    # --- ssh from the host to itself; keys are provisioning's

    services.openssh = {
      enable = true;
      hostKeys = [
        {
          type = "ed25519";
          path = "/etc/ssh/ssh_host_ed25519_key";
        }
      ];
      settings = {
        PasswordAuthentication = false;
        PermitRootLogin = "prohibit-password";
        UseDns = false;
      };
      extraConfig = ''
        MaxStartups 100
        PerSourcePenalties no
      '';
    };
    programs.ssh.extraConfig = ''
      Host *
          GlobalKnownHostsFile /etc/ssh/ssh_known_hosts /var/lib/spawnlab/known_hosts
    '';

    # --- Nix: what a deploy needs is built here, or the deploy is wrong

    nix.settings = {
      experimental-features = [
        "nix-command"
        "flakes"
      ];
      substituters = lib.mkForce [ ];
      flake-registry = "";
      hashed-mirrors = [ ];
      sandbox = true;
      fsync-metadata = false;
    };
    nix.channel.enable = false;

    # --- the containers, and what scenarios make of them

    spawnlab.containers = declared;
    specialisation.changed.configuration.spawnlab.containers = change;
    environment.etc."spawnlab/declarations/declared.json".text = builtins.toJSON declared;
    environment.etc."spawnlab/declarations/changed.json".text = builtins.toJSON (
      lib.recursiveUpdate declared change
    );

    # --- the proxy in front of the container web

    # Other machines of a lab reach the container through it.
    networking.firewall.allowedTCPPorts = [ 8080 ];
    environment.etc."lab/proxy.conf".text = ''
      user nobody nogroup;
      worker_processes 1;
      pid /run/lab-proxy.pid;
      error_log stderr;
      events { worker_connections 512; }
      http {
        access_log off;
        proxy_connect_timeout 5s;
        server {
          listen 8080;
          location / { proxy_pass http://web/; }
        }
      }
    '';
    # nginx resolves the name of an upstream once, when it starts, and refuses to start without an answer. So
    # it starts when the container has its lease, and again whenever the container was restarted.
    systemd.services.lab-proxy = {
      description = "HTTP proxy on port 8080 to the container web, by name";
      after = [ "systemd-nspawn@web.service" ];
      bindsTo = [ "systemd-nspawn@web.service" ];
      wantedBy = [ "systemd-nspawn@web.service" ];
      path = [
        pkgs.getent
        pkgs.gnugrep
      ];
      serviceConfig = {
        Type = "forking";
        PIDFile = "/run/lab-proxy.pid";
        ExecCondition = pkgs.writeShellScript "web-has-a-lease" ''
          for try in $(seq 60); do
              getent ahostsv4 web | grep -qv '^169\.254\.' && exit 0
              sleep 0.5
          done
          exit 1
        '';
        ExecStart = "${pkgs.nginx}/bin/nginx -c /etc/lab/proxy.conf -e stderr";
        ExecReload = "${pkgs.nginx}/bin/nginx -c /etc/lab/proxy.conf -e stderr -s reload";
      };
    };

    # --- what the lab and its scenarios call

    environment.systemPackages = [
      (program "spawnlab-provision" ./provision.sh { guests = if cfg.guests == null then "" else cfg.guests; })
      (program "spawnlab-own-flake" ./own-flake.sh { })
      (program "apply-containers" ./apply-containers.sh { })
      # Its other programs are those of the host already.
      (lib.lowPrio pkgs.busybox)
      pkgs.curl
      pkgs.iptables
      pkgs.iputils
      pkgs.jq
      pkgs.nftables
      pkgs.nginx
    ];

    documentation.enable = false;
    system.stateVersion = lib.mkDefault lib.trivial.release;
  };
}
