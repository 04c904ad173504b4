//! The results as tables that can be read as they are and as Markdown.

use std::fmt::Write as _;

use super::charts::Chart;
use super::judge::judge;
use super::results::Results;
use super::rows::Measure;
use super::statistics::Spread;

/// Everything, with the pictures where there are any.
pub(super) fn markdown(results: &Results, charts: &[Chart]) -> String {
    let mut text = String::from("# Comparison\n\n");
    let _ = writeln!(text, "Machine: {}.\n\nMade with `{}`.\n", results.machine, results.command);
    if results.is_quick {
        text.push_str("**A quick run: the loads were tiny whatever the rows say, and the figures mean nothing.**\n\n");
    }
    if let Some(reason) = &results.left_out {
        let _ = writeln!(text, "**Not everything was measured: {reason}.**\n");
    }
    text.push_str(&brokers(results));
    if !judge(results).is_empty() {
        text.push_str(&targets(results));
    }
    text.push_str("## Cost\n\nMedian of the rounds (least–most). Broker CPU in µs for one operation, memory in bytes for one connection, latency in µs.\n\n");
    text.push_str(&costs(results));
    let measured = results.measured();
    let floor = Some("floor").filter(|floor| results.base != *floor);
    for base in [Some(results.base.as_str()), floor].into_iter().flatten().filter(|base| measured.contains(base)) {
        let _ = writeln!(text, "## In proportion to {base}\n\nEach round by itself: median of the ratios (least–most). Less is better.\n");
        text.push_str(&ratios(results, base));
    }
    text.push_str(&disturbance(results));
    text.push_str(&invalid(results));
    if !charts.is_empty() {
        text.push_str("## Pictures\n\n");
        for chart in charts {
            let _ = writeln!(text, "![{}]({})\n", chart.title, chart.file);
        }
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn brokers(results: &Results) -> String {
    let mut table = Table::new(&["Broker", "Version", "Set up"]);
    for peer in &results.peers {
        let version = peer.version.as_ref().map_or_else(|reason| format!("not measured: {reason}"), Clone::clone);
        table.row([peer.name.clone(), version, peer.setup.clone()]);
    }
    format!("## Brokers\n\n{}\n", table.text())
}

fn targets(results: &Results) -> String {
    let mut table = Table::new(&["Target", "Goal", "Found", "Verdict"]);
    for judgement in judge(results) {
        let found = judgement.found.as_ref().map_or_else(|| "–".to_owned(), Spread::text);
        table.row([judgement.what.clone(), judgement.goal.clone(), found, judgement.verdict().to_owned()]);
    }
    format!("## Targets\n\nFound: median (least–most) of the rounds, a ratio where the goal is one.\n\n{}\n", table.text())
}

/// A table with a line for each row and measure, and what `cell` says of each broker.
fn by_peer(results: &Results, cell: impl Fn(&super::results::RowResults, &str, Measure) -> Option<String>) -> String {
    let peers = results.measured();
    let mut table = Table::new(&[&["Row"], peers.as_slice()].concat());
    for row in &results.rows {
        for measure in &row.row.measures {
            let title = match measure {
                Measure::HalfLatency | Measure::TailLatency => format!("{}, {}", row.row.title, measure.words()),
                Measure::Memory => format!("{}, bytes", row.row.title),
                Measure::Processor => row.row.title.clone(),
            };
            let cells = peers.iter().map(|peer| cell(row, peer, *measure).unwrap_or_else(|| "–".into()));
            table.row(std::iter::once(title).chain(cells));
        }
    }
    format!("{}\n", table.text())
}

fn costs(results: &Results) -> String {
    by_peer(results, |row, peer, measure| {
        let (valid, all) = row.counted(peer);
        let note = if valid < all { format!(", {valid} of {all} valid") } else { String::new() };
        match row.spread(peer, measure) {
            Some(spread) => Some(spread.text() + &note),
            None if valid < all => Some("invalid".into()),
            None => None,
        }
    })
}

fn ratios(results: &Results, base: &str) -> String {
    by_peer(results, |row, peer, measure| row.ratio(peer, base, measure).map(|ratio| ratio.text()))
}

/// What else was going on.
fn disturbance(results: &Results) -> String {
    let readings = || results.rows.iter().flat_map(|row| row.runs.iter().map(|run| &run.reading));
    let mut text = String::from("## Disturbance\n\n");
    if let Some(noise) = Spread::of(readings().filter_map(|reading| reading.noise_cores)) {
        let _ = writeln!(text, "Cores that other programs used while a run was on: median {}.", noise.text());
    }
    if let Some(load) = Spread::of(readings().filter_map(|reading| reading.load_cores)) {
        let _ = writeln!(text, "Cores that the load used: median {}.", load.text());
    }
    let mut agreed: Vec<&str> = readings().filter_map(|reading| reading.tls.as_deref()).collect();
    agreed.sort_unstable();
    agreed.dedup();
    if !agreed.is_empty() {
        let _ = writeln!(text, "TLS that was agreed on: {}.", agreed.join("; "));
    }
    text + "\n"
}

/// Every run that does not count, and why.
fn invalid(results: &Results) -> String {
    let mut text = String::from("## Runs that do not count\n\n");
    let none = text.len();
    for row in &results.rows {
        for run in row.runs.iter().filter(|run| !run.reading.valid) {
            let _ = writeln!(text, "- {}, {}, round {}: {}", row.row.name, run.peer, run.round, run.reading.reasons.join("; "));
        }
    }
    if text.len() == none {
        text.push_str("None.\n");
    }
    text + "\n"
}

/// A Markdown table whose columns are in line.
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|cell| (*cell).to_owned()).collect()] }
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // A bar would end the cell, and a line its row.
        self.rows.push(cells.into_iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect());
    }

    fn text(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let widest = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(widest).collect();
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(text, "| {cell:width$} ");
            }
            text.push_str("|\n");
            if number == 0 {
                for width in &widths {
                    let _ = write!(text, "|{:-<1$}", "", width + 2);
                }
                text.push_str("|\n");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::PeerFacts;
    use super::super::results::tests::results;
    use super::*;

    #[test]
    fn everything_is_said() {
        let mut results = results("fanin0-tls", &[("mosquitto", &[10.0, 10.0]), ("nats", &[-1.0, -1.0]), ("signet", &[1.0, -1.0])]);
        results.peers.push(PeerFacts { name: "flashmq".into(), version: Err("not installed".into()), setup: "as it is".into() });
        let text = markdown(&results, &[]);
        for expected in [
            "| mosquitto | 1 ",
            "| flashmq   | not measured: not installed |",
            "≤ 0.13 × mosquitto",
            "0.100 (0.100–0.100) | reached",
            "not measured |\n",
            "| 1.00 (1.00–1.00), 1 of 2 valid |",
            "| invalid |",
            "median 0.100 (0.100–0.100).",
            "- fanin0-tls, signet, round 2: lost 3 messages",
            "- fanin0-tls, nats, round 1: lost 3 messages",
            "## In proportion to mosquitto",
        ] {
            assert!(text.contains(expected), "no `{expected}` in:\n{text}");
        }
        assert!(!text.contains("## In proportion to floor"), "{text}");
    }

    #[test]
    fn columns_are_in_line() {
        let mut table = Table::new(&["a", "b"]);
        table.row(["long".to_owned(), "µ|".to_owned()]);
        assert_eq!(table.text(), "| a    | b   |\n|------|-----|\n| long | µ\\| |\n");
    }
}
