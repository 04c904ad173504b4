//! The journal on a simulated disk: power losses, damage, missing files, no room; and once on a real one.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::format::{SEGMENT_HEADER, narrow, segment_name};
use crate::simulated::{Chance, SimulatedFolder};
use crate::{AppendError, Batch, Cut, DiskFolder, Folder, Journal, JournalConfig, JournalError, Place, check, repair};

const SMALL: JournalConfig = JournalConfig { segment_bytes: 4096, maximum_bytes: None };

type Payloads = Vec<Vec<u8>>;

fn open(folder: &SimulatedFolder) -> Result<(Journal, Payloads, Option<Cut>), JournalError> {
    let mut payloads = Vec::new();
    let (journal, cut) = Journal::open(Box::new(folder.clone()), SMALL, |_, payload| {
        payloads.push(payload.to_vec());
        Ok(())
    })?;
    Ok((journal, payloads, cut))
}

fn append(journal: &mut Journal, payload: &[u8]) -> Result<Place, AppendError> {
    let mut batch = Batch::new();
    batch.extend(payload);
    journal.append(&mut batch)
}

/// A payload that says which it is.
fn payload(number: usize, length: usize) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(8 + length, u8::try_from(number % 251).unwrap() + 1);
    bytes
}

/// A folder with `count` synced batches over several segments.
fn written(count: usize) -> (SimulatedFolder, Payloads) {
    let folder = SimulatedFolder::new();
    let (mut journal, _, _) = open(&folder).unwrap();
    let payloads: Payloads = (0..count).map(|number| payload(number, number * 37 % 600)).collect();
    for payload in &payloads {
        append(&mut journal, payload).unwrap();
        journal.sync().unwrap();
        journal.prepare().unwrap();
    }
    (folder.kill(), payloads)
}

#[test]
fn what_was_appended_is_there_again_in_order() {
    let (folder, payloads) = written(60);
    let (journal, found, cut) = open(&folder).unwrap();
    assert_eq!((found, cut), (payloads, None));
    assert!(journal.segment_count() > 4, "several segments");
    for bytes in [0, 1, 39, 40, 41, 500, 100_000] {
        let mut read = Vec::new();
        let mut buffer = Vec::new();
        for (place, _) in journal.contents() {
            let mut from = Some(place);
            while let Some(place) = from {
                from = journal.read(place, bytes, &mut buffer, |_, payload| read.push(payload.to_vec())).unwrap();
            }
        }
        assert_eq!(read.len(), 60, "{bytes} at once");
        assert!(read.iter().enumerate().all(|(number, bytes)| *bytes == payload(number, number * 37 % 600)));
    }
}

