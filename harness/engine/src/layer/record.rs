//! `layer.json`: what a layer is, written last, so that a folder without it is no layer.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::{checked, key::Key};
use crate::util::error::{Error, Result};

/// Version of the format, which is part of every key: programs that save differently share nothing.
pub(super) const VERSION: u32 = 6;

/// File name of the record.
pub const RECORD: &str = "layer.json";
/// File name of the memory.
pub const RAM: &str = "ram";
/// File name of the device state.
pub const STATE: &str = "state";
/// File name of the disk overlay.
pub const DISK: &str = "disk.qcow2";
/// File name of the lab disk, where it is not the parent's.
pub const LAB: &str = "lab.raw";

/// The record of one layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerRecord {
    version: u32,
    /// Its name, such as `booted` or `deployed`.
    pub name: String,
    /// Its key.
    pub key: Key,
    /// What tells this build from another one of the same key.
    pub build: String,
    /// Its parent's key and build. Its disk is an overlay over that very build's.
    pub parent: Option<(Key, String)>,
    /// What its disk names as the one below it: a cache that was moved does not have it there.
    #[serde(default)]
    pub backing: Utf8PathBuf,
    /// What went into its key besides the parent, by name; long values are hashes.
    pub made_of: Vec<(String, String)>,
    /// What it was built with, by name (`image`, `accelerator`, `qemu`, `tool`): for people, no part of its key.
    #[serde(default)]
    pub built_with: Vec<(String, String)>,
    /// When it was built, as seconds since 1970.
    pub built_at: i64,
    /// How long that took, in milliseconds.
    pub took_ms: u64,
    /// Size in bytes and checksum of each file that belongs to it.
    pub files: Vec<(String, u64, String)>,
}

impl LayerRecord {
    /// The record of the files in `dir`, which were made just now.
    ///
    /// # Errors
    /// When a file is missing.
    pub fn of(
        dir: &Utf8Path,
        name: &str,
        key: &Key,
        parent: Option<(Key, String)>,
        made_of: &[(String, String)],
        took_ms: u64,
    ) -> Result<Self> {
        // A layer without a lab disk of its own stands on its parent's.
        let present = [RAM, STATE, DISK, LAB].into_iter();
        let present = present.filter(|file| *file != LAB || dir.join(file).exists());
        let files = present.map(|file| {
            let opened = fs_err::File::open(dir.join(file))?.into_parts().0;
            Ok((
                file.to_owned(),
                opened.metadata()?.len(),
                checked::sum(&opened)?,
            ))
        });
        Ok(Self {
            version: VERSION,
            name: name.to_owned(),
            key: key.clone(),
            build: format!(
                "{}-{}",
                jiff::Timestamp::now().as_nanosecond(),
                std::process::id()
            ),
            parent,
            backing: Utf8PathBuf::new(),
            made_of: made_of.to_vec(),
            built_with: Vec::new(),
            built_at: jiff::Timestamp::now().as_second(),
            took_ms,
            files: files.collect::<std::io::Result<_>>()?,
        })
    }

    /// The same with what it was built with.
    #[must_use]
    pub fn built_with(mut self, what: Vec<(String, String)>) -> Self {
        self.built_with = what;
        self
    }

    /// The same with what its disk names as the one below it.
    #[must_use]
    pub fn backed_by(mut self, file: Utf8PathBuf) -> Self {
        self.backing = file;
        self
    }

    /// What the file `path` says, of whatever version; nothing if it is missing or damaged.
    #[must_use]
    pub fn read(path: &Utf8Path) -> Option<Self> {
        serde_json::from_slice(&fs_err::read(path).ok()?).ok()
    }

