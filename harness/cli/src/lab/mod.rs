//! What several commands share: how a scenario is selected and run again, sides, shells, reports' folders.

pub(crate) mod before;
pub(crate) mod before_qualify;
pub mod diagnosis;
pub(crate) mod hosts;
pub(crate) mod images;
pub(crate) mod kept;
pub mod known;
pub(crate) mod ledger;
pub(crate) mod report_dir;
pub mod rerun;
pub(crate) mod select;
pub(crate) mod shells;
pub mod side;
pub(crate) mod tool;
