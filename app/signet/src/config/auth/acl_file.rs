//! `type = "mosquitto_acl_file"` and `type = "emqx_acl_file"`: access rules in the files of other brokers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use signet_auth::{Backend, DynamicSecurity, RuleSource};
use signet_identity::PlaceholderStyle;
use signet_policy::{AccessSource, AclFile, AclFileError, emqx_acl_file, mosquitto_acl_file};

use super::super::problem::Problems;
use super::super::section::Section;
use super::{SourceKind, Tools, exposure};
use crate::hint::plain;

/// The name of Mosquitto's.
pub(super) const MOSQUITTO: &str = "mosquitto_acl_file";
/// The name of EMQX's.
pub(super) const EMQX: &str = "emqx_acl_file";

/// The largest file, in bytes.
const SIZE_MAXIMUM: u64 = 64 * 1024 * 1024;

/// Its keys.
#[derive(Debug)]
struct Settings {
    file: PathBuf,
    format: Format,
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Mosquitto,
    Emqx(PlaceholderStyle),
}

/// Reads the keys of Mosquitto's.
pub(super) fn mosquitto(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Arc<dyn SourceKind>> {
    settings(section, base, Format::Mosquitto, problems)
}

/// Reads the keys of EMQX's.
pub(super) fn emqx(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Arc<dyn SourceKind>> {
    let styles = [("emqx5", PlaceholderStyle::Emqx5), ("emqx4", PlaceholderStyle::Emqx4)];
    let style = section.choice("placeholders", &styles).map_or(PlaceholderStyle::Emqx5, |at| at.value);
    settings(section, base, Format::Emqx(style), problems)
}

fn settings(section: &Section<'_>, base: &Path, format: Format, problems: &Problems) -> Option<Arc<dyn SourceKind>> {
    let file = section.string("file");
    if file.is_none() && !section.keys().iter().any(|key| key == "file") {
        let hint = "add file = \"acl.conf\", the path of the file with the rules".to_owned();
        problems.at(&section.span, "an access source in a file has no `file`", Some(hint));
    }
    Some(Arc::new(Settings { file: base.join(file?.value), format }))
}

impl Settings {
    fn read(&self, name: &Arc<str>) -> Result<AclFile, String> {
        let path = self.file.display();
        let unreadable = |error: std::io::Error| format!("cannot read `{path}`: {}", plain(&error));
        let size = std::fs::metadata(&self.file).map_err(unreadable)?.len();
        if size > SIZE_MAXIMUM {
            return Err(format!("`{path}` has {size} bytes, and may have {SIZE_MAXIMUM}"));
        }
        let text =
            text(std::fs::read(&self.file).map_err(unreadable)?).map_err(|line| format!("`{path}`: line {line} is not UTF-8 text"))?;
        let read = match self.format {
            Format::Mosquitto => mosquitto_acl_file(name, &text),
            Format::Emqx(style) => emqx_acl_file(name, style, &text),
        };
        read.map_err(|error: AclFileError| format!("`{path}`: {error}"))
    }
}

/// A file as text, whose comments may be in any encoding; or the line, from 1, that is none.
fn text(octets: Vec<u8>) -> Result<String, usize> {
    let octets = match String::from_utf8(octets) {
        Ok(text) => return Ok(text),
        Err(error) => error.into_bytes(),
    };
    let mut text = String::with_capacity(octets.len());
    for (index, line) in octets.split_inclusive(|octet| *octet == b'\n').enumerate() {
        match std::str::from_utf8(line) {
            Ok(line) => text.push_str(line),
            Err(_) if line.starts_with(b"#") => text.push_str("#\n"),
            Err(_) => return Err(index + 1),
        }
    }
    Ok(text)
}

impl SourceKind for Settings {
    fn make(&self, _backend: Arc<Backend>, _tools: &Tools) -> Result<Arc<dyn RuleSource>, String> {
        Err("its rules are in a file, and nobody is asked for them".to_owned())
    }

    fn access_source(&self, name: &Arc<str>, _dynamic_security: Option<&Arc<DynamicSecurity>>) -> Result<AccessSource, String> {
        let file = self.read(name)?;
        exposure::warn(&self.file);
        for warning in &file.warnings {
            tracing::warn!(target: "signet::access", source = &**name, file = %self.file.display(), "{warning}");
        }
        Ok(file.source)
    }

    fn check(&self) -> Result<(), String> {
        self.read(&Arc::from("access source")).map(drop)
    }

    fn is_fetched(&self) -> bool {
        false
    }

    fn files(&self) -> Vec<PathBuf> {
        vec![self.file.clone()]
    }
}
