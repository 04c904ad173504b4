//! A question about a client, and its answer, between the admin API and the server.

use std::fmt::Display;

use signet_admin::api::{
    Explain, Explained, ExplainedAccess, ExplainedAnswer, ExplainedCertificate, ExplainedCheck, ExplainedConnect, ExplainedDenial,
    ExplainedProfile, ExplainedRule, ExplainedStatus, ExplainedVerdict, Problem, ProblemKind,
};
use signet_admin::date;
use signet_identity::Leaf;
use signet_mqtt::{Password, TopicFilter, TopicName};
use signet_net::{Registry, Selector};
use signet_policy::{Client, Denied, Verdict};
use signet_revocation::{CertificateStatus, StatusAnswer};
use signet_server::{Access, Answer, Question, ServerHandle, Unanswered};
use signet_tls::{Check, CheckResult, ProfileExplanation};

use crate::authentication::Vouchers;

/// Certificates in one question, and octets of each: more than a handshake takes.
const CHAIN_MAXIMUM: usize = 16;
const CERTIFICATE_MAXIMUM: usize = 64 * 1024;

/// A question that the server has answered as far as it can by itself.
pub(crate) struct Looked {
    question: Question,
    notes: Vec<String>,
    answer: Answer,
}

/// What those who have to vouch say about it.
pub(crate) struct Vouched {
    looked: Looked,
    verdicts: Vec<Verdict>,
    client: Option<Result<Client, Denied>>,
}

/// The first of three steps to an explanation: what the server knows by itself.
///
/// # Errors
/// The question cannot be read, or what it names is not there.
pub(crate) fn look(server: &ServerHandle, issued: Issued<'_>, request: &Explain) -> Result<Looked, Problem> {
    let Asked { mut question, mut notes, is_partial } = asked(server, issued, request)?;
    question.publish = request.publish.as_deref().map(TopicName::new).transpose().map_err(|error| invalid(&error))?;
    question.subscribe = request.subscribe.as_deref().map(TopicFilter::new).transpose().map_err(|error| invalid(&error))?;
    let answer = server.explain(&question).map_err(unanswered)?;
    let certificate = answer.certificate.as_ref();
    let refusal = certificate.and_then(|certificate| certificate.refusal.as_ref());
    if is_partial && refusal.is_some_and(|refusal| refusal.check == Check::Path) {
        notes.push(
            "only the client's own certificate was kept: intermediate certificates that it sent are missing from the path; ask again with --cert FILE"
                .to_owned(),
        );
    }
    let is_looked_at = refusal.is_some() || certificate.is_some_and(|certificate| certificate.leaf.is_some());
    if !question.chain.is_empty() && !is_looked_at {
        return Err(Problem::new(
            ProblemKind::Invalid,
            format!("the listener `{}` asks for no certificate under that server name", answer.listener),
        ));
    }
    Ok(Looked { question, notes, answer })
}

/// The second step: asks those who have to vouch, and waits for them.
pub(crate) fn vouch(looked: Looked, vouchers: &Vouchers, request: &Explain) -> Vouched {
    let (verdicts, client) = match looked.answer.asking.clone() {
        None => (Vec::new(), None),
        Some(Err(denied)) => (Vec::new(), Some(Err(denied))),
        Some(Ok(asking)) if request.assume_let_in => (Vec::new(), Some(Ok(vouchers.assume(asking.applicant)))),
        Some(Ok(asking)) => {
            let (verdicts, client) = vouchers.explain(asking);
            (verdicts, Some(client))
        }
    };
    Vouched { looked, verdicts, client }
}

/// The last step: what the client may do.
pub(crate) fn finish(server: &ServerHandle, vouched: Vouched, request: &Explain) -> Explained {
    let Vouched { looked: Looked { question, notes, answer }, verdicts, client } = vouched;
    let granted = client.as_ref().and_then(|client| client.as_ref().ok()).map(|client| server.explain_access(client, &question));
    explained(&Found { answer, verdicts, client, granted }, request, notes)
}

/// All that was found out.
struct Found {
    answer: Answer,
    verdicts: Vec<Verdict>,
    /// Who it would be, or why it would be nobody; `None`: its certificate is not good.
    client: Option<Result<Client, Denied>>,
    granted: Option<Access>,
}

/// A question that was found.
struct Asked {
    question: Question,
    notes: Vec<String>,
    /// Whether the client may have sent more certificates than are known.
    is_partial: bool,
}

