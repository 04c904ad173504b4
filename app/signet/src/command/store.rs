//! `signet store check|repair`: what the operator can do about the files of the store while no broker runs.

use std::path::{Path, PathBuf};

use serde::Serialize;
use signet_journal::{Cut, Damage, DiskFolder, JournalError, Repaired, Report};
use signet_server::StoreError;

use crate::config;
use crate::data_lock::DataLock;
use crate::exit::Exit;
use crate::flags::{ConfigFlag, Store};
use crate::hint::Failure;
use crate::office::Places;
use crate::output;

/// Runs the command.
pub(crate) fn run(flags: &Store) -> Result<Exit, Failure> {
    match flags {
        Store::Check { json, config } => check(config, *json),
        Store::Repair { json, config } => repair(config, *json),
    }
}

fn check(config: &ConfigFlag, json: bool) -> Result<Exit, Failure> {
    let (directory, _lock) = open(config)?;
    let report = DiskFolder::open(&directory).and_then(|folder| signet_journal::check(&folder)).map_err(failed)?;
    if json {
        output::json(&Checked::of(&report))?;
    } else {
        show(&report);
    }
    if report.damages.is_empty() {
        return Ok(Exit::Done);
    }
    let count = counted(report.damages.len(), "place");
    Err(Failure::new(format!("the store `{}` is damaged in {count}", directory.display())).exit(Exit::StoreDamaged).hint(format!(
        "the disk had reported it as written: look at the disk; put a backup back, or give up what is lost with `signet store repair -c {}`",
        config.path().display()
    )))
}

fn repair(config: &ConfigFlag, json: bool) -> Result<Exit, Failure> {
    let (directory, _lock) = open(config)?;
    let repaired = DiskFolder::open(&directory).and_then(|folder| signet_journal::repair(&folder)).map_err(failed)?;
    if json {
        output::json(&Mended::of(&repaired))?;
    } else {
        tell(&repaired);
    }
    Ok(Exit::Done)
}

/// The directory of the store, and the lock that says that no broker works in it.
fn open(flag: &ConfigFlag) -> Result<(PathBuf, DataLock), Failure> {
    let places = Places::find(flag)?;
    let directory = config::store_directory(&places.data_dir);
    if !directory.is_dir() {
        return Err(Failure::new(format!("there is no store: `{}` does not exist", directory.display()))
            .hint("run it where signet.toml is, or name that with -c FILE; `signet serve` makes a store"));
    }
    let lock = DataLock::take(&places.data_dir)?;
    Ok((directory, lock))
}

/// A store that `signet serve` cannot open.
pub(crate) fn refused(error: StoreError, config: &Path) -> Failure {
    match error {
        StoreError::Damaged(error) => failed(error).hint(format!(
            "the disk had reported it as written, so nothing is cut off without a word: `signet store check -c {0}` shows all of the damage; put a \
             backup back, or give up what is lost with `signet store repair -c {0}`",
            config.display()
        )),
        StoreError::Journal(error) => failed(error),
        other => Failure::new(other.to_string()),
    }
}

/// What keeps a store from being read, in the words of every other file.
fn failed(error: JournalError) -> Failure {
    match error {
        JournalError::Io { action, path, source } => Failure::file(action, &path, &source),
        JournalError::Damaged(_) | JournalError::Content { .. } => Failure::new(format!("the store: {error}")).exit(Exit::StoreDamaged),
        JournalError::Busy { .. } => Failure::new(format!("the store: {error}")).exit(Exit::Busy),
        other => Failure::new(format!("the store: {other}")),
    }
}

fn show(report: &Report) {
    let rows = report
        .segments
        .iter()
        .map(|segment| vec![name(&segment.file), segment.bytes.to_string(), segment.bytes_used.to_string(), segment.batches.to_string()]);
    output::table(&["FILE", "BYTES", "USED", "BATCHES"], rows);
    for damage in &report.damages {
        output::data(&damage.to_string());
    }
    if let Some(torn) = &report.torn {
        output::data(&format!(
            "`{}` ends with {} at offset {} that were never synced: the next start cuts them off, nothing acknowledged is in them",
            torn.file.display(),
            bytes(torn.bytes),
            torn.offset
        ));
    }
    if report.damages.is_empty() {
        output::data(&format!("no damage in {}", counted(report.segments.len(), "file")));
    }
}

fn tell(repaired: &Repaired) {
    if repaired.damages.is_empty() {
        return output::data("nothing to repair");
    }
    for damage in &repaired.damages {
        output::data(&format!("cut out: {damage}, {}", bytes(damage.bytes)));
    }
    output::data(&match (repaired.batches_lost, repaired.is_uncounted) {
        (0, false) => "lost: nothing".to_owned(),
        (0, true) => "lost: what was written there; how many batches, nothing tells any more".to_owned(),
        (lost, false) => format!("lost: {}", counted_batches(lost)),
        (lost, true) => format!("lost: at least {}", counted_batches(lost)),
    });
    for copy in &repaired.copies {
        output::data(&format!("kept as it was: {}", copy.display()));
    }
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn bytes(count: u64) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn counted_batches(count: u64) -> String {
    if count == 1 { "1 batch".to_owned() } else { format!("{count} batches") }
}

/// `signet store check --json`
#[derive(Serialize)]
struct Checked {
    segments: Vec<Segment>,
    damages: Vec<Spot>,
    /// The unsynced end that the next start cuts off.
    torn: Option<Spot>,
}

#[derive(Serialize)]
struct Segment {
    file: PathBuf,
    bytes: u64,
    bytes_used: u64,
    batches: u64,
}

/// A place in a file.
#[derive(Serialize)]
struct Spot {
    file: PathBuf,
    offset: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'static str>,
}

/// `signet store repair --json`
#[derive(Serialize)]
struct Mended {
    damages: Vec<Spot>,
    batches_lost: u64,
    is_uncounted: bool,
    copies: Vec<PathBuf>,
}

impl Checked {
    fn of(report: &Report) -> Self {
        let segments = report.segments.iter().map(|segment| Segment {
            file: segment.file.clone(),
            bytes: segment.bytes,
            bytes_used: segment.bytes_used,
            batches: segment.batches,
        });
        let torn =
            report.torn.as_ref().map(|Cut { file, offset, bytes }| Spot { file: file.clone(), offset: *offset, bytes: *bytes, what: None });
        Self { segments: segments.collect(), damages: report.damages.iter().map(Spot::of).collect(), torn }
    }
}

impl Mended {
    fn of(repaired: &Repaired) -> Self {
        Self {
            damages: repaired.damages.iter().map(Spot::of).collect(),
            batches_lost: repaired.batches_lost,
            is_uncounted: repaired.is_uncounted,
            copies: repaired.copies.clone(),
        }
    }
}

impl Spot {
    fn of(damage: &Damage) -> Self {
        Self { file: damage.file.clone(), offset: damage.offset, bytes: damage.bytes, what: Some(damage.what) }
    }
}
