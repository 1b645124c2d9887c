//! Everything that the author of a scenario needs, in one import.

pub use crate::{
    scenario::{
        expect::{Expect, expect},
        lab::Lab,
        tool::Deploy,
    },
    util::{
        error::{Error, Result},
        poll::Seen,
    },
    verdict::{Broken, Outcome},
    vm::{
        container::{Container, quote},
        host::Host,
        qemu::agent::{Output, Status},
    },
};
