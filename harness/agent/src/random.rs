//! The kernel's random numbers, started anew: clones of one layer must not draw alike.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
};

use rustix::ioctl::{NoArg, ioctl, opcode};

/// `RNDRESEEDCRNG` of `linux/random.h`: the generator takes a new key from the pool at once, where it would
/// otherwise go on with the old one for up to a minute.
const RESEED: rustix::ioctl::Opcode = opcode::none(b'R', 7);

/// Mixes `seed` into the kernel's pool and lets its generator take a new key from there; keys that processes
/// hold (`vgetrandom`) end with the old one.
///
/// # Errors
/// When the process may not, or the generator was never seeded.
pub(crate) fn reseed(seed: &[u8]) -> io::Result<()> {
    let mut pool = OpenOptions::new().write(true).open("/dev/urandom")?;
    pool.write_all(seed)?;
    take_new_key(&pool)
}

#[expect(
    unsafe_code,
    reason = "no library offers this ioctl; it has no argument, so there is no memory to get wrong"
)]
fn take_new_key(pool: &File) -> io::Result<()> {
    // SAFETY: RNDRESEEDCRNG takes no argument.
    Ok(unsafe { ioctl(pool, NoArg::<RESEED>::new()) }?)
}
