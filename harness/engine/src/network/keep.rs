//! From a network's state to plain data and back.

use std::{cmp::Reverse, time::Duration};

use crate::util::error::{Error, Result};

use super::{
    impairment::Direction,
    link::Position,
    plane::{Pending, Plane},
    saved::{Place, Saved, SavedAddress, SavedFrame, SavedLink},
};

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Plane {
    /// What is needed to go on from `now`.
    pub(crate) fn save(&mut self, now: Duration, seed: u64) -> Saved {
        let from_now = |time: Duration| micros(time.saturating_sub(now));
        let mut links = vec![];
        for port in &mut self.ports {
            let machine = port.name.clone();
            for direction in [Direction::Out, Direction::In] {
                let (link, _) = port.link(direction);
                let position = link.position();
                links.push(SavedLink {
                    machine: machine.clone(),
                    direction,
                    impairment: link.impairment.clone(),
                    cut: link.cut,
                    decided: position.decided,
                    free: from_now(position.free),
                    last: from_now(position.last),
                });
            }
        }
        let mut frames = vec![];
        for port in &self.ports {
            frames.extend(port.waiting().map(|bytes| SavedFrame {
                place: Place::Arrived,
                machine: port.name.clone(),
                due: 0,
                bytes: bytes.clone(),
            }));
        }
        let mut pending: Vec<&Pending> = self.pending.iter().map(|Reverse(next)| next).collect();
        pending.sort();
        frames.extend(pending.into_iter().map(|next| SavedFrame {
            place: next.place,
            machine: self.ports[next.port].name.clone(),
            due: from_now(next.due),
            bytes: next.frame.clone(),
        }));
        let addresses = self.switch.table(now).into_iter();
        Saved {
            seed,
            links,
            frames,
            addresses: addresses
                .map(|(mac, port, _)| SavedAddress {
                    mac,
                    machine: self.ports[port].name.clone(),
                })
                .collect(),
        }
    }

    /// Takes over `saved` at the time 0, and stays frozen.
    ///
    /// # Errors
    /// When it names a machine that this network has not, or lacks one.
    pub(crate) fn restore(&mut self, saved: Saved) -> Result<()> {
        self.frozen = true;
        for machine in self.ports.iter().map(|port| &port.name) {
            if !saved.links.iter().any(|link| link.machine == *machine) {
                return Err(Error::Given(format!(
                    "the saved network has no machine {machine}"
                )));
            }
        }
        for link in saved.links {
            let port = self.port(&link.machine)?;
            link.impairment.validate()?;
            let (own, _) = self.ports[port].link(link.direction);
            own.impairment = link.impairment;
            own.cut = link.cut;
            own.seek(Position {
                decided: link.decided,
                free: Duration::from_micros(link.free),
                last: Duration::from_micros(link.last),
            });
        }
        for address in saved.addresses {
            let port = self.port(&address.machine)?;
            self.switch.teach(Duration::ZERO, address.mac, port);
        }
        for frame in saved.frames {
            let port = self.port(&frame.machine)?;
            if frame.place == Place::Arrived {
                self.ports[port].push(frame.bytes);
            } else {
                let due = Duration::from_micros(frame.due);
                if !self.push(due, frame.place, port, frame.bytes) {
                    return Err(Error::Given(
                        "the saved network has more in flight than a network holds".into(),
                    ));
                }
            }
        }
        Ok(())
    }

    /// The port of `machine`.
    ///
    /// # Errors
    /// When there is none, with those that there are.
    pub(crate) fn port(&self, machine: &str) -> Result<usize> {
        let mut ports = self.ports.iter();
        ports.position(|port| port.name == machine).ok_or_else(|| {
            let names: Vec<&str> = self.ports.iter().map(|port| port.name.as_str()).collect();
            Error::Given(format!(
                "no machine {machine} is in this network; there are {}",
                names.join(", ")
            ))
        })
    }
}
