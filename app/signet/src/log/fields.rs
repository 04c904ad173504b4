//! The fields of an event, as text.

use std::fmt;

use signet_mosquitto::log::Fields;
use tracing::Event;
use tracing::field::{Field, Visit};

/// The name under which the text of an event goes.
const MESSAGE: &str = "message";

/// What an event says.
#[derive(Default)]
pub(super) struct Collected {
    values: Vec<(&'static str, String)>,
}

impl Collected {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let mut collected = Self::default();
        event.record(&mut collected);
        collected
    }

    /// The text, and the fields beside it.
    pub(super) fn message(&self) -> &str {
        self.field(MESSAGE).unwrap_or_default()
    }

    pub(super) fn others(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().filter(|(name, _)| *name != MESSAGE).map(|(name, value)| (*name, value.as_str()))
    }
}

impl Fields for Collected {
    fn field(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}

impl Visit for Collected {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.values.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.values.push((field.name(), value.to_owned()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.values.push((field.name(), u8::from(value).to_string()));
    }
}
