//! Random changes, random crashes, and a comparison with the naive model. Segments are tiny, so that compaction never rests.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use signet_broker::{Change, Moment, RetainedId};
use signet_journal::simulated::{Chance, SimulatedFolder};
use signet_journal::{Folder, JournalConfig};
use signet_mqtt::{ClientIdentifier, Message, QoS, TopicName};

use super::model::{Model, State, Step};
use crate::encode;
use crate::engine::{Engine, Written};
use crate::record::put_first_free;

const SEGMENT: u64 = 4096;
const CONFIG: JournalConfig = JournalConfig { segment_bytes: SEGMENT, maximum_bytes: None };

fn open(folder: &SimulatedFolder) -> (Engine, State, u64) {
    let (engine, image, _) = Engine::open(Box::new(folder.clone()), CONFIG).unwrap();
    (engine, State::of(&image), image.first_free)
}

/// What the writer does in one round.
fn round(engine: &mut Engine, posts: &[Vec<u8>], sync: bool) {
    let posted = posts.iter().map(Vec::len).sum();
    let compacts = engine.wants_compaction();
    if compacts {
        engine.compact(posted).unwrap();
    }
    posts.iter().for_each(|records| engine.add(records));
    assert_eq!(engine.write().unwrap(), Written::Done);
    if sync || compacts {
        engine.sync().unwrap();
    }
    engine.settle().unwrap();
    assert_eq!(engine.prepare().unwrap(), None);
}

/// Compaction until it has nothing to do, and the bound it promises.
fn compact_all(engine: &mut Engine) {
    let mut rounds = 0;
    while engine.wants_compaction() {
        round(engine, &[], true);
        rounds += 1;
        assert!(rounds < 1000, "compaction comes to an end");
    }
    let (used, live) = (engine.journal.bytes_used(), engine.index.live());
    assert!(used <= 2 * live + 4 * SEGMENT, "{used} bytes for {live}");
}

/// Transactions of a round, and whether it is synced.
type Round = (Vec<Step>, bool);

