//! What stands below the options: examples with `-h`, which has to fit a screen, and with `--help` all
//! there is to say.

/// The end of `spawnlab -h`.
pub(crate) const SPAWNLAB: &str = "\
Examples:
  spawnlab run                    every scenario; what was built is kept
  spawnlab run names:: lease      an area, and what has `lease` in its name
  spawnlab shell                  a shell on a host with its containers
  spawnlab run -h                 the options of a command; `--help` says more";

/// The end of `spawnlab list -h`.
pub(crate) const LIST: &str = "\
Examples:
  spawnlab list                   every scenario with its claim
  spawnlab list firewall::        those of one area
  spawnlab list --json | jq -r '.[].name'";

/// The end of `spawnlab run -h`.
pub(crate) const RUN: &str = "\
Examples:
  spawnlab run                               every scenario
  spawnlab run names:: lease                 an area, and names with `lease`
  spawnlab run --exact names::name_is_the_leased_address
  spawnlab run --tool ./deploy --promises idempotent
  spawnlab run --repeat 5 --keep deploy::    flaky? Keep hosts of what fails
  spawnlab run --failed                      again what was not as expected";

/// The end of `spawnlab prove -h`.
pub(crate) const PROVE: &str = "\
Examples:
  spawnlab prove names::                     an area, under all its saboteurs
  spawnlab prove --exact names::name_is_the_leased_address
  spawnlab prove --failed                    again what was not as expected";

/// The end of `spawnlab verify -h`.
pub(crate) const VERIFY: &str = "\
Examples:
  spawnlab verify --base firewall=nixos --change firewall=nixpkgs-498177
  spawnlab verify --base tool=./old --change tool=./new deploy::
  spawnlab verify --image nixos --base nixpkgs=A --change nixpkgs=A+B.patch
`spawnlab verify --help` lists the variables and the verdicts.";

/// The end of `spawnlab qualify -h`.
pub(crate) const QUALIFY: &str = "\
Examples:
  spawnlab qualify                           so many that any two values meet
  spawnlab qualify --list                    which cases that would be
  spawnlab qualify --full --shard 2/5 --soak
  spawnlab qualify --failed                  again what was not as expected
`spawnlab qualify --help` says what a matrix is.";

/// The end of `spawnlab report -h`.
pub(crate) const REPORT: &str = "\
Examples:
  spawnlab report merge shard-1 shard-2      as one run would have left it";

/// The end of `spawnlab report merge -h`.
pub(crate) const MERGE: &str = "\
Examples:
  spawnlab report merge shard-*              all shards of a run
  spawnlab report merge shard-1 shard-2 --report whole";

/// The end of `spawnlab report html -h`.
pub(crate) const HTML: &str = "\
Examples:
  spawnlab report html target/spawnlab/runs/latest";

/// The end of `spawnlab explain -h`.
pub(crate) const EXPLAIN: &str = "\
Examples:
  spawnlab explain web                       on a fresh clone of a host
  spawnlab explain web --kept latest/names::http_by_name   on a kept host
  spawnlab explain db --here --port 5432     on this very machine";

/// The end of `spawnlab doctor -h`.
pub(crate) const DOCTOR: &str = "\
Examples:
  spawnlab doctor                            what is there, and what is missing
  spawnlab doctor --fix                      remove what dead runs left behind";

