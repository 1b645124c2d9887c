//! Where a task leaves its evidence, and the two small files that the runner itself keeps there.

use std::{collections::HashSet, io};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::{
    report::file,
    run::task::Task,
    verdict::{Verdict, event::Record},
};

/// Written before the body begins: a [`Started`].
pub const STARTED: &str = "started.json";
/// Written after the body ended: a [`Record`].
pub const VERDICT: &str = "verdict.json";

/// The longest folder name made of a task's name, in bytes. File systems stop at 255.
const LONGEST: usize = 120;

/// What `started.json` holds. Without a `verdict.json` next to it, the run was killed meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The task's name.
    pub name: String,
    /// The sentence that is proved.
    pub claim: String,
    /// The command that runs just this again.
    pub again: String,
    /// When, in UTC, as RFC 3339.
    pub started: String,
    /// The process that ran it.
    pub pid: u32,
}

/// Hands out places, each only once.
pub(super) struct EvidenceFolders {
    report_dir: Utf8PathBuf,
    taken: HashSet<Utf8PathBuf>,
}

impl EvidenceFolders {
    pub(super) fn below(report_dir: &Utf8Path) -> Self {
        Self {
            report_dir: report_dir.to_owned(),
            taken: HashSet::new(),
        }
    }

    /// The place of the task `name`; different names never share one.
    pub(super) fn next(&mut self, name: &str) -> EvidenceFolder {
        let (area, rest) = name.split_once("::").unwrap_or(("other", name));
        let folder = Utf8Path::new("evidence").join(sanitised(area));
        let rest = sanitised(rest);
        let mut relative = folder.join(&rest);
        let mut count = 1_u32;
        while !self.taken.insert(relative.clone()) {
            count += 1;
            relative = folder.join(format!("{rest}~{count}"));
        }
        EvidenceFolder {
            absolute: self.report_dir.join(&relative),
            relative,
        }
    }
}

/// One task's evidence folder.
#[derive(Debug, Clone)]
pub(super) struct EvidenceFolder {
    pub(super) absolute: Utf8PathBuf,
    /// Relative to the report's folder.
    pub(super) relative: Utf8PathBuf,
}

impl EvidenceFolder {
    /// Makes the folder, empty, with the start marker in it.
    pub(super) fn begin(&self, task: &Task) -> io::Result<()> {
        self.empty()?;
        let started = Started {
            name: task.name.clone(),
            claim: task.claim.clone(),
            again: task.again.clone(),
            started: jiff::Timestamp::now().to_string(),
            pid: std::process::id(),
        };
        file::replace_json(&self.absolute.join(STARTED), &started)
    }

    fn empty(&self) -> io::Result<()> {
        match fs_err::remove_dir_all(&self.absolute) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs_err::create_dir_all(&self.absolute),
        }
    }

    /// Keeps `record`. A good one that can't be kept is no longer good; a bad one stays what it is.
    pub(super) fn finish(&self, mut record: Record) -> Record {
        let kept = fs_err::create_dir_all(&self.absolute)
            .and_then(|()| file::replace_json(&self.absolute.join(VERDICT), &record));
        match kept {
            Err(error) if record.verdict.is_expected() => {
                let word = record.verdict.word();
                record.verdict = Verdict::Infrastructure {
                    error: format!("the verdict ({word}) could not be kept: {error}"),
                };
            }
            Err(error) => tracing::warn!("the verdict of {} is not kept: {error}", record.name),
            Ok(()) => {}
        }
        record
    }
}

/// `name` as one path component that every file system and every shell takes as it is.
fn sanitised(name: &str) -> String {
    let mut clean: String = name
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' | '+' => c,
            _ => '_',
        })
        .take(LONGEST)
        .collect();
    if clean.is_empty() || clean.starts_with(['.', '-']) {
        clean.insert(0, '_');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("names::follows", "evidence/names/follows")]
    #[case("names::follows+no-nss", "evidence/names/follows+no-nss")]
    #[case("alone", "evidence/other/alone")]
    #[case("../..::../../etc/passwd", "evidence/_.._../_.._.._etc_passwd")]
    #[case("a::b::c d", "evidence/a/b__c_d")]
    #[case("::", "evidence/_/_")]
    fn a_name_becomes_a_folder(#[case] name: &str, #[case] folder: &str) {
        let evidence_folder = EvidenceFolders::below(Utf8Path::new("/report")).next(name);
        assert_eq!(evidence_folder.relative, folder);
        assert_eq!(
            evidence_folder.absolute,
            Utf8Path::new("/report").join(folder)
        );
    }

    #[test]
    fn names_that_look_alike_get_folders_of_their_own() {
        let mut evidence_folders = EvidenceFolders::below(Utf8Path::new("/report"));
        assert_eq!(evidence_folders.next("a::b c").relative, "evidence/a/b_c");
        assert_eq!(evidence_folders.next("a::b_c").relative, "evidence/a/b_c~2");
        assert_eq!(evidence_folders.next("a::b/c").relative, "evidence/a/b_c~3");
    }
}
