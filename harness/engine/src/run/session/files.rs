//! What goes onto the lab disk: a fixture's files, and the programs of a run.

use super::open::LabPrograms;
use crate::{
    Error, Result, layer::labdisk::LabFile, run::target::programs::LabProgram,
    scenario::fixture::Fixture,
};

/// Where provisioning looks for the tool under test.
const TOOL: &str = "tool/nixos-deploy-container";

/// Where the host starts the lab's own agent from.
pub(super) const AGENT: &str = "spawnlab-agent";

/// All files of the lab disk: those of `fixture` and the two programs.
///
/// # Errors
/// When a program can't be read.
pub(super) fn lab_files(fixture: &Fixture, programs: &LabPrograms) -> Result<Vec<LabFile>> {
    let content = programs.tool.read().map_err(|error| {
        Error::Machine(format!(
            "the tool can't be read: {error}; --tool takes the path of a program"
        ))
    })?;
    let tool = LabFile {
        path: TOOL.into(),
        executable: true,
        content,
    };
    let agent = match &programs.agent {
        None => None,
        Some(agent) => Some(LabFile {
            path: AGENT.into(),
            executable: true,
            content: agent.read()?,
        }),
    };
    let mut fixture = fixture.clone();
    if let LabProgram::Adapter(adapted) = &programs.tool {
        adapted.put(&mut fixture)?;
    }
    let files = fixture.files.into_iter();
    Ok(files.chain([tool]).chain(agent).collect())
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;
    use crate::scenario::fixture::CONTAINERS;

    fn fixture() -> Fixture {
        let mut fixture = Fixture::provisioned();
        fixture.put_file(CONTAINERS, b"{ web = { }; }".to_vec());
        fixture
    }

    fn programs(tool: &Utf8Path, agent: Option<&Utf8Path>) -> LabPrograms {
        LabPrograms {
            tool: LabProgram::File(tool.to_owned()),
            agent: agent.map(|path| LabProgram::File(path.to_owned())),
        }
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
        let files = lab_files(&fixture(), &programs(&tool, Some(&tool))).unwrap();
        for program in ["provision", TOOL, AGENT] {
            assert!(find(&files, program).unwrap().executable, "{program}");
        }
        assert!(!find(&files, CONTAINERS).unwrap().executable);
    }

    #[test]
    fn a_missing_tool_names_the_option() {
        let error = lab_files(&fixture(), &programs("/nowhere/tool".into(), None)).unwrap_err();
        assert!(error.to_string().contains("--tool"), "{error}");
    }
}
