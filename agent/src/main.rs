//! `spawnlab-agent NAME`: serves the virtio port that is called NAME, until it is ended.
//!
//! It takes the place of qemu-ga on hosts that the lab has provisioned, on the same port and in the
//! same protocol (JSON lines), with two more commands: see [`serve`]. It must be linked statically,
//! since hosts have different C libraries, and it is small, since in every clone the emulator
//! has to translate anew whatever of it is run.
//!
//! Exit codes: 1 the port can't be served, 2 usage.

mod capture;
mod port;
mod serve;

use std::{process::ExitCode, sync::Arc};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: spawnlab-agent NAME, the name of a virtio port");
        return ExitCode::from(2);
    };
    let outcome = port::find(&name).and_then(|file| {
        let reader = std::io::BufReader::new(file.try_clone()?);
        serve::serve(port::Waiting(reader), Arc::new(serve::Answers::new(file)))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spawnlab-agent: {name}: {error}");
            ExitCode::FAILURE
        }
    }
}
