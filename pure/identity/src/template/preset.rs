//! The names that other brokers and proxies have for parts of a certificate, so that their configuration can be taken over word by word.

use super::error::{TemplateError, TemplateErrorKind};
use super::{Dollars, Expression, Piece, Template};

/// Whose placeholders a text is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceholderStyle {
    /// EMQX 4: `%u` user name, `%c` Client Identifier, `%C` common name, `%d` subject, `%a` address, `%%` a percent sign. A `%` before
    /// something that is no letter is itself.
    Emqx4,
    /// EMQX 5: `${username}`, `${clientid}`, `${cert_common_name}`, `${cert_subject}`, `${cert_pem}`, `${peerhost}`, `${client_attrs.NAME}`, `${$}` a dollar sign. A `$` before
    /// something that is no `{` is itself. Our own fields are known too.
    Emqx5,
}

/// The whole words of others, and what they are here.
const PRESETS: [(&str, &str); 18] = [
    // EMQX, `peer_cert_as_username` and `peer_cert_as_clientid`. Several common names are not joined with commas: of two certificates with the
    // names `a`, `b` and `a,b` they would make one device.
    ("cn", "${cert.cn}"),
    ("dn", "${cert.dn}"),
    // There it is the DER itself, which is no text and so can be no name of MQTT.
    ("crt", "${cert.der.hex}"),
    ("pem", "${cert.pem.base64}"),
    ("md5", "${cert.fingerprint.md5}"),
    // Mosquitto, `use_identity_as_username` and `use_subject_as_username`.
    ("identity", "${cert.cn}"),
    ("subject", "${cert.dn.rfc2253}"),
    // NGINX.
    ("$ssl_client_s_dn", "${cert.dn.rfc2253}"),
    ("$ssl_client_i_dn", "${cert.issuer.dn.rfc2253}"),
    ("$ssl_client_s_dn_legacy", "${cert.dn.legacy}"),
    ("$ssl_client_i_dn_legacy", "${cert.issuer.dn.legacy}"),
    ("$ssl_client_serial", "${cert.serial.upper}"),
    ("$ssl_client_fingerprint", "${cert.fingerprint.sha1}"),
    ("$ssl_client_cert", "${cert.pem.tabbed}"),
    ("$ssl_client_raw_cert", "${cert.pem}"),
    ("$ssl_client_escaped_cert", "${cert.pem.escaped}"),
    ("$ssl_client_v_start", "${cert.not_before.openssl}"),
    ("$ssl_client_v_end", "${cert.not_after.openssl}"),
];

