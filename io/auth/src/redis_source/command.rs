//! A command with placeholders: read once, filled in for each client.

use signet_identity::{Facts, PlaceholderStyle, Template, TemplateField, TemplatePiece};

use signet_policy::ProvenNames;

use super::words;

/// What is wrong with a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RedisCommandError(pub String);

/// Whose placeholders a command is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placeholders {
    /// EMQX 4: `%u`, `%c`, `%C`, `%d`, `%a`.
    Emqx4,
    /// EMQX 5: `${username}`, `${clientid}`, `${cert_common_name}` …, and ours. A `$` before something that is no `{` is itself.
    Emqx5,
    /// Ours: `${username}`, `${cert.cn}` …; `$$` is a dollar sign.
    Signet,
}

impl Placeholders {
    /// By its name in the configuration.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "emqx4" => Some(Self::Emqx4),
            "emqx5" => Some(Self::Emqx5),
            "signet" => Some(Self::Signet),
            _ => None,
        }
    }

    /// What a text is probably written with: nobody has to say so unless both could be meant.
    fn of(words: &[&str]) -> Result<Self, RedisCommandError> {
        let has_braces = words.iter().any(|word| word.contains("${"));
        let is_percent = |pair: &[u8]| matches!(pair, [b'%', letter] if letter.is_ascii_alphabetic());
        let has_percent = words.iter().any(|word| word.as_bytes().windows(2).any(is_percent));
        match (has_braces, has_percent) {
            (true, true) => Err(RedisCommandError(
                "has placeholders with `%` and with `${`: say with `placeholders` whose they are, `emqx4`, `emqx5` or `signet`".to_owned(),
            )),
            (true, false) => Ok(Self::Emqx5),
            (false, true) => Ok(Self::Emqx4),
            (false, false) => Ok(Self::Signet),
        }
    }

    fn template(self, text: &str) -> Result<Template, String> {
        let template = match self {
            Self::Emqx4 => Template::parse_with_placeholders(PlaceholderStyle::Emqx4, text),
            Self::Emqx5 => Template::parse_with_placeholders(PlaceholderStyle::Emqx5, text),
            Self::Signet => Template::parse(text),
        };
        let template = template.map_err(|error| error.to_string())?;
        template.require_one_line().map_err(|error| error.to_string())?;
        Ok(template)
    }
}

/// One command that reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisCommand {
    /// In capitals.
    name: String,
    kind: Kind,
    placeholders: Placeholders,
    /// Behind the name.
    arguments: Vec<Word>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Reads by its nature.
    Read,
    /// Runs something whose text is elsewhere, or here and read-only: the first argument is never filled in, the second counts the keys.
    Script,
}

/// One word of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Literal(Vec<u8>),
    Template(Template),
}

/// What only reads, with the least and the most arguments that it takes.
const READ: [(&str, usize, usize); 8] = [
    ("GET", 1, 1),
    ("GETRANGE", 3, 3),
    ("MGET", 1, RedisCommand::MAXIMUM_WORDS),
    ("HGET", 2, 2),
    ("HMGET", 2, RedisCommand::MAXIMUM_WORDS),
    ("HGETALL", 1, 1),
    ("LINDEX", 2, 2),
    ("LRANGE", 3, 3),
];

/// Scripts. Of a script that is named by its digest only the server knows what it does.
const SCRIPTS: [&str; 4] = ["EVALSHA", "EVALSHA_RO", "EVAL_RO", "FCALL_RO"];

impl RedisCommand {
    /// Words of a command, at most.
    pub const MAXIMUM_WORDS: usize = 64;
    /// Bytes of a command as written, at most; a script may be long.
    pub const MAXIMUM_BYTES: usize = 65_536;

