//! A text with placeholders: those of `signet-identity`, and those that only a question over HTTP can hold.

use std::borrow::Cow;

use signet_identity::{Facts, IdentityError, PlaceholderStyle, Template, TemplatePiece};
use signet_policy::ProvenNames;

/// Whose placeholders the texts are written with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HttpPlaceholders {
    /// Ours: `${username}`, `${cert.cn}`.
    #[default]
    Signet,
    /// Those of EMQX 5: `${clientid}`, `${cert_common_name}`; ours are known too.
    Emqx5,
    /// Those of EMQX 4: `%u`, `%c`, `%C`, `%d`, `%a`, and `%P` for the password.
    Emqx4,
}

/// A placeholder that no other template has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    /// What the client sent as its Password.
    Password,
    /// `publish` or `subscribe`.
    Action,
    /// The topic or topic filter.
    Topic,
    /// 0, 1 or 2.
    Qos,
    /// `true` or `false`.
    Retain,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Who somebody is, who may send a password: `${password}` too.
    Authenticate,
    /// What somebody may do: `${action}`, `${topic}`, `${qos}` and `${retain}` too.
    Ask,
    /// Which rules there are about somebody.
    Rules,
}

/// What is known of who is asked about.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) facts: &'a Facts<'a>,
    pub(super) password: Option<&'a [u8]>,
    /// Action, topic, QoS and RETAIN.
    pub(super) access: Option<(&'static str, &'a str, &'static str, &'static str)>,
}

/// Why a question is not asked, in words that hold no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotAsked {
    /// A value is not there.
    Missing(String),
    /// A value is there and cannot stand where it should.
    Unusable(String),
}

/// The text, checked. It may hold the operator's secrets, so it cannot be printed.
#[derive(Clone)]
pub(super) struct HttpTemplate {
    pieces: Vec<Piece>,
}

#[derive(Clone)]
enum Piece {
    Literal(String),
    /// Of one placeholder.
    Field(Template),
    Special(Special),
}

impl Special {
    const ALL: [(Self, &'static str, Purpose); 5] = [
        (Self::Password, "${password}", Purpose::Authenticate),
        (Self::Action, "${action}", Purpose::Ask),
        (Self::Topic, "${topic}", Purpose::Ask),
        (Self::Qos, "${qos}", Purpose::Ask),
        (Self::Retain, "${retain}", Purpose::Ask),
    ];
    /// As EMQX 4 writes them; QoS and RETAIN it does not know.
    const EMQX4: [(Self, &'static str, Purpose); 3] =
        [(Self::Password, "%P", Purpose::Authenticate), (Self::Action, "%A", Purpose::Ask), (Self::Topic, "%t", Purpose::Ask)];

    /// The one that stands at the beginning of a text, and how long it is.
    fn at(text: &str, placeholders: HttpPlaceholders, purpose: Purpose) -> Option<(Self, usize)> {
        let known = if placeholders == HttpPlaceholders::Emqx4 { &Self::EMQX4[..] } else { &Self::ALL[..] };
        let (special, name, _) = known.iter().find(|(_, name, place)| *place == purpose && text.starts_with(name))?;
        Some((*special, name.len()))
    }

    fn value<'a>(self, values: &Values<'a>, placeholders_of_emqx4: bool) -> Option<Cow<'a, [u8]>> {
        let text = |text: &'a str| Cow::Borrowed(text.as_bytes());
        let (action, topic, qos, retain) = match (self, values.access) {
            (Self::Password, _) => return values.password.map(Cow::Borrowed),
            (_, access) => access?,
        };
        Some(match self {
            // EMQX 4 writes them as numbers.
            Self::Action if placeholders_of_emqx4 => text(if action == "subscribe" { "1" } else { "2" }),
            Self::Action => text(action),
            Self::Topic => text(topic),
            Self::Qos => text(qos),
            Self::Retain | Self::Password => text(retain),
        })
    }
}

impl HttpTemplate {
    /// Reads a text; an empty one has no pieces.
    ///
    /// # Errors
    /// In words: a placeholder that is none.
    pub(super) fn parse(source: &str, placeholders: HttpPlaceholders, purpose: Purpose) -> Result<Self, String> {
        let escape = if placeholders == HttpPlaceholders::Emqx4 { "%%" } else { "$$" };
        let mut pieces = Vec::new();
        let (mut begun, mut at) = (0, 0);
        while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
            if rest.starts_with(escape) {
                at += escape.len();
            } else if let Some((special, length)) = Special::at(rest, placeholders, purpose) {
                plain(source.get(begun..at).unwrap_or_default(), placeholders, &mut pieces)?;
                pieces.push(Piece::Special(special));
                at += length;
                begun = at;
            } else {
                at += rest.chars().next().map_or(1, char::len_utf8);
            }
        }
        plain(source.get(begun..).unwrap_or_default(), placeholders, &mut pieces)?;
        Ok(Self { pieces })
    }

