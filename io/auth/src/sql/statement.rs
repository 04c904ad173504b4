//! A query as the operator writes it, with placeholders where the data base gets values beside the query.

use std::sync::Arc;

use signet_identity::{Facts, IdentityError, PlaceholderStyle, Template};

use signet_policy::ProvenNames;

use super::SqlEngine;

/// What is wrong with a query or its settings, what was expected, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SqlError(pub String);

/// A query whose placeholders became bind variables: no value ever becomes part of its text.
///
/// `${…}` is a placeholder, with our names of fields or those of EMQX 5; in quotes it has to be alone there, and the quotes go. A query without `${` may
/// have those of EMQX 4, in quotes: `'%u'`.
#[derive(Debug, Clone)]
pub struct SqlStatement {
    source: String,
    text: Arc<str>,
    values: Vec<Template>,
}

impl SqlStatement {
    /// The longest query, in bytes.
    pub const MAXIMUM_BYTES: usize = 8192;

    /// Reads a query.
    ///
    /// # Errors
    /// A placeholder that is unknown or stands where no value can, something that is a bind variable already, or no query at all.
    pub fn parse(engine: SqlEngine, source: &str) -> Result<Self, SqlError> {
        if source.trim().is_empty() {
            return Err(SqlError("the query is empty".to_owned()));
        }
        if source.len() > Self::MAXIMUM_BYTES {
            return Err(SqlError(format!("the query has {} bytes, and {} are the most", source.len(), Self::MAXIMUM_BYTES)));
        }
        let style = if source.contains("${") { PlaceholderStyle::Emqx5 } else { PlaceholderStyle::Emqx4 };
        let mut reader = Reader { engine, style, source, at: 0, text: String::new(), values: Vec::new() };
        reader.read()?;
        Ok(Self { source: source.to_owned(), text: reader.text.into(), values: reader.values })
    }

    /// The query as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The query as the data base gets it.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// How many values go with it.
    #[must_use]
    pub fn value_count(&self) -> usize {
        self.values.len()
    }

    /// The values for one client, in order.
    ///
    /// # Errors
    /// The client does not have one of them, or it holds characters that are in no name; in words.
    pub fn values(&self, facts: &Facts<'_>) -> Result<Vec<String>, String> {
        self.values.iter().map(|value| value.render_lines(facts).map_err(|error| error.to_string())).collect()
    }

    /// The same, without a value where the client does not have one.
    ///
    /// # Errors
    /// A value holds characters that are in no name; in words.
    pub fn values_or_null(&self, facts: &Facts<'_>) -> Result<Vec<Option<String>>, String> {
        let value = |value: &Template| match value.render_lines(facts) {
            Ok(value) => Ok(Some(value)),
            Err(IdentityError::MissingField { .. }) => Ok(None),
            Err(error) => Err(error.to_string()),
        };
        self.values.iter().map(value).collect()
    }

    /// Which names are a client's that is found by the query: those that are a value of it as they are, where nothing in its conditions lets it find
    /// somebody by anything but equality. What is not understood proves nothing.
    pub(super) fn proves(&self) -> ProvenNames {
        let is_letter = |character: char| character.is_alphanumeric() || character == '_';
        let words = self.text.split(|character| !is_letter(character)).map(str::to_ascii_lowercase);
        let mut conditions = words.skip_while(|word| word != "where");
        if self.text.contains(['<', '>', '!', '~', '|', '^']) || conditions.any(|word| NOT_EQUAL.contains(&word.as_str())) {
            return ProvenNames::default();
        }
        self.values.iter().map(ProvenNames::in_text).fold(ProvenNames::default(), ProvenNames::or)
    }

    /// Whose placeholders it is written with: those of EMQX 4 in quotes alone, `'%u'`, or `${…}`.
    #[must_use]
    pub fn style(&self) -> PlaceholderStyle {
        if self.values.is_empty() || self.source.contains("${") { PlaceholderStyle::Emqx5 } else { PlaceholderStyle::Emqx4 }
    }
}

/// Goes through a query as the data base does, as far as quotes and comments are concerned. Where it understood one wrongly, the data base would get
/// another query than meant, but never a value as a part of it.
struct Reader<'a> {
    engine: SqlEngine,
    style: PlaceholderStyle,
    source: &'a str,
    at: usize,
    text: String,
    values: Vec<Template>,
}

