//! Mosquitto's own plugins, by the names of their files, as what is built in here.

use std::path::PathBuf;

use super::Draft;
use crate::Place;
use crate::conf::{At, Plugin};

/// What the plugins of a configuration are for.
#[derive(Debug, Default)]
pub(crate) struct Plugins<'a> {
    /// Of each plugin, in the order of the configuration.
    roles: Vec<Role>,
    /// `mosquitto_persist_sqlite.so`
    pub(super) store: Option<Store>,
    dynamic_security: Option<&'a Plugin>,
    sparkplug: Option<&'a Plugin>,
}

/// What a plugin says about clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// `mosquitto_dynamic_security.so`
    DynamicSecurity,
    /// `mosquitto_password_file.so`
    PasswordFile(PathBuf, Place),
    /// `mosquitto_acl_file.so`
    AclFile(PathBuf, Place),
    /// Nothing.
    Nothing,
}

/// Where a plugin keeps sessions and messages.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) directory: PathBuf,
    pub(super) durability: &'static str,
    pub(super) place: Place,
}

/// A plugin that is built in.
struct Known {
    file: &'static str,
    /// Its options, without `plugin_opt_`.
    options: &'static [&'static str],
    read: for<'a> fn(&mut Draft<'a>, &'a Plugin, &mut Plugins<'a>) -> Role,
}

const KNOWN: &[Known] = &[
    Known { file: "mosquitto_dynamic_security.so", options: &["config_file", "password_init_file"], read: dynamic_security },
    Known { file: "mosquitto_password_file.so", options: &["password_file"], read: password_file },
    Known { file: "mosquitto_acl_file.so", options: &["acl_file"], read: acl_file },
    Known { file: "mosquitto_persist_sqlite.so", options: &["db_file", "sync", "flush_period", "page_size"], read: persist_sqlite },
    Known { file: "mosquitto_sparkplug_aware.so", options: &[], read: sparkplug_aware },
];

/// Finds out what the plugins are for; those that are not built in are mistakes.
pub(super) fn known<'a>(draft: &mut Draft<'a>) -> Plugins<'a> {
    let mut plugins = Plugins::default();
    let settings = draft.settings;
    for plugin in &settings.plugins {
        let file = plugin.path.value.rsplit('/').next().unwrap_or_default();
        let role = match KNOWN.iter().find(|known| known.file == file) {
            Some(known) => {
                let unknown = plugin.options.iter().filter(|(key, _)| !known.options.contains(&key.as_str()));
                for (key, at) in unknown {
                    draft.notice(&at.place, format!("`plugin_opt_{key}` has no effect: {file} has no such option"));
                }
                (known.read)(draft, plugin, &mut plugins)
            }
            None => {
                let names: Vec<&str> = KNOWN.iter().map(|known| known.file).collect();
                let hint = format!(
                    "plugins for Mosquitto cannot be loaded here; {} are built in. Passwords and rules in data bases, directories and services: see \
                     the guide Authentication; access by address, time or certificate: see the guide Access",
                    names.join(", ")
                );
                draft.mistake(&plugin.path.place, format!("the plugin {} is not supported", plugin.path.value), &hint);
                Role::Nothing
            }
        };
        plugins.roles.push(role);
    }
    plugins
}

/// Writes what is not about single listeners.
pub(super) fn write(draft: &mut Draft<'_>) {
    if let Some(plugin) = draft.plugins.dynamic_security {
        draft.writer.table("[dynamic_security]", Some(&plugin.path.place));
        for (option, key) in [("config_file", "file"), ("password_init_file", "password_init_file")] {
            if let Some(at) = plugin.option(option) {
                draft.writer.key(key, draft.settings.path(&at.value), Some(&at.place));
            }
        }
    }
    if let Some(plugin) = draft.plugins.sparkplug {
        draft.writer.table("[sparkplug]", Some(&plugin.path.place));
        draft.writer.key("aware", true, Some(&plugin.path.place));
    }
}

