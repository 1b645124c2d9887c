//! The ledger of the user's cache, as the commands that run scenarios use it: what is wrong with it is told, and
//! stops none of them.

use spawnlab::{
    report::{
        ledger::{self, Ledger},
        run::Run,
    },
    run::session::cache,
};

use crate::output::print;

/// What is known of earlier runs; nothing where the ledger can't be read, or where there is no cache.
pub(crate) fn known() -> Ledger {
    // Who has no cache is told so where one is needed.
    let Ok(cache) = cache() else {
        return Ledger::default();
    };
    ledger::read(cache.root()).unwrap_or_else(|error| {
        let so = "so this run knows nothing of earlier ones, and is not counted";
        print::stderr(&format!("warning: history: {error}; {so}\n"));
        Ledger::default()
    })
}

/// Counts `run` in it. A ledger that could not be read was told of before.
pub(crate) async fn counted(run: Run) {
    let Ok(cache) = cache() else { return };
    if ledger::read(cache.root()).is_err() {
        return;
    }
    if let Err(error) = ledger::update(cache.root(), &[run]).await {
        print::stderr(&format!(
            "warning: history: this run is not counted: {error}\n"
        ));
    }
}
