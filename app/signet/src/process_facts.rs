//! What the system counts for this process: memory, files, processor time. What it does not tell is zero.

use std::fs;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};
use signet_telemetry::Process;

/// Reads them now.
pub(crate) fn read(started_at: i64) -> Process {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let milliseconds = used.tv_sec.saturating_mul(1000).saturating_add(used.tv_nsec / 1_000_000);
    Process {
        resident_octets: kilobytes(&status, "VmRSS:"),
        resident_octets_maximum: kilobytes(&status, "VmHWM:"),
        open_files: fs::read_dir("/proc/self/fd").map_or(0, |files| u64::try_from(files.count()).unwrap_or(u64::MAX)),
        open_files_maximum: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
        cpu_milliseconds: u64::try_from(milliseconds).unwrap_or(0),
        started_at,
    }
}

/// `VmRSS:    12345 kB` as octets.
fn kilobytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok()).map_or(0, |number| number * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_files_and_time() {
        let facts = read(7);
        assert!(facts.resident_octets > 1_000_000 && facts.resident_octets_maximum >= facts.resident_octets, "{facts:?}");
        assert!((3..facts.open_files_maximum).contains(&facts.open_files), "{facts:?}");
        assert_eq!(facts.started_at, 7);
        assert_eq!(kilobytes("VmPeak:\t  9 kB\nVmRSS:\t  12 kB\n", "VmRSS:"), 12 * 1024);
        assert_eq!(kilobytes("", "VmRSS:"), 0);
    }
}
