//! Pre-shared keys instead of certificates: the keys of a listener that say where its devices' keys are.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use signet_server::{Psk, PskConfig, PskEncoding, PskFileConfig, PskLines, PskLookup};
use signet_tls::MinimumVersion;

use super::auth::Authentication;
use super::file::{ListenerTls, Transport};
use super::host;
use super::problem::Problems;
use super::section::{At, Section};

/// The keys as written.
#[derive(Debug)]
pub(crate) struct Written {
    file: Option<At<String>>,
    lookup: Option<At<String>>,
    encoding: Option<At<PskEncoding>>,
    separator: Option<At<String>>,
    minimum: Option<At<u64>>,
    lines: Option<At<PskLines>>,
    hint: Option<At<String>>,
}

impl Written {
    pub(super) fn read(section: &Section<'_>) -> Self {
        Self {
            file: section.string("psk_file"),
            lookup: section.string("psk_lookup"),
            encoding: section.choice("psk_encoding", &[("hex", PskEncoding::Hexadecimal), ("text", PskEncoding::Text)]),
            separator: section.string("psk_separator"),
            minimum: section.number("psk_minimum", 1, u64::try_from(Psk::MAXIMUM).unwrap_or(u64::MAX)),
            lines: section.choice("psk_lines", &[("all", PskLines::All), ("usable", PskLines::Usable)]),
            hint: section.string("psk_hint"),
        }
    }

    /// Whether clients have keys here.
    pub(super) fn is_meant(&self) -> bool {
        self.file.is_some() || self.lookup.is_some()
    }

    /// The first key of this group that was written, with its place.
    fn first_written(&self) -> Option<(&'static str, Range<usize>)> {
        let spans = [
            ("psk_file", self.file.as_ref().map(|at| at.span.clone())),
            ("psk_lookup", self.lookup.as_ref().map(|at| at.span.clone())),
            ("psk_encoding", self.encoding.as_ref().map(|at| at.span.clone())),
            ("psk_separator", self.separator.as_ref().map(|at| at.span.clone())),
            ("psk_minimum", self.minimum.as_ref().map(|at| at.span.clone())),
            ("psk_lines", self.lines.as_ref().map(|at| at.span.clone())),
            ("psk_hint", self.hint.as_ref().map(|at| at.span.clone())),
        ];
        spans.into_iter().filter_map(|(key, span)| Some((key, span?))).min_by_key(|(_, span)| span.start)
    }

    /// Reports keys of this group on a listener whose clients have no keys.
    pub(super) fn refuse_without_meaning(&self, transport: Transport, problems: &Problems) {
        if let Some((key, span)) = self.first_written() {
            let (message, hint) = if transport.has_tls() {
                (format!("`{key}` without `psk_file` or `psk_lookup`"), "add psk_file = \"psk.txt\", the file of the keys")
            } else {
                (format!("`{key}` has no meaning with transport = \"{}\"", transport.name()), "set transport = \"tls\" or \"wss\"")
            };
            problems.at(&span, message, Some(hint.to_owned()));
        }
    }
}

/// Keys that a listener has looked up.
#[derive(Debug, Clone)]
pub(crate) struct WantedKeys {
    /// The `[[psk_lookup]]`.
    pub(crate) name: Arc<str>,
    /// How they are written there.
    pub(crate) encoding: PskEncoding,
    /// The shortest that is taken, in octets.
    pub(crate) minimum: usize,
}

/// Whose keys count on a listener.
#[derive(Debug, Clone)]
pub(crate) struct ListenerPsk {
    /// The file of keys, and where it is named.
    pub(crate) file: Option<At<PskFileConfig>>,
    lookup: Option<WantedKeys>,
    minimum_version: MinimumVersion,
    /// Where the secrets of its connections are written, if they are.
    pub(crate) key_log: Option<PathBuf>,
    /// A hint is written, and cannot be sent.
    pub(crate) has_hint: bool,
}

impl ListenerPsk {
    /// Gives the keys their meaning; nothing about certificates has any beside them.
    pub(super) fn resolve(
        written: Written,
        (tls, hosts): (&ListenerTls, &[host::Written]),
        (base, authentication): (&Path, &Authentication),
        problems: &Problems,
    ) -> Self {
        let meant = if written.file.is_some() { "psk_file" } else { "psk_lookup" };
        let hint = "devices have keys here instead: give those with certificates a listener of their own";
        let without = |key: &str| format!("`{key}` has no meaning beside `{meant}`");
        if let Some((key, span)) = tls.first_written_about_certificates() {
            problems.at(&span, without(key), Some(hint.to_owned()));
        }
        if let Some(host) = hosts.first() {
            problems.at(&host.header.span, without("host"), Some(hint.to_owned()));
        }
        if let Some(at) = written.separator.as_ref().filter(|at| at.value.is_empty() || at.value.contains(['\n', '\r'])) {
            problems.at(
                &at.span,
                "`psk_separator` cannot stand between two words of a line",
                Some("write psk_separator = \":\"".to_owned()),
            );
        }
        if let (Some(at), None) = (&written.separator, &written.file) {
            let hint = "it stands between identity and key in the lines of a file".to_owned();
            problems.at(&at.span, "`psk_separator` without `psk_file`", Some(hint));
        }
        if !signet_server::has_psk()
            && let Some(at) = written.file.as_ref().or(written.lookup.as_ref())
        {
            let hint = "build signet with the feature `psk`, which is part of the default";
            problems.at(&at.span, "this build of signet has no TLS with pre-shared keys", Some(hint.to_owned()));
        }
        let encoding = written.encoding.map_or_else(PskEncoding::default, |at| at.value);
        let minimum = written.minimum.and_then(|at| usize::try_from(at.value).ok()).unwrap_or(Psk::MINIMUM_BY_DEFAULT);
        let lines = written.lines.map_or_else(PskLines::default, |at| at.value);
        let separator = written.separator.map(|at| at.value);
        let lookup = written.lookup.and_then(|at| authentication.key_source(&at, problems));
        let lookup = lookup.map(|name| WantedKeys { name, encoding, minimum });
        let file = written.file.map(|at| {
            at.map(|path| {
                let default = PskFileConfig::new(base.join(path));
                PskFileConfig { encoding, separator: separator.unwrap_or(default.separator), minimum, lines, path: default.path }
            })
        });
        let minimum_version =
            if tls.tls13_only.as_ref().is_some_and(|at| at.value) { MinimumVersion::Tls13 } else { MinimumVersion::Tls12 };
        let key_log = tls.secrets.as_ref().map(|path| base.join(path));
        Self { file, lookup, minimum_version, key_log, has_hint: written.hint.is_some() }
    }

    /// The same for `signet-server`; `lookup` makes who is asked for the keys that are not in the file.
    pub(super) fn config(&self, lookup: impl FnOnce(&WantedKeys) -> Arc<dyn PskLookup>) -> PskConfig {
        let lookup = self.lookup.as_ref().map(lookup);
        PskConfig {
            file: self.file.as_ref().map(|at| at.value.clone()),
            lookup,
            minimum_version: self.minimum_version,
            key_log: self.key_log.clone(),
        }
    }

    /// The files that it reads.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.file.iter().map(|at| &at.value.path)
    }
}
