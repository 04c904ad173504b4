//! A configuration of Mosquitto as `signet.toml`.

mod bridge;
mod writer;

use std::path::Path;

use crate::conf::{self, Settings};
use crate::{Files, Mistake, Notice, Translation};
use writer::Writer;

/// What is being written, and what there is to say about it.
pub(crate) struct Draft<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) files: &'a dyn Files,
    pub(crate) writer: Writer,
    pub(crate) notices: Vec<Notice>,
    pub(crate) mistakes: Vec<Mistake>,
}

/// Reads a configuration of Mosquitto and writes it as one of ours. `directory` is the working directory, to which paths in it are relative.
///
/// # Errors
/// Everything that is wrong with it.
pub fn translate(main: &Path, directory: &Path, files: &dyn Files) -> Result<Translation, Vec<Mistake>> {
    let (settings, notices) = conf::read(main, directory, files)?;
    let mut draft = Draft { settings: &settings, files, writer: Writer::default(), notices, mistakes: Vec::new() };
    bridge::write(&mut draft);
    if !draft.mistakes.is_empty() {
        return Err(draft.mistakes);
    }
    let (toml, origins) = draft.writer.finish();
    Ok(Translation { toml, origins, notices: draft.notices })
}
