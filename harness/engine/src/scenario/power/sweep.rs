//! Many power cuts of one recorded deploy, each of which is looked at without booting.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    ops::RangeInclusive,
};

use camino::{Utf8Path, Utf8PathBuf};

use super::found::{self, Found};
use crate::{
    layer::logged::LoggedDisk,
    util::error::Result,
    vm::disk::{
        image::{self, Before},
        log::WriteLog,
        loss::Loss,
    },
};

/// A power cut: after how many entries of the log, and what is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// How many entries of the log are before it.
    pub after: usize,
    /// What becomes of those that are not flushed.
    pub loss: Loss,
}

impl Cut {
    /// A cut at each flush of `log` in the range `between`, and `subsets` more that are spread over it and lose some of
    /// what is not flushed, as `seed` has it; in the log's order.
    #[must_use]
    pub fn all(
        log: &WriteLog,
        between: &RangeInclusive<usize>,
        subsets: usize,
        seed: u64,
    ) -> Vec<Self> {
        let mut cuts: Vec<Self> = log
            .boundaries()
            .filter(|after| between.contains(after))
            .map(|after| Self {
                after,
                loss: Loss::All,
            })
            .collect();
        let (from, to) = (*between.start(), *between.end());
        let places = to.saturating_sub(from) + 1;
        cuts.extend((0..subsets).map(|number| Self {
            after: from + number * places / subsets,
            loss: Loss::Some(seed.wrapping_add(number as u64)),
        }));
        cuts.sort_by_key(|cut| cut.after);
        cuts
    }
}

/// A disk on which one cut after the other is made.
#[derive(Debug)]
pub struct Sweep<'a> {
    log: WriteLog,
    log_file: Utf8PathBuf,
    /// What is flushed at the last cut.
    raw: Utf8PathBuf,
    flushed: usize,
    known: BTreeSet<String>,
    folder: Utf8PathBuf,
    container: &'a str,
}

impl<'a> Sweep<'a> {
    /// One for `container` on the host that writes to `disk`.
    ///
    /// # Errors
    /// When the disk can't be copied or read.
    pub async fn new(disk: &LoggedDisk, container: &'a str) -> Result<Self> {
        let raw = disk.at_start("sweep.raw").await?;
        let folder = disk.folder().join("sweep");
        fs_err::create_dir(&folder)?;
        Ok(Self {
            log: disk.log()?,
            log_file: disk.log_file(),
            known: found::registered(&raw, &folder).await?,
            raw,
            flushed: 0,
            folder,
            container,
        })
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &WriteLog {
        &self.log
    }

    /// What the host finds after each of `cuts`, which have to be in the log's order.
    ///
    /// # Errors
    /// When a disk can't be made, or a program is missing that looks at it.
    pub async fn look(&mut self, cuts: &[Cut]) -> Result<Vec<(Cut, Found)>> {
        let mut seen = vec![];
        for cut in cuts {
            seen.push((*cut, self.look_after(*cut).await?));
        }
        Ok(seen)
    }

    async fn look_after(&mut self, cut: Cut) -> Result<Found> {
        let mut log = File::open(&self.log_file)?;
        let mut disk = File::options().read(true).write(true).open(&self.raw)?;
        let flushed = self.log.flushed(cut.after);
        let lasting = self.log.patches(self.flushed, flushed, Loss::None);
        image::apply(&lasting, &mut log, &mut disk)?;
        self.flushed = self.flushed.max(flushed);
        let patches = self.log.patches(flushed, cut.after, cut.loss);
        let before = Before::read(&patches, &mut disk)?;
        image::apply(&patches, &mut log, &mut disk)?;
        let found = found::look(&self.raw, self.container, &self.known, &self.folder).await?;
        before.restore(&mut disk)?;
        Ok(found)
    }
}

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        // It is as large as what is in use of the disk.
        let _ = std::fs::remove_file(&self.raw);
        let _ = std::fs::remove_dir_all(Utf8Path::new(&self.folder));
    }
}

/// How often what was found, in words for a report: `system-2-link: 12 (3 not whole)`.
#[must_use]
pub fn summary(seen: &[(Cut, Found)]) -> String {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (_, found) in seen {
        let name = match found.generation.as_str() {
            "" => "no generation",
            generation => generation,
        };
        let (all, broken) = counts.entry(name).or_default();
        *all += 1;
        *broken += usize::from(!found.is_whole());
    }
    let lines = counts.iter().map(|(name, (all, broken))| match broken {
        0 => format!("{name}: {all}"),
        _ => format!("{name}: {all} ({broken} not whole)"),
    });
    lines.collect::<Vec<_>>().join(", ")
}
