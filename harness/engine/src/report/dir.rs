//! The folder that a run leaves behind.

use std::{fmt, io};

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    file, html, json, junit,
    ledger::excerpt::{self, Excerpt},
    run::Run,
};

/// The file of a run.
pub const JSON: &str = "run.json";
const JUNIT: &str = "junit.xml";
/// The folder of what scenarios leave behind.
pub const EVIDENCE: &str = "evidence";
/// What [`Dir::write`] may replace besides: a comparison, or a qualification.
const BESIDES: [&str; 4] = [COMPARISON, "verify.md", "qualify.md", QUALIFICATION];
/// The file of a comparison.
pub const COMPARISON: &str = "verify.json";
/// The file of a qualification.
pub const QUALIFICATION: &str = "qualify.json";
/// The folder of a qualification's runs.
pub const CASES: &str = "cases";
/// What the making of layers leaves behind.
const LAYERS: &str = "layers";

/// A report's folder: `run.json`, `junit.xml`, `report.html`, `history.json`, `evidence/<area>/<name>` and `layers/<name>`; or
/// `qualify.json` and `cases/<case>`, each of them the folder of a run.
#[derive(Debug, Clone)]
pub struct Dir(Utf8PathBuf);

/// Why a folder can't be a report's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirError {
    /// There is something else in it already.
    #[error("{0}: it is not empty, and what is in it is no report")]
    Foreign(Utf8PathBuf),
    /// It could not be made or cleared; the path is in the message.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Dir {
    /// Makes the folder `path` ready for a run. An earlier report in it is replaced, anything else is
    /// refused: clearing a folder that was named by mistake would be the end of somebody's files.
    ///
    /// # Errors
    /// [`DirError::Foreign`], or the folder can't be made.
    pub fn at(path: &Utf8Path) -> Result<Self, DirError> {
        let dir = Self::cleared(path)?;
        // From now on it is known to be a report, even if the run is killed at once.
        dir.write_json(&Run::new(jiff::Timestamp::now().to_string()))?;
        Ok(dir)
    }

    /// The same for a qualification, with what `qualify.json` is to hold as long as nothing ended.
    ///
    /// # Errors
    /// Those of [`Self::at`].
    pub fn qualification_at(path: &Utf8Path, json: &str) -> Result<Self, DirError> {
        let dir = Self::cleared(path)?;
        dir.write(QUALIFICATION, json)?;
        Ok(dir)
    }

    fn cleared(path: &Utf8Path) -> Result<Self, DirError> {
        fs_err::create_dir_all(path)?;
        let path = absolute(path)?;
        let is_report = [JSON, QUALIFICATION]
            .iter()
            .any(|name| path.join(name).is_file());
        if is_report {
            // What marks it as a report goes last: a folder that was half cleared can be cleared again.
            let parts = [JUNIT, html::FILE, excerpt::FILE, EVIDENCE, LAYERS, CASES];
            for name in parts.into_iter().chain(BESIDES).chain([JSON]) {
                remove(&path.join(name))?;
            }
        } else if fs_err::read_dir(&path)?.next().is_some() {
            return Err(DirError::Foreign(path));
        }
        Ok(Self(path))
    }

    /// Makes a folder named by the time below `runs`, and points `runs/latest` to it.
    ///
    /// # Errors
    /// The folder or the link can't be made.
    pub fn dated(runs: &Utf8Path) -> Result<Self, DirError> {
        let name = claimed(runs)?;
        let dir = Self::at(&runs.join(&name))?;
        point_latest(runs, &name)?;
        Ok(dir)
    }

    /// The same for a qualification.
    ///
    /// # Errors
    /// Those of [`Self::dated`].
    pub fn qualification_dated(runs: &Utf8Path, json: &str) -> Result<Self, DirError> {
        let name = claimed(runs)?;
        let dir = Self::qualification_at(&runs.join(&name), json)?;
        point_latest(runs, &name)?;
        Ok(dir)
    }

    /// Its absolute path.
    #[must_use]
    pub fn path(&self) -> &Utf8Path {
        &self.0
    }

    /// Replaces `run.json`.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write_json(&self, run: &Run) -> io::Result<()> {
        file::replace(&self.0.join(JSON), &json::render(run)?)
    }

    /// Replaces the file `name` of a comparison or a qualification: `verify.json`, `verify.md`,
    /// `qualify.json`, `qualify.md` or `junit.xml`.
    ///
    /// # Errors
    /// The file can't be written, or is none of these.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        if name != JUNIT && !BESIDES.contains(&name) {
            return Err(io::Error::other(format!("{name} is no file of a report")));
        }
        file::replace(&self.0.join(name), text)
    }

    /// Replaces `history.json`, which the page draws what was before from.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write_history(&self, history: &Excerpt) -> io::Result<()> {
        file::replace(&self.0.join(excerpt::FILE), &history.render()?)
    }

    /// Replaces `report.html`, of `run` and the evidence that is in the folder by now.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write_html(&self, run: &Run) -> io::Result<()> {
        html::write(run, &self.0)
    }

    /// Replaces `junit.xml`.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write_junit(&self, run: &Run) -> io::Result<()> {
        let xml = junit::render(run).map_err(io::Error::other)?;
        file::replace(&self.0.join(JUNIT), &xml)
    }
}

