//! The load: `signet bench` as a program of its own, on another processor than the broker. What it prints is read here.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::certificates::Certificates;
use super::load::{Load, Transport};
use super::machine;
use super::results::Reading;

/// Seconds that a load may take longer than five times what is expected.
const PATIENCE: f64 = 30.0;

/// The broker a load goes to.
pub(super) struct At<'a> {
    pub(super) port: u16,
    pub(super) process: u32,
    pub(super) certificates: &'a Certificates,
}

/// What it prints, as far as it is read here.
#[derive(Debug, Deserialize)]
struct Printed {
    valid: bool,
    #[serde(default)]
    reasons: Vec<String>,
    tls: Option<PrintedTls>,
    resumed: Option<u64>,
    per_second: Option<f64>,
    latency_us: Option<PrintedLatency>,
    broker_cpu: Option<PrintedProcessor>,
    broker_memory: Option<PrintedMemory>,
    load_cpu_cores: Option<f64>,
    noise_cores: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct PrintedTls {
    version: Option<String>,
    cipher: Option<String>,
    /// Of the key exchange.
    group: Option<String>,
}

#[derive(Debug, Deserialize)]
struct PrintedLatency {
    p50: f64,
    p99: f64,
}

#[derive(Debug, Deserialize)]
struct PrintedProcessor {
    us_per_operation: Option<f64>,
    cores: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct PrintedMemory {
    bytes_per_connection: Option<f64>,
}

/// Puts the load on a broker, for a bounded time.
pub(super) fn run(program: &Path, load: &Load, seconds: f64, at: &At<'_>) -> Reading {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", machine::of_load()]).arg(program).arg("bench").args(load.arguments(seconds));
    command.args(["--host", "127.0.0.1", "--port", &at.port.to_string(), "--pid", &at.process.to_string(), "--json"]);
    if let Transport::Tls { key, .. } = load.transport {
        command.arg("--cafile").arg(&at.certificates.authority).arg("--clients").arg(at.certificates.devices(key));
    }
    let limit = Duration::from_secs_f64(PATIENCE + 5.0 * load.expected(seconds));
    match outcome(command, limit) {
        Ok((printed, said)) => read(&printed, &said),
        Err(reason) => Reading::invalid(reason),
    }
}

/// What a command prints and says, if it ends in time.
fn outcome(mut command: Command, limit: Duration) -> Result<(String, String), String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("the load cannot be started with `taskset`: {error}"))?;
    let (printed, said) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let deadline = Instant::now() + limit;
    let in_time = ended(&mut child, deadline);
    if !in_time {
        let _ = child.kill();
        let _ = child.wait();
    }
    let text = |thread: std::thread::JoinHandle<String>| thread.join().unwrap_or_default();
    let (printed, said) = (text(printed), text(said));
    if in_time { Ok((printed, said)) } else { Err(format!("the load did not end in {} s", limit.as_secs())) }
}

/// Reads it to its end, so that the other side never has to wait.
fn drain(source: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut source) = source {
            // What was read until then counts.
            let _ = source.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn ended(child: &mut Child, deadline: Instant) -> bool {
    while Instant::now() < deadline {
        if !child.try_wait().is_ok_and(|ended| ended.is_none()) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

fn read(printed: &str, said: &str) -> Reading {
    let printed: Printed = match serde_json::from_str(printed) {
        Ok(printed) => printed,
        Err(error) => {
            let why = said.lines().rfind(|line| !line.trim().is_empty()).map_or_else(|| error.to_string(), str::to_owned);
            return Reading::invalid(format!("the load told nothing: {why}"));
        }
    };
    let processor = printed.broker_cpu.as_ref();
    let tls = printed.tls.map(|tls| [tls.version, tls.cipher, tls.group].into_iter().flatten().collect::<Vec<_>>().join(" "));
    Reading {
        valid: printed.valid,
        reasons: printed.reasons,
        processor_microseconds: processor.and_then(|processor| processor.us_per_operation),
        bytes: printed.broker_memory.and_then(|memory| memory.bytes_per_connection),
        p50_microseconds: printed.latency_us.as_ref().map(|latency| latency.p50),
        p99_microseconds: printed.latency_us.as_ref().map(|latency| latency.p99),
        per_second: printed.per_second,
        resumed: printed.resumed,
        broker_cores: processor.and_then(|processor| processor.cores),
        load_cores: printed.load_cpu_cores,
        noise_cores: printed.noise_cores,
        tls,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = r#"{"command":"pubsub","transport":"tls","tls":{"version":"TLSv1.3","cipher":"TLS_AES_128_GCM_SHA256","group":"x25519"},"valid":true,
        "reasons":[],"per_second":1000.5,"latency_us":{"p50":10.5,"p99":20.5},"broker_cpu":{"us_per_operation":1.25,"cores":0.5},
        "broker_memory":null,"load_cpu_cores":0.25,"noise_cores":0.125}"#;

    #[test]
    fn what_the_load_prints_is_read() {
        let reading = read(PRINTED, "connecting");
        assert!(reading.valid);
        assert_eq!((reading.processor_microseconds, reading.broker_cores, reading.bytes), (Some(1.25), Some(0.5), None));
        assert_eq!((reading.p50_microseconds, reading.p99_microseconds, reading.per_second), (Some(10.5), Some(20.5), Some(1000.5)));
        assert_eq!((reading.load_cores, reading.noise_cores), (Some(0.25), Some(0.125)));
        assert_eq!(reading.tls.as_deref(), Some("TLSv1.3 TLS_AES_128_GCM_SHA256 x25519"));
    }

    #[test]
    fn a_load_that_tells_nothing_is_not_valid() {
        let reading = read("", "error: cannot connect\n\n");
        assert!(!reading.valid);
        assert_eq!(reading.reasons, ["the load told nothing: error: cannot connect"]);
        let reading = read(r#"{"valid":false,"reasons":["lost 3 messages"]}"#, "");
        assert_eq!((reading.valid, reading.reasons), (false, vec!["lost 3 messages".to_owned()]));
    }

    #[test]
    fn a_load_that_does_not_end_is_ended() {
        let mut command = Command::new("sleep");
        command.arg("600");
        assert_eq!(outcome(command, Duration::ZERO), Err("the load did not end in 0 s".to_owned()));
    }
}
