//! Lists by source, and deltas beside their base.

use super::*;
use crate::RevocationIndex;
use crate::testing::*;

fn from(label: &str) -> ListSource {
    ListSource::new(label)
}

fn of_number(at: u8, serials: &[u8]) -> Sketch {
    let entries = serials.iter().map(|serial| revoked(&[*serial], &[])).collect();
    Sketch { extensions: vec![number(at)], entries, ..Sketch::default() }
}

fn delta(at: u8, base: u8, listed: &[u8], released: &[u8]) -> Sketch {
    let mut sketch = of_number(at, listed);
    sketch.extensions.push(delta_to(base));
    sketch.entries.extend(released.iter().map(|serial| revoked(&[*serial], &[reason(8)])));
    sketch
}

fn held(index: &RevocationIndex, ca: &Authority) -> Vec<u64> {
    (1..10).filter(|serial| index.lookup(&id_of(ca, *serial)).is_some()).collect()
}

#[test]
fn a_list_stays_until_its_last_source_goes() {
    let (ca, other) = (authority("CA"), authority("Other"));
    let index = RevocationIndex::new()
        .with_crl(crl(&ca, 1, [1]), from("a.pem"))
        .and_then(|index| index.with_crl(crl(&ca, 1, [1]), from("http://crl/")))
        .and_then(|index| index.with_crl(crl(&other, 1, [1]), from("a.pem")))
        .unwrap();
    let sources = |index: &RevocationIndex| index.lists().map(|list| list.sources).collect::<Vec<_>>().concat();
    assert_eq!(sources(&index).len(), 3);
    let gone = |label: &'static str| move |_: &ListStatus, source: &ListSource| source.as_str() == label;
    let left = index.without_lists(gone("a.pem"));
    assert_eq!((sources(&left), held(&left, &ca), held(&left, &other)), (vec![from("http://crl/")], vec![1], vec![]));
    assert_eq!(left.generation(), index.generation().next());
    assert_eq!(left.without_lists(gone("a.pem")).generation(), left.generation(), "nothing to do");
    assert!(left.without_lists(gone("http://crl/")).is_empty());
    // By the list: a file that no longer holds one of its CRLs.
    let authority = certificate_of(&other).leaf().authority_id();
    let left = index.without_lists(|list, source| list.authority == authority && source.as_str() == "a.pem");
    assert_eq!((held(&left, &ca), held(&left, &other)), (vec![1], vec![]));
    // A newer list from one source keeps the other: both stand for this authority's list.
    let newer = index.with_crl(crl(&ca, 2, [2]), from("a.pem")).unwrap();
    assert_eq!(held(&newer.without_lists(gone("a.pem")), &ca), [2]);
}

#[test]
fn sources_are_bounded_and_the_latest_stay() {
    let ca = authority("CA");
    let list = crl(&ca, 1, [1]);
    let index = (0..100).fold(RevocationIndex::new(), |index, number| index.with_crl(list.clone(), from(&number.to_string())).unwrap());
    let sources = index.lists().next().unwrap().sources;
    assert_eq!((sources.len(), sources[0].as_str()), (MAXIMUM_SOURCES, "99"));
}

#[test]
fn that_a_list_was_accepted_for_others_goes_with_the_source_that_said_so() {
    let (ca, rolled) = (authority("CA"), authority("CA"));
    let index = RevocationIndex::new()
        .with_crl(crl(&ca, 1, [1]), from("plain"))
        .and_then(|index| index.with_crl(crl(&ca, 1, [1]).accepted_for_any_issuer(), from("accepted")))
        .unwrap();
    let certificate = PathCertificate { id: id_of(&rolled, 1), issuer_key: certificate_of(&rolled).leaf().spki_digest() };
    let relation =
        |index: &RevocationIndex| index.lists.candidates(certificate.issuer()).map(|list| list.relation(&certificate)).collect::<Vec<_>>();
    assert_eq!(relation(&index), [Relation::Accepted]);
    assert!(index.lists().next().unwrap().for_any_issuer);
    let left = index.without_lists(|_, source| source.as_str() == "accepted");
    assert_eq!((relation(&left), left.lists().count()), (vec![], 1));
}

#[test]
fn a_delta_adds_and_releases_beside_its_base() {
    let ca = authority("CA");
    let base = of_number(5, &[1, 2, 3]).read(&ca).unwrap();
    let index = RevocationIndex::new().with_crl(base, from("base")).unwrap();
    let entries = Arc::clone(&index.lists.iter().next().unwrap().base.groups);
    let index = index.with_crl(delta(6, 5, &[4], &[2]).read(&ca).unwrap(), from("delta")).unwrap();
    assert_eq!(held(&index, &ca), [1, 3, 4]);
    assert!(Arc::ptr_eq(&entries, &index.lists.iter().next().unwrap().base.groups), "the base is not rebuilt");
    let status = index.lists().next().unwrap();
    assert_eq!((status.status.number, status.delta.unwrap().number), (Some(5.into()), Some(6.into())));
    assert_eq!((status.delta.unwrap().base_number, status.delta_sources), (Some(5.into()), vec![from("delta")]));
    // A delta is all that changed since the base: the next one replaces it.
    let index = index.with_crl(delta(8, 4, &[5], &[]).read(&ca).unwrap(), from("delta")).unwrap();
    assert_eq!(held(&index, &ca), [1, 2, 3, 5]);
    let older = index.with_crl(delta(7, 5, &[], &[]).read(&ca).unwrap(), from("delta")).unwrap_err().to_string();
    assert!(older.contains("number 7, but number 8 is loaded"), "{older}");
    let without = index.without_lists(|_, source| source.as_str() == "delta");
    assert_eq!((held(&without, &ca), without.lists().next().unwrap().delta), (vec![1, 2, 3], None));
}

