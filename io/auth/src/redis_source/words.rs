//! Takes a command line apart into its words, as `redis-cli` does.

/// Splits at white space. Between double quotes white space is kept and `\"`, `\\`, `\n`, `\r`, `\t` and `\xHH` have their meaning; between
/// single quotes only `\'` has one.
///
/// # Errors
/// A quote that is not closed, or text behind a closing quote without a space in between.
pub(super) fn split(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '"' | '\'' => quoted(rest, first)?,
            _ => bare(rest)?,
        };
        words.push(word);
        if after.chars().next().is_some_and(|next| !next.is_whitespace()) {
            return Err(format!("a space is missing before `{after}`"));
        }
        rest = after.trim_start();
    }
    Ok(words)
}

fn bare(text: &str) -> Result<(Vec<u8>, &str), String> {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, after) = text.split_at(end);
    if word.contains(['"', '\'']) {
        return Err(format!("a quote stands in the middle of the word `{word}`: put the whole word between quotes"));
    }
    Ok((word.as_bytes().to_vec(), after))
}

fn quoted(text: &str, quote: char) -> Result<(Vec<u8>, &str), String> {
    let mut word = Vec::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        if character == quote {
            return Ok((word, text.get(at + 1..).unwrap_or_default()));
        }
        if character != '\\' {
            word.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match (quote, characters.next().map(|(_, escaped)| escaped)) {
            ('"', Some('n')) => word.push(b'\n'),
            ('"', Some('r')) => word.push(b'\r'),
            ('"', Some('t')) => word.push(b'\t'),
            ('"', Some(escaped @ ('"' | '\\'))) => word.extend_from_slice(escaped.encode_utf8(&mut [0; 4]).as_bytes()),
            ('"', Some('x')) => {
                let digits: String = characters.by_ref().take(2).map(|(_, digit)| digit).collect();
                let octet = hex::decode(&digits).map_err(|_| format!("`\\x{digits}` is not `\\x` and two hexadecimal digits"))?;
                word.extend_from_slice(&octet);
            }
            ('\'', Some('\'')) => word.push(b'\''),
            ('\'', Some(other)) => {
                word.push(b'\\');
                word.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
            }
            (_, Some(other)) => return Err(format!("`\\{other}` has no meaning: `\\\"`, `\\\\`, `\\n`, `\\r`, `\\t` and `\\xHH` have")),
            (_, None) => break,
        }
    }
    Err(format!("the quote before `{}` is not closed", text.chars().skip(1).take(20).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_apart_as_redis_cli_does() {
        for (line, expected) in [
            ("HMGET  tls_domain:%C\tpassword salt ", vec!["HMGET", "tls_domain:%C", "password", "salt"]),
            (r#"HGET "my users" 'the name'"#, vec!["HGET", "my users", "the name"]),
            (r#"GET "a\"b\\c\n\x41""#, vec!["GET", "a\"b\\c\nA"]),
            (r"GET 'a\'b\n'", vec!["GET", r"a'b\n"]),
            (r#"EVAL_RO "" 0"#, vec!["EVAL_RO", "", "0"]),
            ("", vec![]),
            ("GET größe", vec!["GET", "größe"]),
        ] {
            let words = split(line).unwrap();
            let texts: Vec<_> = words.iter().map(|word| std::str::from_utf8(word).unwrap()).collect();
            assert_eq!(texts, expected, "{line}");
        }
        for line in [r#"GET "a"#, "GET 'a", r#"GET "a"b"#, r#"GET a"b"#, r#"GET "\q""#, r#"GET "\x4""#, r#"GET "\xgg""#, r#"GET "a\"#] {
            assert!(split(line).is_err(), "{line}");
        }
    }
}