    /// Reads a command as the operator writes it. Without `placeholders` it is looked at: `%u` is EMQX 4, `${…}` EMQX 5 and ours.
    ///
    /// # Errors
    /// The quotes do not fit, a placeholder has no meaning, or the command is none that only reads.
    pub fn parse(line: &str, placeholders: Option<Placeholders>) -> Result<Self, RedisCommandError> {
        let fail = |what: String| RedisCommandError(what);
        if line.len() > Self::MAXIMUM_BYTES {
            return Err(fail(format!("has {} bytes, more than the limit of {}", line.len(), Self::MAXIMUM_BYTES)));
        }
        let words = words::split(line).map_err(fail)?;
        let Some((name, arguments)) = words.split_first() else {
            return Err(fail("is empty: expected, for example, `HMGET mqtt_user:%u password salt`".to_owned()));
        };
        if words.len() > Self::MAXIMUM_WORDS {
            return Err(fail(format!("has {} words, more than the limit of {}", words.len(), Self::MAXIMUM_WORDS)));
        }
        let name = String::from_utf8_lossy(name).to_ascii_uppercase();
        let kind = kind(&name, arguments)?;
        // The text or name of a script, and the number of its keys: a value in there could do anything.
        let fixed = if kind == Kind::Script { 2 } else { 0 };
        let texts: Vec<&str> = arguments.iter().skip(fixed).filter_map(|word| std::str::from_utf8(word).ok()).collect();
        let placeholders = placeholders.map_or_else(|| Placeholders::of(&texts), Ok)?;
        let word = |(at, word): (usize, &Vec<u8>)| match std::str::from_utf8(word) {
            Ok(text) if at >= fixed => Word::parse(text, placeholders),
            _ => Ok(Word::Literal(word.clone())),
        };
        let arguments = arguments.iter().enumerate().map(word).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { name, kind, placeholders, arguments })
    }

    /// The command's name in capitals.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose placeholders it is written with.
    #[must_use]
    pub fn placeholders(&self) -> Placeholders {
        self.placeholders
    }

    /// Whether it asks the same for every client.
    #[must_use]
    pub fn is_same_for_all(&self) -> bool {
        !self.arguments.iter().any(|word| matches!(word, Word::Template(_)))
    }

    /// What it has placeholders for.
    pub(super) fn fields(&self) -> impl Iterator<Item = &TemplateField> {
        let templates = self.arguments.iter().filter_map(|word| match word {
            Word::Template(template) => Some(template),
            Word::Literal(_) => None,
        });
        templates.flat_map(Template::fields)
    }

    /// Which names are a client's about whom it is asked: those that it is filled in with as they are. No two values run together in a word, so that each
    /// is the whole of what is asked for.
    pub(super) fn proves(&self) -> ProvenNames {
        let templates = self.arguments.iter().filter_map(|word| match word {
            Word::Template(template) => Some(template),
            Word::Literal(_) => None,
        });
        let pieces = templates.flat_map(Template::pieces);
        let fields = pieces.filter_map(|piece| match piece {
            TemplatePiece::Placeholder(expression) => expression.plain_field(),
            TemplatePiece::Literal(_) => None,
        });
        fields.map(ProvenNames::of_field).fold(ProvenNames::default(), ProvenNames::or)
    }

    /// Whether it runs a script.
    pub(super) fn is_script(&self) -> bool {
        self.kind == Kind::Script
    }

    /// The digest of the script that it runs, if it names one.
    pub(super) fn script_digest(&self) -> Option<&str> {
        match (self.name.as_str(), self.arguments.first()) {
            ("EVALSHA" | "EVALSHA_RO", Some(Word::Literal(digest))) => std::str::from_utf8(digest).ok(),
            _ => None,
        }
    }

    /// The names of what comes back, where the command says them.
    pub(super) fn reply_names(&self) -> Vec<String> {
        if !matches!(self.name.as_str(), "HGET" | "HMGET") {
            return Vec::new();
        }
        let name = |word: &Word| match word {
            Word::Literal(name) => String::from_utf8_lossy(name).into_owned(),
            Word::Template(template) => template.as_str().to_owned(),
        };
        self.arguments.iter().skip(1).map(name).collect()
    }

    /// The words for one client, the name first.
    ///
    /// # Errors
    /// In words, what the client does not show, or why what it shows cannot be put in.
    pub(super) fn fill(&self, facts: &Facts<'_>) -> Result<Vec<Vec<u8>>, String> {
        let mut words = vec![self.name.clone().into_bytes()];
        for word in &self.arguments {
            words.push(match word {
                Word::Literal(literal) => literal.clone(),
                Word::Template(template) => fill(template, facts)?.into_bytes(),
            });
        }
        Ok(words)
    }
}