/// Words behind WHERE by which a query finds an entry under another name than the one it is given.
const NOT_EQUAL: [&str; 17] = [
    "or", "xor", "not", "like", "ilike", "rlike", "regexp", "similar", "between", "in", "any", "some", "all", "case", "if", "coalesce",
    "union",
];

/// The placeholders of EMQX 4.
const LETTERS: [char; 5] = ['u', 'c', 'C', 'd', 'a'];

impl<'a> Reader<'a> {
    fn read(&mut self) -> Result<(), SqlError> {
        let mut previous = ' ';
        while let Some(character) = self.rest().chars().next() {
            let is_mysql = self.engine == SqlEngine::MySql;
            let next = self.rest().chars().nth(1);
            match character {
                '\'' => {
                    let has_escapes = is_mysql || self.is_escape_string();
                    self.quoted('\'', has_escapes, true)?;
                }
                '"' => self.quoted('"', is_mysql, is_mysql)?,
                '`' if is_mysql => self.quoted('`', false, false)?,
                '-' if next == Some('-') && (!is_mysql || self.rest().chars().nth(2).is_none_or(char::is_whitespace)) => self.line()?,
                '#' if is_mysql => self.line()?,
                '/' if next == Some('*') => self.comment()?,
                '$' if next == Some('{') => self.placeholder()?,
                '$' if !is_mysql && !is_word(previous) => self.dollar(next)?,
                '?' if is_mysql => return Err(self.bound("?")),
                '%' if self.is_bare_percent() => {
                    let found = format!("%{}", next.unwrap_or_default());
                    return Err(self.error(
                        &found,
                        &format!("stands without quotes; write `'{found}'` for the value, or a space behind a `%` that divides"),
                    ));
                }
                _ => self.copy(character.len_utf8()),
            }
            previous = character;
        }
        Ok(())
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn copy(&mut self, bytes: usize) {
        let copied = self.rest().get(..bytes).unwrap_or_default();
        self.text.push_str(copied);
        self.at += bytes;
    }

    /// `E'…'` of PostgreSQL.
    fn is_escape_string(&self) -> bool {
        let before = self.source.get(..self.at).unwrap_or_default();
        let mut before = before.chars().rev();
        matches!(before.next(), Some('e' | 'E')) && !before.next().is_some_and(is_word)
    }

    fn is_bare_percent(&self) -> bool {
        let mut rest = self.rest().chars().skip(1);
        let letter = rest.next();
        self.style == PlaceholderStyle::Emqx4 && letter.is_some_and(|letter| LETTERS.contains(&letter)) && !rest.next().is_some_and(is_word)
    }

    /// A text in quotes. One that can be a value and is a placeholder and nothing else becomes a bind variable.
    fn quoted(&mut self, quote: char, has_escapes: bool, is_value: bool) -> Result<(), SqlError> {
        let mut inside = self.rest().char_indices().skip(1).peekable();
        let mut end = None;
        while let Some((at, character)) = inside.next() {
            if character == '\\' && has_escapes {
                inside.next();
            } else if character == quote {
                // Twice it is itself.
                if inside.next_if(|(_, next)| *next == quote).is_none() {
                    end = Some(at);
                    break;
                }
            }
        }
        let end = end.ok_or_else(|| SqlError(format!("the query has a {quote} that nothing closes")))?;
        let content = self.rest().get(1..end).unwrap_or_default();
        let is_alone = self.first_placeholder(content).is_some_and(|found| found == content);
        if self.style == PlaceholderStyle::Emqx5 && is_letter(content) {
            return Err(self.error(content, "is of EMQX 4, and others in the query are `${…}`; write all of them as `${…}`"));
        }
        if is_value && is_alone {
            let template = self.template(content)?;
            self.bind(template, end + 1);
            return Ok(());
        }
        if let Some(found) = self.first_placeholder(content) {
            let why = match (is_value, self.style) {
                (false, _) => "stands in the name of a column or table, and only a value can come from a client",
                (true, PlaceholderStyle::Emqx5) => {
                    "stands in quotes together with other text; put it together in the data base, `concat('device-', ${username})`"
                }
                (true, PlaceholderStyle::Emqx4) => {
                    "stands in quotes together with other text; put it together in the data base, `concat('device-', '%u')`, or write placeholders as \
                     `${username}`, and `%` is itself"
                }
            };
            return Err(self.error(found, why));
        }
        self.copy(end + 1);
        Ok(())
    }

    /// The first placeholder in a text, as far as it can be told.
    fn first_placeholder<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self.style {
            PlaceholderStyle::Emqx5 => {
                let begin = text.find("${")?;
                let rest = text.get(begin..)?;
                let ends = rest.match_indices('}').map(|(at, _)| at + 1);
                let mut candidates = ends.filter_map(|end| rest.get(..end));
                candidates.find(|candidate| self.template(candidate).is_ok()).or(Some(rest))
            }
            PlaceholderStyle::Emqx4 => {
                let mut places = text.match_indices('%').filter_map(|(at, _)| text.get(at..at + 2));
                places.find(|place| is_letter(place))
            }
        }
    }