/// The end of `spawnlab history -h`.
pub(crate) const HISTORY: &str = "\
Examples:
  spawnlab history                           all scenarios that ran here
  spawnlab history --unstable                what can't be relied on
  spawnlab history names:: --merge ci-runs/* count the reports of a CI, too
`spawnlab history --help` says how to read it.";

/// The end of `spawnlab shell -h`.
pub(crate) const SHELL: &str = "\
Examples:
  spawnlab shell                             on a host; Ctrl-] leaves it
  spawnlab shell host                        before anything is deployed
  spawnlab shell deployed --container web    in a container
  spawnlab shell --scenario remote::first_deploy_from_a_laptop/host";

/// The end of `spawnlab resume -h`.
pub(crate) const RESUME: &str = "\
Examples:
  spawnlab run --keep names::                keeps hosts of what fails
  spawnlab resume target/spawnlab/runs/latest/evidence/names/name_resolves
  spawnlab resume latest/remote::first_deploy_from_a_laptop/host";

/// The end of `spawnlab layers -h`.
pub(crate) const LAYERS: &str = "\
Examples:
  spawnlab layers                            what is kept, and how big it is
  spawnlab layers clean --older-than 3d      what no run used for three days";

/// The end of `spawnlab layers clean -h`.
pub(crate) const CLEAN: &str = "\
Examples:
  spawnlab layers clean                      what is beyond the bounds
  spawnlab layers clean deployed             those of that name
  spawnlab layers clean --all                all that no run uses, programs too";

/// The end of `spawnlab bench -h`.
pub(crate) const BENCH: &str = "\
Examples:
  spawnlab bench                             all but the suite, five times each
  spawnlab bench --only clone --repeat 20 --json samples.json
`spawnlab bench --help` lists what is measured.";

/// The end of `spawnlab image -h`.
pub(crate) const IMAGE: &str = "\
Examples:
  spawnlab image build                       the default image
  spawnlab image list";

/// The end of `spawnlab image build -h`.
pub(crate) const BUILD: &str = "\
Examples:
  spawnlab image build --refresh             with the packages of today
  spawnlab image build vm-images/debian/trixie.toml
  spawnlab image build nixos --nixpkgs ../nixpkgs";

/// The end of `spawnlab image list -h`.
pub(crate) const IMAGES: &str = "\
Examples:
  spawnlab image list                        name, id and folder of each";

/// The end of `spawnlab image show -h`.
pub(crate) const SHOW: &str = "\
Examples:
  spawnlab image show debian-trixie | jq .versions";

/// The end of `spawnlab completions -h`.
pub(crate) const COMPLETIONS: &str = "\
Examples:
  spawnlab completions bash > /etc/bash_completion.d/spawnlab
  spawnlab completions zsh > \"${fpath[1]}/_spawnlab\"
  spawnlab completions fish > ~/.config/fish/completions/spawnlab.fish";

/// The end of `spawnlab man -h`.
pub(crate) const MAN: &str = "\
Examples:
  spawnlab man | man -l -                    the page spawnlab(1)
  spawnlab man layers clean | man -l -       the page spawnlab-layers-clean(1)
  spawnlab man --dir ~/.local/share/man/man1";

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    all as expected
  1    a scenario failed, timed out, was flaky, or passed but should not, or
       is unstable with --unstable=fail;
       verify: no effect, something is broken, or flaky
  2    the command line is wrong
  3    the lab itself failed, and no scenario did
  4    nothing is selected
  130  interrupted";

pub(crate) const FILTERS: &str = "\
Filters:
  names::            the whole area `names`
  lease              every scenario whose full name contains `lease`
  names::a names::b  everything that either of them selects
  --exact names::a   that one and no other
  +nginx-stops       under `prove`: names have a saboteur behind them
Names are those that `spawnlab list` shows.";

pub(crate) const ENVIRONMENT: &str = "\
Environment:
  SPAWNLAB_TOOL, SPAWNLAB_PROMISES, SPAWNLAB_IMAGE, SPAWNLAB_NIXPKGS,
  SPAWNLAB_SWITCH, SPAWNLAB_GUEST, SPAWNLAB_ACCEL, SPAWNLAB_KEEP
                     as the options of these names, which win
  SPAWNLAB_HOST_MODULES
                     as --host-module, with colons between
  SPAWNLAB_CACHE     where images and layers are kept: ~/.cache/spawnlab
  SPAWNLAB_RUNS      where dated reports go";

pub(crate) const BOUNDS: &str = "\
Every run keeps the layers within 16 GiB and removes what no run used for 14
days; none that is in use.";

/// `parts` with an empty line between them: what `--help` ends with.
pub(crate) fn long(parts: &[&str]) -> String {
    parts.join("\n\n")
}
