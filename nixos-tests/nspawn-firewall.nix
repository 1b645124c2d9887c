# The claim of https://github.com/NixOS/nixpkgs/pull/498177 for NixOS' own test driver: behind NixOS' firewall a
# container of systemd-nspawn gets its address from the host's DHCP server, on both backends, and nobody else does.
#
# Written to go into nixpkgs as nixos/tests/systemd-nspawn-firewall.nix beside the change, without an edit: it
# uses nothing of this repository. Without the change it fails at the lease.
{ lib, pkgs, ... }:
let
  container =
    { modulesPath, ... }:
    {
      imports = [ (modulesPath + "/profiles/minimal.nix") ];
      boot.isNspawnContainer = true;
      networking.useNetworkd = true;
      networking.useDHCP = false;
      networking.useHostResolvConf = false;
      networking.firewall.enable = false;
      services.resolved.enable = true;
      documentation.enable = false;
      system.stateVersion = lib.trivial.release;
      nixpkgs = { inherit (pkgs.stdenv) hostPlatform; };
    };
  system =
    (import (pkgs.path + "/nixos/lib/eval-config.nix") {
      system = null;
      modules = [ container ];
    }).config.system.build.toplevel;

  # A host with one container, `guest`, whose service is the template that systemd ships: `--network-veth -U`.
  host =
    { config, ... }:
    {
      networking.useNetworkd = true;
      networking.useDHCP = false;
      networking.firewall.enable = true;

      # No disk of the test driver takes the idmapped mount of /nix/store that -U asks for.
      virtualisation.useNixStoreImage = true;
      virtualisation.writableStore = false;
      virtualisation.additionalPaths = [ system ];

      systemd.nspawn.guest = {
        execConfig = {
          Boot = false;
          Parameters = "${system}/init";
        };
        filesConfig.BindReadOnly = [ "/nix/store:/nix/store:rootidmap" ];
      };
      # A root without /usr is refused as no operating system.
      systemd.tmpfiles.rules = [
        "d /var/lib/machines/guest 0755 root root -"
        "d /var/lib/machines/guest/usr 0755 root root -"
      ];
      systemd.services."systemd-nspawn@guest" = {
        overrideStrategy = "asDropin";
        wantedBy = [ "machines.target" ];
      };
      environment.systemPackages = [
        pkgs.jq
        pkgs.nftables
      ];
    };
  counters = pkgs.writeText "counters.nft" ''
    table inet seen {
      chain before {
        type filter hook prerouting priority -450
        iifname "eth1" udp dport 67 counter
      }
      chain behind {
        type filter hook input priority 450
        iifname "eth1" udp dport 67 counter
      }
    }
  '';
in
{
  name = "systemd-nspawn-firewall";

  nodes.iptables = {
    imports = [ host ];
  };
  nodes.nftables = {
    imports = [ host ];
    networking.nftables.enable = true;
  };
  # On the hosts' uplink: asks them for an address, too.
  nodes.outsider = {
    networking.useDHCP = false;
    environment.systemPackages = [ (lib.lowPrio pkgs.busybox) ];
  };

  testScript = ''
    import json
    from ipaddress import ip_address, ip_interface

    def addresses(status: str, source: str) -> list[str]:
        """IPv4 addresses of a link that come from `source`, with their prefixes."""
        return [
            f"{'.'.join(map(str, found['Address']))}/{found['PrefixLength']}"
            for found in json.loads(status).get("Addresses", [])
            if found["Family"] == 2 and (not source or found.get("ConfigSource") == source)
        ]

    def in_guest(command: str) -> str:
        return f"systemd-run --machine=guest --quiet --wait --pipe --collect /run/current-system/sw/bin/{command}"

    def packets(chain: str) -> str:
        """Shell text: how many requests came by `chain`."""
        rules = f"nft -j list chain inet seen {chain}"
        return f"$({rules} | jq '[.nftables[].rule.expr[]?.counter.packets // empty] | add')"

    start_all()
    outsider.wait_for_unit("multi-user.target")

    for host in [iptables, nftables]:
        with subtest(f"{host.name}: the container has a lease, and both ends of its link are routable"):
            host.wait_for_unit("firewall.service" if host == iptables else "nftables.service")
            host.wait_for_unit("systemd-nspawn@guest.service")
            # A page that can be fetched proves nothing: link-local addresses answer without a lease.
            host.wait_until_succeeds(
                in_guest("networkctl --json=short status host0")
                + " | jq -e '[.Addresses[] | select(.ConfigSource == \"DHCPv4\")] | length == 1'",
                timeout=60,
            )
            theirs = host.succeed(in_guest("networkctl --json=short status host0"))
            ours = host.succeed("networkctl --json=short status ve-guest")
            leased = ip_interface(addresses(theirs, "DHCPv4")[0])
            networks = [ip_interface(found).network for found in addresses(ours, "") if not ip_interface(found).is_link_local]
            assert any(leased.ip in network for network in networks), f"{leased} is in none of {networks}"
            for status in [ours, theirs]:
                state = json.loads(status)["OperationalState"]
                assert state == "routable", f"the link is {state}"

        with subtest(f"{host.name}: the name is the leased address"):
            found = host.succeed("getent ahostsv4 guest").split()[0]
            assert ip_address(found) == leased.ip, f"guest is {found}, not {leased.ip}"

        with subtest(f"{host.name}: a request for a lease from the uplink is refused"):
            # Counted in front of the firewall and behind it: what never came was not refused.
            host.succeed("nft -f ${counters}")
            outsider.execute("busybox udhcpc -i eth1 -n -q -f -t 3 -T 1 -s /bin/sh")
            host.wait_until_succeeds(f"test {packets('before')} -ge 1", timeout=30)
            behind = int(host.succeed(f"echo {packets('behind')}"))
            assert behind == 0, f"{behind} requests from the uplink got past the firewall"
  '';
}
