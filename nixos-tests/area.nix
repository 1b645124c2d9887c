# Scenarios on an image, run inside a Nix build.
#
# Two derivations: `evidence` runs them and succeeds whatever comes out, so that report and evidence of a failure
# are kept (in nixpkgs' tests, `succeedOnFailure`); the check reads the verdict and fails. The message of a failed
# check names the evidence's store path.
{ pkgs, spawnlab }:
{
  name,
  # a folder with image.json
  image,
  # as `spawnlab run` takes them
  filters,
}:
let
  evidence =
    pkgs.runCommand "spawnlab-evidence-${name}"
      {
        nativeBuildInputs = [ spawnlab ];
        requiredSystemFeatures = [
          "kvm"
          "nixos-test"
        ];
        inherit image filters;
        __structuredAttrs = true;
        # What a host printed has store paths of the host in it, and needs none of them.
        unsafeDiscardReferences.out = true;
      }
      ''
        export HOME=$TMPDIR SPAWNLAB_CACHE=$TMPDIR/cache
        status=0
        spawnlab run --image "$image" --accel kvm --report "$TMPDIR/report" "''${filters[@]}" || status=$?
        mkdir -p $out/nix-support
        # Even of a run that ended before it began.
        if [ -d "$TMPDIR/report" ]; then cp -rL "$TMPDIR/report/." $out/; fi
        echo "$status" >$out/exit-status
        if [ "$status" != 0 ]; then touch $out/nix-support/failed; fi
        for report in junit.xml run.json; do
            if [ -e $out/$report ]; then echo "report spawnlab $out $report" >>$out/nix-support/hydra-build-products; fi
        done
      '';
in
pkgs.runCommand "spawnlab-${name}"
  {
    inherit evidence;
    passthru = { inherit evidence; };
    preferLocalBuild = true;
  }
  ''
    status=$(cat $evidence/exit-status)
    if [ "$status" != 0 ]; then
        echo "spawnlab run ended with $status; report and evidence: $evidence"
        exit 1
    fi
    ln -s $evidence $out
  ''
