//! Counting, holding and forgetting, with the time in hand; and that bounds hold whatever happens.

use super::*;

const RULES: Rules = Rules { maximum: 3, window: 1_000, hold: Hold::Doubling { first: 500, most: 2_000 } };

fn ledger(rules: Rules) -> Ledger<u32> {
    Ledger::new(rules)
}

fn note(ledger: &Ledger<u32>, key: u32, now: u64) -> Option<u64> {
    ledger.note(&key, || format!("key {key}"), now).map(|held| held.until)
}

/// So many events at once.
fn many(ledger: &Ledger<u32>, count: usize, key: u32, now: u64) {
    for _ in 0..count {
        note(ledger, key, now);
    }
}

fn until(ledger: &Ledger<u32>, key: u32, now: u64) -> Option<u64> {
    ledger.check(&key, now).map(|held| held.until)
}

/// A small pseudo-random sequence with a seed, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

#[test]
fn the_last_event_of_a_window_begins_the_hold_and_the_next_lasts_twice_as_long() {
    let ledger = ledger(RULES);
    assert_eq!([10_000, 10_001, 10_002].map(|now| note(&ledger, 1, now)), [None, None, Some(10_502)]);
    assert_eq!(until(&ledger, 1, 10_501), Some(10_502));
    assert_eq!(until(&ledger, 1, 10_502), None);
    assert_eq!(until(&ledger, 2, 10_100), None, "nobody else");
    assert_eq!([10_600, 10_600, 10_600].map(|now| note(&ledger, 1, now)), [None, None, Some(11_600)]);
    assert_eq!([11_700, 11_700, 11_700].map(|now| note(&ledger, 1, now)), [None, None, Some(13_700)]);
    assert_eq!([13_800, 13_800, 13_800].map(|now| note(&ledger, 1, now)), [None, None, Some(15_800)], "the maximum");
    assert_eq!(ledger.counts(), (12, 4));
}

#[test]
fn who_behaves_for_as_long_as_the_maximum_starts_anew() {
    let ledger = ledger(RULES);
    many(&ledger, 3, 1, 10_000);
    let quiet = 10_500 + 2_000;
    assert_eq!([quiet; 3].map(|now| note(&ledger, 1, now)), [None, None, Some(quiet + 500)]);
}

#[test]
fn slowly_enough_is_never_too_often() {
    let ledger = ledger(RULES);
    for step in 0..1_000 {
        assert_eq!(note(&ledger, 1, 10_000 + step * 500), None);
    }
}

#[test]
fn what_comes_during_a_hold_makes_it_no_longer() {
    let ledger = ledger(RULES);
    many(&ledger, 3, 1, 10_000);
    assert!((0..100).all(|_| note(&ledger, 1, 10_100).is_none()));
    assert_eq!(until(&ledger, 1, 10_499), Some(10_500));
    assert_eq!(until(&ledger, 1, 10_500), None);
    assert_eq!(note(&ledger, 1, 10_500), None, "and counting starts anew");
}

#[test]
fn a_hold_is_news_once() {
    let ledger = ledger(RULES);
    many(&ledger, 3, 1, 10_000);
    let news = |now| ledger.check(&1, now).map(|held| held.is_news);
    assert_eq!([news(10_100), news(10_101), news(10_400)], [Some(true), Some(false), Some(false)]);
    many(&ledger, 3, 1, 10_600);
    assert_eq!(news(10_700), Some(true), "the next one again");
}

#[test]
fn a_rate_lets_so_many_through_in_each_window() {
    let ledger = ledger(Rules { maximum: 3, window: 1_000, hold: Hold::UntilWindowEnds });
    let let_in = |now| {
        let may = ledger.check(&1, now).is_none();
        if may {
            note(&ledger, 1, now);
        }
        may
    };
    assert_eq!((0..1_000).filter(|step| let_in(50_000 + step)).count(), 3);
    assert_eq!((1_000..2_000).filter(|step| let_in(50_000 + step)).count(), 3);
}

#[test]
fn zero_holds_nobody_off() {
    let ledger = ledger(Rules { maximum: 0, ..RULES });
    assert!((0..100).all(|now| note(&ledger, 1, now).is_none()));
    assert_eq!((ledger.held(50).len(), ledger.counts()), (0, (0, 0)));
}