/// Makes `report.html` of the report in the folder `path` again: of what was killed before it wrote
/// one, or was written by an older spawnlab. Returns the page's path.
///
/// # Errors
/// A text for the user: `path` is no report's folder, or can't be written to.
pub fn remake_html(path: &Utf8Path) -> Result<Utf8PathBuf, String> {
    let json = path.join(JSON);
    let text = fs_err::read_to_string(&json).map_err(|error| error.to_string())?;
    let run = json::read(&text).map_err(|error| format!("{json}: {error}"))?;
    let dir = absolute(path).map_err(|error| error.to_string())?;
    html::write(&run, &dir).map_err(|error| error.to_string())?;
    Ok(path.join(html::FILE))
}

impl fmt::Display for Dir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Makes a folder below `runs` that is named by the time, and returns its name.
fn claimed(runs: &Utf8Path) -> Result<String, DirError> {
    fs_err::create_dir_all(runs)?;
    let now = jiff::Zoned::now().strftime("%Y-%m-%dT%H-%M-%S").to_string();
    let mut name = now.clone();
    let mut count = 1_u32;
    // Making the folder is what claims the name: two runs may begin in the same second.
    while let Err(error) = fs_err::create_dir(runs.join(&name)) {
        if error.kind() != io::ErrorKind::AlreadyExists {
            return Err(error.into());
        }
        count += 1;
        name = format!("{now}.{count}");
    }
    Ok(name)
}

/// Where dated folders go: `$SPAWNLAB_RUNS`, which `ci/lab` sets to a folder of the repository that
/// it belongs to; else below the repository, if the current folder is in one, else right here.
#[must_use]
pub fn runs() -> Utf8PathBuf {
    if let Ok(runs) = std::env::var("SPAWNLAB_RUNS") {
        return runs.into();
    }
    let here = std::env::current_dir()
        .ok()
        .and_then(|here| Utf8PathBuf::from_path_buf(here).ok());
    let here = here.unwrap_or_else(|| ".".into());
    let repository = here
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file() && folder.join("vm-images").is_dir());
    repository.unwrap_or(&here).join("target/spawnlab/runs")
}

/// Points `runs/latest` to its sibling `name`; whoever follows it finds the old run or the new one.
///
/// # Errors
/// The link can't be made, for example because `latest` is a folder.
pub fn point_latest(runs: &Utf8Path, name: &str) -> io::Result<()> {
    let part = runs.join(format!(".latest-{}", std::process::id()));
    remove(&part)?;
    fs_err::os::unix::fs::symlink(name, &part)?;
    fs_err::rename(&part, runs.join("latest")).inspect_err(|_| drop(fs_err::remove_file(&part)))
}