#[test]
fn a_delta_fits_its_base_or_is_refused() {
    let ca = authority("CA");
    let index = RevocationIndex::new().with_crl(of_number(5, &[1]).read(&ca).unwrap(), from("x")).unwrap();
    let refused = |sketch: Sketch| index.with_crl(sketch.read(&ca).unwrap(), from("x")).unwrap_err().to_string();
    assert!(refused(delta(9, 6, &[], &[])).contains("of all certificates with number 6 or higher, but number 5 is loaded"));
    let mut scoped = delta(9, 5, &[], &[]);
    scoped.extensions.push(point(&[flag(0x81)]));
    assert!(refused(scoped).contains("of end-entity certificates with number 5 or higher, but none is loaded"));
    // Of the base's number or below: the base says it all.
    let same = index.with_crl(delta(5, 4, &[2], &[]).read(&ca).unwrap(), from("x")).unwrap();
    assert_eq!((held(&same, &ca), same.lists().next().unwrap().delta), (vec![1], None));
    let unnumbered = RevocationIndex::new().with_crl(Sketch::default().read(&ca).unwrap(), from("x")).unwrap();
    let error = unnumbered.with_crl(delta(9, 5, &[], &[]).read(&ca).unwrap(), from("x")).unwrap_err().to_string();
    assert!(error.contains("but the one that is loaded has no number"), "{error}");
}

#[test]
fn a_complete_list_keeps_a_newer_delta_that_fits_and_drops_any_other() {
    let ca = authority("CA");
    let with = |number, listed: &[u8]| {
        let index = RevocationIndex::new().with_crl(of_number(5, &[1]).read(&ca).unwrap(), from("x")).unwrap();
        let index = index.with_crl(delta(8, 5, &[2], &[]).read(&ca).unwrap(), from("x")).unwrap();
        index.with_crl(of_number(number, listed).read(&ca).unwrap(), from("x")).unwrap()
    };
    assert_eq!(held(&with(7, &[3]), &ca), [2, 3], "the delta of number 8 is newer than 7");
    for number in [8, 9] {
        assert_eq!(held(&with(number, &[3]), &ca), [3]);
    }
    let unnumbered = Sketch { entries: vec![revoked(&[3], &[])], ..Sketch::default() }.read(&ca).unwrap();
    let index = RevocationIndex::new().with_crl(of_number(5, &[1]).read(&ca).unwrap(), from("x")).unwrap();
    let index = index.with_crl(delta(8, 5, &[2], &[]).read(&ca).unwrap(), from("x")).unwrap().with_crl(unnumbered, from("x")).unwrap();
    assert_eq!(held(&index, &ca), [3]);
}

#[test]
fn list_and_delta_are_as_fresh_as_the_fresher_of_them() {
    let ca = authority("CA");
    let status = |delta_dates| {
        let index = RevocationIndex::new().with_crl(of_number(5, &[]).read(&ca).unwrap(), from("x")).unwrap();
        let delta = Sketch { dates: Some(delta_dates), ..delta(6, 5, &[], &[]) };
        index.with_crl(delta.read(&ca).unwrap(), from("x")).unwrap().lists().next().unwrap()
    };
    let later = status(["20260105000000Z", "20260115000000Z"]);
    assert_eq!((later.this_update(), later.next_update()), (NEW_YEAR + 4 * DAY, Some(NEW_YEAR + 14 * DAY)));
    let hourly = status(["20260105000000Z", "20260105010000Z"]);
    assert_eq!(hourly.next_update(), Some(NEW_YEAR + 7 * DAY), "the complete list is still good by itself");
}

#[test]
fn scopes_stand_side_by_side_and_each_counts_its_numbers() {
    let ca = authority("CA");
    let scoped = |at, fields: &[Vec<u8>], serials: &[u8]| {
        let mut sketch = of_number(at, serials);
        sketch.extensions.push(point(fields));
        sketch.read(&ca).unwrap()
    };
    let index = RevocationIndex::new()
        .with_crl(of_number(9, &[1]).read(&ca).unwrap(), from("x"))
        .and_then(|index| index.with_crl(scoped(2, &[point_uri("http://crl/1")], &[2]), from("x")))
        .and_then(|index| index.with_crl(scoped(1, &[point_uri("http://crl/2"), flag(0x81)], &[3]), from("x")))
        .and_then(|index| index.with_crl(scoped(3, &[point_uri("http://crl/1")], &[4]), from("x")))
        .unwrap();
    assert_eq!((held(&index, &ca), index.lists().count()), (vec![1, 3, 4], 3));
    assert!(index.with_crl(scoped(2, &[point_uri("http://crl/1")], &[]), from("x")).is_err());
    let mut scopes: Vec<String> = index.lists().map(|list| list.scope.to_string()).collect();
    scopes.sort();
    assert_eq!(scopes, ["all certificates", "all certificates of http://crl/1", "end-entity certificates of http://crl/2"]);
}

#[test]
fn the_number_of_lists_is_bounded() {
    let ca = authority("CA");
    let list = of_number(1, &[]).read(&ca).unwrap();
    let status = RevocationIndex::new().with_crl(list.clone(), from("x")).unwrap();
    let filled: Vec<Arc<List>> = vec![Arc::clone(status.lists.iter().next().unwrap()); MAXIMUM_LISTS];
    let mut lists =
        Lists { by_signer: BTreeMap::from([(certificate_of(&authority("Other")).leaf().authority_id(), filled)]), for_others: Vec::new() };
    assert!(matches!(lists.insert(list, from("x")), Err(CrlError::TooMany { .. })));
}
