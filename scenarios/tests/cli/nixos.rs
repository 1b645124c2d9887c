//! NixOS hosts: what is wrong with what they are to be made of, and a build whose mmdebstrap is a fake, so that neither
//! packages nor a nixpkgs are needed.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::command::stderr;

/// Takes the place of mmdebstrap: the tree is an empty file, and the script is not run. What it was given is listed, and
/// it ends as `code` says.
const FAKE: &str = r#"#!/bin/sh
set -eu
here=${0%/*}
if [ "$1" != --unshare-helper ]; then
    echo tree >>"$here/calls"
    for argument; do
        case $argument in */programs.tar) : >"$argument" ;; esac
    done
    exit
fi
echo script >>"$here/calls"
ls >"$here/given"
printf '%s\n' "$4" | sed -n "s/^NIXPKGS_LABEL='\(.*\)'$/\1/p; s/^PATCH='\(.*\)'$/patch: \1/p" >"$here/variables"
mkdir -p export/modules
code=$(cat "$here/code")
if [ "$code" = hang ]; then
    echo hangs >>"$here/calls"
    sleep 1000
fi
printf '%s\n' "$4" | head -n 1 | grep -q '^trap .*export/code' && echo "$code" >export/code
if [ "$code" != 0 ]; then
    cat "$here/why" >export/why
    # As mmdebstrap does.
    exit 25
fi
for file in vmlinuz busybox modules/order; do : >"export/$file"; done
printf '7.2\n' >export/kernel
printf 'systemd\t262\n' >export/packages.programs
printf 'aa  a_InRelease\n' >export/releases.programs
cat >export/system.json <<END
{"toplevel": "/nix/store/0-nixos-system-host", "cmdline": ["loglevel=4"], "provision": "/bin/provision",
 "os": {"id": "nixos", "version": "26.11", "pretty": "NixOS 26.11 (nixpkgs $(head -n 1 "$here/variables"))"},
 "versions": {"systemd": "262", "nix": "2.34", "kernel": "7.2"}}
END
"#;

struct Lab {
    dir: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        // Not below /tmp, which may be in memory and small.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let lab = Self { dir };
        for folder in [
            "bin",
            "tmp",
            "nixpkgs/lib",
            "nixpkgs/nixos/modules",
            "nixpkgs/pkgs/top-level",
        ] {
            std::fs::create_dir_all(lab.path(folder)).expect("made");
        }
        lab.put("nixpkgs/lib/.version", "26.11");
        lab.put("a.patch", "--- a/lib/.version\n+++ b/lib/.version\n");
        // Written by a process of its own: a program that another thread's child still has open for
        // writing cannot be started.
        let written = Command::new("sh")
            .args([
                "-c",
                "printf %s \"$1\" >\"$2\" && chmod 755 \"$2\"",
                "sh",
                FAKE,
            ])
            .arg(lab.path("bin/mmdebstrap"))
            .status();
        assert!(written.expect("sh starts").success());
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("read")
    }

    /// What `spawnlab WORDS` comes to; `@` stands for the folder.
    fn run(&self, words: &str) -> Output {
        self.command(words).output().expect("it can be started")
    }

    fn command(&self, words: &str) -> Command {
        let words = words.replace('@', self.dir.path().to_str().expect("UTF-8"));
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(env!("CARGO_BIN_EXE_spawnlab"));
        command
            .args(words.split(' '))
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("SPAWNLAB_CACHE", self.path("cache"))
            .env("TMPDIR", self.path("tmp"))
            .env_remove("SPAWNLAB_NIXPKGS")
            .env_remove("SPAWNLAB_HOST_MODULES")
            .env("SPAWNLAB_RUNS", self.path("runs"));
        command
    }

    /// The exit code, and what it says, without what differs from run to run.
    fn said(&self, words: &str) -> String {
        let output = self.run(words);
        let text = stderr(&output).replace(self.dir.path().to_str().expect("UTF-8"), "@");
        // Steps are told of with the time that they took.
        let lines: Vec<_> = text
            .lines()
            .filter(|line| !line.contains(" image nixos: ") || line.starts_with("error: "))
            .filter(|line| !line.contains(" image nixos ("))
            .collect();
        let code = output.status.code().expect("a code");
        format!("spawnlab {words}\n{code}: {}\n", lines.join("\n"))
    }

    /// Whether a process has its current folder below that of the cache.
    fn somebody_works_there(&self) -> bool {
        let entries = std::fs::read_dir("/proc").expect("readable").flatten();
        let mut folders = entries.filter_map(|entry| entry.path().join("cwd").read_link().ok());
        folders.any(|folder| folder.starts_with(self.path("cache")))
    }

    fn left(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).expect("read");
        let mut names: Vec<_> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .into_string()
                    .expect("UTF-8")
            })
            .filter(|name| !name.starts_with(".lock-"))
            .collect();
        names.sort();
        names
    }
}

