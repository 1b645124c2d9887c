# The containers that the host declares: `spawnlab.containers` of the module host.nix.
{
  page.nspawnConfig.execConfig.Environment = "EDITION=test";
}
