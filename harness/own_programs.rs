//! For a build script: puts the deploy tool and the agent, linked statically, into the command, so that what
//! `cargo install` installs works without a checkout.
//!
//! `SPAWNLAB_EMBED` decides: a folder with both programs, `none`, or `build`, which builds them here. A release build
//! has them unless it says otherwise; `ci/lab` builds them beside the command and says `none`.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

const TOOL: &str = "nixos-deploy-container";
const AGENT: &str = "spawnlab-agent";
/// What both are compiled of, from the repository's root.
const SOURCES: [&str; 4] = [
    "Cargo.toml",
    "Cargo.lock",
    "harness/agent",
    "tooling/nixos-deploy-container",
];
/// Settings of the build around this one, which is for another target, with other flags.
const OUTER: [&str; 8] = [
    "RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "CARGO_MANIFEST_DIR",
];

/// Writes the file `name` into the folder of what the build script makes: an `OwnPrograms`. The repository's root is
/// `up` from the crate.
pub(crate) fn embed(name: &str, up: &str) -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=SPAWNLAB_EMBED");
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let out = PathBuf::from(variable("OUT_DIR"));
    let release = variable("PROFILE") == "release";
    let folder = match variable("SPAWNLAB_EMBED").as_str() {
        "none" => None,
        "" if !release => None,
        "" | "build" => {
            let root = Path::new(&variable("CARGO_MANIFEST_DIR")).join(up);
            Some(build(&root.canonicalize()?, &out.join("programs"))?)
        }
        folder => Some(fs::canonicalize(folder)?),
    };
    let program = |name: &str| match &folder {
        None => "None".to_owned(),
        Some(folder) => format!("Some(include_bytes!({:?}))", folder.join(name)),
    };
    let (tool, agent) = (program(TOOL), program(AGENT));
    let text = format!("OwnPrograms {{ tool: {tool}, agent: {agent} }}\n");
    fs::write(out.join(name), text)
}

/// Builds both programs of the repository `root` below the folder `target`, and names the folder where they are.
fn build(root: &Path, target: &Path) -> io::Result<PathBuf> {
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    // A target that is named keeps these flags away from build scripts and procedural macros, which can't be static.
    let triple = env::var("HOST").unwrap_or_default();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for name in OUTER {
        cargo.env_remove(name);
    }
    cargo
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static")
        .current_dir(root)
        .args(["build", "--release", "--locked"])
        .args(["--package", TOOL, "--package", AGENT])
        .args(["--target", &triple])
        .arg("--target-dir")
        .arg(target);
    if !cargo.status()?.success() {
        return Err(io::Error::other(format!(
            "{TOOL} and {AGENT}, which run in hosts, could not be built; cargo says why above. They are linked \
             statically, which takes the static C library (libc6-dev on Debian, glibc-static on Fedora). \
             SPAWNLAB_EMBED=none builds spawnlab without them"
        )));
    }
    Ok(target.join(triple).join("release"))
}
