//! What is about the broker as a whole: the top of the file, `[log]`, `[store]` and `[control]`.

use super::Draft;
use crate::Place;
use crate::conf::options::Table;
use crate::conf::{At, Value, Values};

pub(super) fn write(draft: &mut Draft<'_>) {
    let global = &draft.settings.global;
    data_directory(draft);
    draft.options(Table::Top, global);
    log(draft);
    store(draft);
    if global.switch("enable_control_api") {
        draft.writer.table("[control]", global.place("enable_control_api"));
        draft.options(Table::Control, global);
    }
    if let Some(place) = global.place("set_tcp_nodelay").filter(|_| !global.switch("set_tcp_nodelay")) {
        draft.notice(place, "`set_tcp_nodelay false` has no effect: small packets are sent at once, always");
    }
}

/// Where what is kept is; without persistence that is for the caller to choose.
fn data_directory(draft: &mut Draft<'_>) {
    let global = &draft.settings.global;
    if !(global.switch("persistence") || draft.plugins.store.is_some()) {
        return;
    }
    let plugin = draft.plugins.store.as_ref().map(|store| (store.directory.clone(), Some(store.place.clone())));
    let named = draft.path(global, "persistence_location").map(|(path, place)| (path, Some(place.clone())));
    let outside = draft.outside.persistence_location.map(|path| (draft.settings.directory.join(path), None));
    let (directory, place) = outside.or(plugin).or(named).unwrap_or_else(|| (draft.settings.directory.clone(), None));
    draft.writer.key("data_dir", directory, place.as_ref());
}

fn log(draft: &mut Draft<'_>) {
    let global = &draft.settings.global;
    draft.writer.table("[log]", None);
    draft.writer.key("format", "mosquitto", None);
    let to: Vec<String> = collected(global, "log_dest", "stderr")
        .into_iter()
        .filter(|destination| destination != "dlt")
        .map(|destination| match destination.strip_prefix("file:") {
            Some(path) => format!("file:{}", draft.settings.path(path).display()),
            None => destination,
        })
        .collect();
    draft.writer.key("to", or_none(to), global.place("log_dest"));
    let types = if global.written("log_type").is_some() {
        collected(global, "log_type", "none")
    } else {
        ["error", "warning", "notice", "information"].map(str::to_owned).to_vec()
    };
    draft.writer.key("types", or_none(types), global.place("log_type"));
    let (timestamps, place) = match (global.switch("log_timestamp"), global.text("log_timestamp_format")) {
        (false, _) => ("none", global.place("log_timestamp")),
        (true, Some(format)) => (format, global.place("log_timestamp_format")),
        (true, None) => ("unix", global.place("log_timestamp")),
    };
    draft.writer.key("timestamps", timestamps, place);
    if let Some(number) = global.number_written("log_facility") {
        draft.writer.key("syslog_facility", format!("local{number}"), global.place("log_facility"));
    }
    draft.options(Table::Log, global);
}

/// What remains of several lines: `none` takes back what stands before it.
fn collected(values: &Values, option: &str, default: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for at in values.each(option) {
        match &at.value {
            Value::Text(word) if word == "none" => words.clear(),
            Value::Text(word) if word == "all" => words = vec![word.clone()],
            Value::Text(word) if !words.contains(word) && !words.iter().any(|known| known == "all") => words.push(word.clone()),
            _ => {}
        }
    }
    if values.each(option).is_empty() { vec![default.to_owned()] } else { words }
}

fn or_none(words: Vec<String>) -> Vec<String> {
    if words.is_empty() { vec!["none".to_owned()] } else { words }
}

fn store(draft: &mut Draft<'_>) {
    let global = &draft.settings.global;
    let is_kept = global.switch("persistence");
    let plugin = draft.plugins.store.as_ref().map(|store| (store.place.clone(), store.durability));
    let place: Option<Place> = if is_kept { global.place("persistence").cloned() } else { plugin.as_ref().map(|(place, _)| place.clone()) };
    draft.writer.table("[store]", place.as_ref());
    draft.writer.key("enabled", place.is_some(), place.as_ref().or_else(|| global.place("persistence")));
    let Some(place) = place else { return };
    let durability = plugin.map_or("always", |(_, durability)| durability);
    if durability == "always" {
        draft.writer.comment("Mosquitto writes everything now and then and loses the rest when it is killed. Here an acknowledgement says that it is on disk.");
    }
    draft.writer.key("durability", durability, None);
    draft.writer.key("flush_interval", "1s", None);
    if is_kept {
        let file = global.text("persistence_file").unwrap_or("mosquitto.db");
        draft.notice(&place, format!("what is in `{file}` is not taken over: the store here is a directory of its own, and begins empty"));
    }
}

/// The place of an option, if it is written so that it has an effect.
pub(super) fn place_if<'v>(values: &'v Values, option: &str) -> Option<&'v Place> {
    match values.written(option) {
        Some(At { value: Value::Switch(true), place }) => Some(place),
        _ => None,
    }
}
