//! A folder in memory that loses power, runs out of room and fails on demand. For tests.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::batch::Batch;
use crate::folder::{File, Folder};
use crate::format::{BatchHeader, Identity, narrow, segment_header, wide};

/// The unit in which a disk writes: of a write that was not synced, any of them may be missing after a loss of power.
const SECTOR: usize = 512;

/// A folder in memory. Clones are the same folder.
#[derive(Debug, Clone, Default)]
pub struct SimulatedFolder {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone, Default)]
struct State {
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    /// What happened to names since the last sync of the folder, one state after the other; the first is the one that was synced.
    synced_names: BTreeMap<String, u64>,
    pending_names: Vec<BTreeMap<String, u64>>,
    room: Option<u64>,
    syncs_left: Option<u64>,
    is_dead: bool,
    writes_fail: bool,
    /// Of the next write only so many bytes find room.
    room_of_next_write: Option<usize>,
}

#[derive(Debug, Clone, Default)]
struct Inode {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    pending: Vec<Pending>,
}

#[derive(Debug, Clone)]
enum Pending {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

/// The name and the content of a first segment with these batches, all of them synced, and zeros to `bytes`: always the same, which one made
/// by a journal is not.
#[must_use]
pub fn first_segment(payloads: &[&[u8]], bytes: usize) -> (String, Vec<u8>) {
    let identity = Identity { journal: 7, segment: 1 };
    let mut content = segment_header(identity);
    for (before, payload) in (0..).zip(payloads) {
        let mut batch = Batch::new();
        batch.extend(payload);
        let header = BatchHeader {
            is_filler: false,
            length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            number: before + 1,
            synced_through: before,
            oldest: 1,
            checksum: 0,
        };
        let offset = wide(content.len());
        content.extend_from_slice(batch.seal(header, identity, offset));
    }
    content.resize(content.len().max(bytes), 0);
    (crate::format::segment_name(1), content)
}

/// A small generator of numbers for [`SimulatedFolder::lose_power`], the same on every machine.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The same seed gives the same numbers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x9E37_79B9_7F4A_7C15 | 1)
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % bound.max(1)
    }
}

impl SimulatedFolder {
    /// An empty folder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is there after the machine lost power: everything synced, and of the rest what `chance` says, down to sectors and to names. This
    /// folder itself fails from here on.
    #[must_use]
    pub fn lose_power(&self, chance: &mut Chance) -> Self {
        let mut state = self.lock();
        state.is_dead = true;
        let reached = chance.below(wide(state.pending_names.len()) + 1);
        let names = match reached.checked_sub(1) {
            Some(index) => state.pending_names.get(narrow(index)).cloned().unwrap_or_default(),
            None => state.synced_names.clone(),
        };
        let mut inodes = BTreeMap::new();
        for (number, inode) in &state.inodes {
            let bytes = inode.after_power_loss(chance);
            inodes.insert(*number, Inode { synced: bytes.clone(), bytes, pending: Vec::new() });
        }
        let left = State { inodes, synced_names: names.clone(), names, ..State::default() };
        Self { state: Arc::new(Mutex::new(left)) }
    }

    /// What is there after the process died: everything. This folder itself fails from here on.
    #[must_use]
    pub fn kill(&self) -> Self {
        let mut state = self.lock();
        let left = State { is_dead: false, writes_fail: false, syncs_left: None, room: None, ..state.clone() };
        state.is_dead = true;
        Self { state: Arc::new(Mutex::new(left)) }
    }

    /// So many bytes fit into all files together; nothing for any number.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.lock().room = bytes;
    }

    /// Bytes that all files take.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.lock().taken()
    }

    /// After so many more, every sync fails; nothing for never.
    pub fn fail_syncs_after(&self, count: Option<u64>) {
        self.lock().syncs_left = count;
    }

    /// Whether every write fails with an input/output error.
    pub fn fail_writes(&self, fail: bool) {
        self.lock().writes_fail = fail;
    }

    /// Of the next write only so many bytes find room, as on a file system that does not keep what it reserved.
    pub fn cut_next_write(&self, bytes: usize) {
        self.lock().room_of_next_write = Some(bytes);
    }

    /// The names of all files.
    #[must_use]
    pub fn file_names(&self) -> Vec<String> {
        self.lock().names.keys().cloned().collect()
    }

    /// The content of a file; empty if there is none.
    #[must_use]
    pub fn content(&self, name: &str) -> Vec<u8> {
        let state = self.lock();
        state.names.get(name).and_then(|number| state.inodes.get(number)).map(|inode| inode.bytes.clone()).unwrap_or_default()
    }

    /// Puts a file there, durably, in place of what had its name.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.lock();
        let number = state.next();
        state.inodes.insert(number, Inode { bytes: bytes.to_vec(), synced: bytes.to_vec(), pending: Vec::new() });
        state.names.insert(name.to_owned(), number);
        state.synced_names.insert(name.to_owned(), number);
    }

    /// Takes a file away, durably.
    pub fn take(&self, name: &str) {
        let mut state = self.lock();
        state.names.remove(name);
        state.synced_names.remove(name);
    }
}

impl State {
    fn next(&self) -> u64 {
        self.inodes.last_key_value().map_or(1, |(number, _)| number + 1)
    }