impl Template {
    /// The template for a whole word of another program's configuration: `cn`, `dn`, `crt`, `pem`, `md5` of EMQX, `identity` and `subject` of
    /// Mosquitto, and the `$ssl_client_…` variables of NGINX.
    ///
    /// Two differ from what they stand for. `crt` is the certificate in hex, because the bytes themselves cannot be a text of MQTT.
    /// `$ssl_client_v_remain` goes below zero after the certificate's end, where NGINX says 0.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        let source = match name {
            "$ssl_client_v_remain" => "${cert.days_left}",
            _ => PRESETS.iter().find(|(known, _)| *known == name).map(|(_, source)| *source)?,
        };
        Self::parse(source).ok()
    }

    /// Reads a text that is written with the placeholders of another broker. [`Self::as_str`] gives the text as it is written here.
    ///
    /// # Errors
    /// As [`Self::parse`]. A placeholder without a meaning here is a mistake; EMQX leaves it in the text.
    pub fn parse_with_placeholders(style: PlaceholderStyle, text: &str) -> Result<Self, TemplateError> {
        let error = |kind, span| TemplateError::new(kind, text, span);
        if text.is_empty() {
            return Err(error(TemplateErrorKind::Empty, 0..0));
        }
        if text.len() > Self::MAXIMUM_BYTES {
            return Err(error(TemplateErrorKind::TooLong, 0..text.len()));
        }
        let mut source = String::new();
        let mut at = 0;
        while let Some(character) = text.get(at..).and_then(|rest| rest.chars().next()) {
            let rest = text.get(at..).unwrap_or_default();
            match (style, character) {
                (PlaceholderStyle::Emqx4, '%') => {
                    at += percent(rest, &mut source).ok_or_else(|| {
                        error(TemplateErrorKind::UnknownPlaceholder, at..at + 2)
                            .because("`%u`, `%c`, `%C`, `%d`, `%a`, or `%%` for a percent sign".to_owned())
                    })?
                }
                (PlaceholderStyle::Emqx5, '$') if rest.starts_with("${") => at += braces(text, at, &mut source)?,
                (_, '$') => {
                    source.push_str("$$");
                    at += 1;
                }
                _ => {
                    source.push(character);
                    at += character.len_utf8();
                }
            }
        }
        let pieces = super::scan(&source, Dollars::Meant)?;
        Ok(Self { source, pieces })
    }

    /// Reads text in which a `$` that does not begin a placeholder is itself, as in `$SYS`: the text of topic patterns. `$$` is a dollar sign too.
    ///
    /// # Errors
    /// As [`Self::parse`], but any character may stand between placeholders, and the limit is [`Self::MAXIMUM_RENDERED`].
    pub fn parse_pattern(source: &str) -> Result<Self, TemplateError> {
        if source.is_empty() {
            return Err(TemplateError::new(TemplateErrorKind::Empty, source, 0..0));
        }
        if source.len() > Self::MAXIMUM_RENDERED {
            return Err(TemplateError::new(TemplateErrorKind::TooLong, source, 0..source.len()));
        }
        Ok(Self { source: source.to_owned(), pieces: super::scan(source, Dollars::Plain)? })
    }
}

/// Writes what begins with `%` as it is written here, and says how long it was.
fn percent(rest: &str, out: &mut String) -> Option<usize> {
    let field = match rest.as_bytes().get(1) {
        Some(b'u') => "${username}",
        Some(b'c') => "${client_identifier}",
        Some(b'C') => "${cert.cn}",
        Some(b'd') => "${cert.dn}",
        Some(b'a') => "${address}",
        Some(b'%') => "%",
        Some(letter) if letter.is_ascii_alphabetic() => return None,
        _ => {
            out.push('%');
            return Some(1);
        }
    };
    out.push_str(field);
    Some(2)
}

/// The same for what begins with `${`.
fn braces(text: &str, at: usize, out: &mut String) -> Result<usize, TemplateError> {
    let rest = text.get(at..).unwrap_or_default();
    let known = [
        ("${$}", "$$"),
        ("${clientid}", "${client_identifier}"),
        ("${cert_common_name}", "${cert.cn}"),
        ("${cert_subject}", "${cert.dn}"),
        ("${cert_pem}", "${cert.pem.base64}"),
        ("${peerhost}", "${address}"),
    ];
    if let Some((theirs, ours)) = known.into_iter().find(|(theirs, _)| rest.starts_with(theirs)) {
        out.push_str(ours);
        return Ok(theirs.len());
    }
    if let Some(name) = rest.strip_prefix("${client_attrs.").and_then(|name| name.split_once('}')).map(|(name, _)| name) {
        let ours = format!("${{attribute.{name}}}");
        // The error tells what was written.
        let unknown = |_| TemplateError::new(TemplateErrorKind::UnknownField, text, at..at + "${client_attrs.}".len() + name.len());
        Expression::read(&ours, 0).map_err(unknown)?;
        out.push_str(&ours);
        return Ok("${client_attrs.}".len() + name.len());
    }
    let (_, end) = Expression::read(text, at)?;
    out.push_str(text.get(at..end).unwrap_or_default());
    Ok(end - at)
}

impl Piece {
    pub(super) fn literal(text: &mut String) -> Self {
        Self::Literal(std::mem::take(text))
    }
}
