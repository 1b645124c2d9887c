//! What goes onto the lab disk: a subject's files, and the programs of a run.

use camino::Utf8Path;

use super::declarations::Declarations;
use crate::{Error, Result, layer::labdisk::LabFile, scenario::subject::Subject};

/// Where provisioning looks for the tool under test.
const TOOL: &str = "tool/nixos-deploy-container";

/// Where the host starts the lab's own agent from.
pub(super) const AGENT: &str = "spawnlab-agent";

/// All files of the lab disk: those of `subject`, with the program at `tool` as the tool under test,
/// that at `agent` as the lab's own agent, and `host` in place of the subject's containers.
///
/// # Errors
/// When one of the two can't be read.
pub(super) fn lab_files(
    subject: &Subject,
    tool: &Utf8Path,
    agent: Option<&Utf8Path>,
    host: Option<&Declarations>,
) -> Result<Vec<LabFile>> {
    let content = fs_err::read(tool).map_err(|error| {
        Error::Machine(format!(
            "the tool can't be read: {error}; --tool takes the path of a program"
        ))
    })?;
    let tool = LabFile {
        path: TOOL.into(),
        executable: true,
        content,
    };
    let agent = match agent {
        None => None,
        Some(path) => Some(LabFile {
            path: AGENT.into(),
            executable: true,
            content: fs_err::read(path)?,
        }),
    };
    let mut subject = subject.clone();
    if let Some(host) = host {
        subject.declare(host.text.as_bytes());
    }
    let files = subject.files.into_iter();
    Ok(files.chain([tool]).chain(agent).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::subject::{CONTAINERS, OWN_CONTAINERS};

    fn subject() -> Subject {
        let mut subject = Subject::provisioned();
        subject.put_file(CONTAINERS, b"{ web = { }; }".to_vec());
        subject
    }

    fn find<'f>(files: &'f [LabFile], path: &str) -> Option<&'f LabFile> {
        let mut found = files.iter().filter(|file| file.path == path);
        let file = found.next();
        assert_eq!(found.next(), None, "{path} is there twice");
        file
    }

    #[test]
    fn the_disk_has_what_the_contract_names() {
        let dir = tempfile::tempdir().unwrap();
        let tool = Utf8Path::from_path(dir.path()).unwrap().join("tool");
        fs_err::write(&tool, "#!/bin/sh\n").unwrap();
        let files = lab_files(&subject(), &tool, Some(&tool), None).unwrap();
        for program in ["provision", TOOL, AGENT] {
            assert!(find(&files, program).unwrap().executable, "{program}");
        }
        assert!(!find(&files, CONTAINERS).unwrap().executable);
    }

    #[test]
    fn somebody_elses_declarations_can_import_the_labs() {
        let dir = tempfile::tempdir().unwrap();
        let tool = Utf8Path::from_path(dir.path()).unwrap().join("tool");
        fs_err::write(&tool, "#!/bin/sh\n").unwrap();
        let host = Declarations {
            file: "mine.nix".into(),
            text: "import ./lab-containers.nix".into(),
        };
        let own = lab_files(&subject(), &tool, None, None).unwrap();
        let files = lab_files(&subject(), &tool, None, Some(&host)).unwrap();
        let content = |files: &[LabFile], path| find(files, path).map(|file| file.content.clone());
        assert_eq!(content(&files, CONTAINERS), Some(host.text.into_bytes()));
        assert_eq!(content(&files, OWN_CONTAINERS), content(&own, CONTAINERS));
        assert_eq!(content(&own, OWN_CONTAINERS), None);
    }

    #[test]
    fn a_missing_tool_names_the_option() {
        let error = lab_files(&subject(), "/nowhere/tool".into(), None, None).unwrap_err();
        assert!(error.to_string().contains("--tool"), "{error}");
    }
}
