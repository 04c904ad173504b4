//! The lines of a password file, and how they change.

use signet_auth::PasswordHash;

use super::Failure;

/// A whole line.
pub(super) fn line(user: &[u8], hash: &str) -> Vec<u8> {
    [user, b":", hash.as_bytes(), b"\n"].concat()
}

/// The text with this line in the place of the user's first one, or behind all others; and whether he was there.
///
/// # Errors
/// A line cannot be understood.
pub(super) fn set(text: &[u8], user: &[u8], line: &[u8]) -> Result<(Vec<u8>, bool), Failure> {
    let mut was_there = false;
    let mut changed = rewrite(text, |name, _, raw| {
        if was_there || name != user {
            return Ok(raw.to_vec());
        }
        was_there = true;
        Ok(line.to_vec())
    })?;
    if !was_there {
        changed.extend_from_slice(line);
    }
    Ok((changed, was_there))
}

/// The text without the user.
///
/// # Errors
/// He is not there, or a line cannot be understood.
pub(super) fn delete(text: &[u8], user: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut was_there = false;
    let changed = rewrite(text, |name, _, raw| {
        let is_it = name == user;
        was_there |= is_it;
        Ok(if is_it { Vec::new() } else { raw.to_vec() })
    });
    if was_there {
        return changed;
    }
    // Where a line cannot be understood, he may stand behind it: both is said.
    let why = changed.err().map(|failure| [&failure.message[..], b"\n"].concat()).unwrap_or_default();
    Err(Failure::of(&[&why, b"Warning: User ", user, b" not found in password file."]))
}

/// The text with a hash in the place of each password.
///
/// # Errors
/// A line cannot be understood, a password cannot be hashed, or there is none; the last without words.
pub(super) fn upgrade(text: &[u8], hash: impl Fn(&[u8]) -> Result<String, Failure>) -> Result<Vec<u8>, Failure> {
    if text.is_empty() {
        return Err(Failure::new(""));
    }
    rewrite(text, |name, password, raw| {
        let is_hashed = password.starts_with(b"$") && PasswordHash::Auto.check(password).is_ok();
        if is_hashed { Ok(raw.to_vec()) } else { Ok(line(name, &hash(password)?)) }
    })
}

/// The text with what `change` makes of each line's name, password and octets; comments and empty lines stay.
fn rewrite(text: &[u8], mut change: impl FnMut(&[u8], &[u8], &[u8]) -> Result<Vec<u8>, Failure>) -> Result<Vec<u8>, Failure> {
    let mut changed = Vec::with_capacity(text.len());
    for (index, raw) in text.split_inclusive(|octet| *octet == b'\n').enumerate() {
        let whole = if raw.ends_with(b"\n") { raw.to_vec() } else { [raw, b"\n"].concat() };
        if raw.starts_with(b"#") || raw.trim_ascii().is_empty() {
            changed.extend(whole);
            continue;
        }
        let (name, password) = parts(raw).ok_or_else(|| Failure::new(format!("Error: Corrupt password file at line {}.", index + 1)))?;
        changed.extend(change(name, password, &whole)?);
    }
    Ok(changed)
}

/// Name and password: what stands before the first `:` and before the next, without blanks around; several `:` are like one.
fn parts(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut tokens = raw.split(|octet| *octet == b':').filter(|token| !token.is_empty());
    let (name, password) = (tokens.next()?, tokens.next()?);
    let (name, password) = (blankless(name), blankless(password));
    (!name.is_empty() && !password.is_empty() && !raw.contains(&0)).then_some((name, password))
}

/// Without what C's `isspace` is true for, which is one more than `trim_ascii` takes.
fn blankless(text: &[u8]) -> &[u8] {
    let is_text = |octet: &u8| !octet.is_ascii_whitespace() && *octet != 0x0B;
    let Some(first) = text.iter().position(is_text) else { return &[] };
    let last = text.iter().rposition(is_text).unwrap_or(first);
    text.get(first..=last).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_name_and_a_password() {
        let cases: [(&str, Option<(&str, &str)>); 12] = [
            ("a:b\n", Some(("a", "b"))),
            (" a b \t: c d \r\n", Some(("a b", "c d"))),
            ("\x0Ba:b\x0B", Some(("a", "b"))),
            (":a::b:c\n", Some(("a", "b"))),
            ("a:b:c\n", Some(("a", "b"))),
            ("a:b", Some(("a", "b"))),
            ("a\n", None),
            ("a:\n", None),
            ("a: \n", None),
            (" :b\n", None),
            (":b\n", None),
            ("a:b\0c\n", None),
        ];
        for (raw, expected) in cases {
            let expected = expected.map(|(name, password)| (name.as_bytes(), password.as_bytes()));
            assert_eq!(parts(raw.as_bytes()), expected, "{raw:?}");
        }
    }

    #[test]
    fn comments_stay_and_the_last_line_gets_its_end() {
        let (changed, was_there) = set(b"# people\n\na:x\nb:y", b"c", b"c:z\n").unwrap();
        assert_eq!((String::from_utf8(changed).unwrap().as_str(), was_there), ("# people\n\na:x\nb:y\nc:z\n", false));
        let (changed, was_there) = set(b"a:x\n#a:y\na:z\n", b"a", b"a:new\n").unwrap();
        assert_eq!((String::from_utf8(changed).unwrap().as_str(), was_there), ("a:new\n#a:y\na:z\n", true));
        assert_eq!(delete(b"a:x\nb:y\na:z", b"a").unwrap(), b"b:y\n");
    }

    #[test]
    fn nothing_is_changed_by_halves() {
        let corrupt = Failure::new("Error: Corrupt password file at line 2.");
        assert_eq!(set(b"a:x\nbroken\nc:y\n", b"d", b"d:z\n").unwrap_err(), corrupt);
        assert_eq!(delete(b"a:x\nbroken\nc:y\n", b"a").unwrap_err(), corrupt);
        assert_eq!(upgrade(b"a:x\nbroken\n", |_| Ok("$".to_owned())).unwrap_err(), corrupt);
        assert_eq!(upgrade(b"", |_| Ok("$".to_owned())).unwrap_err(), Failure::new(""));
    }

    #[test]
    fn what_is_hashed_is_not_hashed_again() {
        let hashed = "c:$6$njERlZMi/7DzNB9E$iiavfuXvUm8iyDZArTy7smTxh07GXXOrOsqxfW6gkOYVXHGk+W+i/8d3xDxrMwEPygEBhoA8A/gjQC0N2M4Lkw==\n";
        let text = format!("# x\na:plain\n{hashed}b:$7$x\n");
        let made = upgrade(text.as_bytes(), |password| Ok(format!("<{}>", String::from_utf8_lossy(password)))).unwrap();
        assert_eq!(String::from_utf8(made).unwrap(), format!("# x\na:<plain>\n{hashed}b:<$7$x>\n"));
    }
}
