//! Reads files line by line and puts each option where it belongs.

use std::path::{Path, PathBuf};

use super::checks;
use super::lines::{self, Rest, shown};
use super::model::{At, Bridge, Listener, ListenerAddress, Plugin, Security, Settings, Values, absolute};
use super::options::{self, Definition, Implicit, Kind, Native, Scope, Tier};
use super::values::{self, Fault, Value};
use crate::{Files, Mistake, Notice, Place};

/// Options that are kept under another name, as options about security of the listener.
const ALSO_SECURITY: &[(&str, &str)] = &[("listener_allow_anonymous", "allow_anonymous"), ("listener_auto_id_prefix", "auto_id_prefix")];

/// Reads a configuration. `directory` is the working directory, to which paths in it are relative.
///
/// # Errors
/// Everything that is wrong with it, in the order of the files.
pub fn read(main: &Path, directory: &Path, files: &dyn Files) -> Result<(Settings, Vec<Notice>), Vec<Mistake>> {
    let mut reader = Reader {
        files,
        settings: Settings::empty(directory),
        is_security_set: false,
        default_listener: None,
        mistakes: Vec::new(),
        notices: Vec::new(),
    };
    match files.read(&directory.join(main)) {
        Ok(content) => reader.file(main, &content, true),
        Err(reason) => reader.mistakes.push(unreadable(main, None, reason)),
    }
    if reader.mistakes.is_empty() {
        checks::check(&reader.settings, &mut reader.mistakes);
    }
    if reader.mistakes.is_empty() { Ok((reader.settings, reader.notices)) } else { Err(reader.mistakes) }
}

pub(super) struct Reader<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) settings: Settings,
    /// An option about security was there: `per_listener_settings` comes too late.
    is_security_set: bool,
    /// The listener that is there without a `listener`.
    pub(super) default_listener: Option<usize>,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) notices: Vec<Notice>,
}

/// To what the next option belongs. Each file begins anew.
#[derive(Debug, Default)]
pub(super) struct Current {
    pub(super) listener: Spot,
    pub(super) bridge: Spot,
    pub(super) plugin: Spot,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Spot {
    /// Nothing was written.
    #[default]
    Nowhere,
    /// What was written is a mistake: what belongs to it is passed over.
    Broken,
    At(usize),
}

/// One option of one line.
pub(super) struct Line<'a> {
    pub(super) option: &'static Definition,
    /// As it is written.
    pub(super) name: String,
    pub(super) rest: Rest<'a>,
    pub(super) place: Place,
    /// Whether it stands in the main file.
    pub(super) is_main: bool,
}

impl Line<'_> {
    pub(super) fn called(&self) -> &str {
        self.option.called_in_messages(&self.name)
    }
}

/// Whether an option goes where the reader looked for a place.
enum Target {
    Listener(usize),
    Bridge(usize),
    Plugin(usize),
    Global,
    Security,
    ListenerSecurity(usize),
    /// The place is a mistake that was reported.
    Broken,
}