impl Word {
    fn parse(text: &str, placeholders: Placeholders) -> Result<Self, RedisCommandError> {
        let marks = if placeholders == Placeholders::Emqx4 { '%' } else { '$' };
        if !text.contains(marks) {
            return Ok(Self::Literal(text.as_bytes().to_vec()));
        }
        let template = placeholders.template(text).map_err(|error| RedisCommandError(format!("cannot use `{text}`: {error}")))?;
        let pieces: Vec<_> = template.pieces().collect();
        if pieces.windows(2).any(|pair| matches!(pair, [TemplatePiece::Placeholder(_), TemplatePiece::Placeholder(_)])) {
            return Err(RedisCommandError(format!(
                "has two placeholders side by side in `{text}`: of two clients the values could run together to the same text; put something \
                 in between, `:`"
            )));
        }
        Ok(Self::Template(template))
    }
}

/// Puts the values in. Two clients with different values never get the same text: a value does not hold what stands behind it, unless it is the last.
fn fill(template: &Template, facts: &Facts<'_>) -> Result<String, String> {
    let mut text = String::new();
    let pieces: Vec<_> = template.pieces().collect();
    let mut rest = pieces.as_slice();
    while let Some((piece, behind)) = rest.split_first() {
        rest = behind;
        let expression = match piece {
            TemplatePiece::Literal(literal) => {
                text.push_str(literal);
                continue;
            }
            TemplatePiece::Placeholder(expression) => expression,
        };
        let value = expression.value(facts).map_err(|error| error.to_string())?;
        if let [TemplatePiece::Literal(separator), TemplatePiece::Placeholder(_), ..] = behind
            && format!("{value}{separator}").find(separator) != Some(value.len())
        {
            return Err(format!("the value of `{}` holds `{separator}`, which separates it from the next", expression.placeholder()));
        }
        text.push_str(&value);
    }
    if text.len() > Template::MAXIMUM_RENDERED {
        return Err(format!("`{template}` becomes {} bytes long, more than the limit of {}", text.len(), Template::MAXIMUM_RENDERED));
    }
    Ok(text)
}

fn kind(name: &str, arguments: &[Vec<u8>]) -> Result<Kind, RedisCommandError> {
    let count = arguments.len();
    if let Some((_, least, most)) = READ.iter().find(|(known, ..)| *known == name) {
        if count < *least || count > *most {
            return Err(RedisCommandError(format!("gives `{name}` {count} arguments; it takes {}", range(*least, *most))));
        }
        return Ok(Kind::Read);
    }
    if SCRIPTS.contains(&name) {
        let keys = arguments.get(1).and_then(|number| std::str::from_utf8(number).ok()?.parse::<usize>().ok());
        return match keys {
            Some(keys) if keys <= count.saturating_sub(2) => Ok(Kind::Script),
            _ => Err(RedisCommandError(format!(
                "has `{name}` without a number of keys that fits: expected `{name} SCRIPT NUMBER KEY… ARGUMENT…`"
            ))),
        };
    }
    let instead = match name {
        "EVAL" => "; `EVAL_RO` runs a script that cannot write",
        "FCALL" => "; `FCALL_RO` calls a function that cannot write",
        _ => "",
    };
    let known: Vec<_> = READ.iter().map(|(known, ..)| *known).chain(SCRIPTS).collect();
    Err(RedisCommandError(format!("begins with `{name}`, which is not known to only read{instead}. Expected one of {}", known.join(", "))))
}

fn range(least: usize, most: usize) -> String {
    match most {
        _ if least == most => least.to_string(),
        RedisCommand::MAXIMUM_WORDS => format!("{least} or more"),
        _ => format!("{least} to {most}"),
    }
}
