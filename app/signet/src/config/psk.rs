//! Pre-shared keys instead of certificates: the keys of a listener that say where its devices' keys are.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use signet_server::{Psk, PskConfig, PskEncoding, PskFileConfig, PskLookup};
use signet_tls::MinimumVersion;

use super::file::{ListenerTls, Transport};
use super::host;
use super::problem::Problems;
use super::section::{At, Section};

/// The keys as written.
#[derive(Debug)]
pub(crate) struct Written {
    file: Option<At<String>>,
    encoding: Option<At<PskEncoding>>,
    separator: Option<At<String>>,
    minimum: Option<At<u64>>,
}

impl Written {
    pub(super) fn read(section: &Section<'_>) -> Self {
        Self {
            file: section.string("psk_file"),
            encoding: section.choice("psk_encoding", &[("hex", PskEncoding::Hexadecimal), ("text", PskEncoding::Text)]),
            separator: section.string("psk_separator"),
            minimum: section.number("psk_minimum", 1, u64::try_from(Psk::MAXIMUM).unwrap_or(u64::MAX)),
        }
    }

    /// Whether clients have keys here.
    pub(super) fn is_meant(&self) -> bool {
        self.file.is_some()
    }

    /// The first key of this group that was written, with its place.
    fn first_written(&self) -> Option<(&'static str, Range<usize>)> {
        let spans = [
            ("psk_file", self.file.as_ref().map(|at| at.span.clone())),
            ("psk_encoding", self.encoding.as_ref().map(|at| at.span.clone())),
            ("psk_separator", self.separator.as_ref().map(|at| at.span.clone())),
            ("psk_minimum", self.minimum.as_ref().map(|at| at.span.clone())),
        ];
        spans.into_iter().filter_map(|(key, span)| Some((key, span?))).min_by_key(|(_, span)| span.start)
    }

    /// Reports keys of this group on a listener whose clients have no keys.
    pub(super) fn refuse_without_meaning(&self, transport: Transport, problems: &Problems) {
        if let Some((key, span)) = self.first_written() {
            let (message, hint) = if transport.has_tls() {
                (format!("`{key}` without `psk_file`"), "add psk_file = \"psk.txt\", the file of the keys")
            } else {
                (format!("`{key}` has no meaning with transport = \"{}\"", transport.name()), "set transport = \"tls\" or \"wss\"")
            };
            problems.at(&span, message, Some(hint.to_owned()));
        }
    }
}

/// Whose keys count on a listener.
#[derive(Debug, Clone)]
pub(crate) struct ListenerPsk {
    /// The file of keys, and where it is named.
    pub(crate) file: Option<At<PskFileConfig>>,
    minimum_version: MinimumVersion,
}

impl ListenerPsk {
    /// Gives the keys their meaning; nothing about certificates has any beside them.
    pub(super) fn resolve(written: Written, tls: &ListenerTls, hosts: &[host::Written], base: &Path, problems: &Problems) -> Self {
        let hint = "devices have keys here instead: give those with certificates a listener of their own";
        let without = |key: &str| format!("`{key}` has no meaning beside `psk_file`");
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
        if !signet_server::has_psk()
            && let Some(at) = &written.file
        {
            let hint = "build signet with the feature `psk`, which is part of the default";
            problems.at(&at.span, "this build of signet has no TLS with pre-shared keys", Some(hint.to_owned()));
        }
        let (encoding, separator) = (written.encoding.map(|at| at.value), written.separator.map(|at| at.value));
        let minimum = written.minimum.and_then(|at| usize::try_from(at.value).ok());
        let file = written.file.map(|at| {
            at.map(|path| {
                let default = PskFileConfig::new(base.join(path));
                PskFileConfig {
                    encoding: encoding.unwrap_or(default.encoding),
                    separator: separator.unwrap_or(default.separator),
                    minimum: minimum.unwrap_or(default.minimum),
                    path: default.path,
                }
            })
        });
        let minimum_version =
            if tls.tls13_only.as_ref().is_some_and(|at| at.value) { MinimumVersion::Tls13 } else { MinimumVersion::Tls12 };
        Self { file, minimum_version }
    }

    /// The same for `signet-server`; `lookup` is asked for the keys that are not in the file.
    pub(super) fn config(&self, lookup: Option<Arc<dyn PskLookup>>) -> PskConfig {
        PskConfig { file: self.file.as_ref().map(|at| at.value.clone()), lookup, minimum_version: self.minimum_version }
    }

    /// The files that it reads.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.file.iter().map(|at| &at.value.path)
    }
}
