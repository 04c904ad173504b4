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
    let origin = Origin::Mosquitto(origin);
    let text = match config::load_places(&origin) {
        Ok(config) => with_data_dir(&translation.toml, &config.data_dir),
        Err(_) => translation.toml,
    };
    write(output, &text, *force)?;
    // What the files say that it names shows here, not only when the broker starts.
    let config = config::load(&origin, signet_net::unix_seconds()).map_err(|error| error.report(file))?;
    if let Some(user) = config.process.user.filter(|_| output != Path::new("-")) {
        output::note(&format!(
            "only you may read it; a broker that root starts becomes `{user}` and reads it again with a reload: chown {user} {}",
            output.display()
        ));
    }
    Ok(Exit::Done)
}

/// The text with the place in which `signet serve` keeps what has to outlive it, if it says none.
fn with_data_dir(text: &str, place: &Path) -> String {
    let is_written = text.lines().any(|line| line.starts_with("data_dir = "));
    // Keys of the top level stand before the first table, behind the comment that the text begins with.
    let Some((head, rest)) = text.split_once("\n\n").filter(|_| !is_written) else { return text.to_owned() };
    let place = toml::Value::String(place.display().to_string());
    format!(
        "{head}\n\n# Mosquitto has no such place: the inventory of certificates, with what is revoked and suspended.\ndata_dir = {place}\n{rest}"
    )
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
