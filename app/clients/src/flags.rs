//! From words to [`Options`]: the option file first, then the command line, then what one flag cannot know of another.

use std::os::unix::ffi::OsStringExt as _;
use std::{env::VarError, ffi::OsString};

use signet_mqtt::ProtocolVersion;

use crate::flag_table::{FLAGS, Flag, Takes};
use crate::options::Options;
use crate::property::{self, Value};
use crate::{Kind, Manner, option_file};

/// Why there is nothing to do.
#[derive(Debug)]
pub(crate) enum Wrong {
    /// `--help`
    Help,
    /// `--version`
    Version,
    /// An error message, with its line ends. What follows it is the hint to `--help`.
    Line(String),
}

impl Wrong {
    pub(crate) fn line(text: impl Into<String>) -> Self {
        Self::Line(text.into())
    }

    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Line(text) => text,
            Self::Help | Self::Version => "",
        }
    }
}

/// Reads everything that was said, without touching the network.
pub(crate) fn parse(kind: Kind, manner: Manner, arguments: Vec<OsString>) -> Result<Options, Wrong> {
    let mut options = Options::new(kind, manner);
    let words: Vec<Vec<u8>> = arguments.into_iter().map(OsString::into_vec).collect();
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let environment = |name: &str| match std::env::var(name) {
        Ok(value) => Some(OsString::from(value)),
        Err(VarError::NotUnicode(value)) => Some(value),
        Err(VarError::NotPresent) => None,
    };
    for line in option_file::lines(kind, &words, environment)? {
        take(&mut options, &line.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
    }
    take(&mut options, &words)?;
    check(&mut options)?;
    Ok(options)
}

/// Takes words one flag after the other.
pub(crate) fn take(options: &mut Options, words: &[&[u8]]) -> Result<(), Wrong> {
    let mut left = words;
    while let [word, rest @ ..] = left {
        let flag =
            find(options, word).ok_or_else(|| Wrong::line(format!("Error: Unknown option '{}'.\n", String::from_utf8_lossy(word))))?;
        (flag.guard)(options)?;
        left = match (flag.takes, rest) {
            (Takes::Nothing, rest) => {
                (flag.apply)(options, word)?;
                rest
            }
            (Takes::Value { .. }, [value, rest @ ..]) => {
                (flag.apply)(options, value)?;
                rest
            }
            (Takes::Value { called, missing, .. }, []) => {
                return Err(Wrong::line(format!("Error: {called} argument given but {missing}.\n\n")));
            }
            // Found before anything else was read.
            (Takes::OptionFile, [_, rest @ ..]) => rest,
            (Takes::OptionFile, []) => &[],
            (Takes::Property, rest) => {
                let used = options.properties.take(rest)?;
                options.who.version = ProtocolVersion::V5;
                rest.get(used..).unwrap_or_default()
            }
        };
    }
    Ok(())
}

fn find(options: &Options, word: &[u8]) -> Option<&'static Flag> {
    FLAGS.iter().find(|flag| flag.belongs_to(options.kind, options.manner) && flag.has_name(word, options.manner))
}

/// What one flag cannot know of another, in the order in which Mosquitto looks.
fn check(options: &mut Options) -> Result<(), Wrong> {
    let Options { will, tls, .. } = &options;
    let has_authorities = tls.ca_file.is_some() || tls.ca_path.is_some();
    for (is_wrong, words) in [
        (will.payload.is_some() && will.topic.is_none(), "Error: Will payload given, but no will topic given.\n"),
        (will.retain && will.topic.is_none(), "Error: Will retain given, but no will topic given.\n"),
        (tls.certificate.is_some() != tls.key.is_some(), "Error: Both certfile and keyfile must be provided if one of them is set.\n"),
        (tls.key_form.is_some() && tls.key.is_none(), "Error: If keyform is set, keyfile must be also specified.\n"),
        (
            tls.engine.key_password.is_some() && (tls.key_form.is_none() || tls.engine.name.is_none()),
            "Error: when using tls-engine-kpass-sha1, both tls-engine and keyform must also be provided.\n",
        ),
        (has_authorities && tls.psk.is_some(), "Error: Only one of --psk or --cafile/--capath may be used at once.\n"),
        (tls.psk.is_some() && tls.psk_identity.is_none(), "Error: --psk-identity required if --psk used.\n"),
    ] {
        if is_wrong {
            return Err(Wrong::line(words));
        }
    }
    check_session(options)?;
    if options.kind == Kind::Subscribe && options.subscribe.filters.is_empty() && options.subscribe.unsubscribe.is_empty() {
        return Err(Wrong::line("Error: You must specify a topic to subscribe to (-t) or unsubscribe from (-U).\n"));
    }
    options.properties.check().map_err(|(packet, trouble)| {
        let words = trouble.words();
        if options.quiet { Wrong::line("") } else { Wrong::line(format!("Error in {packet} properties: {words}\n")) }
    })
}

/// A session that outlives the connection needs a name.
fn check_session(options: &mut Options) -> Result<(), Wrong> {
    let who = &mut options.who;
    let has_no_name = who.id_prefix.is_some() || who.id.is_none();
    if who.version != ProtocolVersion::V5 {
        return match !who.clean_session && has_no_name {
            true => Err(Wrong::line("Error: You must provide a client id if you are using the -c option.\n")),
            false => Ok(()),
        };
    }
    if !who.clean_session && who.session_expiry.is_none() {
        who.session_expiry = Some(u32::MAX);
    }
    let Some(seconds) = who.session_expiry.filter(|seconds| *seconds > 0) else { return Ok(()) };
    if seconds == u32::MAX && has_no_name {
        return Err(Wrong::line("Error: You must provide a client id if you are using an infinite session expiry interval.\n"));
    }
    options.properties.connect.push(property::SESSION_EXPIRY, Value::Number(seconds));
    Ok(())
}

#[cfg(test)]
mod tests;
