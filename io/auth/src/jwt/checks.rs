//! What a token has to say for somebody to be let in by it, and what it gives him.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use signet_identity::{Facts, Template};
use signet_policy::{Applicant, Grant, ProvenNames, shown};

use crate::claims;

/// Whom tokens are for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Audience {
    /// Nobody in particular: one that says whom it is for is for somebody else (RFC 7519 §4.1.3).
    #[default]
    Nobody,
    /// Whoever it says.
    Any,
    /// One of these.
    OneOf(Vec<String>),
}

/// What is asked of the claims, and which of them give something. A name that begins with `/` is a path into the claims (RFC 6901), any other the name of
/// a claim.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimRules {
    /// Whether a token has to end some time.
    pub expiry_required: bool,
    /// How much the clock of whoever makes tokens may differ from ours.
    pub leeway: Duration,
    /// Who may have made it (`iss`); nobody: whoever has the key.
    pub issuers: Vec<String>,
    /// Whom it has to be for (`aud`).
    pub audience: Audience,
    /// What else has to be in it: of each claim what its value has to be, or what one of its values has to be.
    pub verify: Vec<(String, Template)>,
    /// The claim that says that somebody may do everything.
    pub superuser: String,
    /// The claim with the client's attributes, an object.
    pub attributes: String,
    /// The claim with the client's groups, a list.
    pub groups: String,
    /// The claim with the client's rules.
    pub rules: String,
}

impl Default for ClaimRules {
    /// A token has to end, clocks differ by up to 10 s, and the claims have the names of EMQX; groups are in `groups`.
    fn default() -> Self {
        Self {
            expiry_required: true,
            leeway: Duration::from_secs(10),
            issuers: Vec::new(),
            audience: Audience::Nobody,
            verify: Vec::new(),
            superuser: "is_superuser".to_owned(),
            attributes: "client_attrs".to_owned(),
            groups: "groups".to_owned(),
            rules: "acl".to_owned(),
        }
    }
}

impl ClaimRules {
    /// What somebody is given who shows a token with these claims, whose signature was verified.
    ///
    /// # Errors
    /// In words: why he is not let in by it.
    pub(super) fn check(&self, token: &Map<String, Value>, applicant: &Applicant, source: &Arc<str>) -> Result<Grant, String> {
        let expires_at = self.check_times(token, applicant.now)?;
        self.check_origin(token)?;
        let facts = applicant.facts();
        for (claim, template) in &self.verify {
            check_claim(token, claim, template, &facts)?;
        }
        let named = |claim: &str| {
            let claim = claim.to_owned();
            move |why: String| format!("its token's `{claim}`: {why}")
        };
        Ok(Grant {
            superuser: claims::truth(find(token, &self.superuser)).map_err(named(&self.superuser))?,
            groups: claims::groups(find(token, &self.groups)).map_err(named(&self.groups))?,
            attributes: claims::attributes(find(token, &self.attributes)).map_err(named(&self.attributes))?,
            rules: claims::rules(find(token, &self.rules), source).map_err(named(&self.rules))?.into_iter().collect(),
            expires_at,
            // The claim had to be equal to what is made of the name.
            proven: self.verify.iter().map(|(_, template)| ProvenNames::in_text(template)).fold(ProvenNames::default(), ProvenNames::or),
            ..Grant::default()
        })
    }

    /// RFC 7519 §4.1.4 to §4.1.6.
    fn check_times(&self, token: &Map<String, Value>, now: i64) -> Result<Option<i64>, String> {
        let leeway = i64::try_from(self.leeway.as_secs()).unwrap_or(i64::MAX);
        let end = time(token, "exp")?.map(|end| end.saturating_add(leeway));
        match end {
            Some(end) if end <= now => return Err("its token is over (`exp`)".to_owned()),
            None if self.expiry_required => return Err("its token has no end (`exp`)".to_owned()),
            _ => {}
        }
        for (claim, what) in [("nbf", "its token does not count yet (`nbf`)"), ("iat", "its token was made in the future (`iat`)")] {
            if time(token, claim)?.is_some_and(|begin| begin.saturating_sub(leeway) > now) {
                return Err(what.to_owned());
            }
        }
        Ok(end)
    }

    fn check_origin(&self, token: &Map<String, Value>) -> Result<(), String> {
        if !self.issuers.is_empty() {
            let found = token.get("iss").and_then(Value::as_str);
            if !found.is_some_and(|found| self.issuers.iter().any(|issuer| issuer == found)) {
                return Err(format!("its token is by `{}` (`iss`), who is not expected", shown(found.unwrap_or_default())));
            }
        }
        let found = values(token.get("aud")).ok_or("its token's `aud` is neither a text nor a list of texts")?;
        match &self.audience {
            Audience::Any => Ok(()),
            Audience::Nobody if found.is_empty() => Ok(()),
            Audience::OneOf(wanted) if found.iter().any(|found| wanted.contains(found)) => Ok(()),
            Audience::Nobody => {
                Err("its token is for somebody in particular (`aud`), and the configuration names no `audience`".to_owned())
            }
            Audience::OneOf(_) => Err("its token is for somebody else (`aud`)".to_owned()),
        }
    }
}

/// What a claim has to be is made of the connection and its certificate: where that is missing nothing can be equal to it.
fn check_claim(token: &Map<String, Value>, claim: &str, template: &Template, facts: &Facts<'_>) -> Result<(), String> {
    let wanted = template.render(facts).map_err(|error| format!("its token's `{claim}` cannot be checked: {error}"))?;
    let found = values(find(token, claim)).ok_or_else(|| format!("its token's `{claim}` is nothing that can be compared"))?;
    if found.contains(&wanted) {
        return Ok(());
    }
    Err(format!("its token's `{claim}` is not `{}`", shown(&wanted)))
}

/// One value, or each of several, as text.
fn values(value: Option<&Value>) -> Option<Vec<String>> {
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(claims::scalar).collect(),
        Some(other) => claims::scalar(other).map(|value| vec![value]),
    }
}

fn find<'a>(token: &'a Map<String, Value>, claim: &str) -> Option<&'a Value> {
    let Some(path) = claim.strip_prefix('/') else { return token.get(claim) };
    let mut steps = path.splitn(2, '/');
    let first = steps.next()?.replace("~1", "/").replace("~0", "~");
    let found = token.get(&first)?;
    steps.next().map_or(Some(found), |rest| found.pointer(&format!("/{rest}")))
}

/// A NumericDate in whole seconds (RFC 7519 §2), which may have a fraction.
fn time(token: &Map<String, Value>, claim: &str) -> Result<Option<i64>, String> {
    let unfit = || format!("its token's `{claim}` is no time");
    match token.get(claim) {
        None => Ok(None),
        Some(Value::Number(number)) => match number.as_i64() {
            Some(seconds) => Ok(Some(seconds)),
            None => {
                let seconds = number.as_f64().filter(|seconds| (0.0..1e15).contains(seconds)).ok_or_else(unfit)?;
                // Whole seconds of a number of that size as text: there is no conversion that could go wrong.
                format!("{:.0}", seconds.floor()).parse().map(Some).map_err(|_| unfit())
            }
        },
        Some(_) => Err(unfit()),
    }
}
