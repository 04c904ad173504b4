//! `signet import`: the configuration of another broker as `signet.toml`.

use std::path::Path;

use signet_ledger::{FileError, Overwrite, write_secret};

use crate::config::{self, MosquittoOrigin, Origin, SystemFiles};
use crate::exit::Exit;
use crate::flags::Import;
use crate::hint::Failure;
use crate::output;

/// Runs the command.
pub(crate) fn run(flags: &Import) -> Result<Exit, Failure> {
    let Import::Mosquitto { file, output, force } = flags;
    let origin = MosquittoOrigin { file: Some(file.clone()), ..MosquittoOrigin::default() };
    let translation = config::translate(&origin, &SystemFiles::default()).map_err(|error| error.report(file))?;
    for notice in &translation.notices {
        output::note(&config::told(notice));
    }
    write(output, &translation.toml, *force)?;
    // What the files say that it names shows here, not only when the broker starts.
    config::load(&Origin::Mosquitto(origin), signet_net::unix_seconds()).map_err(|error| error.report(file))?;
    Ok(Exit::Done)
}

/// For its owner only: there may be passwords of bridges in it.
fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    if path == Path::new("-") {
        output::data(text.trim_end());
        return Ok(());
    }
    let overwrite = if force { Overwrite::Forced } else { Overwrite::Never };
    write_secret(path, text.as_bytes(), overwrite).map_err(|error| match error {
        FileError::Exists { .. } => Failure::new(format!("`{}` exists already", path.display()))
            .exit(Exit::Exists)
            .hint("--force replaces it; or name another file"),
        other => Failure::from(other),
    })?;
    output::note(&format!("wrote {}; try it: signet check -c {}", path.display(), path.display()));
    Ok(())
}
