//! A configuration of Mosquitto as `signet.toml`.
//!
//! Every default of Mosquitto is written: the text means the same whatever our own defaults are. What Mosquitto has no bound for gets one that is far
//! above what it is used for, and a comment.

mod access;
mod authentication;
mod bridge;
mod broker;
mod ciphers;
mod limits;
mod listener;
mod plugins;
mod tls;
mod writer;

use std::path::{Path, PathBuf};

use crate::conf::options::{self, Definition, Form, Native, Preset, Table};
use crate::conf::{self, At, Settings, Value, Values};
use crate::{Files, Mistake, Notice, Place, Translation};
use plugins::Plugins;
use writer::{Toml, Writer};

/// What the command line and the environment say besides the configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outside<'a> {
    /// Of `-p`: they count where no listener is configured. Empty: 1883.
    pub ports: &'a [u16],
    /// `MOSQUITTO_PERSISTENCE_LOCATION`, which goes before `persistence_location`.
    pub persistence_location: Option<&'a Path>,
}

/// A year and a day: nobody looks for anything less often here.
const MINUTES_MOST: i64 = 366 * 24 * 60;

/// What is being written, and what there is to say about it.
pub(crate) struct Draft<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) files: &'a dyn Files,
    pub(crate) outside: Outside<'a>,
    pub(crate) plugins: Plugins<'a>,
    pub(crate) writer: Writer,
    pub(crate) notices: Vec<Notice>,
    pub(crate) mistakes: Vec<Mistake>,
}

/// Reads a configuration of Mosquitto and writes it as one of ours. `directory` is the working directory, to which paths in it are relative.
///
/// # Errors
/// Everything that is wrong with it.
pub fn translate(main: &Path, directory: &Path, files: &dyn Files) -> Result<Translation, Vec<Mistake>> {
    translate_with(main, directory, Outside::default(), files)
}

/// The same with what is said outside of the files.
///
/// # Errors
/// Everything that is wrong with it.
pub fn translate_with(main: &Path, directory: &Path, outside: Outside<'_>, files: &dyn Files) -> Result<Translation, Vec<Mistake>> {
    let (settings, notices) = conf::read(main, directory, files)?;
    Draft::new(&settings, outside, files, notices).write(&format!("From {}.", main.display()))
}

/// What Mosquitto does without a configuration: 127.0.0.1 and ::1, the ports of `-p` or 1883, and whoever comes may do everything.
#[must_use]
pub fn nothing_configured(ports: &[u16]) -> Translation {
    let settings = Settings::empty(Path::new("/"));
    let outside = Outside { ports, persistence_location: None };
    let written = Draft::new(&settings, outside, &NoFiles, Vec::new()).write("Mosquitto without a configuration.");
    // Nothing is written, so nothing can be wrong.
    written.unwrap_or_else(|_| Translation { toml: String::new(), origins: Vec::new(), notices: Vec::new() })
}

/// Where there is no configuration no file is named.
struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &Path) -> Result<Vec<u8>, String> {
        Err("there are no files".to_owned())
    }

    fn list(&self, _directory: &Path) -> Result<Vec<String>, String> {
        Err("there are no files".to_owned())
    }
}

impl<'a> Draft<'a> {
    fn new(settings: &'a Settings, outside: Outside<'a>, files: &'a dyn Files, notices: Vec<Notice>) -> Self {
        Self { settings, files, outside, plugins: Plugins::default(), writer: Writer::default(), notices, mistakes: Vec::new() }
    }

    fn write(mut self, title: &str) -> Result<Translation, Vec<Mistake>> {
        let title: String = title.chars().map(|character| if character.is_control() { '?' } else { character }).collect();
        self.writer.comment(&title);
        self.writer.comment("What comes from a line has it behind it; everything else is Mosquitto's default, or what it does always.");
        self.writer.comment("");
        self.plugins = plugins::known(&mut self);
        broker::write(&mut self);
        limits::write(&mut self);
        let listeners = listener::all(&mut self);
        for listener in &listeners {
            listener::write(&mut self, listener);
        }
        authentication::write(&mut self, &listeners);
        access::write(&mut self, &listeners);
        plugins::write(&mut self);
        bridge::write(&mut self);
        if !self.mistakes.is_empty() {
            return Err(self.mistakes);
        }
        let (toml, origins) = self.writer.finish();
        Ok(Translation { toml, origins, notices: self.notices })
    }

    /// Writes every option that is a key of this table, written or by default.
    pub(crate) fn options(&mut self, table: Table, values: &Values) {
        for option in options::all() {
            if let Native::Key(_, key, form) = option.native
                && matches!(option.native, Native::Key(of, ..) if of == table)
            {
                self.option(option, key, form, values);
            }
        }
    }

    fn option(&mut self, option: &Definition, key: &str, form: Form, values: &Values) {
        let written = values.written(option.name);
        let value = match (written, option.default) {
            (Some(At { value: Value::Switch(value), .. }), _) => in_words(form, *value),
            (None, Preset::Switch(value)) => in_words(form, value),
            (Some(At { value: Value::Number(value), .. }), _) => number(form, *value),
            (None, Preset::Number(value)) => number(form, value),
            (Some(At { value: Value::Text(text), .. }), _) if form == Form::Path => self.settings.path(text).into(),
            (Some(At { value: Value::Text(text), .. }), _) => text.as_str().into(),
            (None, Preset::Text(text)) => text.into(),
            _ => return,
        };
        self.writer.key(key, value, written.map(|at| &at.place));
    }

    /// Says something about a line.
    pub(crate) fn notice(&mut self, place: &Place, message: impl Into<String>) {
        self.notices.push(Notice { place: place.clone(), message: message.into() });
    }

    /// Says what is wrong with a line.
    pub(crate) fn mistake(&mut self, place: &Place, message: impl Into<String>, hint: &str) {
        self.mistakes.push(Mistake { place: Some(place.clone()), message: message.into(), hint: Some(hint.to_owned()) });
    }

    /// The path that an option names, made absolute, and its line.
    pub(crate) fn path<'v>(&self, values: &'v Values, option: &str) -> Option<(PathBuf, &'v Place)> {
        let written = values.written(option)?;
        let Value::Text(text) = &written.value else { return None };
        Some((self.settings.path(text), &written.place))
    }
}

fn in_words(form: Form, value: bool) -> Toml {
    match form {
        Form::Words(off, on) => if value { on } else { off }.into(),
        _ => value.into(),
    }
}

fn number(form: Form, value: i64) -> Toml {
    match form {
        Form::Seconds => format!("{value}s").into(),
        Form::Minutes => format!("{}m", value.min(MINUTES_MOST)).into(),
        Form::ZeroIs(most) if value == 0 => most.into(),
        Form::LeastIs(most) if value <= 0 => most.into(),
        _ => value.into(),
    }
}
