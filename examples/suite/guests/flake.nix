# What is deployed: two versions of one machine. ./lib, which makes system closures of the Debian tree in the
# host's Nix store, and guest-base.json, which says where that tree is, are the lab's: it puts them here.
{
  description = "A page";

  outputs =
    { self }:
    let
      closure = import ./lib/closure.nix {
        base = import ./lib/base.nix (builtins.fromJSON (builtins.readFile ./guest-base.json));
      };
      page = text: { config.system.build.toplevel = closure (import ./page.nix { inherit text; }); };
    in
    {
      nixosConfigurations = {
        page = page "first edition\n";
        page-v2 = page "second edition\n";
      };
    };
}
