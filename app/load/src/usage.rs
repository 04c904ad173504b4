//! What the broker's processes, this one and everybody else use: processor time and memory, as /proc tells.

use std::collections::HashMap;
use std::fs;

use rustix::param::clock_ticks_per_second;
use rustix::time::{ClockId, clock_gettime};

use crate::LoadError;
use crate::clock::Clock;
use crate::number::{float, ratio};

/// Where the fields of `/proc/PID/stat` stand, counted behind the name of the program (proc_pid_stat(5)).
const PARENT: usize = 1;
const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;

/// Fields of the first line of `/proc/stat` that are no work, or are counted in others: idle, iowait, guest, guest_nice; and steal, which is work of
/// other machines.
const NOT_BUSY: [usize; 5] = [3, 4, 7, 8, 9];

/// The broker's processes.
#[derive(Clone, Debug)]
pub(crate) struct Processes(Vec<u32>);

/// Processor seconds up to one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    broker: f64,
    own: f64,
    machine: f64,
    at: u64,
}

/// Octets that the broker's processes hold.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    /// The share of what several processes hold together is counted once.
    pub(crate) proportional: u64,
}

/// What was used between two marks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) seconds: f64,
    pub(crate) broker_seconds: f64,
    pub(crate) own_cores: f64,
    pub(crate) broker_cores: f64,
    pub(crate) other_cores: f64,
}

impl Processes {
    /// These and all their descendants.
    ///
    /// # Errors
    /// There is no such process.
    pub(crate) fn find(roots: &[u32]) -> Result<Self, LoadError> {
        if let Some(missing) = roots.iter().find(|root| stat(**root).is_none()) {
            return Err(LoadError::NoProcess(*missing));
        }
        if roots.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // Those that end meanwhile are none of ours.
            let Some(parent) = stat(process).and_then(|fields| fields.get(PARENT)?.parse().ok()) else { continue };
            children.entry(parent).or_default().push(process);
        }
        let mut found = Vec::new();
        let mut open = roots.to_vec();
        while let Some(process) = open.pop() {
            if !found.contains(&process) {
                found.push(process);
                open.extend(children.get(&process).into_iter().flatten());
            }
        }
        Ok(Self(found))
    }

    /// Whether there is anybody to look at.
    pub(crate) fn is_known(&self) -> bool {
        !self.0.is_empty()
    }

    pub(crate) fn mark(&self, clock: Clock) -> Mark {
        Mark { broker: self.0.iter().map(|process| used_by(*process)).sum(), own: own(), machine: machine(), at: clock.now() }
    }

    pub(crate) fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        for process in &self.0 {
            let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
            memory.resident += octets(&text, "Rss:");
            memory.proportional += octets(&text, "Pss:");
        }
        memory
    }
}

impl Mark {
    pub(crate) fn since(self, earlier: Self) -> Used {
        let seconds = float(self.at.saturating_sub(earlier.at)) / 1e9;
        let broker_seconds = (self.broker - earlier.broker).max(0.0);
        let own = (self.own - earlier.own).max(0.0);
        let other = (self.machine - earlier.machine - broker_seconds - own).max(0.0);
        Used {
            seconds,
            broker_seconds,
            own_cores: ratio(own, seconds),
            broker_cores: ratio(broker_seconds, seconds),
            other_cores: ratio(other, seconds),
        }
    }
}

/// The fields behind the name, which may itself hold blanks and parentheses.
fn stat(process: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.split_whitespace().map(str::to_owned).collect())
}

/// User and system seconds of a process, 0 when it is gone.
fn used_by(process: u32) -> f64 {
    let fields = stat(process).unwrap_or_default();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    float(ticks(USER_TIME) + ticks(SYSTEM_TIME)) / float(clock_ticks_per_second())
}

fn own() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let parts = (u64::try_from(used.tv_sec).unwrap_or(0), u64::try_from(used.tv_nsec).unwrap_or(0));
    float(parts.0) + float(parts.1) / 1e9
}

/// Seconds that the processors of the machine were busy.
fn machine() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1).filter_map(|field| field.parse::<u64>().ok());
    let busy: u64 = fields.enumerate().filter(|(at, _)| !NOT_BUSY.contains(at)).map(|(_, ticks)| ticks).sum();
    float(busy) / float(clock_ticks_per_second())
}

/// `Rss:    12345 kB` as octets.
fn octets(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok()).map_or(0, |number| number * 1024)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_comes_with_its_children_and_uses_memory() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let own = Processes::find(&[std::process::id()]).unwrap();
        assert!(own.0.contains(&std::process::id()) && own.0.contains(&child.id()), "{own:?}");
        let memory = own.memory();
        assert!(memory.resident > 1_000_000 && memory.proportional <= memory.resident, "{memory:?}");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(matches!(Processes::find(&[child.id()]), Err(LoadError::NoProcess(id)) if id == child.id()));
        assert!(!Processes::find(&[]).unwrap().is_known());
    }

    #[test]
    fn time_that_is_used_is_counted() {
        let processes = Processes::find(&[std::process::id()]).unwrap();
        let clock = Clock::start();
        let before = processes.mark(clock);
        let mut after = before;
        while after.since(before).broker_seconds < 0.03 {
            after = processes.mark(clock);
        }
        let used = after.since(before);
        assert!(used.own_cores > 0.0 && used.seconds > 0.0 && used.broker_cores > 0.0, "{used:?}");
    }
}