#[test]
fn forgiven_is_forgotten() {
    let ledger = ledger(RULES);
    for key in 1..=2 {
        many(&ledger, 3, key, 10_000);
    }
    note(&ledger, 3, 10_000);
    assert_eq!(ledger.forgive(|who| who == "key 1" || who == "key 3", 10_100), 1, "of two that were held off; the third was not");
    assert_eq!((until(&ledger, 1, 10_100), until(&ledger, 2, 10_100)), (None, Some(10_500)));
    assert_eq!([note(&ledger, 3, 10_100), note(&ledger, 3, 10_100)], [None, None], "what was counted is forgotten too");
    assert_eq!(ledger.forgive(|_| true, 10_100), 1);
    assert!(ledger.held(10_100).is_empty());
}

/// Whatever else happens: there are never more records than there is room for, nobody is held off for longer than the maximum, and never somebody
/// against whom fewer than `maximum` events were noted within one window since the last hold.
#[test]
fn bounds_hold_and_nobody_pays_for_others() {
    for seed in 1..=50 {
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15 ^ seed);
        let ledger: Ledger<u32> = Ledger::sized(RULES, 2, 8);
        let mut times: HashMap<u32, Vec<u64>> = HashMap::new();
        let mut now = 10_000;
        for _ in 0..3_000 {
            now += dice.below(200);
            let key = u32::try_from(dice.below(40)).unwrap();
            // The victim, key 0, makes two mistakes in every window at most, whatever the others do.
            if key == 0 && times.get(&0).is_some_and(|noted| noted.iter().filter(|at| now - **at < RULES.window).count() >= 2) {
                continue;
            }
            let own = times.entry(key).or_default();
            own.push(now);
            if let Some(held) = ledger.note(&key, || format!("key {key}"), now) {
                assert!(held.until > now && held.until - now <= 2_000, "seed {seed}");
                let recent = own.iter().filter(|at| now - **at < RULES.window).count();
                assert!(recent >= 3, "seed {seed}: {key} is held off for {recent} events of its own");
            }
            assert_eq!(until(&ledger, 0, now), None, "seed {seed}: the victim");
            let held = ledger.stripes.iter().map(|stripe| stripe.lock().unwrap().len()).max().unwrap();
            assert!(held <= 8, "seed {seed}: {held} records in one part");
        }
    }
}

/// Thousands of fresh keys with an event each, which a network of its own gives anybody, drive out neither who is held off nor who is about to be.
#[test]
fn nobody_is_forgotten_by_making_a_crowd() {
    let ledger: Ledger<u32> = Ledger::sized(Rules { maximum: 20, window: 60_000, ..RULES }, 1, 64);
    many(&ledger, 20, 1, 10_000);
    many(&ledger, 19, 2, 10_000);
    for key in 1_000..20_000 {
        note(&ledger, key, 10_100);
    }
    assert!(until(&ledger, 1, 10_200).is_some());
    assert!(note(&ledger, 2, 10_200).is_some(), "its twentieth");
}

/// To be forgotten takes as much against everybody else.
#[test]
fn the_least_guilty_makes_room_and_what_is_over_before_it() {
    let ledger: Ledger<u32> = Ledger::sized(Rules { maximum: 20, window: 1_000, ..RULES }, 1, 3);
    many(&ledger, 20, 1, 10_000);
    many(&ledger, 5, 2, 20_000);
    many(&ledger, 4, 3, 20_000);
    let known = || {
        let stripe = ledger.stripes[0].lock().unwrap();
        let mut keys: Vec<u32> = stripe.keys().copied().collect();
        keys.sort_unstable();
        keys
    };
    note(&ledger, 4, 20_000);
    assert_eq!(known(), [2, 3, 4], "the hold of 1 was over long ago");
    note(&ledger, 5, 20_000);
    assert_eq!(known(), [2, 3, 5]);
    many(&ledger, 9, 5, 20_000);
    note(&ledger, 6, 20_000);
    assert_eq!(known(), [2, 5, 6]);
}
