//! The keys of a server that is asked over HTTP: who may vouch for it, what it is shown, and the bounds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use signet_auth::{EndpointConfig, EndpointTls};

use super::super::problem::Problems;
use super::super::section::Section;
use crate::hint::plain;

const SECOND: Duration = Duration::from_secs(1);

/// Reads them; `None`: reported.
pub(super) fn read(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<EndpointConfig> {
    let default = EndpointConfig::default();
    let trust = section.strings("trust");
    let [certificate, key, server_name] = ["certificate", "key", "server_name"].map(|key| section.string(key));
    let connect_timeout = section.duration("connect_timeout", SECOND / 100, SECOND * 60);
    let idle_timeout = section.duration("idle_timeout", Duration::ZERO, SECOND * 3600);
    let answer_maximum = section.size("answer_maximum", 64, 16 * 1024 * 1024);
    if let (Some(at), None) | (None, Some(at)) = (&certificate, &key) {
        problems.at(&at.span, "a client certificate takes both files", Some("add `certificate` and `key`".to_owned()));
        return None;
    }
    let file = |at: super::super::section::At<String>| base.join(at.value);
    Some(EndpointConfig {
        tls: EndpointTls {
            ca_files: trust.map_or_else(Vec::new, |list| list.value.into_iter().map(file).collect()),
            certificate: certificate.map(file),
            key: key.map(file),
            server_name: server_name.map(|at| at.value),
        },
        connect_timeout: connect_timeout.map_or(default.connect_timeout, |at| at.value),
        idle_timeout: idle_timeout.map_or(default.idle_timeout, |at| at.value),
        body_maximum: answer_maximum.map_or(default.body_maximum, |at| usize::try_from(at.value).unwrap_or(default.body_maximum)),
    })
}

/// The files whose change is taken over like a reload.
pub(super) fn files(endpoint: &EndpointConfig) -> Vec<PathBuf> {
    let tls = &endpoint.tls;
    tls.ca_files.iter().chain(&tls.certificate).chain(&tls.key).cloned().collect()
}

/// What a file holds, without the line end that editors add. For secrets: it is named in messages, what it holds is not.
pub(super) fn secret(file: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read `{}`: {}", file.display(), plain(&error)))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err(format!("`{}` is empty", file.display())) } else { Ok(text.to_owned()) }
}

/// Header fields whose values are in files.
#[derive(Debug, Clone, Default)]
pub(super) struct SecretHeaders {
    files: Vec<(String, PathBuf)>,
}

impl SecretHeaders {
    /// Reads `header_files`, a table of names and files.
    pub(super) fn read(section: &Section<'_>, base: &Path) -> Self {
        let entries = section.entries("header_files").unwrap_or_default();
        Self { files: entries.into_iter().map(|(name, file)| (name.value, base.join(file.value))).collect() }
    }

    /// Names and values.
    pub(super) fn load(&self) -> Result<Vec<(String, String)>, String> {
        self.files.iter().map(|(name, file)| Ok((name.clone(), secret(file)?))).collect()
    }

    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.files.iter().map(|(_, file)| file.clone())
    }
}
