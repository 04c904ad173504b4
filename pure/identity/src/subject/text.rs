//! How names are written: RFC 4514, and the two forms of OpenSSL by which other servers call their clients.

use std::fmt::Write as _;

use super::{Attribute, AttributeValue, Subject};
use crate::der::Reader;
use crate::text::is_hidden;

impl Subject {
    /// The text form of RFC 4514: last RDN first, separated by `,`, the attributes of one RDN by `+`.
    ///
    /// Control and invisible characters are written as `\` and two hex digits for each octet, other characters outside ASCII as themselves.
    /// Otherwise equal to what OpenSSL prints with `-nameopt RFC2253,-esc_msb`.
    #[must_use]
    pub fn rfc4514(&self) -> String {
        self.reversed(escape_rfc4514)
    }

    /// What OpenSSL prints with `-nameopt RFC2253`, NGINX has in `$ssl_client_s_dn`, and Mosquitto takes for `use_subject_as_username`: as RFC 4514,
    /// but every octet outside ASCII is written as `\` and two hex digits.
    #[must_use]
    pub fn rfc2253(&self) -> String {
        self.reversed(escape_rfc2253)
    }

    /// The form before RFC 2253, `/C=DE/O=Acme/CN=pump-7`: what OpenSSL prints with `-nameopt compat`, and NGINX has in `$ssl_client_s_dn_legacy`.
    ///
    /// The first RDN comes first; further attributes of one RDN follow a `+`. `/` and `+` in a value get a `\`, octets outside of printable ASCII are
    /// `\x` and two hex digits, in whatever character set the certificate has them. A `\` in a value is not marked, so two names can look the
    /// same here: the form is for names that exist already.
    #[must_use]
    pub fn legacy(&self) -> String {
        let mut text = String::new();
        for rdn in &self.rdns {
            for (inner, attribute) in rdn.iter().enumerate() {
                text.push(if inner == 0 { '/' } else { '+' });
                text.push_str(attribute.short_name.unwrap_or(&attribute.oid));
                text.push('=');
                let content = Reader::new(attribute.value.der()).element().map_or(&[][..], |element| element.content);
                for octet in content {
                    match octet {
                        b'/' | b'+' => text.extend(['\\', char::from(*octet)]),
                        b' '..=b'~' => text.push(char::from(*octet)),
                        // Writing to a String cannot fail.
                        _ => drop(write!(text, "\\x{octet:02X}")),
                    }
                }
            }
        }
        text
    }

    fn reversed(&self, escape: fn(&str, &mut String)) -> String {
        let mut text = String::new();
        for (index, rdn) in self.rdns.iter().rev().enumerate() {
            for (inner, attribute) in rdn.iter().rev().enumerate() {
                text.push_str(match (index, inner) {
                    (0, 0) => "",
                    (_, 0) => ",",
                    _ => "+",
                });
                write_attribute(attribute, escape, &mut text);
            }
        }
        text
    }
}

/// `CN=text`, or `1.2.3=#` and the DER in hex where the type has no short name or the value is no text (RFC 4514 §2.4).
fn write_attribute(attribute: &Attribute, escape: fn(&str, &mut String), out: &mut String) {
    match (attribute.short_name, &attribute.value) {
        (Some(name), AttributeValue::Text { text, .. }) => {
            out.push_str(name);
            out.push('=');
            escape(text, out);
        }
        (name, value) => {
            out.push_str(name.unwrap_or(&attribute.oid));
            out.push_str("=#");
            out.push_str(&hex::encode_upper(value.der()));
        }
    }
}

/// RFC 4514 §2.4: what is escaped where.
fn escape_rfc4514(text: &str, out: &mut String) {
    let last = text.chars().count().saturating_sub(1);
    for (index, character) in text.chars().enumerate() {
        let at_edge = (character == ' ' && (index == 0 || index == last)) || (character == '#' && index == 0);
        if is_hidden(character) {
            octets(character, out);
            continue;
        }
        if at_edge || is_special(character) {
            out.push('\\');
        }
        out.push(character);
    }
}

/// The same as OpenSSL does it: a value of `#` alone stays as it is.
fn escape_rfc2253(text: &str, out: &mut String) {
    let last = text.chars().count().saturating_sub(1);
    for (index, character) in text.chars().enumerate() {
        if character.is_control() || !character.is_ascii() {
            octets(character, out);
            continue;
        }
        let at_edge = (character == ' ' && (index == 0 || index == last)) || (character == '#' && index == 0 && last != 0);
        if at_edge || is_special(character) {
            out.push('\\');
        }
        out.push(character);
    }
}

fn is_special(character: char) -> bool {
    matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\')
}

fn octets(character: char, out: &mut String) {
    for octet in character.encode_utf8(&mut [0; 4]).bytes() {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\{octet:02X}");
    }
}