    /// Fills the placeholders in; each value as `escape` makes it, what the operator wrote as it is.
    pub(super) fn render(
        &self,
        values: &Values<'_>,
        placeholders: HttpPlaceholders,
        escape: impl Fn(&[u8], &mut Vec<u8>) -> Result<(), NotAsked>,
    ) -> Result<Vec<u8>, NotAsked> {
        let mut rendered = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => rendered.extend_from_slice(text.as_bytes()),
                Piece::Field(template) => {
                    let value = template.render_lines(values.facts).map_err(|error| match error {
                        IdentityError::MissingField { .. } => NotAsked::Missing(error.to_string()),
                        _ => NotAsked::Unusable(error.to_string()),
                    })?;
                    escape(value.as_bytes(), &mut rendered)?;
                }
                Piece::Special(special) => {
                    let value = special.value(values, placeholders == HttpPlaceholders::Emqx4);
                    let value = value.ok_or_else(|| NotAsked::Missing("it sends no password".to_owned()))?;
                    escape(&value, &mut rendered)?;
                }
            }
        }
        Ok(rendered)
    }

    /// The names that a reader finds in the text: one that stands there without another value.
    pub(super) fn names_alone(&self) -> ProvenNames {
        let mut values = self.pieces.iter().filter(|piece| !matches!(piece, Piece::Literal(_)));
        match (values.next(), values.next()) {
            (Some(Piece::Field(only)), None) => ProvenNames::in_text(only),
            _ => ProvenNames::default(),
        }
    }

    /// The same in an address, where values are escaped: a character that is none of a value's separates them.
    pub(super) fn names_in_address(&self) -> ProvenNames {
        let is_escaped = |octet: &u8| !(octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~' | b'%'));
        let separates = |piece: &Piece| matches!(piece, Piece::Literal(text) if text.as_bytes().iter().any(is_escaped));
        let mut proven = ProvenNames::default();
        let mut is_separated = true;
        let mut pieces = self.pieces.iter().peekable();
        while let Some(piece) = pieces.next() {
            if let Piece::Field(template) = piece
                && is_separated
                && pieces.peek().is_none_or(|next| separates(next))
            {
                proven = proven.or(ProvenNames::in_text(template));
            }
            is_separated = separates(piece);
        }
        proven
    }

    /// What the operator wrote, with `x` for each placeholder: for checks of the form.
    pub(super) fn sample(&self) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Field(_) | Piece::Special(_) => "x".to_owned(),
        };
        self.pieces.iter().map(text).collect()
    }

    /// Whether it holds a certificate in several lines, which not every place can take.
    pub(super) fn holds_lines(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Field(template) if template.require_one_line().is_err()))
    }
}

/// Text without special placeholders.
fn plain(source: &str, placeholders: HttpPlaceholders, pieces: &mut Vec<Piece>) -> Result<(), String> {
    if source.is_empty() {
        return Ok(());
    }
    let template = match placeholders {
        HttpPlaceholders::Signet => Template::parse(source),
        HttpPlaceholders::Emqx5 => Template::parse_with_placeholders(PlaceholderStyle::Emqx5, source),
        HttpPlaceholders::Emqx4 => Template::parse_with_placeholders(PlaceholderStyle::Emqx4, source),
    };
    for piece in template.map_err(|error| error.to_string())?.pieces() {
        pieces.push(match piece {
            TemplatePiece::Literal(text) => Piece::Literal(text.to_owned()),
            // One by one, so that each value is escaped and nothing else.
            TemplatePiece::Placeholder(expression) => {
                Piece::Field(Template::parse(expression.placeholder()).map_err(|error| error.to_string())?)
            }
        });
    }
    Ok(())
}

/// RFC 3986 §2.1, all but unreserved characters: for a path, a query and a form.
pub(super) fn percent(value: &[u8], out: &mut Vec<u8>) -> Result<(), NotAsked> {
    for octet in value {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~') {
            out.push(*octet);
        } else {
            out.push(b'%');
            out.extend_from_slice(hex::encode_upper([*octet]).as_bytes());
        }
    }
    Ok(())
}

/// A header field takes everything but what would end it. Spaces around a value belong to nobody: a receiver takes them away, and two values would be one.
pub(super) fn header(value: &[u8], out: &mut Vec<u8>) -> Result<(), NotAsked> {
    let is_cut = |octet: Option<&u8>| octet.is_some_and(|octet| matches!(octet, b' ' | b'\t'));
    if value.iter().any(|octet| octet.is_ascii_control()) || is_cut(value.first()) || is_cut(value.last()) {
        return Err(NotAsked::Unusable(
            "a value has a control character or a space at its end, which a header field cannot hold".to_owned(),
        ));
    }
    out.extend_from_slice(value);
    Ok(())
}

/// Text of JSON, whose writer escapes it.
pub(super) fn text(value: &[u8], out: &mut Vec<u8>) -> Result<(), NotAsked> {
    if std::str::from_utf8(value).is_err() {
        return Err(NotAsked::Unusable("a value is no UTF-8 text, which JSON cannot hold".to_owned()));
    }
    out.extend_from_slice(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> HttpTemplate {
        HttpTemplate::parse(text, HttpPlaceholders::Signet, Purpose::Authenticate).unwrap()
    }

    #[test]
    fn a_name_is_sent_where_its_reader_knows_where_it_ends() {
        let (name, both, nothing) = (ProvenNames::USERNAME, ProvenNames::BOTH, ProvenNames::default());
        for (text, expected) in [
            ("${username}", name),
            ("user ${username}", name),
            ("${username}:${password}", nothing),
            ("${username:lower}", nothing),
            ("${cert.cn | username}", nothing),
        ] {
            assert_eq!(template(text).names_alone(), expected, "{text}");
        }
        for (text, expected) in [
            ("/auth?user=${username}&id=${client_identifier}", both),
            ("/auth/${username}/${client_identifier}", both),
            ("/auth/${username}-${client_identifier}", nothing),
            ("/auth/${username}%2F${client_identifier}", nothing),
            ("/auth/${username}${client_identifier}", nothing),
            ("/auth/${cert.cn}", nothing),
        ] {
            assert_eq!(template(text).names_in_address(), expected, "{text}");
        }
    }
}
