//! Lists whose addresses certificates name.

use std::sync::Arc;

use signet_sources::{ProfileSources, SourceKind, SourceLimits, SourceState, SourcesConfig};
use signet_testkit::{Conduct, CrlWish, Nginx, Relay};

use crate::rig::{PATIENCE, Rig, report, until};

fn from_certificates(rig: &Rig) -> ProfileSources {
    ProfileSources { from_certificates: true, ..rig.profile() }
}

fn points(url: &str) -> String {
    format!("crlDistributionPoints=URI:{url}\n")
}

#[test]
fn a_devices_own_distribution_point_is_fetched_when_somebody_asks_and_known_from_then_on() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let url = nginx.url("ca.crl");
    let (good, bad) = (rig.ca.device("good", &points(&url)), rig.ca.device("bad", &points(&url)));
    rig.ca.revoke(&bad, "keyCompromise");
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    let sources = rig.start(from_certificates(&rig));
    assert!(rig.is_unknown(&good));
    rig.ask(&sources, &good);
    assert!(rig.is_good(&good) && rig.is_revoked(&bad), "one fetch tells about both");
    rig.ask(&sources, &bad);
    assert_eq!(nginx.wait_for_answers(1).len(), 1);
    assert_eq!(report(&sources, &url).kind, SourceKind::FromCertificate);
}

#[test]
fn the_points_of_known_intermediates_are_fetched_from_the_start() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let url = nginx.url("root.crl");
    let below = rig.ca.below(&rig.file("below"), "Issuing CA", &points(&url));
    let id = signet_identity::Leaf::parse(&below.der()).unwrap().id();
    nginx.publish("root.crl", &rig.ca.crl(CrlWish::default()));
    let mut profile = from_certificates(&rig);
    profile.issuers.push(below.der());
    let sources = rig.start(profile);
    rig.told.wait("the list of the root", |events| events.lists.len() == 1);
    assert_eq!(report(&sources, &url).lists[0].issuer, "CN=Test CA");
    assert!(rig.revocations.load().lookup(&id).is_none());
    rig.ca.revoke_authority(&below);
    nginx.publish("root.crl", &rig.ca.crl(CrlWish::default()));
    sources.refresh(None);
    rig.told.wait("the next list", |events| events.lists.len() == 2);
    assert!(rig.revocations.load().lookup(&id).is_some());
}

#[test]
fn after_a_restart_it_is_known_without_asking() {
    let rig = Rig::new();
    let mut nginx = Nginx::start(None);
    let url = nginx.url("ca.crl");
    let device = rig.ca.device("device", &points(&url));
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    let config = rig.config(from_certificates(&rig));
    let sources = rig.start_all(&config);
    rig.ask(&sources, &device);
    drop(sources);
    nginx.stop();
    let next = Rig::new();
    let sources = next.start_all(&config);
    assert_eq!(report(&sources, &url).lists.len(), 1);
    drop(sources);
    // Under a profile that does not want it, it is not.
    let next = Rig::new();
    let sources = next.start_all(&SourcesConfig { profiles: vec![rig.profile()], ..config });
    assert!(sources.report().is_empty());
}

#[test]
fn many_that_ask_at_once_are_one_fetch_and_too_many_are_turned_away() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let relay = Relay::start(nginx.port(), Conduct::Hold);
    let url = format!("http://127.0.0.1:{}/ca.crl", relay.port());
    let devices: Vec<_> = ["a", "b", "c"].iter().map(|name| rig.ca.device(name, &points(&url))).collect();
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    let limits = SourceLimits { asked_at_once: 2, ..SourceLimits::default() };
    let sources = rig.start_all(&SourcesConfig { limits, ..rig.config(from_certificates(&rig)) });
    let (done, is_done) = std::sync::mpsc::channel();
    let ask = |number: usize| {
        let done = done.clone();
        sources.ask(&rig.identity(&devices[number]), Box::new(move || done.send(number).unwrap()));
    };
    ask(0);
    ask(0);
    ask(1);
    relay.wait_for(1);
    ask(2);
    assert_eq!(is_done.recv_timeout(PATIENCE), Ok(2), "turned away at once, while the others wait");
    assert_eq!(sources.asking(), (2, 1));
    assert!(is_done.try_recv().is_err());
    relay.conduct(Conduct::Pass);
    let mut others: Vec<_> = (0..3).map(|_| is_done.recv_timeout(PATIENCE).unwrap()).collect();
    others.sort_unstable();
    assert_eq!(others, [0, 0, 1]);
    assert_eq!(relay.connections(), 1);
    assert!(devices.iter().all(|device| rig.is_good(device)));
}

#[test]
fn a_server_that_is_down_ends_the_asking_and_is_found_again() {
    let rig = Rig::new();
    let mut nginx = Nginx::start(None);
    let url = nginx.url("ca.crl");
    let device = rig.ca.device("device", &points(&url));
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    nginx.stop();
    let sources = rig.start(from_certificates(&rig));
    rig.ask(&sources, &device);
    assert!(rig.is_unknown(&device));
    assert_eq!(report(&sources, &url).state, SourceState::Failing);
    nginx.restart();
    until("the list", || rig.is_good(&device));
}

