//! Every option of `mosquitto.conf`: where it belongs, what its value may be, its default, whether a reload takes it over, and what becomes of it.

mod bridge;
mod general;
mod limits;
mod listener;
mod reference;
mod security;

pub use reference::reference;

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// As it is written. One that ends with `*` stands for every name that begins so.
    pub name: &'static str,
    /// Other names of the same.
    pub aliases: &'static [&'static str],
    /// To what it belongs.
    pub scope: Scope,
    /// What may be written behind it.
    pub kind: Kind,
    /// What holds where it is not written, as far as that is a value; in this mode, which is Mosquitto 2.1.2.
    pub default: Preset,
    /// How much a drop-in depends on it.
    pub tier: Tier,
    /// Whether SIGHUP takes it over.
    pub reload: Reload,
    /// Whether Mosquitto 2.0 does not know it.
    pub since_2_1: bool,
    /// Whether Mosquitto 3.0 will not know it.
    pub is_deprecated: bool,
    /// How messages call it, where that is not its name.
    pub called: &'static str,
    /// What it becomes.
    pub native: Native,
    /// One line about it, without a full stop.
    pub meaning: &'static str,
}

/// To what an option belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The broker.
    Global,
    /// The broker or, after `per_listener_settings true`, the listener before it.
    Security,
    /// The listener before it.
    Listener(Implicit),
    /// The `connection` before it.
    Bridge,
    /// The plugin before it.
    Plugin,
    /// It says itself what others belong to.
    Structure,
}

/// What happens where no listener is before an option of listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Implicit {
    /// There is one from then on: all addresses, port 1883.
    Created,
    /// The option is refused.
    Refused,
    /// The option is refused, behind one that was made so too.
    Never,
}

/// What may be written behind an option.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `true`, `false`, `1` or `0`.
    Switch,
    /// A whole number.
    Number(Bounds),
    /// A whole number of bytes as `atol` reads it, not below 0.
    Memory,
    /// The rest of the line.
    Text(Repeat),
    /// The rest of the line: a file or directory.
    Path(Repeat),
    /// One of these words.
    Words(Words),
    /// The rest of the line, at most so many bytes.
    Prefix(Repeat, usize),
    /// The rest of the line: a topic without wildcards.
    Topic,
    /// A whole number and a unit: `s`, `h`, `d`, `w`, `m` (30 days), `y` (365 days).
    Period,
    /// Some of 3, 4 and 5, with commas or blanks between them.
    Versions,
    /// `none`, `stdout`, `stderr`, `syslog`, `topic`, `dlt`, or `file` and a path.
    Destination,
    /// Three whole numbers above 0: idle seconds, seconds between probes, number of probes.
    Probes,
    /// Seconds; or the least and the most seconds, and perhaps for how long a connection has to last.
    Backoff,
    /// Hosts, each with a port or without, up to a word that begins with `#`.
    Addresses,
    /// A topic filter, and perhaps direction, QoS, local prefix and remote prefix.
    BridgeTopic,
    /// Not looked at.
    Anything,
    /// Its own syntax, see [`Structure`].
    Structure(Structure),
}

/// Options that say what others belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Structure {
    /// `listener PORT [ADDRESS]`
    Listener,
    /// `port PORT`
    Port,
    /// `bind_address ADDRESS`
    BindAddress,
    /// `connection NAME`
    Connection,
    /// `plugin PATH`
    Plugin,
    /// `global_plugin PATH`
    GlobalPlugin,
    /// `plugin_load NAME PATH`
    PluginLoad,
    /// `plugin_use NAME`
    PluginUse,
    /// `plugin_opt_KEY VALUE`
    PluginOption,
    /// `include_dir DIRECTORY`
    IncludeDirectory,
    /// `per_listener_settings true`
    PerListener,
}

/// The whole numbers that are taken.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The smallest.
    pub least: i64,
    /// What is smaller.
    pub below: Outside,
    /// The largest.
    pub most: i64,
    /// What is larger.
    pub above: Outside,
}

/// What becomes of a number out of bounds.
#[derive(Debug, Clone, Copy)]
pub enum Outside {
    /// Refused with this message, in which `{}` is the number.
    Refused(&'static str),
    /// Another number.
    Becomes(i64),
    /// Another number, and this is said.
    Said(i64, &'static str),
}

/// What a second one of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// A mistake.
    Refused,
    /// The one that counts.
    LastWins,
    /// One more.
    Collected,
}

/// Words that may be written.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// All of them.
    pub known: &'static [&'static str],
    /// What is said of others, which are `{}`.
    pub message: &'static str,
    /// Whether the rest of the line is the word, blanks included.
    pub is_whole_line: bool,
    /// What a second one is.
    pub repeat: Repeat,
}

/// What holds where an option is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// This.
    Switch(bool),
    /// This.
    Number(i64),
    /// This.
    Text(&'static str),
    /// What the words say: it depends.
    Described(&'static str),
    /// Nothing.
    None,
}

/// How much a drop-in for Mosquitto depends on an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Without it nothing would work.
    Essential,
    /// It is in use.
    Should,
    /// It is accepted and has no effect, which is said.
    Ignored,
}

/// Whether SIGHUP takes an option over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reload {
    /// In Mosquitto 2.1.2, by its source.
    pub mosquitto: bool,
    /// Here.
    pub here: bool,
}

