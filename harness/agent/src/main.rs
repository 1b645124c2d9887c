//! `spawnlab-agent NAME`: serves the virtio port that is called NAME, until it is ended.
//!
//! It takes the place of qemu-ga on hosts that the lab has provisioned, on the same port and in the
//! same protocol (JSON lines), with commands of its own: see [`serve`]. It must be linked statically,
//! since hosts have different C libraries. In every clone the emulator has to translate anew
//! whatever of it is run, and of the kernel on its behalf: so it is one thread, and a shell waits
//! ready for the next command.
//!
//! Exit codes: 1 the port can't be served, 2 usage.

mod port;
mod random;
mod ready;
mod run;
mod serve;
mod stream;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: spawnlab-agent NAME, the name of a virtio port");
        return ExitCode::from(2);
    };
    let outcome = port::find(&name).and_then(|port| serve::Server::new(port).serve());
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spawnlab-agent: {name}: {error}");
            ExitCode::FAILURE
        }
    }
}