#[test]
fn a_delta_that_a_certificate_names_is_fetched_too() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let (complete, delta) = (nginx.url("ca.crl"), nginx.url("delta.crl"));
    let device = rig.ca.device("device", &format!("{}freshestCRL=URI:{delta}\n", points(&complete)));
    let base_number = rig.ca.next_crl_number();
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    rig.ca.revoke(&device, "keyCompromise");
    let extensions = format!("2.5.29.27=critical,ASN1:INTEGER:{base_number}");
    nginx.publish("delta.crl", &rig.ca.crl(CrlWish { extensions: &extensions, ..CrlWish::default() }));
    let sources = rig.start(from_certificates(&rig));
    rig.ask(&sources, &device);
    until("the delta", || rig.is_revoked(&device));
}

#[test]
fn a_delta_that_the_list_itself_names_is_fetched_too() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let (complete, delta) = (nginx.url("ca.crl"), nginx.url("delta.crl"));
    let device = rig.ca.device("device", "");
    let base_number = rig.ca.next_crl_number();
    let names = format!("freshestCRL=URI:{delta}");
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish { extensions: &names, der: true, ..CrlWish::default() }));
    rig.ca.revoke(&device, "keyCompromise");
    let extensions = format!("2.5.29.27=critical,ASN1:INTEGER:{base_number}");
    nginx.publish("delta.crl", &rig.ca.crl(CrlWish { extensions: &extensions, ..CrlWish::default() }));
    let sources = rig.start(ProfileSources { urls: vec![complete.parse().unwrap()], ..from_certificates(&rig) });
    until("the delta", || rig.is_revoked(&device));
    assert_eq!(report(&sources, &delta).kind, SourceKind::FromCertificate);
}

#[test]
fn other_hosts_and_other_schemes_are_not_fetched() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let url = nginx.url("ca.crl");
    let text = format!("crlDistributionPoints=URI:ldap://127.0.0.1/cn=CA?certificateRevocationList,URI:{url}\n");
    let device = rig.ca.device("device", &points(&url));
    let both = rig.ca.device("both", &text);
    nginx.publish("ca.crl", &rig.ca.crl(CrlWish::default()));
    let narrowed = ProfileSources { allow_hosts: Some(vec!["crl.example.com".to_owned()]), ..from_certificates(&rig) };
    let sources = rig.start(narrowed);
    rig.ask(&sources, &device);
    assert!(rig.is_unknown(&device) && sources.report().is_empty() && nginx.answers().is_empty());
    drop(sources);
    let sources = rig.start(ProfileSources { allow_hosts: Some(vec!["127.0.0.1".to_owned()]), ..from_certificates(&rig) });
    rig.ask(&sources, &both);
    assert!(rig.is_good(&both));
    assert_eq!(sources.report().len(), 1);
}

#[test]
fn of_too_many_addresses_the_one_not_used_for_longest_goes() {
    let rig = Rig::new();
    let nginx = Nginx::start(None);
    let crl = rig.ca.crl(CrlWish::default());
    let devices: Vec<_> = (0..3)
        .map(|number| {
            nginx.publish(&format!("{number}.crl"), &crl);
            rig.ca.device(&format!("device{number}"), &points(&nginx.url(&format!("{number}.crl"))))
        })
        .collect();
    let limits = SourceLimits { urls_from_certificates: 2, ..SourceLimits::default() };
    let sources = rig.start_all(&SourcesConfig { limits, ..rig.config(from_certificates(&rig)) });
    for (number, device) in devices.iter().enumerate() {
        // The list covers all of them after the first: their addresses would not be needed, so each begins without it.
        rig.revocations.update(|index| index.without_lists(|_, _| true));
        rig.ask(&sources, device);
        assert_eq!(sources.report().len(), (number + 1).min(2), "{:?}", sources.report());
    }
    let addresses: Vec<String> = sources.report().into_iter().map(|report| report.address).collect();
    assert!(addresses.contains(&nginx.url("2.crl")), "{addresses:?}");
    until("two copies", || std::fs::read_dir(rig.directory.path().join("copies")).unwrap().count() == 4);
}

#[test]
fn without_a_source_asking_is_done_at_once() {
    let rig = Rig::new();
    let device = rig.ca.device("device", "");
    let sources = rig.start(rig.profile());
    rig.ask(&sources, &device);
    drop(sources);
    let sources = rig.start(from_certificates(&rig));
    rig.ask(&sources, &device);
    let stranger = Arc::new((*rig.identity(&device)).clone().under("another profile".into(), None));
    let (done, is_done) = std::sync::mpsc::channel();
    sources.ask(&stranger, Box::new(move || done.send(()).unwrap()));
    assert!(is_done.recv_timeout(PATIENCE).is_ok());
}
