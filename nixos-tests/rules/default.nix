# What the modules of a nixpkgs make of `networking.firewall`, for the comparison with scenarios/rules: for each
# firewall that can be written as options, by its name on the command line, the script or the tables that load it.
#
#   { nixpkgs }: { "BACKEND:VARIANT+SWITCH=VALUE" = { backend, text }; }
{ nixpkgs }:
let
  lib = import (nixpkgs + "/lib");

  evaluated =
    modules:
    (import (nixpkgs + "/nixos/lib/eval-config.nix") {
      system = "x86_64-linux";
      modules = [
        {
          services.openssh.enable = true;
          # Off in newer releases; the rule sets of the lab have it.
          networking.firewall.logRefusedConnections = true;
          system.stateVersion = lib.trivial.release;
        }
      ]
      ++ modules;
    }).config;

  # A variant of the rules is what nixpkgs has by itself, so which of the names it is depends on the nixpkgs.
  fixed =
    backend:
    (import ../../tooling/nix/firewall.nix {
      inherit lib;
      config.networking.firewall = { inherit backend; };
      modulesPath = nixpkgs + "/nixos/modules";
    }).fixed;
  plain = {
    iptables = if fixed "iptables" then "nixpkgs-498177" else "nixos";
    nftables = if fixed "nftables" then "nixpkgs-498177-nft" else "nixos";
  };

  # The text of a program that a unit starts, out of its derivation: nothing is built.
  textOf =
    command:
    let
      context = builtins.getContext command;
      path = builtins.head (builtins.attrNames context);
      derivation = builtins.unsafeDiscardStringContext (
        builtins.readFile (builtins.appendContext path { ${path}.path = true; })
      );
      after = lib.last (lib.splitString ''("text",'' derivation);
      # Up to the next variable, or to the end of the derivation.
      quoted = lib.removeSuffix ''")])'' (builtins.head (lib.splitString ''"),("'' after));
    in
    # Escaped in the same way.
    builtins.fromJSON (quoted + "\"");

  iptables = config: textOf config.systemd.services.firewall.serviceConfig.ExecStart;
  nftables = config: ''
    table inet nixos-fw {
      ${config.networking.nftables.tables.nixos-fw.content}
    }
  '';

  # Of the lab's variants strict is the one without a word, and so it was in NixOS until
  # https://github.com/NixOS/nixpkgs/pull/550306.
  rpfilter = [
    {
      name = "";
      module.networking.firewall.checkReversePath = "strict";
    }
    {
      name = "+rpfilter=loose";
      module.networking.firewall.checkReversePath = "loose";
    }
    {
      name = "+rpfilter=off";
      module.networking.firewall.checkReversePath = false;
    }
  ];
  forward = [
    {
      name = "";
      module = { };
    }
    {
      name = "+forward=on";
      module.networking.firewall.filterForward = true;
    }
    {
      name = "+forward=containers";
      module.networking.firewall = {
        filterForward = true;
        extraForwardRules = ''iifname "ve-*" accept'';
      };
    }
  ];
  variants = backend: [
    {
      name = plain.${backend};
      module = { };
    }
  ]
  # nixpkgs' own rules would be in it, too.
  ++ lib.optional (!fixed backend) {
    name = "workaround";
    module.networking.firewall.interfaces."ve-+".allowedUDPPorts = [ 67 ];
  };

  named = backend: render: switches: {
    name = "${backend}:${lib.concatMapStrings (switch: switch.name) switches}";
    value = {
      inherit backend;
      text = builtins.unsafeDiscardStringContext (
        render (
          evaluated (
            [ { networking.nftables.enable = backend == "nftables"; } ] ++ map (switch: switch.module) switches
          )
        )
      );
    };
  };
in
builtins.listToAttrs (
  lib.mapCartesianProduct (
    { variant, path }:
    named "iptables" iptables [
      variant
      path
    ]
  ) {
    variant = variants "iptables";
    path = rpfilter;
  }
  ++ lib.mapCartesianProduct (
    { variant, path, forward }:
    named "nftables" nftables [
      variant
      path
      forward
    ]
  ) {
    variant = variants "nftables";
    path = rpfilter;
    inherit forward;
  }
)
