# What cargo needs, and what programs embed: a change of anything else builds nothing again.
{ lib }:
lib.fileset.toSource {
  root = ../.;
  fileset = lib.fileset.unions [
    ../Cargo.toml
    ../Cargo.lock
    ../ci/known-reference.toml
    ../ci/known.toml
    ../ci/matrix.toml
    ../docs/add-a-scenario.md
    ../docs/spawnlab-toml.md
    ../examples/deploys.toml
    ../examples/machines.toml
    ../examples/refused-lease.toml
    ../examples/spawnlab.toml
    ../harness
    ../scenarios
    ../tooling
    ../vm-images
  ];
}
