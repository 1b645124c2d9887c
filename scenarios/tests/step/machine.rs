//! A machine of a CI: a folder with a repository's files, a cache, and programs that note how they are called.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// In place of `spawnlab`: notes its arguments, and leaves a report.
const LAB: &str = r##"#!/bin/sh
printf '%s\n' "$@" >"$HOME/called"
while [ $# -gt 0 ]; do
    case $1 in
        --report)
            mkdir -p "$2"
            printf '{\n  "word": "%s"\n}\n' "$LAB_WORD" >"$2/verify.json"
            printf '<testsuites name="spawnlab" tests="10" failures="5" errors="2" time="1">\n' >"$2/junit.xml" ;;
        --markdown) [ "${LAB_EXIT:-0}" = 3 ] || echo '# a comparison' >"$2" ;;
    esac
    shift
done
exit "${LAB_EXIT:-0}"
"##;

/// In place of `curl`: notes its arguments in a line, and answers what a list of comments would be.
const CURL: &str = r#"#!/bin/sh
cat >/dev/null
printf '%s\n' "$*" >>"$HOME/curl-calls"
cat "$HOME/comments"
"#;

/// A script with the variables that a service sets for it.
#[derive(Debug)]
pub(crate) struct Script {
    /// The file that it is from.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: String,
    /// Its environment.
    pub(crate) variables: Vec<(String, String)>,
}

/// The root of this repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a repository")
        .to_owned()
}

/// Calls `ci/step` with `words`, which must be ones that it ends at.
pub(crate) fn step(words: &[&str]) -> Output {
    Command::new(repository().join("ci/step"))
        .args(words)
        .output()
        .expect("it can be started")
}

/// The machine. All that is written goes below one folder, which goes with it.
#[derive(Debug)]
pub(crate) struct Machine {
    home: TempDir,
}

impl Machine {
    /// One whose cache has the command already; none where packages would have to be installed first.
    pub(crate) fn ready() -> Option<Self> {
        let libraries = ["common", "qemu", "rust", "apt", "packages"];
        let libraries = libraries
            .map(|name| format!(". ci/lib/{name}.sh\n"))
            .concat();
        let script = format!("set -eu\n{libraries}find_missing hosts\n((${{#MISSING[@]}} == 0))");
        let status = Command::new("bash")
            .args(["-c", &script])
            .current_dir(repository())
            .status()
            .expect("bash");
        if !status.success() {
            // ci/test installs all of it.
            eprintln!(
                "this machine lacks what boots hosts, which ci/step would install: not checked"
            );
            return None;
        }
        let machine = Self {
            home: tempfile::tempdir().expect("a folder"),
        };
        let key = String::from_utf8(step(&["--key"]).stdout).expect("UTF-8");
        assert_eq!(key.trim().len(), 32, "{key}");
        let kept = machine.folder().join("cache-command").join(key.trim());
        machine.program(&kept.join("spawnlab"), LAB);
        Some(machine)
    }

    /// Its one folder.
    pub(crate) fn folder(&self) -> &Path {
        self.home.path()
    }

    /// Whether the program `name` is there.
    #[expect(
        clippy::unused_self,
        reason = "the machine's programs are those of this one"
    )]
    pub(crate) fn has(&self, name: &str) -> bool {
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&path).any(|folder| folder.join(name).is_file())
    }

    /// Runs `script` with its variables and `more` of them, and nothing else of this process' environment.
    pub(crate) fn run(&self, script: &Script, more: &[(&str, &str)]) -> Output {
        let path = env::var("PATH").expect("a PATH");
        let programs = self.folder().join("programs");
        Command::new("bash")
            .args(["-e", "-c", &script.text])
            .current_dir(self.folder())
            .env_clear()
            .env("PATH", format!("{}:{path}", programs.display()))
            .env("HOME", self.folder())
            .env("SPAWNLAB_CACHE", self.folder().join("cache"))
            .env("GITHUB_ACTION_PATH", repository())
            .env("LAB_WORD", "")
            .envs(script.variables.iter().map(|(name, value)| (name, value)))
            .envs(more.iter().copied())
            .output()
            .expect("bash")
    }

    /// The arguments of the last call of the lab.
    pub(crate) fn called_with(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder().join("called")).expect("the lab was called");
        text.lines().map(str::to_owned).collect()
    }

    /// From now on comments are `comments` to whoever asks with curl.
    pub(crate) fn fake_curl(&self, comments: &str) {
        self.program(&self.folder().join("programs/curl"), CURL);
        fs::write(self.folder().join("comments"), comments).expect("written");
    }

    /// The arguments of each call of curl, in one line each.
    pub(crate) fn curl_calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder().join("curl-calls")).expect("curl was called");
        text.lines().map(str::to_owned).collect()
    }

    #[expect(clippy::unused_self, reason = "programs are put onto a machine")]
    fn program(&self, path: &Path, text: &str) {
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
    }
}