fn asked(server: &ServerHandle, issued: Issued<'_>, request: &Explain) -> Result<Asked, Problem> {
    let question = Question {
        listener: request.listener.clone(),
        server_name: request.server_name.clone(),
        client_identifier: request.client_identifier.clone(),
        username: request.username.clone(),
        password: request.password.as_ref().map(|secret| Password::new(secret.expose().as_bytes().to_vec())),
        address: request.address,
        ..Question::default()
    };
    match (request.certificates.as_slice(), &request.client, &request.device, request.refusal) {
        ([_, ..], None, None, None) => {
            let chain = chain(&request.certificates)?;
            Ok(Asked { question: Question { chain, ..question }, notes: Vec::new(), is_partial: false })
        }
        ([], Some(client), None, None) => of_client(&server.registry(), client, question),
        ([], None, Some(device), None) => of_device(&server.registry(), issued, device, question),
        ([], None, None, Some(number)) => of_refusal(server, number, question),
        ([], None, None, None) => Ok(Asked { question, notes: Vec::new(), is_partial: false }),
        _ => Err(Problem::new(ProblemKind::Invalid, "a certificate, a client, a device or a refusal may be named, and one of them only")),
    }
}

fn chain(texts: &[String]) -> Result<Vec<Vec<u8>>, Problem> {
    if texts.len() > CHAIN_MAXIMUM || texts.iter().any(|text| text.len() > 2 * CERTIFICATE_MAXIMUM) {
        let message = format!("at most {CHAIN_MAXIMUM} certificates of {CERTIFICATE_MAXIMUM} bytes are looked at");
        return Err(Problem::new(ProblemKind::Invalid, message));
    }
    texts.iter().map(|text| hex::decode(text).map_err(|error| invalid(&error))).collect()
}

/// A live client, by the certificate that it showed, at the listener that took it.
fn of_client(registry: &Registry, client: &str, question: Question) -> Result<Asked, Problem> {
    let found = registry.selected(&Selector::ClientIdentifier(client));
    let Some(first) = found.first() else {
        let problem = Problem::new(ProblemKind::NotFound, format!("no client with the Client Identifier `{client}` is connected"));
        return Err(problem.with_hint("`signet connections` shows who is; `signet refusals` who was not let in"));
    };
    let Some(identity) = first.entry.peer.identity() else {
        return Err(Problem::new(ProblemKind::NotFound, format!("the client `{client}` has shown no certificate that could be explained")));
    };
    let mut notes = Vec::new();
    if found.len() > 1 {
        let device = identity.qualified_name();
        notes.push(format!("{} clients of different tenants have this Client Identifier; this is `{device}`", found.len()));
    }
    let question = Question {
        listener: question.listener.or_else(|| Some(first.entry.listener.to_string())),
        client_identifier: question.client_identifier.or_else(|| Some(client.to_owned())),
        chain: vec![identity.leaf().der().to_vec()],
        ..question
    };
    Ok(Asked { question, notes, is_partial: true })
}

/// The certificates that our own CA has issued last for a name, its own first.
pub(crate) type Issued<'a> = &'a dyn Fn(&str) -> Result<Vec<Vec<u8>>, Problem>;

/// A device by its name: as it is connected, or by the certificate that was issued for it last.
fn of_device(registry: &Registry, issued: Issued<'_>, device: &str, question: Question) -> Result<Asked, Problem> {
    let found = registry.selected(&Selector::Device(device));
    if let Some((first, identity)) = found.first().and_then(|first| Some((first, first.entry.peer.identity()?))) {
        let question = Question {
            listener: question.listener.or_else(|| Some(first.entry.listener.to_string())),
            client_identifier: question.client_identifier.or_else(|| first.client_identifier.as_deref().map(str::to_owned)),
            chain: vec![identity.leaf().der().to_vec()],
            ..question
        };
        return Ok(Asked { question, notes: Vec::new(), is_partial: true });
    }
    let chain = issued(device)?;
    if chain.is_empty() {
        let problem =
            Problem::new(ProblemKind::NotFound, format!("no device `{device}` is connected, and no certificate was issued for it here"));
        return Err(problem.with_hint("--cert FILE names a certificate of another authority; --username TEXT a client without one"));
    }
    Ok(Asked { question: Question { chain, ..question }, notes: Vec::new(), is_partial: false })
}

