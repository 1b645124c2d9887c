//! Everything that the author of a scenario needs, in one import.

pub use crate::{
    network::{Direction, Impairment, Network},
    scenario::{
        Change, cut, drop_in, edit,
        expect::{Expect, expect},
        expects, file, in_guest,
        lab::Lab,
        saboteur, scenario, script, shim, stop_unit,
        tool::Deploy,
    },
    util::{
        error::{Error, Result},
        poll::Seen,
    },
    verdict::{Outcome, ScenarioError},
    vm::{
        container::{Container, quote},
        disk::loss::Loss,
        host::Host,
        link::Link,
        qemu::agent::{Output, Status},
        verbs::Verbs,
    },
};
