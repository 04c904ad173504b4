//! `compare`: Signet beside other brokers in one round-robin run. What is compared is processor time of the broker for one operation, as a ratio
//! within the same round: other programs on the machine, and the machine itself, change both sides alike.

mod certificates;
mod charts;
mod curves;
mod generator;
mod judge;
mod load;
mod machine;
mod options;
mod peer;
mod peers;
mod report;
mod results;
mod rows;
mod run;
mod statistics;
mod svg;

use std::fs;
use std::path::Path;

pub use options::Options;

use results::Results;

/// Measures, or takes what was measured before, prints it, and writes what was asked for.
///
/// # Errors
/// What has to be put right in the command line, or a file that cannot be read or written.
pub fn compare(options: &Options) -> Result<(), String> {
    let mut results: Results = match &options.redraw {
        Some(file) => {
            let text = fs::read_to_string(file).map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
            serde_json::from_str(&text).map_err(|error| format!("`{}` holds no results: {error}", file.display()))?
        }
        None => run::measure(options)?,
    };
    if let Some(base) = &options.base {
        results.base.clone_from(base);
    }
    options::say(&report::markdown(&results, &[]));
    if let Some(folder) = &options.out {
        write(folder, &results).map_err(|error| format!("cannot write to `{}`: {error}", folder.display()))?;
    }
    Ok(())
}

/// Writes `results.json`, the pictures, and `table.md`, which shows them.
fn write(folder: &Path, results: &Results) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("results.json"), serde_json::to_string_pretty(results)? + "\n")?;
    let charts = charts::all(results);
    for chart in &charts {
        fs::write(folder.join(&chart.file), &chart.svg)?;
    }
    fs::write(folder.join("table.md"), report::markdown(results, &charts))
}