/// A refused attempt, by the certificate that was kept of it.
fn of_refusal(server: &ServerHandle, number: u64, question: Question) -> Result<Asked, Problem> {
    let Some(record) = server.refusals().find(number) else {
        let problem = Problem::new(ProblemKind::NotFound, format!("refusal {number} is not kept"));
        return Err(problem.with_hint("`signet refusals` shows those that are; a restart forgets them"));
    };
    let was = format!("refusal {number} at {}: {} check failed: {}", date(record.at), record.refusal.check, record.refusal.found);
    let Some(certificate) = &record.refusal.certificate else {
        let problem =
            Problem::new(ProblemKind::NotFound, format!("no certificate is known of refusal {number}, so there is nothing to explain"));
        return Err(problem.with_hint(format!("{was}; {}", record.refusal.hint)));
    };
    let question = Question { listener: question.listener.or(Some(record.listener)), chain: vec![certificate.to_vec()], ..question };
    Ok(Asked { question, notes: vec![was], is_partial: true })
}

fn invalid(error: &impl Display) -> Problem {
    Problem::new(ProblemKind::Invalid, error.to_string())
}

fn unanswered(error: Unanswered) -> Problem {
    let kind = if matches!(error, Unanswered::UnknownListener { .. }) { ProblemKind::NotFound } else { ProblemKind::Invalid };
    let problem = Problem::new(kind, error.to_string());
    match error {
        Unanswered::WhichListener(_) => problem.with_hint("--listener NAME"),
        _ => problem,
    }
}

fn explained(found: &Found, request: &Explain, mut notes: Vec<String>) -> Explained {
    notes.extend(found.client.as_ref().and_then(|client| client.as_ref().ok()).and_then(|client| names(client, request.assume_let_in)));
    let certificate = found.answer.certificate.as_ref();
    let decided = |pick: fn(&Access) -> Option<&signet_policy::Explanation>| found.granted.as_ref().and_then(pick);
    let access: Vec<ExplainedAccess> = [
        ("publish", &request.publish, decided(|granted| granted.publish.as_ref())),
        ("subscribe", &request.subscribe, decided(|granted| granted.subscribe.as_ref())),
    ]
    .into_iter()
    .filter_map(|(action, topic, decided)| Some(access(action, topic.as_deref()?, decided?)))
    .collect();
    let (let_in, verdict, hint) = verdict(found, &access);
    Explained {
        listener: found.answer.listener.clone(),
        certificate: certificate.and_then(|certificate| certificate.leaf.as_ref()).map(facts),
        checks: certificate.map_or_else(Vec::new, |certificate| certificate.checks.iter().map(check).collect()),
        profiles: certificate.map_or_else(Vec::new, |certificate| certificate.profiles.iter().map(profile).collect()),
        connect: connect(found),
        authenticators: found.verdicts.iter().map(said).collect(),
        access,
        let_in,
        waits: certificate.is_some_and(|certificate| certificate.waits),
        verdict,
        hint,
        notes,
    }
}

/// Which names rules do not look at, because nobody has proven them, or that nobody was asked to.
fn names(client: &Client, are_assumed: bool) -> Option<String> {
    if are_assumed {
        return Some("the names are taken to be proven; `signet explain` also asks whoever has to vouch for them".to_owned());
    }
    let (username, proven) = (client.username().map(signet_policy::shown), client.proven());
    let what = match (username.filter(|_| !proven.username), proven.client_identifier) {
        (Some(username), true) => format!("the user name `{username}` is claimed and not proven"),
        (Some(username), false) => format!("the user name `{username}` and the Client Identifier are claimed and not proven"),
        (None, false) => "the Client Identifier is claimed and not proven".to_owned(),
        (None, true) => return None,
    };
    Some(format!("{what}: no rule allows anything by it (`believe` changes that)"))
}

fn said(verdict: &Verdict) -> ExplainedVerdict {
    ExplainedVerdict { authenticator: verdict.member.to_string(), verdict: verdict.said.to_owned(), why: verdict.why.clone() }
}

fn facts(leaf: &Leaf) -> ExplainedCertificate {
    ExplainedCertificate {
        subject: leaf.subject().rfc4514(),
        issuer: leaf.issuer().rfc4514(),
        serial: leaf.id().serial().to_string(),
        fingerprint: leaf.fingerprint().to_string(),
        key_type: leaf.key_kind().to_owned(),
        not_before: date(leaf.validity().not_before),
        not_after: date(leaf.validity().not_after),
    }
}

fn check(result: &CheckResult) -> ExplainedCheck {
    ExplainedCheck {
        check: result.check.name().to_owned(),
        passed: result.hint.is_none(),
        found: result.found.clone(),
        hint: result.hint.clone(),
    }
}

