//! `type = "jwt"`: tokens.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use signet_auth::{
    Audience, Authenticator, Backend, BackendConfig, ClaimRules, EndpointConfig, JwksAddress, JwksConfig, JwksPlace, JwtAlgorithm,
    JwtAuthenticator, JwtConfig, JwtKeys, TokenPlace,
};
use signet_http::Url;
use signet_identity::{PlaceholderStyle, Template, TemplateError};

use super::super::problem::Problems;
use super::super::section::{At, Section};
use super::endpoint::{self, SecretHeaders};
use super::{AuthenticatorKind, Tools};
use crate::hint::plain;

/// Its name.
pub(super) const NAME: &str = "jwt";

/// Octets from which on a secret is no longer worth a warning (RFC 7518 §3.2, for HS256).
const SECRET_MINIMUM: usize = 32;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// As it is configured; files are read when it is made.
#[derive(Debug)]
struct Token {
    from: TokenPlace,
    algorithms: Vec<JwtAlgorithm>,
    keys: Keys,
    token_maximum: usize,
    claims: ClaimRules,
}

#[derive(Debug)]
enum Keys {
    Secret { file: PathBuf, is_base64: bool },
    Public(Vec<PathBuf>),
    Set(Box<Set>),
}

/// Keys that somebody else keeps.
#[derive(Debug)]
struct Set {
    place: Place,
    secret_headers: SecretHeaders,
    endpoint: EndpointConfig,
    refresh_interval: Duration,
    refresh_minimum: Duration,
    keep: Duration,
}

#[derive(Debug)]
enum Place {
    Url(Url),
    File(PathBuf),
}

