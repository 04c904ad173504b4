//! Options that say what others belong to: listeners, bridges, plugins and other files.

use std::cmp::Ordering;
use std::path::Path;

use super::lines::{shown, text, trimmed};
use super::model::{At, Bridge, Listener, ListenerAddress, Plugin, Security, Values};
use super::options::{Implicit, Structure};
use super::reader::{Current, Line, Reader, Spot, unreadable};
use super::values::{self, Fault};

/// Most files that all `include_dir` together may name.
const INCLUDED_MAXIMUM: usize = 10_000;

impl Reader<'_> {
    pub(super) fn structure(&mut self, structure: Structure, line: &mut Line<'_>, current: &mut Current) -> Result<(), Fault> {
        match structure {
            Structure::Listener => {
                self.settings.is_local_only = false;
                current.listener = Spot::Broken;
                current.listener = self.written_listener(line)?;
                Ok(())
            }
            Structure::Port => self.port(line, current),
            Structure::BindAddress => self.bind_address(line, current),
            Structure::Connection => {
                current.bridge = Spot::Broken;
                current.bridge = self.connection(line)?;
                Ok(())
            }
            Structure::Plugin => {
                current.plugin = Spot::Broken;
                let target = self.security(line, current)?;
                current.plugin = self.plugin(line, target)?;
                Ok(())
            }
            Structure::GlobalPlugin => {
                current.plugin = Spot::Broken;
                current.plugin = self.plugin(line, None)?;
                Ok(())
            }
            Structure::PluginLoad => {
                current.plugin = Spot::Broken;
                current.plugin = self.plugin_load(line)?;
                Ok(())
            }
            Structure::PluginUse => self.plugin_use(line, current),
            Structure::PluginOption => self.plugin_option(line, current),
            Structure::IncludeDirectory => self.include_directory(line),
            Structure::PerListener => {
                if self.settings.is_per_listener {
                    return Ok(());
                }
                let is_wanted = values::switch(line.option.name, &mut line.rest)?;
                self.per_listener(is_wanted)
            }
        }
    }

    /// `listener PORT [HOST]`, `listener 0 PATH`; a word that begins with `#` is no host.
    fn written_listener(&mut self, line: &mut Line<'_>) -> Result<Spot, Fault> {
        let written = values::whole("listener port", &mut line.rest)?;
        let port = u16::try_from(written).map_err(|_| invalid_port(written))?;
        let host = match line.rest.word().filter(|word| !word.starts_with(b"#")) {
            Some(word) => Some(text(word).ok_or_else(|| Fault::new("Error: Malformed UTF-8 in configuration."))?.to_owned()),
            None => None,
        };
        let address = match (port, host) {
            (0, None) => return Err(Fault::new("Error: A listener with port 0 must provide a Unix socket path.")),
            (0, Some(path)) => ListenerAddress::Unix(path),
            (port, host) => ListenerAddress::Tcp { host, port },
        };
        let place = line.place.clone();
        Ok(self.add_listener(Listener { address, place, values: Values::default(), security: Security::default() }))
    }

    fn port(&mut self, line: &mut Line<'_>, current: &mut Current) -> Result<(), Fault> {
        let index = self.legacy_listener(line, current);
        let written = values::whole(line.option.name, &mut line.rest)?;
        let valid = u16::try_from(written).ok().filter(|port| *port > 0).ok_or_else(|| invalid_port(written))?;
        if let Some(Listener { address: ListenerAddress::Tcp { port, .. }, place, .. }) = self.settings.listeners.get_mut(index) {
            *port = valid;
            *place = line.place.clone();
        }
        Ok(())
    }

    fn bind_address(&mut self, line: &Line<'_>, current: &mut Current) -> Result<(), Fault> {
        let index = self.legacy_listener(line, current);
        let written = values::line(line.called(), &line.rest)?;
        if let Some(Listener { address: ListenerAddress::Tcp { host, .. }, place, .. }) = self.settings.listeners.get_mut(index) {
            if host.is_some() {
                return Err(Fault::new(format!("Error: Duplicate '{}' value in configuration.", line.called())));
            }
            *host = Some(written);
            *place = line.place.clone();
        }
        Ok(())
    }

    fn legacy_listener(&mut self, line: &Line<'_>, current: &mut Current) -> usize {
        self.settings.is_local_only = false;
        let index = self.default_listener(line);
        current.listener = Spot::At(index);
        index
    }

    fn connection(&mut self, line: &mut Line<'_>) -> Result<Spot, Fault> {
        let word = line.rest.word().ok_or_else(|| Fault::empty(line.called()))?;
        let name = text(word).ok_or_else(|| Fault::new("Error: Malformed UTF-8 in configuration."))?;
        if self.settings.bridges.iter().any(|bridge| bridge.name.value == name) {
            return Err(Fault::new(format!("Error: Duplicate bridge name '{name}'.")));
        }
        let name = At { value: name.to_owned(), place: line.place.clone() };
        Ok(self.add_bridge(Bridge { name, values: Values::default() }))
    }

    /// `plugin PATH`, for a listener or for the broker.
    fn plugin(&mut self, line: &Line<'_>, target: Option<Spot>) -> Result<Spot, Fault> {
        let path = plugin_path(line, "(null)")?;
        let index = self.add_plugin(Plugin { name: None, path, options: Vec::new(), values: Values::default() });
        match target {
            None => self.settings.security.plugins.push(index),
            Some(Spot::At(listener)) => self.use_plugin(listener, index),
            Some(Spot::Nowhere | Spot::Broken) => {}
        }
        Ok(Spot::At(index))
    }

    /// `plugin_load NAME PATH`
    fn plugin_load(&mut self, line: &mut Line<'_>) -> Result<Spot, Fault> {
        let name = line.rest.word().map(shown).ok_or_else(|| Fault::empty(line.called()))?;
        if self.plugin_named(&name).is_some() {
            return Err(Fault::new(format!("Error: Duplicate plugin name '{name}'.")));
        }
        let path = plugin_path(line, &name)?;
        Ok(Spot::At(self.add_plugin(Plugin { name: Some(name), path, options: Vec::new(), values: Values::default() })))
    }

    /// `plugin_use NAME`
    fn plugin_use(&mut self, line: &Line<'_>, current: &mut Current) -> Result<(), Fault> {
        let listener = self.listener(line, current, Implicit::Never)?;
        let name = values::line(line.called(), &line.rest)?;
        let index = self.plugin_named(&name).ok_or_else(|| Fault::new(format!("Error: Plugin '{name}' not previously loaded.")))?;
        current.plugin = Spot::At(index);
        if let Spot::At(listener) = listener {
            self.use_plugin(listener, index);
        }
        Ok(())
    }

    fn use_plugin(&mut self, listener: usize, plugin: usize) {
        if let Some(listener) = self.settings.listeners.get_mut(listener) {
            listener.security.plugins.push(plugin);
        }
    }

    fn plugin_named(&self, name: &str) -> Option<usize> {
        self.settings.plugins.iter().position(|plugin| plugin.name.as_deref() == Some(name))
    }

    /// `plugin_opt_KEY VALUE`; a key has at least three characters.
    fn plugin_option(&mut self, line: &Line<'_>, current: &Current) -> Result<(), Fault> {
        let plugin = match current.plugin {
            Spot::At(index) => index,
            Spot::Broken => return Ok(()),
            Spot::Nowhere => {
                let message = format!("Error: The '{}' option requires plugin/global_plugin/plugin_load to be defined first.", line.name);
                return Err(Fault::new(message));
            }
        };
        let key = line.name.strip_prefix("plugin_opt_").or_else(|| line.name.strip_prefix("auth_opt_")).unwrap_or_default();
        if key.len() < 3 {
            return Err(Fault::new("Error: Invalid 'plugin_opt_' config option."));
        }
        let written = line.rest.all().ok_or_else(|| Fault::empty(key))?;
        let value = text(trimmed(written)).ok_or_else(|| Fault::new("Error: Malformed UTF-8 in configuration."))?;
        let value = At { value: value.to_owned(), place: line.place.clone() };
        if let Some(plugin) = self.settings.plugins.get_mut(plugin) {
            plugin.options.push((key.to_owned(), value));
        }
        Ok(())
    }

    /// Reads what a directory has; each file begins with no listener, bridge and plugin.
    fn include_directory(&mut self, line: &Line<'_>) -> Result<(), Fault> {
        if !line.is_main {
            return Err(Fault::new("Error: The include_dir option is only valid in the main configuration file."));
        }
        let directory = shown(line.rest.all().ok_or_else(|| Fault::empty(line.called()))?);
        let path = self.absolute(&directory);
        let names = self.files.list(&path);
        let mut names = names.map_err(|reason| Fault::new(format!("Error: Unable to open include_dir '{directory}'.")).hint(reason))?;
        names.retain(|name| name.len() > ".conf".len() && name.ends_with(".conf"));
        if names.len() > INCLUDED_MAXIMUM {
            return Err(Fault::new(format!("Error: include_dir '{directory}' has more than {INCLUDED_MAXIMUM} files.")));
        }
        names.sort_by(|one, other| included_order(one, other));
        for name in names {
            let file = format!("{directory}/{name}");
            match self.files.read(&path.join(&name)) {
                Ok(content) => self.file(Path::new(&file), &content, false),
                Err(reason) => self.mistakes.push(unreadable(Path::new(&file), Some(line.place.clone()), reason)),
            }
        }
        Ok(())
    }
}

