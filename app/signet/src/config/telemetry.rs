//! What the broker tells about itself, and where: `sys_interval` and `[metrics]`.

use std::net::SocketAddr;
use std::time::Duration;

use super::problem::Problems;
use super::section::{At, Section};

/// Both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Telemetry {
    /// Where `/metrics` is served, if anywhere.
    pub(crate) metrics: Option<SocketAddr>,
    /// Between two looks at the `$SYS` tree; `None`: there is none.
    pub(crate) sys_interval: Option<Duration>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { metrics: None, sys_interval: Some(Duration::from_secs(10)) }
    }
}

impl Telemetry {
    /// Reads both from the top level.
    pub(crate) fn read(top: &Section<'_>, problems: &Problems) -> Self {
        let bind = top.section("metrics").and_then(|section| {
            let bind = section.string("bind");
            section.finish();
            bind
        });
        let longest = Duration::from_secs(86_400);
        let interval = top.duration("sys_interval", Duration::ZERO, longest);
        if let Some(at) = interval.as_ref().filter(|at| at.value.subsec_millis() > 0) {
            let hint = "write whole seconds, such as \"10s\", or \"0s\" for no `$SYS` tree";
            problems.at(&at.span, format!("`sys_interval` is {} ms", at.value.as_millis()), Some(hint.to_owned()));
        }
        Self {
            metrics: bind.and_then(|at| address(&at, problems)),
            sys_interval: interval.map_or_else(|| Self::default().sys_interval, |at| (!at.value.is_zero()).then_some(at.value)),
        }
    }
}

fn address(written: &At<String>, problems: &Problems) -> Option<SocketAddr> {
    let address = written.value.parse().ok();
    if address.is_none() {
        let hint = "write \"127.0.0.1:9883\", so that only this machine can ask";
        problems.at(&written.span, format!("`{}` is not an address and port", written.value), Some(hint.to_owned()));
    }
    address
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use toml::de::DeTable;

    use super::*;

    fn read(text: &str) -> (Telemetry, Vec<String>) {
        let problems = Problems::new(Path::new("f"), text);
        let table = DeTable::parse(text).unwrap();
        let top = Section::new("the top level", table.get_ref(), 0..0, &problems);
        let telemetry = Telemetry::read(&top, &problems);
        top.finish();
        (telemetry, problems.into_sorted().into_iter().map(|problem| problem.message).collect())
    }

    #[test]
    fn both_are_read_and_have_defaults() {
        assert_eq!(read(""), (Telemetry::default(), Vec::new()));
        let (telemetry, problems) = read("sys_interval = \"0s\"\n[metrics]\nbind = \"[::1]:9883\"");
        assert_eq!((telemetry.sys_interval, problems), (None, Vec::new()));
        assert_eq!(telemetry.metrics, Some("[::1]:9883".parse().unwrap()));
        assert_eq!(read("sys_interval = \"2m\"").0.sys_interval, Some(Duration::from_secs(120)));
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let (_, problems) = read("sys_interval = \"1500ms\"\n[metrics]\nbind = \"9883\"\nport = 1");
        assert_eq!(problems, ["`sys_interval` is 1500 ms", "`9883` is not an address and port", "unknown key `port` in [metrics]"]);
    }
}
