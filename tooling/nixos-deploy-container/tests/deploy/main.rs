//! The tool as a whole, against programs that play ssh, Nix and the host.
#![cfg(target_os = "linux")]

mod cut_short;
mod deploying;
mod failing;
mod interrupting;
mod lab;
mod refusing;
mod surroundings;