fn profile(said: &ProfileExplanation) -> ExplainedProfile {
    // Both in the order of the path; the anchor is in the path only.
    let subjects = said.path.iter().map(String::as_str).chain(std::iter::repeat(""));
    ExplainedProfile {
        profile: said.profile.to_string(),
        path: said.path.clone(),
        checks: said.checks.iter().map(check).collect(),
        revocation: said.status.iter().zip(subjects).map(|(status, subject)| status_of(status, subject)).collect(),
    }
}

fn status_of(status: &CertificateStatus, subject: &str) -> ExplainedStatus {
    let answer = |answer: &StatusAnswer| ExplainedAnswer {
        source: answer.source.to_string(),
        finding: answer.finding.to_string(),
        age_seconds: answer.age,
        next_update: answer.next_update.map(date),
    };
    ExplainedStatus {
        serial: status.id.serial().to_string(),
        subject: subject.to_owned(),
        asked: status.asked,
        answers: status.answers.iter().map(answer).collect(),
    }
}

fn connect(found: &Found) -> Option<ExplainedConnect> {
    let identity = found.answer.certificate.as_ref().and_then(|certificate| certificate.identity.as_ref());
    let base = ExplainedConnect {
        device: identity.map(|identity| identity.name().to_string()),
        tenant: identity.and_then(|identity| identity.tenant()).map(ToString::to_string),
        ..ExplainedConnect::default()
    };
    Some(match found.answer.asking.as_ref()? {
        Ok(asking) => {
            let client = &asking.applicant.client;
            ExplainedConnect {
                username: client.username().map(str::to_owned),
                client_identifier: Some(client.client_identifier().as_str().to_owned()),
                is_assigned: asking.applicant.is_assigned,
                ..base
            }
        }
        Err(denied) => ExplainedConnect { denied: Some(denial(denied)), ..base },
    })
}

fn denial(denied: &Denied) -> ExplainedDenial {
    ExplainedDenial { rule: denied.rule.clone(), found: denied.reason.to_string() }
}

fn access(action: &str, topic: &str, decided: &signet_policy::Explanation) -> ExplainedAccess {
    let rule = |considered: &signet_policy::Considered| ExplainedRule {
        rule: considered.rule.clone(),
        includes_client: considered.includes_client,
        covers: considered.covers,
    };
    ExplainedAccess {
        action: action.to_owned(),
        topic: topic.to_owned(),
        allowed: decided.allowed,
        rule: decided.rule.clone(),
        denied: decided.denied.as_ref().map(|denied| denied.reason.to_string()),
        considered: decided.considered.iter().map(rule).collect(),
    }
}

/// Whether it would be let in, in one line, and what to do about it.
fn verdict(found: &Found, access: &[ExplainedAccess]) -> (bool, String, Option<String>) {
    let certificate = found.answer.certificate.as_ref();
    if let Some(refusal) = certificate.and_then(|certificate| certificate.refusal.as_ref()) {
        return (false, format!("would be refused: {refusal}"), Some(refusal.hint.clone()));
    }
    let client = match &found.client {
        Some(Ok(client)) => client,
        Some(Err(denied)) => {
            let hint = format!("what refuses its CONNECT is {}", quoted(&denied.rule));
            return (false, format!("would be refused: {}", denied.reason), Some(hint));
        }
        None => return (false, "would be refused".to_owned(), None),
    };
    let mut words = format!("would be let in as {}", client.principal());
    if certificate.is_some_and(|certificate| certificate.waits) {
        words.push_str(", after waiting for an answer about its revocation (status_wait)");
    }
    let denied: Vec<String> = access
        .iter()
        .filter(|access| !access.allowed)
        .map(|access| format!("may not {} `{}`", preposition(&access.action), access.topic))
        .collect();
    if !denied.is_empty() {
        words.push_str(&format!(", but {}", denied.join(" and ")));
    }
    let hint = (!denied.is_empty()).then(|| "`[[access]]` rules, and those of its trust profile, say what it may".to_owned());
    (true, words, hint)
}

/// The name of a rule that is none of those that stand in quotes by themselves.
fn quoted(rule: &str) -> String {
    if rule.contains('`') { rule.to_owned() } else { format!("`{rule}`") }
}

fn preposition(action: &str) -> &'static str {
    if action == "publish" { "publish to" } else { "subscribe to" }
}
