//! The run itself: round by round, row by row, and in each row every broker in turn, so that what is compared was measured within seconds.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use signet_testkit::raise_open_files;

use super::certificates::Certificates;
use super::load::{Load, Work};
use super::options::{Options, tell};
use super::peer::{Peer, Places, Program, Running};
use super::results::{PeerFacts, Reading, Results, RowResults, Run};
use super::rows::{Measure, Row};
use super::statistics::number;
use super::{curves, generator, machine, peers, rows};

/// Seconds of counted messages in a quick run.
const QUICK_SECONDS: f64 = 0.3;

/// Seconds that starting and ending a broker takes about.
const START: f64 = 0.5;

/// Measures what is asked for.
///
/// # Errors
/// Something that is asked for does not exist.
pub(super) fn measure(options: &Options) -> Result<Results, String> {
    let plan = Plan::new(options)?;
    let _ = raise_open_files();
    let places = Places { signet: options.signet.clone(), peers: folder_of_peers() };
    let mut facts = Vec::new();
    let mut ready = Vec::new();
    for peer in peers::chosen(&options.peers)? {
        let mut found = peer.find(&places);
        if options.install && found.is_err() {
            tell(&format!("installing {}, which may take many minutes", peer.name()));
            found = peer.install(&places).and_then(|()| peer.find(&places));
        }
        if let Err(reason) = &found {
            tell(&format!("{} is not measured: {reason}", peer.name()));
        }
        let version = found.as_ref().map(|program| program.version.clone()).map_err(Clone::clone);
        facts.push(PeerFacts { name: peer.name().into(), version, setup: peer.setup().into() });
        ready.extend(found.ok().map(|program| (peer, program)));
    }
    if ready.is_empty() {
        return Err("no broker can be measured".into());
    }
    let mut results = Results {
        machine: machine::describe(),
        command: command(),
        is_quick: options.quick,
        base: "mosquitto".into(),
        peers: facts,
        rows: plan.rows.iter().map(|row| RowResults { row: row.clone(), runs: Vec::new() }).collect(),
        left_out: None,
    };
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    tell("making certificates");
    let (ecdsa, rsa) = if options.quick { (4, 2) } else { (200, 50) };
    let certificates = Certificates::create(folder.path(), ecdsa, rsa);
    plan.all_rounds(&ready, &certificates, &mut results);
    Ok(results)
}

/// What is measured, and with what.
struct Plan {
    rows: Vec<Row>,
    rounds: u32,
    seconds: f64,
    generator: PathBuf,
    minutes: Option<f64>,
}

impl Plan {
    fn new(options: &Options) -> Result<Self, String> {
        let all = if options.curves { curves::all() } else { rows::table() };
        let mut rows = rows::chosen(all, &options.rows)?;
        if options.quick {
            for row in &mut rows {
                row.load = row.load.clone().tiny();
            }
        }
        Ok(Self {
            rows,
            rounds: if options.quick { 1 } else { options.rounds.max(1) },
            seconds: if options.quick { QUICK_SECONDS } else { options.seconds },
            generator: options.load.clone().unwrap_or_else(|| options.signet.clone()),
            minutes: options.minutes,
        })
    }

    fn all_rounds(&self, ready: &[(Box<dyn Peer>, Program)], certificates: &Certificates, results: &mut Results) {
        let takes_part = |peer: &dyn Peer, load: &Load| peer.cannot(load).is_none();
        let of_row = |row: &Row| {
            let peers = ready.iter().filter(|(peer, _)| takes_part(peer.as_ref(), &row.load)).count();
            (peers, f64::from(u32::try_from(peers).unwrap_or_default()) * (START + row.load.expected(self.seconds)))
        };
        let rounds = usize::try_from(self.rounds).unwrap_or_default();
        let runs: usize = self.rows.iter().map(|row| of_row(row).0).sum::<usize>() * rounds;
        let minutes: f64 = self.rows.iter().map(|row| of_row(row).1).sum::<f64>() * f64::from(self.rounds) / 60.0;
        let limit = self.minutes.unwrap_or(minutes * 3.0 + 1.0);
        let busy = machine::busy();
        tell(&format!("{runs} runs, about {minutes:.0} minutes and at most {limit:.0}; {busy} tasks want a processor already"));
        let deadline = Instant::now() + Duration::from_secs_f64(limit * 60.0);
        let mut done = 0;
        for round in 1..=self.rounds {
            for (row, measured) in self.rows.iter().zip(&mut results.rows) {
                for (peer, program) in ready.iter().filter(|(peer, _)| takes_part(peer.as_ref(), &row.load)) {
                    if Instant::now() > deadline {
                        results.left_out = Some(format!("after {limit:.0} minutes {done} of {runs} runs were done"));
                        return;
                    }
                    done += 1;
                    let reading = self.once(peer.as_ref(), program, &row.load, certificates);
                    tell(&format!("[{done}/{runs}] round {round}, {}, {}: {}", row.name, peer.name(), shown(&reading, &row.measures)));
                    measured.runs.push(Run { peer: peer.name().into(), round, reading });
                }
            }
        }
    }

    /// A broker that was just started, under one load.
    fn once(&self, peer: &dyn Peer, program: &Program, load: &Load, certificates: &Certificates) -> Reading {
        let running = match Running::start(peer, program, load, certificates) {
            Ok(running) => running,
            Err(reason) => return Reading::invalid(reason),
        };
        let at = generator::At { port: running.port, process: running.process(), certificates };
        let mut reading = generator::run(&self.generator, load, self.seconds, &at);
        if let (Work::Connect { count, resumed: true }, Some(resumed)) = (&load.work, reading.resumed)
            && resumed < u64::from(*count)
        {
            reading.valid = false;
            reading.reasons.push(format!("only {resumed} of {count} connections were resumed"));
        }
        reading
    }
}

/// The value of a run for those who wait.
fn shown(reading: &Reading, measures: &[Measure]) -> String {
    if !reading.valid {
        return format!("not valid: {}", reading.reasons.join("; "));
    }
    let value = |measure: &Measure| Some(format!("{} {}", number(reading.value(*measure)?), measure.unit()));
    let rate = reading.per_second.map(|rate| format!("{rate:.0}/s"));
    measures.iter().filter_map(value).chain(rate).collect::<Vec<_>>().join(", ")
}

/// `target/peers`, beside the folder that this program was built into.
fn folder_of_peers() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().nth(2).unwrap_or_else(|| Path::new("target")).join("peers")
}

/// The command as it was given, without the folder of the program.
fn command() -> String {
    let words: Vec<String> = std::env::args().skip(1).collect();
    format!("signet-bench {}", words.join(" "))
}