#[test]
fn a_batch_larger_than_a_segment_gets_one_of_its_own() {
    let folder = SimulatedFolder::new();
    let (mut journal, _, _) = open(&folder).unwrap();
    for (number, length) in [(0, 10), (1, 50_000), (2, 10)] {
        append(&mut journal, &payload(number, length)).unwrap();
        journal.sync().unwrap();
    }
    let (_, found, _) = open(&folder.kill()).unwrap();
    assert_eq!(found, [payload(0, 10), payload(1, 50_000), payload(2, 10)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Several lives of a journal, each ended by a loss of power.
    #[test]
    fn after_a_loss_of_power_the_synced_batches_are_there_and_no_hole(
        lives in vec((vec((0_usize..1500, any::<bool>(), any::<bool>()), 1..30), any::<u64>()), 1..5)
    ) {
        let mut folder = SimulatedFolder::new();
        let mut expected: Payloads = Vec::new();
        let mut number = 0;
        for (batches, seed) in lives {
            let (mut journal, found, _) = open(&folder).unwrap();
            prop_assert_eq!(&found, &expected);
            let mut synced = expected.len();
            for (length, sync, prepare) in batches {
                let bytes = payload(number, length);
                number += 1;
                append(&mut journal, &bytes).unwrap();
                expected.push(bytes);
                if sync {
                    journal.sync().unwrap();
                    synced = expected.len();
                }
                if prepare {
                    journal.prepare().unwrap();
                }
                prop_assert_eq!(journal.bytes_total(), folder.bytes());
                prop_assert_eq!(journal.bytes_used(), journal.contents().map(|(_, end)| end).sum::<u64>());
            }
            folder = folder.lose_power(&mut Chance::new(seed));
            let report = check(&folder).unwrap();
            prop_assert!(report.damages.is_empty(), "{:?}", report.damages);
            let (journal, found, cut) = open(&folder).unwrap();
            prop_assert_eq!(journal.bytes_total(), folder.bytes());
            prop_assert_eq!(journal.bytes_used(), journal.contents().map(|(_, end)| end).sum::<u64>());
            prop_assert_eq!(cut, report.torn);
            prop_assert!(found.len() >= synced, "{} of {} synced", found.len(), synced);
            prop_assert_eq!(&found[..], &expected[..found.len()]);
            expected = found;
            // That the next life finds the same is checked at its start: the cut must have left nothing behind.
            folder = folder.lose_power(&mut Chance::new(seed ^ 1));
        }
    }

    /// Damage is refused, or it hit the last batch, which cannot be told from a torn one.
    #[test]
    fn a_flipped_bit_is_refused_or_cuts_the_last_batch_only(count in 1_usize..40, at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let (folder, payloads) = written(count);
        let names = folder.file_names();
        let total: usize = names.iter().map(|name| folder.content(name).len()).sum();
        let mut at = at.index(total);
        for name in names {
            let mut content = folder.content(&name);
            if at >= content.len() {
                at -= content.len();
                continue;
            }
            content[at] ^= 1 << bit;
            folder.put(&name, &content);
            break;
        }
        match open(&folder) {
            Ok((_, found, cut)) => {
                prop_assert!(found.len() + 1 >= count && cut.is_some() == (found.len() < count || cut.is_some()));
                prop_assert_eq!(&found[..], &payloads[..found.len()]);
            }
            Err(error) => {
                prop_assert!(matches!(error, JournalError::Damaged(_)), "{}", error);
                let lost = usize::try_from(repair(&folder).unwrap().batches_lost).unwrap();
                let (_, found, _) = open(&folder).unwrap();
                prop_assert!(lost <= 1 && found.len() == count - lost, "{} lost, {} of {} left", lost, found.len(), count);
                prop_assert!(found.iter().all(|payload| payloads.contains(payload)));
            }
        }
    }

    /// The same for any number of random wounds, and for files that end early or are missing.
    #[test]
    fn whatever_is_damaged_repair_keeps_whole_batches_only(
        count in 20_usize..60,
        wounds in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), vec(any::<u8>(), 0..300), 0_u8..6), 1..5),
    ) {
        let (folder, payloads) = written(count);
        let names = folder.file_names();
        for (file, at, bytes, kind) in wounds {
            let name = &names[file.index(names.len())];
            let mut content = folder.content(name);
            if content.is_empty() {
                continue;
            }
            let at = at.index(content.len());
            match kind {
                0 => content.truncate(at),
                1 => content[at..].fill(0),
                2 => {
                    folder.take(name);
                    continue;
                }
                _ => {
                    let end = (at + bytes.len()).min(content.len());
                    content[at..end].copy_from_slice(&bytes[..end - at]);
                }
            }
            folder.put(name, &content);
        }
        let report = check(&folder).unwrap();
        let opened = open(&folder.kill());
        prop_assert_eq!(opened.is_ok(), report.damages.is_empty());
        if let Ok((_, found, _)) = opened {
            prop_assert_eq!(&found[..], &payloads[..found.len()]);
            return Ok(());
        }
        let folder = folder.kill();
        let repaired = match repair(&folder) {
            Ok(repaired) => repaired,
            Err(JournalError::Unrepairable { .. }) => return Ok(()),
            Err(error) => panic!("{error}"),
        };
        prop_assert_eq!(&repaired.damages, &report.damages);
        let again = check(&folder).unwrap();
        prop_assert!(again.damages.is_empty(), "{:?} after {:?}", again.damages, report.damages);
        let (mut journal, found, _) = open(&folder).unwrap();
        let places: Vec<usize> = found.iter().map(|payload| payloads.iter().position(|known| known == payload).unwrap()).collect();
        prop_assert!(places.is_sorted());
        // And it goes on from there.
        append(&mut journal, b"more").unwrap();
        journal.sync().unwrap();
        prop_assert_eq!(open(&folder.lose_power(&mut Chance::new(1))).unwrap().1.len(), found.len() + 1);
    }

    #[test]
    fn arbitrary_bytes_are_no_journal_and_stop_nobody(content in vec(any::<u8>(), 0..6000), with_header in any::<bool>()) {
        let folder = SimulatedFolder::new();
        let mut content = content;
        if with_header {
            let (real, _) = written(1);
            let real = real.content(&segment_name(1));
            content.splice(0..0, real[..narrow(SEGMENT_HEADER)].iter().copied());
        }
        folder.put(&segment_name(1), &content);
        let _ = check(&folder).unwrap();
        let _ = open(&folder);
        let _ = repair(&folder);
    }
}

#[test]
fn a_missing_segment_is_refused_and_named() {
    let (folder, payloads) = written(60);
    for missing in [1, 2, 3] {
        let folder = folder.kill();
        let held = folder.content(&segment_name(missing));
        folder.take(&segment_name(missing));
        let error = open(&folder).unwrap_err().to_string();
        assert_eq!(error, format!("`/simulated/{}` is damaged at offset 0: the file is missing", segment_name(missing)));
        let lost = repair(&folder).unwrap().batches_lost;
        let (_, found, _) = open(&folder).unwrap();
        assert!(found.len() < payloads.len() && !held.is_empty());
        assert_eq!(payloads.len() - found.len(), usize::try_from(lost).unwrap());
    }
}