/// What an option becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Native {
    /// A key of this table, written in this form.
    Key(Table, &'static str, Form),
    /// What the words say.
    Described(&'static str),
    /// Nothing, for this reason.
    Nothing(&'static str),
}

/// A table of `signet.toml` into which options are written one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Before the first table.
    Top,
    /// `[log]`
    Log,
    /// `[limits]`
    Limits,
    /// `[[listener]]`
    Listener,
    /// `[[listener]]`, where certificates are shown.
    ListenerTls,
    /// `[[listener]]`, where clients have pre-shared keys.
    ListenerKeys,
    /// `[[listener]]` behind proxies that speak version 2.
    ListenerProxy,
    /// `[listener.limits]`
    ListenerLimits,
    /// `[control]`
    Control,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Same,
    /// A number of seconds as a duration.
    Seconds,
    /// A number of minutes as a duration.
    Minutes,
    /// A number, with another one in place of 0, which stands for no bound.
    ZeroIs(i64),
    /// A number, with another one in place of 0 and everything below, which stand for no bound.
    LeastIs(i64),
    /// These words for false and true.
    Words(&'static str, &'static str),
    /// A path, made absolute.
    Path,
}

impl Reload {
    const BOTH: Self = Self { mosquitto: true, here: true };
    const HERE: Self = Self { mosquitto: false, here: true };
    const MOSQUITTO: Self = Self { mosquitto: true, here: false };
    const NEITHER: Self = Self { mosquitto: false, here: false };
}

impl Bounds {
    const ANY: Self = Self { least: i64::MIN, below: Outside::Becomes(i64::MIN), most: i64::MAX, above: Outside::Becomes(i64::MAX) };

    const fn between(least: i64, most: i64, message: &'static str) -> Self {
        Self { least, below: Outside::Refused(message), most, above: Outside::Refused(message) }
    }

    const fn from(least: i64, below: Outside) -> Self {
        Self { least, below, ..Self::ANY }
    }
}

const fn option(name: &'static str, scope: Scope, kind: Kind, default: Preset, native: Native, meaning: &'static str) -> Definition {
    Definition {
        name,
        aliases: &[],
        scope,
        kind,
        default,
        tier: Tier::Essential,
        reload: Reload::BOTH,
        since_2_1: false,
        is_deprecated: false,
        called: "",
        native,
        meaning,
    }
}

impl Definition {
    const fn should(mut self) -> Self {
        self.tier = Tier::Should;
        self
    }

    const fn ignored(mut self) -> Self {
        self.tier = Tier::Ignored;
        self
    }

    const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn new_in_2_1(mut self) -> Self {
        self.since_2_1 = true;
        self
    }

    const fn deprecated(mut self) -> Self {
        self.is_deprecated = true;
        self
    }

    const fn reload(mut self, reload: Reload) -> Self {
        self.reload = reload;
        self
    }

    const fn called(mut self, called: &'static str) -> Self {
        self.called = called;
        self
    }

    /// How messages call it that is written as `name`.
    #[must_use]
    pub fn called_in_messages<'a>(&'a self, name: &'a str) -> &'a str {
        if self.called.is_empty() { name } else { self.called }
    }

    /// Whether it is written so.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        let fits = |own: &str| own.strip_suffix('*').map_or(own == name, |beginning| name.starts_with(beginning));
        fits(self.name) || self.aliases.iter().any(|alias| fits(alias))
    }
}

/// The groups of the reference page, with the options of each.
pub const GROUPS: &[(&str, &[Definition])] = &[
    ("General", general::GENERAL),
    ("Security", security::SECURITY),
    ("Log", general::LOG),
    ("Limits", limits::LIMITS),
    ("Persistence", limits::PERSISTENCE),
    ("Listeners", listener::LISTENER),
    ("Listeners: TLS and proxies", listener::TLS),
    ("Bridges", bridge::BRIDGE),
    ("Bridges: TLS", bridge::TLS),
];

/// Every option.
pub fn all() -> impl Iterator<Item = &'static Definition> {
    GROUPS.iter().flat_map(|(_, options)| *options)
}

/// The option that is written so.
#[must_use]
pub fn find(name: &str) -> Option<&'static Definition> {
    all().find(|option| option.is_called(name))
}

/// The name that looks most like one that is none, if any does.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static str> {
    let names = all().flat_map(|option| std::iter::once(&option.name).chain(option.aliases));
    let scored = names.map(|known| (strsim::damerau_levenshtein(name, known), *known));
    let most = (name.chars().count() / 3).max(1);
    scored.filter(|(distance, _)| *distance <= most).min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_stands_for_one_option() {
        let mut names = BTreeSet::new();
        for option in all() {
            for name in std::iter::once(&option.name).chain(option.aliases) {
                assert!(names.insert(*name), "`{name}` is there twice");
            }
            assert!(!option.meaning.is_empty() && !option.meaning.ends_with('.'), "`{}`", option.name);
        }
    }

    #[test]
    fn the_nearest_name_is_one_that_was_meant() {
        for (written, meant) in [
            ("max_conections", Some("max_connections")),
            ("alow_anonymous", Some("allow_anonymous")),
            ("presistence", Some("persistence")),
            ("listner", Some("listener")),
            ("frobnicate", None),
            ("#", None),
        ] {
            assert_eq!(nearest(written), meant, "`{written}`");
        }
    }
}