impl Plugins<'_> {
    /// What a plugin says about clients.
    pub(super) fn role(&self, index: usize) -> &Role {
        self.roles.get(index).unwrap_or(&Role::Nothing)
    }

    /// Where dynamic security is loaded.
    pub(super) fn dynamic_security_place(&self) -> Option<&Place> {
        self.dynamic_security.map(|plugin| &plugin.path.place)
    }
}

fn dynamic_security<'a>(draft: &mut Draft<'a>, plugin: &'a Plugin, plugins: &mut Plugins<'a>) -> Role {
    let Some(file) = plugin.option("config_file") else {
        draft.mistake(
            &plugin.path.place,
            "mosquitto_dynamic_security.so without plugin_opt_config_file",
            "add plugin_opt_config_file FILE behind it",
        );
        return Role::Nothing;
    };
    let other = plugins.dynamic_security.and_then(|other| other.option("config_file")).filter(|other| other.value != file.value);
    if let Some(other) = other {
        let message = format!("dynamic security with two files, {} and {}", other.value, file.value);
        draft.mistake(&plugin.path.place, message, "there can be one here, for all listeners that use it");
        return Role::Nothing;
    }
    plugins.dynamic_security.get_or_insert(plugin);
    Role::DynamicSecurity
}

fn password_file<'a>(draft: &mut Draft<'a>, plugin: &'a Plugin, _plugins: &mut Plugins<'a>) -> Role {
    file_of(draft, plugin, "password_file", Role::PasswordFile)
}

fn acl_file<'a>(draft: &mut Draft<'a>, plugin: &'a Plugin, _plugins: &mut Plugins<'a>) -> Role {
    file_of(draft, plugin, "acl_file", Role::AclFile)
}

fn file_of(draft: &mut Draft<'_>, plugin: &Plugin, option: &str, role: fn(PathBuf, Place) -> Role) -> Role {
    match plugin.option(option) {
        Some(at) => role(draft.settings.path(&at.value), at.place.clone()),
        None => {
            let message = format!("mosquitto_{option}.so without plugin_opt_{option}");
            draft.mistake(&plugin.path.place, message, &format!("add plugin_opt_{option} FILE behind it"));
            Role::Nothing
        }
    }
}

fn persist_sqlite<'a>(draft: &mut Draft<'a>, plugin: &'a Plugin, plugins: &mut Plugins<'a>) -> Role {
    if let Some(place) = draft.settings.global.place("persistence").filter(|_| draft.settings.global.switch("persistence")) {
        draft.mistake(place, "persistence true together with a persistence plugin", "remove one of the two");
    }
    let file = plugin.option("db_file").map(|at| at.value.as_str());
    let Some(file) = file.or_else(|| draft.settings.global.text("persistence_location")) else {
        draft.mistake(
            &plugin.path.place,
            "mosquitto_persist_sqlite.so without plugin_opt_db_file",
            "add plugin_opt_db_file FILE behind it",
        );
        return Role::Nothing;
    };
    let path = draft.settings.path(file);
    let directory = if plugin.option("db_file").is_some() { path.parent().map(PathBuf::from).unwrap_or(path) } else { path };
    let durability = match plugin.option("sync").map(|at| at.value.as_str()) {
        Some("extra" | "full") => "always",
        Some("off") => "off",
        _ => "interval",
    };
    let place = plugin.path.place.clone();
    let message = "mosquitto_persist_sqlite.so: sessions and messages are kept in the store here, not in SQLite; what is in its data base is not taken over";
    draft.notice(&place, message);
    plugins.store = Some(Store { directory, durability, place });
    Role::Nothing
}

fn sparkplug_aware<'a>(_draft: &mut Draft<'a>, plugin: &'a Plugin, plugins: &mut Plugins<'a>) -> Role {
    plugins.sparkplug = Some(plugin);
    Role::Nothing
}

impl Plugin {
    /// The last value of an option, without `plugin_opt_` before its name.
    fn option(&self, name: &str) -> Option<&At<String>> {
        self.options.iter().rev().find(|(key, _)| key == name).map(|(_, at)| at)
    }
}
