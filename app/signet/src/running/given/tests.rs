//! What a reload says of every row of Mosquitto's options.

use std::fs;

use signet_mosquitto::conf::options::{self, Native};

use super::*;
use crate::config::{MosquittoOrigin, Origin};

/// Options of which no row shows whether a restart is needed, and why.
const WITHOUT_EFFECT: [(&str, &str); 9] = [
    ("set_tcp_nodelay", "nothing is different with it"),
    ("autosave_interval", "nothing is different with it"),
    ("autosave_on_changes", "nothing is different with it"),
    ("tls_keyform", "one of its values does nothing, the other is refused"),
    ("persistence_location", "counts with `persistence` only"),
    ("global_plugin", "what it brings is taken over or not, as with `plugin`"),
    ("plugin_load", "what it brings is taken over or not, as with `plugin`"),
    ("plugin_use", "what it brings is taken over or not, as with `plugin`"),
    ("plugin_opt_*", "what it says is taken over or not, as with `plugin`"),
];

#[path = "../../../../../pure/mosquitto/tests/cases/mod.rs"]
mod cases;

/// What the reference says of each option and SIGHUP is what a reload says of each row of Mosquitto's options.
#[test]
fn a_reload_takes_over_the_options_of_mosquitto_that_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path();
    for (name, content) in
        [("conf.d/a.conf", "max_queued_messages 7\n"), ("ca.d/0123abcd.0", ""), ("pem.d/ca.pem", "-----BEGIN CERTIFICATE-----\n")]
    {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let load = |text: &str| {
        let path = directory.join("m.conf");
        fs::write(&path, text).unwrap();
        let origin = MosquittoOrigin { file: Some(path), ports: Vec::new(), place: Some(directory.join("state")) };
        config::load_places(&Origin::Mosquitto(origin)).ok()
    };
    let base = load("").unwrap();
    let rows = cases::all(directory.to_str().unwrap(), [21_883, 21_884]);
    let accepted = rows.iter().filter(|row| row.error.is_none());
    let mut waiting = std::collections::BTreeSet::new();
    let mut wrong = Vec::new();
    for row in accepted {
        let Some(option) = options::find(&row.option) else { continue };
        let Some(config) = load(&format!("{}\n", row.conf)) else {
            wrong.push(format!("{:?} is not read", row.conf));
            continue;
        };
        let changes = needs_restart(&base, &config);
        // A plugin may need a restart itself.
        if changes.is_empty() || (row.conf.contains("plugin") && !option.name.contains("plugin")) {
            continue;
        }
        waiting.insert(option.name);
        if option.reload.here {
            wrong.push(format!("{}: {:?}: {changes:?}", option.name, row.conf));
        }
    }
    for option in options::all().filter(|option| !option.reload.here && !matches!(option.native, Native::Nothing(_))) {
        let is_without_effect = WITHOUT_EFFECT.iter().any(|(name, _)| *name == option.name);
        if waiting.contains(option.name) == is_without_effect {
            wrong.push(format!("{} is taken over, and the table says that it is not", option.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
