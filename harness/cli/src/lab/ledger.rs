//! The ledger of the user's cache, as the commands that run scenarios use it: what is wrong with it is told, and
//! stops none of them.

use camino::Utf8PathBuf;
use spawnlab::{
    report::{
        ledger::{self, Ledger},
        run::Run,
    },
    run::session::cache,
};

use crate::output::print;

/// Where runs are counted.
#[derive(Debug)]
pub(crate) struct Counter {
    /// The cache; none where there is none, or where its ledger can't be read.
    folder: Option<Utf8PathBuf>,
}

/// What is known of earlier runs, and where this one is counted. Nothing is known, and nothing counted, where the
/// ledger can't be read, or where there is no cache.
pub(crate) fn open() -> (Ledger, Counter) {
    // Who has no cache is told so where one is needed.
    let Ok(cache) = cache() else {
        return (Ledger::default(), Counter { folder: None });
    };
    match ledger::read(cache.root()) {
        Ok(known) => {
            let folder = Some(cache.root().to_owned());
            (known, Counter { folder })
        }
        Err(error) => {
            let so = "so this run knows nothing of earlier ones, and is not counted";
            print::stderr(&format!("warning: history: {error}; {so}\n"));
            (Ledger::default(), Counter { folder: None })
        }
    }
}

impl Counter {
    /// Counts `run`, beside what other processes have counted since the ledger was opened.
    pub(crate) async fn count(&self, run: Run) {
        let Some(folder) = &self.folder else { return };
        if let Err(error) = ledger::update(folder, &[run]).await {
            print::stderr(&format!(
                "warning: history: this run is not counted: {error}\n"
            ));
        }
    }
}