fn any_rounds() -> impl Strategy<Value = Vec<Round>> {
    vec((vec(any::<Step>(), 1..6), any::<bool>()), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// What was durable is there, whole transactions only, and nothing comes back that was taken away.
    #[test]
    fn after_a_crash_the_state_is_one_that_was_and_not_before_the_last_sync(
        lives in vec((any_rounds(), any::<bool>(), any::<u64>()), 1..4)
    ) {
        let mut folder = SimulatedFolder::new();
        let mut model = Model::default();
        let mut durable_largest = 0;
        for (rounds, is_power_loss, seed) in lives {
            let (mut engine, state, _) = open(&folder);
            prop_assert_eq!(&state, &model.state);
            // Every state since the last sync, of which one must be found.
            let mut history = vec![model.state.clone()];
            for (steps, sync) in rounds {
                let mut posts = Vec::new();
                let first = history.len();
                for step in steps {
                    posts.push(model.step(step));
                    history.push(model.state.clone());
                }
                // A round is one batch: of its transactions all are there, or none.
                history.drain(first..history.len() - 1);
                let compacts = engine.wants_compaction();
                round(&mut engine, &posts, sync);
                if sync || compacts || !engine.journal.has_unsynced() {
                    history.drain(..history.len() - 1);
                    durable_largest = model.largest();
                }
                let (used, live) = (engine.journal.bytes_used(), engine.index.live());
                prop_assert!(used <= 2 * live + 16 * SEGMENT, "{} bytes for {}", used, live);
            }
            let live = engine.index.live();
            folder = if is_power_loss { folder.lose_power(&mut Chance::new(seed)) } else { folder.kill() };
            let (again, state, first_free) = open(&folder);
            let known = history.iter().rposition(|known| *known == state);
            prop_assert!(known.is_some(), "{:#?}\nis none of {:#?}", state, history);
            prop_assert!(first_free > durable_largest || durable_largest == 0, "{} after {}", first_free, durable_largest);
            if !is_power_loss {
                prop_assert_eq!(&state, history.last().unwrap());
                prop_assert_eq!(again.index.live(), live, "recovery counts what is live as it was counted before");
            }
            drop(again);
            model = Model::resume(state, first_free);
            // A second reading is the same, also after a loss of power at once.
            folder = folder.lose_power(&mut Chance::new(seed));
            let (_, second, _) = open(&folder);
            prop_assert_eq!(&second, &model.state);
        }
    }

    /// Whenever compaction may rest, the bound holds; and what it left is what was there.
    #[test]
    fn compaction_keeps_its_bound_and_the_state(rounds in any_rounds()) {
        let folder = SimulatedFolder::new();
        let (mut engine, _, _) = open(&folder);
        let mut model = Model::default();
        for (steps, sync) in rounds {
            let posts: Vec<_> = steps.into_iter().map(|step| model.step(step)).collect();
            round(&mut engine, &posts, sync);
            compact_all(&mut engine);
        }
        engine.sync().unwrap();
        let live = engine.index.live();
        let (again, state, first_free) = open(&folder.lose_power(&mut Chance::new(1)));
        prop_assert_eq!(&state, &model.state);
        prop_assert_eq!(again.index.live(), live);
        prop_assert!(first_free > model.largest());
    }

    /// A disk that is full most of the time refuses, but whatever it took is there.
    #[test]
    fn without_room_a_batch_waits_whole(rounds in any_rounds(), segments in 8_u64..16) {
        let folder = SimulatedFolder::new();
        let (mut engine, _, _) = open(&folder);
        folder.set_room(Some(segments * SEGMENT));
        let mut model = Model::default();
        let mut written = model.state.clone();
        for (steps, _) in rounds {
            if engine.wants_compaction() {
                engine.compact(0).unwrap();
            }
            for step in steps {
                let records = model.step(step);
                engine.add(&records);
            }
            if engine.write().unwrap() != Written::Done {
                engine.rescue().unwrap();
                engine.prepare().unwrap();
                if engine.write().unwrap() != Written::Done {
                    break;
                }
            }
            engine.sync().unwrap();
            engine.settle().unwrap();
            engine.prepare().unwrap();
            written = model.state.clone();
        }
        prop_assert!(folder.bytes() <= segments * SEGMENT);
        let folder = folder.lose_power(&mut Chance::new(2));
        prop_assert_eq!(open(&folder).1, written);
    }
}

fn retained(id: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let message = Arc::new(Message {
        topic: TopicName::new("a").unwrap(),
        payload: vec![1; 700].into(),
        qos: QoS::AtLeastOnce,
        retain: true,
        properties: Default::default(),
    });
    let (id, publisher, received_at) = (RetainedId(id), ClientIdentifier::new("p"), Moment::ZERO);
    encode(&Change::RetainedSet { id, replaces: None, message: &message, publisher: &publisher, received_at }, &mut out);
    out
}

/// Fills the disk with retained messages, takes those away that `is_dead` says, and puts a batch together for which there is no room.
fn filled(is_dead: impl Fn(u64) -> bool) -> (SimulatedFolder, Engine, u64) {
    let folder = SimulatedFolder::new();
    let (mut engine, _, _) = open(&folder);
    folder.set_room(Some(folder.bytes()));
    let mut count = 0;
    let write = |engine: &mut Engine, records: &[u8]| {
        engine.add(records);
        assert_eq!(engine.write().unwrap(), Written::Done);
        engine.sync().unwrap();
        engine.settle().unwrap();
        engine.prepare().unwrap();
    };
    while engine.journal.reserve() > 2000 {
        count += 1;
        write(&mut engine, &retained(count));
    }
    let mut cleared = Vec::new();
    (1..=count).filter(|id| is_dead(*id)).for_each(|id| encode(&Change::RetainedCleared { id: RetainedId(id) }, &mut cleared));
    write(&mut engine, &cleared);
    (folder, engine, count)
}

#[test]
fn without_any_room_what_is_dead_goes_all_the_same() {
    // All of the first segment and a little more.
    let (folder, mut engine, count) = filled(|id| id < 7);
    engine.compact(0).unwrap();
    (0..3).for_each(|more| engine.add(&retained(count + 1 + more)));
    assert!(matches!(engine.write().unwrap(), Written::NoRoom(_)));
    engine.rescue().unwrap();
    assert_eq!(engine.prepare().unwrap().is_some(), engine.is_tight);
    assert_eq!(engine.write().unwrap(), Written::Done, "the room of the first segment");
    engine.sync().unwrap();
    engine.settle().unwrap();
    let (again, _, _) = open(&folder.lose_power(&mut Chance::new(1)));
    assert_eq!(again.stats().retained, count - 6 + 3);
}

#[test]
fn without_any_room_nothing_goes_that_a_waiting_batch_was_to_move() {
    // Nearly all of the first segment, and all of the second.
    let (folder, mut engine, count) = filled(|id| (2..12).contains(&id));
    engine.compact(10_000).unwrap();
    assert!(engine.pending() > 700 && engine.journal.has_retired(), "the first one is moved");
    (0..3).for_each(|more| engine.add(&retained(count + 1 + more)));
    assert!(matches!(engine.write().unwrap(), Written::NoRoom(_)));
    engine.rescue().unwrap();
    let (again, _, _) = open(&folder.lose_power(&mut Chance::new(1)));
    assert_eq!(again.stats().retained, count - 10);
}

/// What compaction was reading may be gone before it goes on: then it begins with what is the oldest now.
#[test]
fn without_any_room_compaction_does_not_go_on_in_what_is_gone() {
    let folder = SimulatedFolder::new();
    let (mut engine, _, _) = open(&folder);
    folder.set_room(Some(folder.bytes()));
    let tail = |engine: &Engine| engine.journal.contents().last().map_or(0, |(place, _)| place.segment);
    let write = |engine: &mut Engine, records: &[u8]| {
        engine.add(records);
        assert_eq!(engine.write().unwrap(), Written::Done);
        engine.sync().unwrap();
        engine.settle().unwrap();
        engine.prepare().unwrap();
    };
    let mut of_segment = std::collections::BTreeMap::<u64, Vec<u64>>::new();
    let mut count = 0;
    while engine.journal.reserve() > 2000 {
        count += 1;
        let before = tail(&engine);
        write(&mut engine, &retained(count));
        of_segment.entry(tail(&engine)).or_default().push(count);
        if (before, tail(&engine)) == (1, 2) {
            // As when a segment before was removed.
            let mut first_free = Vec::new();
            put_first_free(&mut first_free, 5);
            write(&mut engine, &first_free);
        }
    }
    let clear = |engine: &mut Engine, ids: &[u64]| {
        let mut cleared = Vec::new();
        ids.iter().for_each(|id| encode(&Change::RetainedCleared { id: RetainedId(*id) }, &mut cleared));
        write(engine, &cleared);
    };
    let mut dead = [of_segment[&1].clone(), of_segment[&2].clone()].concat();
    clear(&mut engine, &dead);
    engine.compact(0).unwrap();
    (0..3).for_each(|more| engine.add(&retained(count + 1 + more)));
    assert!(matches!(engine.write().unwrap(), Written::NoRoom(_)));
    engine.rescue().unwrap();
    assert_eq!(engine.journal.contents().next().map(|(place, _)| place.segment), Some(3), "two went");
    engine.prepare().unwrap();
    assert_eq!(engine.write().unwrap(), Written::Done);
    engine.sync().unwrap();
    engine.settle().unwrap();
    folder.set_room(None);
    engine.prepare().unwrap();
    // Nearly all of the third, and enough besides to make compaction worth while.
    let passing: Vec<u64> = (count + 4..count + 30).collect();
    passing.iter().for_each(|id| write(&mut engine, &retained(*id)));
    clear(&mut engine, &passing);
    clear(&mut engine, &of_segment[&3][1..]);
    dead.extend(&of_segment[&3][1..]);
    compact_all(&mut engine);
    let (again, _, _) = open(&folder.lose_power(&mut Chance::new(1)));
    assert_eq!(again.stats().retained, count + 3 - u64::try_from(dead.len()).unwrap());
}

/// Retained messages that replace each other, in an order without any order.
fn churn(engine: &mut Engine, model: &mut Model, rounds: u16, mut check: impl FnMut(&Engine)) {
    for number in 0..rounds {
        let which = u8::try_from(number * 31 % 256).unwrap();
        // The size is never a multiple of four, which would clear one.
        let records = model.step((3, which.min(150), 1 + 4 * (number % 170)));
        round(engine, &[records], true);
        check(engine);
    }
}

#[test]
fn the_bound_holds_at_all_times_while_much_is_live() {
    let folder = SimulatedFolder::new();
    let (mut engine, _, _) = open(&folder);
    let mut model = Model::default();
    // Some that stay, so that there is something to move.
    let kept: Vec<Vec<u8>> = std::iter::once((0, 0, 0)).chain((0..60).map(|_| (8, 0, 699))).map(|step| model.step(step)).collect();
    kept.into_iter().for_each(|records| round(&mut engine, &[records], true));
    churn(&mut engine, &mut model, 2000, |engine| {
        let (used, live) = (engine.journal.bytes_used(), engine.index.live());
        assert!(live > 10 * SEGMENT && used <= 2 * live + 4 * SEGMENT, "{used} bytes for {live}");
    });
    assert!(engine.stats().bytes_moved > 20 * SEGMENT);
    assert_eq!(open(&folder.lose_power(&mut Chance::new(1))).1, model.state);
}

#[test]
fn ids_of_what_is_long_gone_are_not_given_out_again() {
    let folder = SimulatedFolder::new();
    let (mut engine, _, _) = open(&folder);
    let mut model = Model::default();
    let first = model.step((0, 0, 0));
    round(&mut engine, &[first], true);
    churn(&mut engine, &mut model, 50, |_| {});
    let largest = model.largest();
    while model.retained() > 0 {
        let cleared = model.step((3, 0, 0));
        round(&mut engine, &[cleared], true);
    }
    // Nothing but comings and goings of the one session, until no segment knows those ids any more, and then once more.
    for number in 0..3000 {
        let records = model.step((1, 0, 3 * (number % 100)));
        round(&mut engine, &[records], true);
    }
    let (mut again, _, first_free) = open(&folder.lose_power(&mut Chance::new(1)));
    assert_eq!(first_free, largest + 1);
    for number in 0..3000 {
        let records = model.step((1, 0, 3 * (number % 100)));
        round(&mut again, &[records], true);
    }
}

#[test]
fn what_belongs_to_nobody_is_forgotten_at_the_next_start() {
    let folder = SimulatedFolder::new();
    let (mut engine, _, _) = open(&folder);
    let mut model = Model::default();
    let session = model.step((0, 0, 0));
    // All kinds of things, and the session they belong to only once.
    let others: Vec<Vec<u8>> = [(2, 0, 3), (7, 0, 1), (6, 0, 3), (1, 0, 0), (8, 0, 1)].into_iter().map(|step| model.step(step)).collect();
    round(&mut engine, &others, true);
    assert!(engine.index.live() > 0);
    let (mut engine, state, _) = open(&folder.kill());
    assert_eq!((engine.index.live(), state), (0, State::default()));
    // It comes too late.
    round(&mut engine, &[session], true);
    assert_eq!(engine.stats().sessions, 1);
}

#[test]
fn a_segment_of_which_nothing_is_needed_goes_without_being_read() {
    let folder = SimulatedFolder::new();
    let (mut engine, _, _) = open(&folder);
    let mut model = Model::default();
    for number in 0..100 {
        let records = model.step((3, 0, 4 * number + 1));
        round(&mut engine, &[records], true);
    }
    assert!(folder.names().unwrap().len() < 12, "retained messages replace each other: {:?}", folder.names());
    compact_all(&mut engine);
}