#[test]
fn damage_is_told_with_file_and_offset_and_a_copy_is_kept() {
    let (folder, payloads) = written(60);
    let name = segment_name(2);
    let mut content = folder.content(&name);
    content[200] ^= 1;
    folder.put(&name, &content);
    let report = check(&folder).unwrap();
    let damage = &report.damages[0];
    assert!(report.damages.len() == 1 && damage.file.ends_with(&name) && damage.offset <= 200 && damage.offset + damage.bytes > 200);
    assert_eq!(damage.to_string(), format!("`/simulated/{name}` is damaged at offset {}: {}", damage.offset, damage.what));
    assert!(matches!(open(&folder), Err(JournalError::Damaged(found)) if *found == *damage));
    assert_eq!(folder.content(&name), content, "refusing changes nothing");
    let repaired = repair(&folder).unwrap();
    assert_eq!((repaired.batches_lost, repaired.is_uncounted, repaired.copies.len()), (1, false, 1));
    assert_eq!(folder.content(&format!("{name}.damaged")), content);
    assert_eq!(open(&folder).unwrap().1.len(), payloads.len() - 1);
    assert_eq!(repair(&folder).unwrap(), crate::Repaired::default(), "a second time there is nothing to do");
}

#[test]
fn what_is_lost_before_the_first_whole_batch_is_not_told_as_nothing() {
    let (folder, _) = written(60);
    let (mut journal, _, _) = open(&folder).unwrap();
    journal.retire_oldest();
    while folder.file_names().contains(&segment_name(1)) {
        append(&mut journal, &payload(0, 100)).unwrap();
        journal.sync().unwrap();
        journal.prepare().unwrap();
    }
    drop(journal);
    let name = segment_name(2);
    let mut content = folder.content(&name);
    content[200] ^= 1;
    folder.put(&name, &content);
    let repaired = repair(&folder).unwrap();
    assert_eq!((repaired.batches_lost, repaired.is_uncounted), (0, true));
}

#[test]
fn a_segment_of_another_version_is_no_damage_to_repair() {
    let (folder, _) = written(3);
    let name = segment_name(1);
    let mut content = folder.content(&name);
    content[8] = 2;
    let checksum = crc32c::crc32c(&content[..60]).to_le_bytes();
    content[60..64].copy_from_slice(&checksum);
    folder.put(&name, &content);
    assert!(open(&folder).unwrap_err().to_string().contains("another version"));
    assert!(repair(&folder).unwrap_err().to_string().contains("another version"));
    assert_eq!(folder.content(&name), content);
}

#[test]
fn without_room_nothing_is_lost_and_it_goes_on_when_there_is_some() {
    let folder = SimulatedFolder::new();
    let (mut journal, _, _) = open(&folder).unwrap();
    folder.set_room(Some(folder.bytes()));
    let mut count = 0;
    let why = loop {
        match append(&mut journal, &payload(count, 500)) {
            Ok(_) => count += 1,
            Err(AppendError::NoRoom(why)) => break why,
            Err(error) => panic!("{error}"),
        }
        journal.sync().unwrap();
    };
    assert!(count >= 3 * 7, "the spares were used: {count}");
    assert!(why.contains("could not make"), "{why}");
    assert!(journal.prepare().unwrap().is_some());
    folder.set_room(None);
    assert_eq!(journal.prepare().unwrap(), None);
    append(&mut journal, &payload(count, 500)).unwrap();
    journal.sync().unwrap();
    let (_, found, cut) = open(&folder.lose_power(&mut Chance::new(3))).unwrap();
    assert_eq!((found.len(), cut), (count + 1, None));
}

#[test]
fn what_a_write_without_room_left_behind_is_no_damage() {
    for smaller in 1..20 {
        let folder = SimulatedFolder::new();
        let (mut journal, _, _) = open(&folder).unwrap();
        journal.prepare().unwrap();
        append(&mut journal, &payload(0, 100)).unwrap();
        folder.cut_next_write(3000);
        assert!(matches!(append(&mut journal, &payload(1, 3600)), Err(AppendError::NoRoom(_))));
        // What fits is written in its place, until it takes the next segment.
        for number in 0..smaller {
            append(&mut journal, &payload(number, 8)).unwrap();
        }
        append(&mut journal, &payload(1, 3900)).unwrap();
        append(&mut journal, &payload(2, 100)).unwrap();
        journal.sync().unwrap();
        let (_, found, cut) = open(&folder.lose_power(&mut Chance::new(3))).unwrap();
        assert_eq!((found.len(), cut), (smaller + 3, None));
    }
}