impl Reader<'_> {
    pub(super) fn file(&mut self, file: &Path, content: &[u8], is_main: bool) {
        let mut current = Current::default();
        for (number, mut rest) in lines::lines(content) {
            let Some(name) = rest.word().map(shown) else { continue };
            let place = Place { file: file.to_owned(), line: number };
            let Some(option) = options::find(&name) else {
                self.mistakes.push(unknown(&name, place));
                continue;
            };
            let mut line = Line { option, name, rest, place, is_main };
            let outcome = match option.kind {
                Kind::Structure(structure) => self.structure(structure, &mut line, &mut current),
                _ => self.value(&mut line, &mut current),
            };
            if let Err(fault) = outcome {
                self.mistakes.push(Mistake { place: Some(line.place), message: fault.message, hint: fault.hint });
            }
        }
    }

    fn value(&mut self, line: &mut Line<'_>, current: &mut Current) -> Result<(), Fault> {
        let target = self.target(line, current)?;
        checks::before(line.option.name, &self.settings, current)?;
        let called = line.called().to_owned();
        let taken = values::take(&line.option.kind, &called, &mut line.rest)?;
        if let Some(message) = taken.notice {
            self.notice(&line.place, format!("`{}`: {message}", line.name));
        }
        if let (Tier::Ignored, Native::Nothing(reason)) = (line.option.tier, line.option.native) {
            self.notice(&line.place, format!("`{}` has no effect: {reason}", line.name));
        }
        let kept_as = ALSO_SECURITY.iter().find(|(name, _)| *name == line.option.name);
        let values = match (target, kept_as) {
            (Target::Broken, _) => return Ok(()),
            (Target::Global, _) => &mut self.settings.global,
            (Target::Security, _) => &mut self.settings.security.values,
            (Target::Listener(index), Some(_)) | (Target::ListenerSecurity(index), _) => match self.settings.listeners.get_mut(index) {
                Some(listener) => &mut listener.security.values,
                None => return Ok(()),
            },
            (Target::Listener(index), None) => match self.settings.listeners.get_mut(index) {
                Some(listener) => &mut listener.values,
                None => return Ok(()),
            },
            (Target::Bridge(index), _) => match self.settings.bridges.get_mut(index) {
                Some(bridge) => &mut bridge.values,
                None => return Ok(()),
            },
            (Target::Plugin(index), _) => match self.settings.plugins.get_mut(index) {
                Some(plugin) => &mut plugin.values,
                None => return Ok(()),
            },
        };
        keep(values, line, kept_as.map_or(line.option.name, |(_, other)| other), taken.value)
    }

    /// Finds out to what an option belongs.
    fn target(&mut self, line: &Line<'_>, current: &mut Current) -> Result<Target, Fault> {
        match line.option.scope {
            Scope::Global | Scope::Structure => Ok(Target::Global),
            Scope::Security => match self.security(line, current)? {
                Some(Spot::At(index)) => Ok(Target::ListenerSecurity(index)),
                Some(_) => Ok(Target::Broken),
                None => Ok(Target::Security),
            },
            Scope::Listener(implicit) => Ok(match self.listener(line, current, implicit)? {
                Spot::At(index) => Target::Listener(index),
                Spot::Nowhere | Spot::Broken => Target::Broken,
            }),
            Scope::Bridge => match current.bridge {
                Spot::At(index) => Ok(Target::Bridge(index)),
                Spot::Broken => Ok(Target::Broken),
                Spot::Nowhere => {
                    let message = format!("Error: The '{}' option requires a bridge to be defined first.", line.name);
                    Err(Fault::new(message).hint("write connection NAME before it; every included file begins anew"))
                }
            },
            Scope::Plugin => match current.plugin {
                Spot::At(index) => Ok(Target::Plugin(index)),
                Spot::Broken => Ok(Target::Broken),
                Spot::Nowhere => Err(Fault::new(format!("Error: An {} option exists in the config file without a plugin.", line.name))),
            },
        }
    }

    /// The listener whose security an option is about; `None`: that of the broker.
    pub(super) fn security(&mut self, line: &Line<'_>, current: &Current) -> Result<Option<Spot>, Fault> {
        self.is_security_set = true;
        if !self.settings.is_per_listener {
            return Ok(None);
        }
        match current.listener {
            Spot::Nowhere => Err(needs_listener(&line.name)),
            spot => Ok(Some(spot)),
        }
    }

    /// The listener to which an option belongs.
    pub(super) fn listener(&mut self, line: &Line<'_>, current: &mut Current, implicit: Implicit) -> Result<Spot, Fault> {
        let is_default = matches!(current.listener, Spot::At(index) if Some(index) == self.default_listener);
        match (current.listener, implicit) {
            (Spot::Nowhere, Implicit::Created) => {
                current.listener = Spot::At(self.default_listener(line));
                Ok(current.listener)
            }
            (Spot::Nowhere, _) => Err(needs_listener(&line.name)),
            (_, Implicit::Never) if is_default => Err(needs_listener(&line.name)),
            (spot, _) => Ok(spot),
        }
    }

    /// The listener that is there without a `listener`, made if need be.
    pub(super) fn default_listener(&mut self, line: &Line<'_>) -> usize {
        *self.default_listener.get_or_insert_with(|| {
            self.settings.listeners.push(Listener {
                address: ListenerAddress::Tcp { host: None, port: 1883 },
                place: line.place.clone(),
                values: Values::default(),
                security: Security::default(),
            });
            self.settings.listeners.len() - 1
        })
    }

    pub(super) fn per_listener(&mut self, is_wanted: bool) -> Result<(), Fault> {
        if is_wanted && self.is_security_set {
            return Err(Fault::new("Error: per_listener_settings must be set before any other security settings.")
                .hint("make it the first line of the file"));
        }
        self.settings.is_per_listener = is_wanted;
        Ok(())
    }

    pub(super) fn add_listener(&mut self, listener: Listener) -> Spot {
        self.settings.listeners.push(listener);
        Spot::At(self.settings.listeners.len() - 1)
    }

    pub(super) fn add_bridge(&mut self, bridge: Bridge) -> Spot {
        self.settings.bridges.push(bridge);
        Spot::At(self.settings.bridges.len() - 1)
    }

    pub(super) fn add_plugin(&mut self, plugin: Plugin) -> usize {
        self.settings.plugins.push(plugin);
        self.settings.plugins.len() - 1
    }

    /// A path as it is written, and as one that does not depend on the working directory.
    pub(super) fn absolute(&self, written: &str) -> PathBuf {
        absolute(&self.settings.directory, written)
    }

    pub(super) fn notice(&mut self, place: &Place, message: String) {
        self.notices.push(Notice { place: place.clone(), message });
    }
}

fn keep(values: &mut Values, line: &Line<'_>, name: &'static str, value: Value) -> Result<(), Fault> {
    let is_file = |value: &Value| matches!(value, Value::Text(text) if text.starts_with("file:"));
    if line.option.name == "log_dest" && is_file(&value) && values.each(name).iter().any(|at| is_file(&at.value)) {
        return Err(Fault::new("Error: Duplicate \"log_dest file\" value."));
    }
    if line.option.name == "address" && values.written(name).is_some() {
        return Err(Fault::new("Error: Invalid bridge configuration, 'address' only allowed once."));
    }
    if values.keep(line.option, name, At { value, place: line.place.clone() }) {
        return Ok(());
    }
    Err(Fault::new(format!("Error: Duplicate '{}' value in configuration.", line.called())))
}

fn needs_listener(name: &str) -> Fault {
    Fault::new(format!("Error: The '{name}' option requires a listener to be defined first."))
        .hint("write listener PORT before it; every included file begins anew")
}

fn unknown(name: &str, place: Place) -> Mistake {
    let hint = match options::nearest(name) {
        _ if name.starts_with('#') => Some("a comment begins in the first column".to_owned()),
        _ if name.contains('\t') => Some("between name and value stand spaces, and no tab".to_owned()),
        Some(known) => Some(format!("did you mean `{known}`?")),
        None => None,
    };
    Mistake { place: Some(place), message: format!("Error: Unknown configuration variable '{name}'."), hint }
}

pub(super) fn unreadable(file: &Path, place: Option<Place>, reason: String) -> Mistake {
    Mistake { place, message: format!("Error: Unable to open config file '{}'.", file.display()), hint: Some(reason) }
}
