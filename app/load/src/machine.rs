//! What this process asks the system for: a processor of its own, and enough open files.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Files that are open besides connections.
const RESERVE: u64 = 64;

/// Keeps this thread on processor `number`, counted from 0.
///
/// # Errors
/// There is no such processor, or it is not ours.
pub fn pin(number: usize) -> io::Result<()> {
    if number >= CpuSet::MAX_CPU {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no such processor"));
    }
    let mut only = CpuSet::new();
    only.set(number);
    Ok(sched_setaffinity(None, &only)?)
}

/// Raises the limit of open files so that `connections` fit.
///
/// # Errors
/// How many open files the system allows at most, where that is not enough.
pub fn raise_open_files(connections: u64) -> Result<(), u64> {
    let needed = connections.saturating_add(RESERVE);
    // Without a number there is no limit.
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    // Who may raise the hard limit, does; anybody else stays below it.
    if setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: maximum.map(|maximum| maximum.max(needed)) }).is_ok() {
        return Ok(());
    }
    let reachable = maximum.map_or(needed, |maximum| maximum.min(needed));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(reachable), maximum }) {
        Ok(()) if reachable >= needed => Ok(()),
        Ok(()) => Err(reachable),
        Err(_) => Err(current.unwrap_or(u64::MAX)),
    }
}
