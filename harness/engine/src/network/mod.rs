//! Networks between machines: a switch in the lab's own process, the links to it, and what is done to frames there.
//!
//! Uses sockets, waiting and errors of the floors below, and knows no layer and no scenario. It needs no privilege: the card of each
//! machine is QEMU's `-netdev stream` to a socket that the lab listens on ([`wire`]).
//!
//! What happens to frames is decided without sockets and clocks, from a seed ([`Impairment`], [`mod@switch`]); [`Network`] is
//! the sockets around it. A machine that does not read loses frames, and never makes another one wait.

mod clock;
mod connection;
pub mod ethernet;
mod impairment;
mod keep;
mod link;
mod plane;
mod port;
mod recorder;
mod recording;
mod running;
pub mod saved;
mod statistics;
pub mod switch;
pub mod wire;

pub use impairment::{Direction, Impairment};
pub use recording::Recording;
pub use running::{Network, NetworkSpec};
pub use saved::Saved;
pub use statistics::{Counts, PortStatistics};
