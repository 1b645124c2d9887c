//! Everything that the author of a scenario needs, in one import.

pub use crate::{
    container::{Container, quote},
    error::{Error, Result},
    expect::{Expect, expect},
    host::Host,
    lab::Lab,
    poll::Seen,
    qemu::agent::{Output, Status},
    tool::Deploy,
    verdict::{Broken, Outcome},
};
