//! Options about who may do what.

use super::general::REFUSED;
use super::{Definition, Form, Implicit, Kind, Native, Preset, Reload, Repeat, Scope, Structure, Table, option};

pub(super) const SECURITY: &[Definition] = &[
    option(
        "per_listener_settings",
        Scope::Structure,
        Kind::Structure(Structure::PerListener),
        Preset::Switch(false),
        Native::Described("`authentication` and `[listener.limits]` of each listener, and `when` of its access source"),
        "Whether the options of this section belong to the listener before them; stands before all of them",
    )
    .deprecated(),
    option(
        "allow_anonymous",
        Scope::Security,
        Kind::Switch,
        Preset::Described("`false`; without any listener in the file `true`"),
        Native::Described("`authentication` of the listeners"),
        "Whether clients without a user name may connect; where no passwords are asked for, clients with any user name",
    ),
    option(
        "listener_allow_anonymous",
        REFUSED,
        Kind::Switch,
        Preset::Described("that of `allow_anonymous`"),
        Native::Described("`authentication` of the listener"),
        "The same for one listener",
    )
    .new_in_2_1(),
    option(
        "password_file",
        Scope::Security,
        Kind::Path(Repeat::LastWins),
        Preset::None,
        Native::Described("an `[[authenticator]]` of type `password_file`"),
        "File of user names and password hashes",
    )
    .deprecated(),
    option(
        "acl_file",
        Scope::Security,
        Kind::Path(Repeat::LastWins),
        Preset::None,
        Native::Described("an `[[access_source]]` of type `mosquitto_acl_file`"),
        "File of access rules",
    )
    .deprecated(),
    option(
        "psk_file",
        Scope::Security,
        Kind::Path(Repeat::LastWins),
        Preset::None,
        Native::Described("`psk_file` of the listeners with `psk_hint`"),
        "File of pre-shared keys, for listeners with `psk_hint`",
    )
    .should(),
    option(
        "allow_zero_length_clientid",
        Scope::Security,
        Kind::Switch,
        Preset::Switch(true),
        Native::Described("`empty_client_identifier` of `[limits]` or `[listener.limits]`"),
        "Whether clients may connect with an empty Client Identifier and are given one",
    ),
    option(
        "auto_id_prefix",
        Scope::Security,
        Kind::Prefix(Repeat::Refused, 50),
        Preset::Text("auto-"),
        Native::Described("`assigned_client_identifier_prefix` of `[listener.limits]`"),
        "What Client Identifiers begin with that are given to clients; at most 50 bytes",
    )
    .should()
    .deprecated(),
    option(
        "listener_auto_id_prefix",
        REFUSED,
        Kind::Prefix(Repeat::Refused, 50),
        Preset::Described("that of `auto_id_prefix`"),
        Native::Described("`assigned_client_identifier_prefix` of `[listener.limits]`"),
        "The same for one listener",
    )
    .should()
    .new_in_2_1(),
    option(
        "clientid_prefixes",
        Scope::Global,
        Kind::Text(Repeat::LastWins),
        Preset::None,
        Native::Key(Table::Limits, "client_identifier_prefix", Form::Same),
        "What Client Identifiers have to begin with",
    )
    .should()
    .deprecated(),
    option(
        "check_retain_source",
        Scope::Global,
        Kind::Switch,
        Preset::Switch(false),
        Native::Key(Table::Limits, "retained_source", Form::Words("ignore", "check")),
        "Whether a retained message is delivered only as long as whoever published it may still do so. Mosquitto's manual says that the default is true; its source says false",
    )
    .should()
    .reload(Reload::HERE),
    option(
        "plugin",
        Scope::Structure,
        Kind::Structure(Structure::Plugin),
        Preset::None,
        Native::Described("see [plugins](../guide/mosquitto.md#plugins)"),
        "One of Mosquitto's own plugins, by the name of its file",
    )
    .also(&["auth_plugin"])
    .should()
    .reload(Reload::NEITHER),
    option(
        "global_plugin",
        Scope::Structure,
        Kind::Structure(Structure::GlobalPlugin),
        Preset::None,
        Native::Described("as `plugin`"),
        "The same for all listeners",
    )
    .should()
    .new_in_2_1()
    .reload(Reload::NEITHER),
    option(
        "plugin_load",
        Scope::Structure,
        Kind::Structure(Structure::PluginLoad),
        Preset::None,
        Native::Described("as `plugin`"),
        "A name and a plugin, which `plugin_use` brings to listeners",
    )
    .should()
    .new_in_2_1()
    .reload(Reload::NEITHER),
    option(
        "plugin_use",
        Scope::Structure,
        Kind::Structure(Structure::PluginUse),
        Preset::None,
        Native::Described("`authentication` of the listener, and `when` of the access source"),
        "A plugin for the listener before it, by the name that `plugin_load` gave it",
    )
    .should()
    .new_in_2_1()
    .reload(Reload::NEITHER),
    option(
        "plugin_opt_*",
        Scope::Structure,
        Kind::Structure(Structure::PluginOption),
        Preset::None,
        Native::Described("see [plugins](../guide/mosquitto.md#plugins)"),
        "An option of the plugin before it",
    )
    .also(&["auth_opt_*"])
    .should()
    .reload(Reload::NEITHER),
    option(
        "auth_plugin_deny_special_chars",
        Scope::Plugin,
        Kind::Switch,
        Preset::Switch(true),
        Native::Nothing("names with `+` or `#` never fill a placeholder of a rule here"),
        "Whether access is denied to names with `+` or `#` before a plugin is asked",
    )
    .ignored()
    .reload(Reload::NEITHER),
];

/// Listener options that need a `listener` before them, and one that was written.
pub(super) const NEVER: Scope = Scope::Listener(Implicit::Never);