    /// `${…}` outside of quotes.
    fn placeholder(&mut self) -> Result<(), SqlError> {
        let found = self.first_placeholder(self.rest()).unwrap_or_default();
        // With a placeholder that is none, up to the first brace, for the message.
        let template = self.template(found).or_else(|_| {
            let end = found.find('}').map_or(found.len(), |at| at + 1);
            self.template(found.get(..end).unwrap_or(found))
        })?;
        self.bind(template, found.len());
        Ok(())
    }

    fn template(&self, text: &str) -> Result<Template, SqlError> {
        Template::parse_with_placeholders(self.style, text)
            .map_err(|error| SqlError(format!("the query has a placeholder with a mistake: {error}")))
    }

    fn bind(&mut self, template: Template, bytes: usize) {
        self.values.push(template);
        match self.engine {
            SqlEngine::PostgreSql => self.text.push_str(&format!("${}", self.values.len())),
            SqlEngine::MySql => self.text.push('?'),
        }
        self.at += bytes;
    }

    /// A comment up to the end of the line.
    fn line(&mut self) -> Result<(), SqlError> {
        let rest = self.rest();
        let end = rest.find('\n').unwrap_or(rest.len());
        self.without_placeholders(end, "a comment")
    }

    /// A comment between `/*` and `*/`, which PostgreSQL nests.
    fn comment(&mut self) -> Result<(), SqlError> {
        let rest = self.rest();
        let (mut depth, mut at) = (1_u32, 2);
        while depth > 0 {
            let left = rest.get(at..).unwrap_or_default();
            let end = left.find("*/").ok_or_else(|| SqlError("the query has a /* that nothing closes".to_owned()))?;
            match left.find("/*").filter(|begin| *begin < end && self.engine == SqlEngine::PostgreSql) {
                Some(begin) => (depth, at) = (depth + 1, at + begin + 2),
                None => (depth, at) = (depth - 1, at + end + 2),
            }
        }
        self.without_placeholders(at, "a comment")
    }

    /// A `$` of PostgreSQL: a bind variable, or a quote such as `$$` or `$name$`.
    fn dollar(&mut self, next: Option<char>) -> Result<(), SqlError> {
        if next.is_some_and(|next| next.is_ascii_digit()) {
            return Err(self.bound("$1"));
        }
        let rest = self.rest();
        let tag = rest.get(1..).and_then(|rest| rest.split_once('$')).map(|(tag, _)| tag).filter(|tag| tag.chars().all(is_word));
        let Some(quote) = tag.and_then(|tag| rest.get(..tag.len() + 2)) else {
            self.copy(1);
            return Ok(());
        };
        let end = rest.get(quote.len()..).and_then(|rest| rest.find(quote));
        let end = end.ok_or_else(|| SqlError(format!("the query has a {quote} that nothing closes")))?;
        self.without_placeholders(end + 2 * quote.len(), "a quoted text")
    }

    fn without_placeholders(&mut self, bytes: usize, what: &str) -> Result<(), SqlError> {
        let text = self.rest().get(..bytes).unwrap_or_default();
        if let Some(found) = self.first_placeholder(text).filter(|_| self.style == PlaceholderStyle::Emqx5) {
            return Err(self.error(found, &format!("stands in {what}, where the data base takes no value")));
        }
        self.copy(bytes);
        Ok(())
    }

    fn bound(&self, found: &str) -> SqlError {
        self.error(found, "is a bind variable, and nothing says of what; write the placeholder itself, `${username}`")
    }

    fn error(&self, found: &str, why: &str) -> SqlError {
        SqlError(format!("in the query, `{found}` {why}"))
    }
}

fn is_letter(text: &str) -> bool {
    let letter = text.strip_prefix('%').and_then(|letter| letter.parse().ok());
    letter.is_some_and(|letter: char| LETTERS.contains(&letter))
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests;
