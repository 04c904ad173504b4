//! Questions about clients, answered by what is in force when they are asked.

use std::sync::Arc;

use signet_mqtt::{TopicFilter, TopicName};
use signet_policy::{Rule, Ruleset, TopicPattern, Who};
use signet_server::{Question, Unanswered};
use signet_tls::Check;

use crate::rig::Rig;

fn question(rig: &Rig, listener: &str) -> Question {
    Question {
        listener: Some(listener.to_owned()),
        chain: vec![rig.pki.device("pump-7").der],
        publish: Some(TopicName::new("a/b").unwrap()),
        subscribe: Some(TopicFilter::new("a/#").unwrap()),
        ..Question::default()
    }
}

#[test]
fn the_answer_is_that_of_the_rules_in_force() {
    let rig = Rig::new(1);
    let mut asked = question(&rig, "mqtts");
    let answer = rig.server.explain(&asked).unwrap();
    let asking = answer.asking.unwrap().unwrap();
    assert_eq!((asking.applicant.client.device().unwrap().as_str(), asking.applicant.is_assigned), ("pump-7", true));
    assert!(asking.chain.is_none() && answer.certificate.unwrap().refusal.is_none());
    let client = asking.applicant.client;
    let access = rig.server.explain_access(&client, &asked);
    assert!(access.publish.unwrap().allowed && access.subscribe.unwrap().allowed);

    let pattern = |text: &str| vec![TopicPattern::parse(text).unwrap()];
    let rule =
        Rule { name: "only here".to_owned(), who: Who::Devices, publish: pattern("a/b"), subscribe: pattern("a/b"), ..Rule::default() };
    rig.server.replace_rules(Arc::new(Ruleset::compile(vec![rule])));
    let access = rig.server.explain_access(&client, &asked);
    assert_eq!(access.publish.unwrap().rule, "only here");
    let subscribe = access.subscribe.unwrap();
    assert!(!subscribe.allowed && subscribe.considered[0].includes_client && !subscribe.considered[0].covers);

    asked.chain = vec![rig.pki.expired_device("late").der];
    let answer = rig.server.explain(&asked).unwrap();
    assert_eq!(answer.certificate.unwrap().refusal.unwrap().check, Check::Validity);
    asked.chain = vec![b"no certificate".to_vec()];
    let answer = rig.server.explain(&asked).unwrap();
    assert!(answer.asking.is_none());
    assert_eq!(answer.certificate.unwrap().refusal.unwrap().check, Check::CertificateForm);
}

#[test]
fn a_listener_is_named_where_it_is_not_clear() {
    let rig = Rig::new(1);
    let of = |listener: Option<&str>| Question { listener: listener.map(str::to_owned), ..question(&rig, "mqtts") };
    assert_eq!(rig.server.explain(&of(None)).unwrap_err(), Unanswered::WhichListener(vec!["mqtts".to_owned(), "wss".to_owned()]));
    assert_eq!(rig.server.explain(&of(Some("mqtt"))).unwrap_err(), Unanswered::NoCertificates("mqtt".to_owned()));
    assert!(
        rig.server
            .explain(&of(Some("nowhere")))
            .unwrap_err()
            .to_string()
            .starts_with("there is no listener `nowhere`; there are mqtt, mqtts")
    );
    let profiles = rig.server.profiles();
    assert_eq!((&**profiles[0].profile.name(), &profiles[0].listeners), ("devices", &vec!["mqtts".to_owned(), "wss".to_owned()]));
}

#[test]
fn who_has_no_certificate_can_be_asked_about_too() {
    let rig = Rig::new(1);
    let asked = Question { listener: Some("mqtt".to_owned()), username: Some("ann".to_owned()), ..Question::default() };
    let answer = rig.server.explain(&asked).unwrap();
    assert!(answer.certificate.is_none());
    let asking = answer.asking.unwrap().unwrap();
    assert_eq!((asking.applicant.client.username(), asking.anonymous), (Some("ann"), true));
    // Where a certificate is required, there is no CONNECT without one.
    let answer = rig.server.explain(&Question { listener: Some("mqtts".to_owned()), ..asked }).unwrap();
    assert!(answer.asking.is_none());
    assert_eq!(answer.certificate.unwrap().refusal.unwrap().check, Check::CertificatePresent);
}