fn invalid_port(written: i64) -> Fault {
    Fault::new(format!("Error: Invalid 'port' value ({written})."))
}

fn plugin_path(line: &Line<'_>, name: &str) -> Result<At<String>, Fault> {
    let written = trimmed(line.rest.all().unwrap_or_default());
    if written.is_empty() {
        return Err(Fault::new(format!("Error: Missing plugin path for plugin name '{name}'.")));
    }
    let path = text(written).ok_or_else(|| Fault::new("Error: Malformed UTF-8 in configuration."))?;
    Ok(At { value: path.to_owned(), place: line.place.clone() })
}

/// By letters, whatever their case, and upper case first where they are the same.
fn included_order(one: &str, other: &str) -> Ordering {
    let pairs = || one.bytes().zip(other.bytes());
    let differing = pairs().find(|(left, right)| left != right);
    match differing {
        Some((left, right)) => left.to_ascii_uppercase().cmp(&right.to_ascii_uppercase()).then(left.cmp(&right)),
        None => one.len().cmp(&other.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn included_files_come_in_the_order_of_the_manual() {
        let mut names = ["b.conf", "A.conf", "01.conf", "a.conf", "B.conf", "00.conf"];
        names.sort_by(|one, other| included_order(one, other));
        assert_eq!(names, ["00.conf", "01.conf", "A.conf", "a.conf", "B.conf", "b.conf"]);
    }
}
