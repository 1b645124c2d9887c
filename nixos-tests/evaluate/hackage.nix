# Stands in for nixpkgs' list of Haskell's packages, three MiB of text that a cut-down tree may lack: the few that
# this flake and the systems it makes name. They evaluate and can't be built.
{ lib, ... }:
self:
lib.genAttrs
  [
    # shellcheck: the checker of shell scripts in nixpkgs' own builds
    "ShellCheck"
    # what the formatter is made of
    "cmdargs"
    "file-embed"
    "megaparsec"
    "parser-combinators"
    "pretty-simple"
    "safe-exceptions"
    "scientific"
    # what builds the compiler
    "QuickCheck"
    "alex"
    "base16-bytestring"
    "cryptohash-sha256"
    "extra"
    "happy"
    "happy-lib"
    "hscolour"
    "hspec-discover"
    "jailbreak-cabal"
    "shake"
    "unordered-containers"
    # manual pages
    "pandoc"
    "pandoc-cli"
    "pandoc-types"
    "typst"
    "warp"
  ]
  (
    pname:
    self.callPackage (
      { mkDerivation }:
      mkDerivation {
        inherit pname;
        version = "0";
        src = ./.;
        isExecutable = true;
        license = lib.licenses.mit;
        mainProgram = lib.toLower pname;
      }
    ) { }
  )
