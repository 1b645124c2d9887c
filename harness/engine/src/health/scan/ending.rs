//! What a service manager ends because it is told to end itself.
//!
//! A user's manager ends with the user's last session, and a container's with its unit on the host. Each stops
//! whatever runs below it by SIGTERM. systemd counts that as the failure of a oneshot service, such as
//! `systemd-tmpfiles-clean.service`, which a timer may have started a moment ago. So does every healthy host.

use std::collections::BTreeSet;

use super::id;
use crate::{verdict::finding::HOST, vm::journal::JournalEntry};

/// The managers that are ending, as the records that were followed so far say: the machine and the unit
/// that each of them runs as.
#[derive(Debug, Default)]
pub(super) struct EndingManagers<'a>(BTreeSet<(&'a str, &'a str)>);

impl<'a> EndingManagers<'a> {
    /// Follows `entry`, which was logged after those before it.
    pub(super) fn follow(&mut self, entry: &'a JournalEntry) {
        if entry.identifier != "systemd" {
            return;
        }
        let unit = (entry.machine.as_str(), entry.unit.as_str());
        match entry.id.as_str() {
            id::UNIT_STOPPING => drop(self.0.insert(unit)),
            id::UNIT_STARTING => drop(self.0.remove(&unit)),
            _ => {}
        }
    }

    /// Whether `entry` says that a unit was terminated, and its manager is ending.
    ///
    /// A unit that does not end in time has the result `timeout`, and one that ends with an error
    /// `exit-code`: both are faults of its own.
    pub(super) fn terminated(&self, entry: &JournalEntry) -> bool {
        if entry.id != id::UNIT_FAILED || entry.result != "signal" {
            return false;
        }
        let machine = entry.machine.as_str();
        if is_users_manager(&entry.logged_by) {
            return self.0.contains(&(machine, entry.logged_by.as_str()));
        }
        let container = format!("systemd-nspawn@{machine}.service");
        machine != HOST && self.0.contains(&(HOST, container.as_str()))
    }
}

fn is_users_manager(unit: &str) -> bool {
    unit.starts_with("user@") && unit.ends_with(".service")
}