fn remove(path: &Utf8Path) -> io::Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => fs_err::remove_dir_all(path),
        _ => fs_err::remove_file(path),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn absolute(path: &Utf8Path) -> io::Result<Utf8PathBuf> {
    let path = fs_err::canonicalize(path)?;
    Utf8PathBuf::from_path_buf(path)
        .map_err(|path| io::Error::other(format!("{}: its path is not UTF-8", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).expect("UTF-8");
        (folder, path)
    }

    fn read(dir: &Dir, name: &str) -> String {
        fs_err::read_to_string(dir.path().join(name)).expect("readable")
    }

    #[test]
    fn an_earlier_report_is_replaced() {
        let (_folder, path) = folder();
        let dir = Dir::at(&path.join("a/b")).expect("made");
        dir.write_json(&sample::run()).expect("written");
        dir.write_junit(&sample::run()).expect("written");
        dir.write_html(&sample::run()).expect("written");
        fs_err::create_dir_all(dir.path().join("evidence/names/old")).expect("made");
        fs_err::write(dir.path().join("notes.txt"), "mine").expect("written");

        let dir = Dir::at(&path.join("a/b")).expect("made again");
        let run = json::read(&read(&dir, JSON)).expect("a run");
        assert_eq!((run.records.len(), run.summary), (0, None));
        assert!(!dir.path().join(JUNIT).exists());
        assert!(!dir.path().join(html::FILE).exists());
        assert!(!dir.path().join(EVIDENCE).exists());
        assert_eq!(
            read(&dir, "notes.txt"),
            "mine",
            "what is not of the report stays"
        );
    }

    #[test]
    fn a_qualification_replaces_a_run_and_a_run_a_qualification() {
        let (_folder, path) = folder();
        let dir = Dir::qualification_at(&path, "{}\n").expect("made");
        fs_err::create_dir_all(dir.path().join("cases/a")).expect("made");
        let dir = Dir::at(&path).expect("made again");
        assert!(!dir.path().join("cases").exists());
        assert!(!dir.path().join(QUALIFICATION).exists());
        let dir = Dir::qualification_at(&path, "{}\n").expect("made once more");
        assert!(!dir.path().join(JSON).exists());
        assert_eq!(read(&dir, QUALIFICATION), "{}\n");
    }

    #[test]
    fn somebody_elses_folder_is_refused_and_untouched() {
        let (_folder, path) = folder();
        fs_err::write(path.join("thesis.tex"), "mine").expect("written");
        let error = Dir::at(&path).expect_err("refused");
        assert!(matches!(error, DirError::Foreign(_)), "{error}");
        assert_eq!(
            fs_err::read_to_string(path.join("thesis.tex")).expect("still there"),
            "mine"
        );
    }

    #[test]
    fn a_page_is_made_again_of_what_is_left() {
        let (_folder, path) = folder();
        let dir = Dir::at(&path).expect("made");
        dir.write_json(&sample::run()).expect("written");
        let page = remake_html(&path).expect("made");
        let page = fs_err::read_to_string(page).expect("there");
        assert!(
            page.contains("names::") && page.trim_end().ends_with("</html>"),
            "{page}"
        );
        let error = remake_html(&path.join("nowhere")).expect_err("no report");
        assert!(error.contains("nowhere/run.json"), "{error}");
        fs_err::write(path.join(JSON), "{}").expect("written");
        let error = remake_html(&path).expect_err("no report");
        assert!(error.contains("run.json: layout version null"), "{error}");
    }

    #[test]
    fn dated_folders_are_never_shared_and_latest_is_the_newest() {
        let (_folder, path) = folder();
        let dirs: Vec<_> = (0..4).map(|_| Dir::dated(&path).expect("made")).collect();
        for pair in dirs.windows(2) {
            assert_ne!(pair[0].path(), pair[1].path());
        }
        let latest =
            fs_err::canonicalize(path.join("latest")).expect("a link that leads somewhere");
        assert_eq!(latest, dirs[3].path().as_std_path());
        assert!(
            fs_err::read_link(path.join("latest"))
                .expect("a link")
                .is_relative()
        );
    }

    #[test]
    fn a_folder_called_latest_is_not_thrown_away() {
        let (_folder, path) = folder();
        fs_err::create_dir_all(path.join("latest/precious")).expect("made");
        assert!(Dir::dated(&path).is_err());
        assert!(path.join("latest/precious").is_dir());
        let leftovers = fs_err::read_dir(&path).expect("readable").filter(|entry| {
            let name = entry.as_ref().expect("readable").file_name();
            name.to_string_lossy().starts_with(".latest")
        });
        assert_eq!(leftovers.count(), 0);
    }
}