    fn taken(&self) -> u64 {
        self.names.values().filter_map(|number| self.inodes.get(number)).map(|inode| wide(inode.bytes.len())).sum()
    }

    fn alive(&self) -> io::Result<()> {
        if self.is_dead { Err(io::Error::other("the machine is off")) } else { Ok(()) }
    }

    fn named(&mut self, change: impl FnOnce(&mut BTreeMap<String, u64>)) {
        change(&mut self.names);
        self.pending_names.push(self.names.clone());
    }

    fn has_room(&self, inode: u64, length: usize) -> io::Result<()> {
        let present = self.inodes.get(&inode).map_or(0, |inode| inode.bytes.len());
        let more = wide(length.saturating_sub(present));
        match self.room {
            Some(room) if more > 0 && self.taken() + more > room => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    fn syncs(&mut self) -> io::Result<()> {
        self.alive()?;
        match &mut self.syncs_left {
            Some(0) => Err(io::Error::other("simulated failure of a sync")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Inode {
    fn apply(bytes: &mut Vec<u8>, pending: &Pending) {
        match pending {
            Pending::Length(length) => bytes.resize(*length, 0),
            Pending::Write { offset, bytes: written } => {
                let end = offset + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                if let Some(place) = bytes.get_mut(*offset..end) {
                    place.copy_from_slice(written);
                }
            }
        }
    }

    fn change(&mut self, pending: Pending) {
        Self::apply(&mut self.bytes, &pending);
        self.pending.push(pending);
    }

    fn after_power_loss(&self, chance: &mut Chance) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for pending in &self.pending {
            // All of it, none of it, what came before some byte, or any of its sectors.
            match (chance.below(4), pending) {
                (0, _) => {}
                (1, pending) | (_, pending @ Pending::Length(_)) => Self::apply(&mut bytes, pending),
                (2, Pending::Write { offset, bytes: written }) => {
                    let count = narrow(chance.below(wide(written.len()) + 1));
                    let part = written.get(..count).unwrap_or_default().to_vec();
                    Self::apply(&mut bytes, &Pending::Write { offset: *offset, bytes: part });
                }
                (_, Pending::Write { offset, bytes: written }) => {
                    for (index, sector) in written.chunks(SECTOR).enumerate() {
                        if chance.below(2) == 0 {
                            Self::apply(&mut bytes, &Pending::Write { offset: offset + index * SECTOR, bytes: sector.to_vec() });
                        }
                    }
                }
            }
        }
        bytes
    }
}

impl Folder for SimulatedFolder {
    fn names(&self) -> io::Result<Vec<String>> {
        self.lock().alive()?;
        Ok(self.file_names())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        let mut state = self.lock();
        state.alive()?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = state.next();
        state.inodes.insert(number, Inode::default());
        state.named(|names| {
            names.insert(name.to_owned(), number);
        });
        Ok(Box::new(SimulatedFile { state: Arc::clone(&self.state), number }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        let state = self.lock();
        state.alive()?;
        let number = *state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(SimulatedFile { state: Arc::clone(&self.state), number }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.alive()?;
        let number = *state.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        state.named(|names| {
            names.remove(from);
            names.insert(to.to_owned(), number);
        });
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.alive()?;
        if !state.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.named(|names| {
            names.remove(name);
        });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.syncs()?;
        state.synced_names = state.names.clone();
        state.pending_names.clear();
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("/simulated").join(name)
    }
}

#[derive(Debug)]
struct SimulatedFile {
    state: Arc<Mutex<State>>,
    number: u64,
}

impl SimulatedFile {
    fn with<T>(&self, run: impl FnOnce(&mut State, u64) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.alive()?;
        run(&mut state, self.number)
    }
}

fn inode(state: &mut State, number: u64) -> io::Result<&mut Inode> {
    state.inodes.get_mut(&number).ok_or_else(|| io::ErrorKind::NotFound.into())
}

impl File for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        self.with(|state, number| Ok(wide(inode(state, number)?.bytes.len())))
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        self.with(|state, number| {
            let start = narrow(offset);
            let bytes = inode(state, number)?.bytes.get(start..start.saturating_add(out.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(bytes);
            Ok(())
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.with(|state, number| {
            if state.writes_fail {
                return Err(io::Error::other("simulated failure of a write"));
            }
            state.has_room(number, narrow(offset) + bytes.len())?;
            let cut = state.room_of_next_write.take();
            let written = cut.and_then(|cut| bytes.get(..cut)).unwrap_or(bytes);
            inode(state, number)?.change(Pending::Write { offset: narrow(offset), bytes: written.to_vec() });
            if written.len() < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.with(|state, number| {
            state.has_room(number, narrow(length))?;
            let inode = inode(state, number)?;
            if inode.bytes.len() < narrow(length) {
                inode.change(Pending::Length(narrow(length)));
            }
            Ok(())
        })
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.with(|state, number| {
            inode(state, number)?.change(Pending::Length(narrow(length)));
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|state, number| {
            state.syncs()?;
            let inode = inode(state, number)?;
            inode.synced = inode.bytes.clone();
            inode.pending.clear();
            Ok(())
        })
    }
}