#[test]
fn what_is_wrong_is_said_before_anything_is_built() {
    let lab = Lab::new();
    let texts = [
        "run --image nixos",
        "image build nixos",
        "run --nixpkgs @/nixpkgs",
        "image build sid --nixpkgs @/nixpkgs",
        "shell host --image nixos --nixpkgs @/nowhere",
        "image build nixos --nixpkgs @/bin",
        "image build nixos --nixpkgs @/nixpkgs+@/gone.patch",
        "image build nixos --nixpkgs @/nixpkgs --host-module @/host.nix",
        "verify --image nixos --base nixpkgs=@/nowhere --change nixpkgs=@/nixpkgs",
        "verify --base nixpkgs=@/nixpkgs --change nixpkgs=@/nixpkgs+@/a.patch",
        "verify --image nixos --base tool=/bin/true --change nixpkgs=@/nixpkgs",
    ];
    let texts = texts.map(|words| lab.said(words));
    insta::assert_snapshot!(texts.join("\n"));
    assert!(!lab.path("cache/images").exists(), "nothing is made");
}

#[test]
fn what_the_tree_says_is_shown_and_nothing_is_left() {
    let lab = Lab::new();
    lab.put(
        "bin/why",
        "error: undefined variable 'nowhere'\nat nixos/modules/a.nix:1:1\n",
    );
    let mut texts = vec![];
    for code in [20, 21, 22, 24, 23] {
        lab.put("bin/code", &code.to_string());
        texts.push(lab.said("image build nixos --nixpkgs @/nixpkgs"));
        // The log of what the lab could not do stays for who reads of it.
        if code != 23 {
            assert_eq!(lab.left("cache/images"), [""; 0]);
        }
        assert_eq!(lab.left("tmp"), [""; 0]);
    }
    let log = texts[4].find(".building-").expect("a log is named");
    let end = texts[4][log..].find("/log/").expect("in a folder of logs");
    texts[4].replace_range(log..log + end, ".building-X");
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn an_image_is_built_once_for_each_tree_and_the_programs_for_all() {
    let lab = Lab::new();
    lab.put("bin/code", "0");
    let build = |words: &str| {
        let output = lab.run(&format!("image build nixos {words}"));
        assert!(output.status.success(), "{}", stderr(&output));
        PathBuf::from(String::from_utf8(output.stdout).expect("UTF-8").trim())
    };
    let image = build("--nixpkgs @/nixpkgs");
    let read = |image: &Path| -> serde_json::Value {
        let text = std::fs::read_to_string(image.join("image.json")).expect("read");
        serde_json::from_str(&text).expect("JSON")
    };
    let json = read(&image);
    let cmdline = json["cmdline"].as_str().expect("text");
    assert!(
        cmdline.starts_with("init=/nix/store/0-nixos-system-host/init loglevel=4 root="),
        "{cmdline}"
    );
    assert_eq!(json["guest_bases"], serde_json::json!([]));
    assert_eq!(json["provision"], "/bin/provision");
    let packages = std::fs::read_to_string(image.join("packages.tsv")).expect("read");
    assert_eq!(
        packages,
        "programs\tsystemd\t262\nnixos\tswitch-to-configuration\tthe lab's own\n"
    );
    assert_eq!(lab.text("bin/calls"), "tree\nscript\n");
    assert_eq!(
        lab.text("bin/given"),
        "lab.tar\nnixpkgs.tar\nprograms.tar\nroot.raw\n"
    );

    assert_eq!(build("--nixpkgs @/nixpkgs"), image, "it is there");
    assert_eq!(lab.text("bin/calls"), "tree\nscript\n");

    std::fs::create_dir(lab.path("module")).expect("made");
    lab.put("module/host.nix", "{ }");
    let other = build("--nixpkgs @/nixpkgs+@/a.patch --host-module @/module/host.nix");
    assert_ne!(other, image);
    assert_eq!(
        lab.text("bin/calls"),
        "tree\nscript\nscript\n",
        "the same programs"
    );
    assert_eq!(
        lab.text("bin/given"),
        "lab.tar\nmodules.tar\nnixpkgs.patch\nnixpkgs.tar\nprograms.tar\nroot.raw\n"
    );
    let variables = lab.text("bin/variables");
    assert!(variables.starts_with("patch: yes\n"), "{variables}");
    assert!(variables.trim().ends_with(" + a.patch"), "{variables}");

    build("--nixpkgs @/nixpkgs --refresh");
    assert_eq!(
        lab.text("bin/calls"),
        "tree\nscript\nscript\ntree\nscript\n"
    );
}

#[test]
fn an_interrupted_build_leaves_nothing() {
    let lab = Lab::new();
    lab.put("bin/code", "hang");
    let mut child = lab
        .command("run --image nixos --nixpkgs @/nixpkgs --tool /bin/true")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it can be started");
    let hangs = || {
        let calls = std::fs::read_to_string(lab.path("bin/calls"));
        calls.is_ok_and(|calls| calls.ends_with("hangs\n"))
    };
    while !hangs() {
        assert_eq!(
            child.try_wait().expect("a child"),
            None,
            "it goes on until it hangs"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::INT).expect("it is there");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(lab.left("cache/images"), [""; 0]);
    let temporary = lab.left("tmp");
    assert!(
        !temporary
            .iter()
            .any(|name| name.starts_with("spawnlab-build-")),
        "{temporary:?}"
    );
    // The kernel ends what the script started a moment later.
    let begin = Instant::now();
    while lab.somebody_works_there() {
        assert!(begin.elapsed() < Duration::from_secs(60), "it lives on");
        std::thread::sleep(Duration::from_millis(10));
    }
}
