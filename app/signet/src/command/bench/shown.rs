//! What people see of a measurement: lines, and a histogram drawn in characters.

use signet_load::{BrokerMemory, Facts, Histogram, Progress, PubSubFacts, Report};

/// The longest bar of a histogram.
const BAR: u64 = 50;

/// One line while it goes on.
pub(super) fn progress(progress: &Progress) -> String {
    let of = progress.of.map_or_else(String::new, |of| format!(" of {}", grouped(of)));
    format!("{}: {}{of}, {:.0}/s", progress.phase, grouped(progress.done), progress.per_second)
}

/// The whole result.
pub(super) fn report(report: &Report) -> String {
    let mut lines = vec![heading(report), String::new()];
    let mut row = |name: &str, value: String| lines.push(format!("{name:<16}{value}"));
    let operation = match &report.facts {
        Facts::Connect(facts) => {
            row("connections", format!("{:.0} per second over {:.2} s", report.per_second, facts.seconds));
            row("failed", format!("{} of {}", facts.failed, facts.count));
            if facts.resume {
                row("resumed", grouped(facts.resumed));
            }
            "connection"
        }
        Facts::Idle(facts) => {
            row(
                "connections",
                format!(
                    "{} in {:.2} s ({:.0} per second), held for {:.1} s",
                    facts.count, facts.up_seconds, report.per_second, facts.hold_seconds
                ),
            );
            row("failed", format!("{} of {}", facts.failed, facts.count));
            if let Some(cores) = facts.idle_cpu_cores {
                row("broker, idle", format!("{cores:.3} processors"));
            }
            "connection"
        }
        Facts::PubSub(facts) => {
            row("delivered", format!("{:.0} per second over {:.2} s", report.per_second, facts.seconds));
            row(
                "in all",
                format!(
                    "{} sent, {} delivered, {} lost, {} reordered",
                    grouped(facts.arrivals.sent),
                    grouped(facts.arrivals.delivered),
                    facts.arrivals.lost,
                    facts.arrivals.reordered
                ),
            );
            "delivered message"
        }
    };
    if let Some(cpu) = report.broker_cpu {
        row("broker, CPU", format!("{:.2} µs for each {operation}, {:.2} processors", cpu.us_per_operation, cpu.cores));
    }
    if let Some(memory) = report.broker_memory {
        row("broker, memory", megabytes(&memory));
    }
    let noise = report.noise_cores.map_or_else(String::new, |noise| format!(", others {noise:.2}"));
    row("processors", format!("this program {:.2}{noise}", report.load_cpu_cores));
    if let Some(latency) = report.latency_us {
        let times = [("p50", latency.p50), ("p90", latency.p90), ("p99", latency.p99), ("p99.9", latency.p999), ("max", latency.max)];
        row("latency", times.map(|(name, time)| format!("{name} {}", micros(time))).join(", "));
        lines.push(String::new());
        lines.extend(histogram(&report.latencies));
    }
    if !report.valid {
        lines.push(String::new());
        lines.push("not valid:".to_owned());
        lines.extend(report.reasons.iter().map(|reason| format!("  {reason}")));
    }
    lines.join("\n")
}

fn heading(report: &Report) -> String {
    let what = match &report.facts {
        Facts::Connect(facts) => format!("connect, {} at a time{}", facts.concurrency, if facts.resume { ", resumed" } else { "" }),
        Facts::Idle(_) => "idle".to_owned(),
        Facts::PubSub(facts) => messages(facts),
    };
    let common = &report.common;
    let tls = common.tls.as_ref().map_or_else(
        || common.transport.to_owned(),
        |tls| {
            let group = tls.group.as_ref().map_or_else(String::new, |group| format!(" {group}"));
            format!("{} {}{group}", tls.version, tls.cipher)
        },
    );
    let interrupted = if report.interrupted { ", interrupted" } else { "" };
    format!("{} over {tls}, MQTT {}: {what}{interrupted}", common.broker, common.mqtt)
}

fn messages(facts: &PubSubFacts) -> String {
    let qos = facts.qos_mix.map_or_else(|| facts.qos.to_string(), |mix| format!("0, 1, 2 by {mix:?} %"));
    let payload = if facts.payload == facts.payload_maximum {
        facts.payload.to_string()
    } else {
        format!("{} to {}", facts.payload, facts.payload_maximum)
    };
    let pace = facts.rate.map_or_else(|| format!("window {}", facts.window), |rate| format!("{rate} in a second"));
    format!(
        "{}, {} publishers, {} subscribers, QoS {qos}, {payload} octets, {} topics{}, {pace}",
        facts.layout,
        facts.publishers,
        facts.subscribers,
        facts.topics,
        if facts.wildcards { " by wildcards" } else { "" },
    )
}

fn megabytes(memory: &BrokerMemory) -> String {
    let whole = |octets: u64| format!("{} MB", octets / 1_000_000);
    format!(
        "{} before, {} with all connections: {:.0} octets each",
        whole(memory.rss_before),
        whole(memory.rss_after),
        memory.bytes_per_connection
    )
}

/// One line for each power of two.
fn histogram(latencies: &Histogram) -> Vec<String> {
    let octaves = latencies.octaves();
    let most = octaves.iter().map(|(.., count)| *count).max().unwrap_or(1).max(1);
    let line = |(from, below, count): &(u64, u64, u64)| {
        let length = count.saturating_mul(BAR).div_ceil(most);
        let bar = "█".repeat(usize::try_from(length).unwrap_or(0));
        let share = percent(*count, latencies.count());
        format!("{:>9} – {:<9} {bar:<50} {share}", nanos(*from), nanos(*below))
    };
    octaves.iter().map(line).collect()
}

/// With two digits behind the point, by whole numbers.
fn percent(part: u64, whole: u64) -> String {
    let hundredths = u128::from(part) * 10_000 / u128::from(whole.max(1));
    format!("{:>3}.{:02} %", hundredths / 100, hundredths % 100)
}

fn nanos(nanoseconds: u64) -> String {
    match nanoseconds {
        0..1_000 => format!("{nanoseconds} ns"),
        1_000..1_000_000 => format!("{} µs", nanoseconds / 1000),
        1_000_000..1_000_000_000 => format!("{} ms", nanoseconds / 1_000_000),
        _ => format!("{} s", nanoseconds / 1_000_000_000),
    }
}

fn micros(microseconds: f64) -> String {
    if microseconds < 1000.0 { format!("{microseconds:.0} µs") } else { format!("{:.2} ms", microseconds / 1000.0) }
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([512, 2048, 3_000_000, 2_000_000_000].map(nanos), ["512 ns", "2 µs", "3 ms", "2 s"]);
        assert_eq!((micros(83.4), micros(12_345.0)), ("83 µs".to_owned(), "12.35 ms".to_owned()));
        assert_eq!(percent(1, 3), " 33.33 %");
    }

    #[test]
    fn a_histogram_has_a_bar_for_each_power_of_two() {
        let mut latencies = Histogram::default();
        for time in [1_500, 1_600, 5_000] {
            latencies.add(time);
        }
        let lines = histogram(&latencies);
        assert_eq!(lines.len(), 3, "{lines:?}");
        let bars: Vec<usize> = lines.iter().map(|line| line.matches('█').count()).collect();
        assert_eq!(bars, [50, 0, 25]);
        assert!(lines[0].ends_with(" 66.66 %"), "{lines:?}");
    }
}
