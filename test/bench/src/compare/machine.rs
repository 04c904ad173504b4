//! On what it was measured.

use std::fs;

/// Processor, how many, and system: what a reader needs to tell figures of one machine from those of another.
pub(super) fn describe() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name.trim());
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).map(|name| name.trim_matches('"'));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<u64>().ok());
    format!(
        "{} × {}, {} GiB, {}, Linux {}",
        count(),
        model.unwrap_or("unknown processor"),
        kilobytes.unwrap_or_default().div_ceil(1 << 20),
        name.unwrap_or("unknown system"),
        release.trim().split('-').next().unwrap_or_default()
    )
}

/// Processors that there are.
pub(super) fn count() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The processor for the load: another one than the broker's, the first, where there is another.
pub(super) fn of_load() -> &'static str {
    if count() > 1 { "1" } else { "0" }
}

/// The mean of tasks that wanted a processor in the last minute.
pub(super) fn busy() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}
