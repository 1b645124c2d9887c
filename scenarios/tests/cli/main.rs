//! The `spawnlab` command as a script sees it, as far as no VM is needed.

mod command;
mod failed;
mod general;
mod history;
mod nixos;
mod qualify;
mod verify;