#[test]
fn the_configured_maximum_counts_like_a_full_disk() {
    let folder = SimulatedFolder::new();
    let config = JournalConfig { maximum_bytes: Some(8 * 4096), ..SMALL };
    let (mut journal, _) = Journal::open(Box::new(folder), config, |_, _| Ok(())).unwrap();
    let error = (0..1000).find_map(|number| append(&mut journal, &payload(number, 1000)).err()).unwrap();
    assert!(error.to_string().contains("the configured maximum of 32768 bytes is reached"), "{error}");
    assert_eq!(journal.bytes_total(), 8 * 4096);
    journal.retire_oldest();
    assert!(append(&mut journal, &payload(0, 1000)).is_err(), "the oldest is there until a batch says that it is not needed");
    assert!(config.check().is_ok() && JournalConfig { maximum_bytes: Some(4096), ..SMALL }.check().is_err());
}

#[test]
fn a_failed_sync_is_an_error_and_so_is_a_failed_write() {
    let folder = SimulatedFolder::new();
    let (mut journal, _, _) = open(&folder).unwrap();
    append(&mut journal, b"x").unwrap();
    folder.fail_syncs_after(Some(0));
    assert!(journal.sync().unwrap_err().to_string().contains("could not sync"));
    let folder = folder.kill();
    let (mut journal, _, _) = open(&folder).unwrap();
    folder.fail_writes(true);
    assert!(matches!(append(&mut journal, b"y"), Err(AppendError::Failed(_))));
}

#[test]
fn the_oldest_segment_goes_only_when_the_disk_knows_it() {
    let (folder, payloads) = written(60);
    for seed in 0..20 {
        let folder = folder.kill();
        let (mut journal, _, _) = open(&folder).unwrap();
        journal.retire_oldest();
        journal.sync().unwrap();
        assert!(journal.has_retired() && folder.file_names().contains(&segment_name(1)), "no batch says so yet");
        append(&mut journal, b"says so").unwrap();
        if seed % 2 == 0 {
            journal.sync().unwrap();
            assert!(!journal.has_retired());
            assert_eq!(journal.bytes_total(), folder.bytes());
        }
        let after = folder.lose_power(&mut Chance::new(seed));
        let is_gone = !after.file_names().contains(&segment_name(1));
        let (_, found, _) = open(&after).unwrap();
        assert_eq!(is_gone, !found.contains(&payloads[0]));
        assert!(!is_gone || found.last().unwrap() == b"says so");
        assert!(found.contains(&payloads[59]));
    }
}

#[test]
fn a_retired_segment_is_taken_back_when_nothing_says_so() {
    let (folder, payloads) = written(60);
    let (mut journal, _, _) = open(&folder).unwrap();
    let before = (journal.bytes_used(), journal.oldest());
    journal.retire_oldest();
    journal.retire_oldest();
    journal.take_retired_back();
    assert_eq!((journal.bytes_used(), journal.oldest(), journal.has_retired()), (before.0, before.1, false));
    append(&mut journal, b"more").unwrap();
    journal.sync().unwrap();
    assert_eq!(open(&folder.kill()).unwrap().1.len(), payloads.len() + 1);
}

#[test]
fn a_segment_that_was_to_be_removed_is_removed_at_the_next_start() {
    let (folder, _) = written(60);
    let (mut journal, _, _) = open(&folder).unwrap();
    let first = folder.content(&segment_name(1));
    journal.retire_oldest();
    append(&mut journal, b"says so").unwrap();
    journal.sync().unwrap();
    drop(journal);
    // The crash came before the name was gone.
    folder.put(&segment_name(1), &first);
    drop(open(&folder).unwrap());
    assert!(!folder.file_names().contains(&segment_name(1)));
    assert!(check(&folder).unwrap().damages.is_empty());
}

#[test]
fn on_a_real_disk_files_are_private_and_the_directory_is_locked() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/store");
    let folder = DiskFolder::open(&path).unwrap();
    assert!(matches!(DiskFolder::open(&path), Err(JournalError::Busy { .. })));
    let (mut journal, _) = Journal::open(Box::new(folder), SMALL, |_, _| Ok(())).unwrap();
    for number in 0..50 {
        append(&mut journal, &payload(number, 300)).unwrap();
        journal.sync().unwrap();
        journal.prepare().unwrap();
    }
    drop(journal);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join(segment_name(1))), 0o600);
    let folder = DiskFolder::open(&path).unwrap();
    assert!(check(&folder).unwrap().damages.is_empty());
    assert_eq!(folder.names().unwrap().len(), check(&folder).unwrap().segments.len());
    let mut count = 0;
    let _ = Journal::open(Box::new(folder), SMALL, |_, payload_| {
        assert_eq!(payload_, payload(count, 300));
        count += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(count, 50);
}