/// Reads its keys.
pub(super) fn read(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Arc<dyn AuthenticatorKind>> {
    let from = section.choice("from", &[("password", TokenPlace::Password), ("username", TokenPlace::Username)]);
    let algorithms = algorithms(section, problems);
    let keys = keys(section, base, problems);
    let token_maximum = section.size("token_maximum", 256, 65_535);
    let claims = claims(section, problems);
    Some(Arc::new(Token {
        from: from.map_or(TokenPlace::Password, |at| at.value),
        algorithms: algorithms?,
        keys: keys?,
        token_maximum: token_maximum.map_or(16 * 1024, |at| usize::try_from(at.value).unwrap_or(16 * 1024)),
        claims: claims?,
    }))
}

fn algorithms(section: &Section<'_>, problems: &Problems) -> Option<Vec<JwtAlgorithm>> {
    let known = "HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA";
    let Some(written) = section.strings("algorithms").filter(|list| !list.value.is_empty()) else {
        let hint = format!("add algorithms = [\"ES256\"]; there are {known}");
        problems.at(&section.span, "an authenticator of type \"jwt\" names no `algorithms`", Some(hint));
        return None;
    };
    let one = |at: &At<String>| match at.value.parse::<JwtAlgorithm>() {
        Ok(algorithm) => Some(algorithm),
        Err(_) => {
            problems.at(&at.span, format!("`{}` is no algorithm here", at.value), Some(format!("there are {known}")));
            None
        }
    };
    let all: Vec<_> = written.value.iter().map(one).collect();
    all.into_iter().collect()
}

fn keys(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Keys> {
    let secret = section.string("secret_file");
    let is_base64 = section.choice("secret_encoding", &[("text", false), ("base64", true)]);
    let public = section.strings("public_keys");
    let (url, file) = (section.string("jwks_url"), section.string("jwks_file"));
    let refresh_interval = section.duration("jwks_refresh", SECOND, DAY);
    let refresh_minimum = section.duration("jwks_refresh_minimum", SECOND / 10, DAY);
    let keep = section.duration("jwks_keep", Duration::ZERO, DAY * 365);
    let secret_headers = SecretHeaders::read(section, base);
    let endpoint = endpoint::read(section, base, problems)?;
    if let Some(at) = is_base64.as_ref().filter(|_| secret.is_none()) {
        section.misplaced(at, "secret_encoding", "it says what is in `secret_file`");
        return None;
    }
    let set = |place| {
        let default = JwksConfig::new(JwksPlace::File(PathBuf::new()));
        let time = |at: Option<At<Duration>>, default| at.map_or(default, |at| at.value);
        Keys::Set(Box::new(Set {
            place,
            secret_headers,
            endpoint,
            refresh_interval: time(refresh_interval, default.refresh_interval),
            refresh_minimum: time(refresh_minimum, default.refresh_minimum),
            keep: time(keep, default.keep),
        }))
    };
    match (secret, public, url, file) {
        (Some(file), None, None, None) => {
            Some(Keys::Secret { file: base.join(file.value), is_base64: is_base64.is_some_and(|at| at.value) })
        }
        (None, Some(files), None, None) => Some(Keys::Public(files.value.into_iter().map(|at| base.join(at.value)).collect())),
        (None, None, None, Some(file)) => Some(set(Place::File(base.join(file.value)))),
        (None, None, Some(at), None) => match at.value.parse::<Url>() {
            Ok(url) => Some(set(Place::Url(url))),
            Err(error) => {
                problems.at(&at.span, error.to_string(), None);
                None
            }
        },
        (None, None, None, None) => {
            let hint = "add one of secret_file, public_keys, jwks_url and jwks_file";
            problems.at(&section.span, "an authenticator of type \"jwt\" has no keys", Some(hint.to_owned()));
            None
        }
        _ => {
            let hint = "leave one of secret_file, public_keys, jwks_url and jwks_file; for two kinds write two authenticators";
            problems.at(&section.span, "an authenticator of type \"jwt\" has its keys from one place", Some(hint.to_owned()));
            None
        }
    }
}

fn claims(section: &Section<'_>, problems: &Problems) -> Option<ClaimRules> {
    let default = ClaimRules::default();
    let names = |key| section.strings(key).map(|list| list.value.into_iter().map(|at| at.value).collect::<Vec<_>>());
    let name = |key, default: String| section.string(key).map_or(default, |at| at.value);
    let is_any = section.boolean("any_audience");
    let audience = names("audience");
    let styles = [("signet", None), ("emqx5", Some(PlaceholderStyle::Emqx5)), ("emqx4", Some(PlaceholderStyle::Emqx4))];
    let style = section.choice("placeholders", &styles).map(|at| at.value);
    let mut verify = Vec::new();
    let mut is_whole = true;
    for (claim, written) in section.entries("verify_claims").unwrap_or_default() {
        match template(&written.value, style) {
            Ok(template) => verify.push((claim.value, template)),
            Err(error) => {
                is_whole = false;
                problems.at(&written.span, error.to_string(), None);
            }
        }
    }
    if let (Some(at), Some(_)) = (is_any.as_ref().filter(|at| at.value), &audience) {
        section.misplaced(at, "any_audience", "`audience` says which tokens are for this broker: leave one of the two");
        is_whole = false;
    }
    let audience = match audience {
        Some(names) => Audience::OneOf(names),
        None if is_any.is_some_and(|at| at.value) => Audience::Any,
        None => Audience::Nobody,
    };
    let rules = ClaimRules {
        expiry_required: section.boolean("expiry_required").map_or(default.expiry_required, |at| at.value),
        leeway: section.duration("leeway", Duration::ZERO, SECOND * 600).map_or(default.leeway, |at| at.value),
        issuers: names("issuers").unwrap_or_default(),
        audience,
        verify,
        superuser: name("superuser_claim", default.superuser),
        attributes: name("attributes_claim", default.attributes),
        groups: name("groups_claim", default.groups),
        rules: name("acl_claim", default.rules),
    };
    is_whole.then_some(rules)
}

/// Where nobody says whose placeholders they are, those of EMQX 5 do where ours alone do not.
fn template(text: &str, style: Option<Option<PlaceholderStyle>>) -> Result<Template, TemplateError> {
    let of_emqx5 = || Template::parse_with_placeholders(PlaceholderStyle::Emqx5, text);
    match style {
        Some(None) => Template::parse(text),
        Some(Some(style)) => Template::parse_with_placeholders(style, text),
        None => Template::parse(text).or_else(|error| of_emqx5().map_err(|_| error)),
    }
}

impl Keys {
    fn load(&self) -> Result<JwtKeys, String> {
        match self {
            Self::Secret { file, is_base64: false } => Ok(JwtKeys::Secret(endpoint::secret(file)?.into_bytes().into())),
            Self::Secret { file, is_base64: true } => {
                JwtKeys::base64_secret(&endpoint::secret(file)?).map_err(|why| format!("`{}`: {why}", file.display()))
            }
            Self::Public(files) => {
                let read = |file: &PathBuf| match std::fs::read(file) {
                    Ok(pem) => Ok((file.display().to_string(), pem)),
                    Err(error) => Err(format!("cannot read `{}`: {}", file.display(), plain(&error))),
                };
                Ok(JwtKeys::PublicKeys(files.iter().map(read).collect::<Result<_, String>>()?))
            }
            Self::Set(set) => {
                let place = match &set.place {
                    Place::File(file) => JwksPlace::File(file.clone()),
                    Place::Url(url) => JwksPlace::Url(Box::new(JwksAddress {
                        url: url.clone(),
                        headers: set.secret_headers.load()?,
                        endpoint: set.endpoint.clone(),
                    })),
                };
                Ok(JwtKeys::Jwks(JwksConfig {
                    place,
                    refresh_interval: set.refresh_interval,
                    refresh_minimum: set.refresh_minimum,
                    keep: set.keep,
                }))
            }
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Secret { file, .. } => vec![file.clone()],
            Self::Public(files) => files.clone(),
            // A set in a file is read again by itself.
            Self::Set(set) => endpoint::files(&set.endpoint).into_iter().chain(set.secret_headers.files()).collect(),
        }
    }
}

impl Token {
    fn config(&self, name: &Arc<str>) -> Result<JwtConfig, String> {
        Ok(JwtConfig {
            name: Arc::clone(name),
            from: self.from,
            algorithms: self.algorithms.clone(),
            keys: self.keys.load()?,
            token_maximum: self.token_maximum,
            claims: self.claims.clone(),
        })
    }
}

impl AuthenticatorKind for Token {
    fn make(&self, backend: Arc<Backend>, _tools: &Tools) -> Result<Arc<dyn Authenticator>, String> {
        let config = self.config(&backend.config().name)?;
        if let JwtKeys::Secret(secret) = &config.keys
            && secret.len() < SECRET_MINIMUM
        {
            let (name, octets) = (&*config.name, secret.len());
            tracing::warn!(
                target: "signet::auth",
                name,
                octets,
                "a secret that is so short can be guessed by whoever has one token; take {SECRET_MINIMUM} random octets"
            );
        }
        Ok(Arc::new(JwtAuthenticator::new(&config, backend)?))
    }

    fn check(&self) -> Result<(), String> {
        let backend = Backend::new(BackendConfig::new(NAME, NAME));
        JwtAuthenticator::new(&self.config(&backend.config().name)?, backend).map(drop)
    }

    fn files(&self) -> Vec<PathBuf> {
        self.keys.files()
    }
}

#[cfg(test)]
mod tests;