    /// Writes it into `dir`.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, dir: &Utf8Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::from)?;
        Ok(fs_err::write(dir.join(RECORD), text)?)
    }

    /// Reads the record of the layer with `key` in `dir` and checks its files against it. `parent`
    /// is its parent's build, as it is now.
    ///
    /// # Errors
    /// Says what is wrong with it: then it has to be built again.
    pub fn check(dir: &Utf8Path, key: &Key, parent: Option<&str>) -> Result<Self> {
        let wrong = |why: String| Error::Layer {
            name: key.short().to_owned(),
            why,
        };
        let bytes = fs_err::read(dir.join(RECORD))?;
        let record: Self = serde_json::from_slice(&bytes)
            .map_err(|error| wrong(format!("{RECORD} is damaged: {error}")))?;
        if record.version != VERSION {
            return Err(wrong(format!(
                "format version {} is not {VERSION}",
                record.version
            )));
        }
        if record.key != *key {
            return Err(wrong(format!("it holds the layer {}", record.key)));
        }
        if record.parent.as_ref().map(|(_, build)| build.as_str()) != parent {
            return Err(wrong("its parent was built again".into()));
        }
        for (file, size, _) in &record.files {
            let found = fs_err::metadata(dir.join(file))?.len();
            if found != *size {
                return Err(wrong(format!("{file} has {found} bytes instead of {size}")));
            }
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer() -> (tempfile::TempDir, Utf8PathBuf, Key) {
        let guard = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        for file in [RAM, STATE, DISK] {
            fs_err::write(dir.join(file), file).unwrap();
        }
        let key = Key::root([("image", "x")]);
        LayerRecord::of(&dir, "booted", &key, None, &[], 1)
            .unwrap()
            .write(&dir)
            .unwrap();
        (guard, dir, key)
    }

    #[test]
    fn a_whole_layer_is_accepted() {
        let (_guard, dir, key) = layer();
        assert_eq!(LayerRecord::check(&dir, &key, None).unwrap().name, "booted");
    }

    #[test]
    fn one_of_another_version_is_read_and_not_used() {
        let (_guard, dir, key) = layer();
        let text = fs_err::read_to_string(dir.join(RECORD)).unwrap();
        let mut old: serde_json::Value = serde_json::from_str(&text).unwrap();
        old["version"] = 5.into();
        // What an earlier version did not know of, and what a later one may know of.
        old.as_object_mut().unwrap().remove("backing");
        old["later"] = true.into();
        fs_err::write(dir.join(RECORD), old.to_string()).unwrap();
        assert_eq!(LayerRecord::read(&dir.join(RECORD)).unwrap().name, "booted");
        let error = LayerRecord::check(&dir, &key, None).unwrap_err();
        assert!(error.to_string().contains("version 5 is not"), "{error}");
    }

    #[test]
    fn a_truncated_or_missing_file_is_not() {
        let (_guard, dir, key) = layer();
        fs_err::write(dir.join(RAM), "r").unwrap();
        let error = LayerRecord::check(&dir, &key, None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("ram has 1 bytes instead of 3"), "{error}");
        fs_err::remove_file(dir.join(RAM)).unwrap();
        LayerRecord::check(&dir, &key, None).unwrap_err();
    }

    #[test]
    fn another_key_or_a_damaged_record_is_not() {
        let (_guard, dir, key) = layer();
        LayerRecord::check(&dir, &key.child([("tool", "t")]), None).unwrap_err();
        fs_err::write(dir.join(RECORD), "{").unwrap();
        let error = LayerRecord::check(&dir, &key, None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("damaged"), "{error}");
    }

    #[test]
    fn a_child_of_another_build_of_its_parent_is_not() {
        let (_guard, dir, key) = layer();
        let parent = (key.clone(), "1-1".to_owned());
        LayerRecord::of(&dir, "host", &key, Some(parent), &[], 1)
            .unwrap()
            .write(&dir)
            .unwrap();
        LayerRecord::check(&dir, &key, Some("1-1")).unwrap();
        let error = LayerRecord::check(&dir, &key, Some("2-1")).unwrap_err();
        assert!(
            error.to_string().contains("parent was built again"),
            "{error}"
        );
    }
}
