//! Trust profiles over the socket, with shards that close what they are told to; and what only the broker itself knows, passed through.

use signet_admin::api::{
    AuditQuery, DisableProfile, EnableProfile, Explain, Forgive, ProblemKind, RefreshSources, RefusalQuery, RefusedClient, TrustProfile,
};
use signet_net::KickCause;

use crate::live::{Plant, leaf};
use crate::socket::refused;

/// What the control side knows.
pub(crate) fn profiles() -> Vec<TrustProfile> {
    let profile =
        |name: &str, enabled| TrustProfile { name: name.to_owned(), enabled_in_configuration: enabled, ..TrustProfile::default() };
    vec![profile("plant", true), profile("partner", true), profile("old", false)]
}

pub(crate) fn refusals() -> Vec<RefusedClient> {
    let refused = |number| RefusedClient {
        number,
        at: String::new(),
        address: "192.0.2.7:40000".to_owned(),
        listener: "mqtts".to_owned(),
        subject: None,
        serial: None,
        issuer: None,
        check: "revocation".to_owned(),
        found: String::new(),
        hint: String::new(),
        explainable: false,
    };
    vec![refused(2), refused(1)]
}

fn disable(profile: &str) -> DisableProfile {
    DisableProfile { profile: profile.to_owned(), reason: Some("broken into".to_owned()), dry_run: false }
}

fn enable(profile: &str) -> EnableProfile {
    EnableProfile { profile: profile.to_owned() }
}

#[tokio::test]
async fn a_profile_is_disabled_with_everybody_under_it_and_enabled_again() {
    let plant = Plant::start();
    let client = &plant.rig.client;
    let certificate = leaf(&plant.rig.add("pump-7").await.chain_pem);
    let (a, b) = (plant.connect(&certificate, "pump-7", None, "mqtts"), plant.connect(&certificate, "pump-8", Some("acme"), "mqtts"));
    let listed = client.trust().await.unwrap();
    let facts: Vec<(&str, bool, u64)> = listed.iter().map(|one| (one.name.as_str(), one.enabled, one.sessions)).collect();
    assert_eq!(facts, [("plant", true, 2), ("partner", true, 0), ("old", false, 0)]);

    let tried = client.disable_profile(&DisableProfile { dry_run: true, ..disable("plant") }).await.unwrap();
    assert_eq!((tried.would_end, tried.connections.len(), tried.disabled), (Some(2), 2, None));
    assert!(plant.ended().is_empty() && plant.rig.revocations.load().disabled_profiles().is_empty(), "only a question");

    let report = client.disable_profile(&disable("plant")).await.unwrap();
    let sessions = report.sessions.unwrap();
    assert_eq!((sessions.found, sessions.closed, report.already), (2, 2, false));
    assert!(sessions.last_closed_at.unwrap() >= sessions.revoked_at.unwrap());
    assert_eq!(plant.ended(), [a, b].map(|link| (link, KickCause::ProfileDisabled("plant".into()))));
    assert!(plant.rig.revocations.load().disabled_profiles().contains("plant"), "every handshake knows");
    let record = plant.last().await;
    assert_eq!((record.action.as_str(), record.subject.as_str(), record.sessions_closed), ("trust.disable", "plant", Some(2)));
    assert!(record.last_session_closed_at.unwrap() >= record.revoked_at.unwrap());
    let again = client.disable_profile(&DisableProfile { reason: None, ..disable("plant") }).await.unwrap();
    assert_eq!((again.already, again.disabled.as_ref().unwrap().reason.as_str()), (true, "broken into"));
    assert_eq!(client.audit(&AuditQuery::default()).await.unwrap().len(), 1, "nothing was done the second time");
    let listed = client.trust().await.unwrap();
    assert_eq!((listed[0].enabled, listed[0].disabled.as_ref()), (false, again.disabled.as_ref()));

    assert_eq!(client.enable_profile(&enable("plant")).await.unwrap().reason, "broken into");
    assert!(plant.rig.revocations.load().disabled_profiles().is_empty());
    assert_eq!(plant.last().await.action, "trust.enable");
    assert!(client.trust().await.unwrap()[0].enabled);
}

#[tokio::test]
async fn profiles_that_are_not_there_or_not_disabled_are_pointed_out() {
    let plant = Plant::start();
    let client = &plant.rig.client;
    let problem = refused(client.disable_profile(&disable("plnat")).await.unwrap_err());
    assert_eq!((problem.kind, problem.message.as_str()), (ProblemKind::NotFound, "there is no trust profile `plnat`"));
    assert!(problem.hint.unwrap().starts_with("did you mean `plant`?"));
    assert!(refused(client.enable_profile(&enable("plant")).await.unwrap_err()).message.ends_with("is not disabled"));
    assert!(refused(client.enable_profile(&enable("old")).await.unwrap_err()).hint.unwrap().contains("enabled = true"));
    let long = DisableProfile { reason: Some("x".repeat(257)), ..disable("plant") };
    assert_eq!(refused(client.disable_profile(&long).await.unwrap_err()).kind, ProblemKind::Invalid);
    assert!(plant.rig.revocations.load().disabled_profiles().is_empty());
}

#[tokio::test]
async fn what_the_broker_knows_comes_through() {
    let plant = Plant::start();
    let client = &plant.rig.client;
    let request = Explain { listener: Some("mqtts".to_owned()), ..Explain::default() };
    assert_eq!(client.explain(&request).await.unwrap().listener, "mqtts");
    assert_eq!(client.refusals(&RefusalQuery::default()).await.unwrap(), refusals());
    assert_eq!(client.refusal(1).await.unwrap().number, 1);
    let problem = refused(client.refusal(9).await.unwrap_err());
    assert_eq!((problem.kind, problem.message.as_str()), (ProblemKind::NotFound, "refusal 9 is not kept"));
    assert!(client.sources().await.unwrap().is_empty());
    assert_eq!(client.refresh(&RefreshSources { which: Some("plant".to_owned()) }).await.unwrap().sources, 1);
}

#[tokio::test]
async fn who_is_held_off_comes_through_and_forgiving_is_recorded() {
    let plant = Plant::start();
    let client = &plant.rig.client;
    let held: Vec<(String, String)> = client.held_off().await.unwrap().into_iter().map(|held| (held.who, held.why)).collect();
    assert_eq!(held, [("192.0.2.7", "address"), ("pump-7", "flapping")].map(|(who, why)| (who.to_owned(), why.to_owned())));
    let forgive = |who: &str| Forgive { who: Some(who.to_owned()) };
    assert_eq!(client.forgive(&forgive("192.0.2.7")).await.unwrap().forgiven, 1);
    assert_eq!(client.forgive(&Forgive::default()).await.unwrap().forgiven, 2);
    assert_eq!(refused(client.forgive(&forgive("192.0.2.8")).await.unwrap_err()).kind, ProblemKind::NotFound);
    let records = client.audit(&AuditQuery::default()).await.unwrap();
    let forgiven = records.iter().filter(|record| record.action == "held.forgive").map(|record| record.subject.as_str());
    assert_eq!(forgiven.collect::<Vec<_>>(), ["everybody", "192.0.2.7"], "not what changed nothing");
}
