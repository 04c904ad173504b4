//! The process: shards, the directory they share, the mail between them, the store. It can die and come back.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use signet_broker::{Broker, Context, Directory, Input, Limits, Moment, Output, ShardId, SharedDirectory, Store as _, Totals};
use signet_policy::Ruleset;
use signet_store::StoreHandle;

use crate::disk::Disk;

/// The directory, for one thread.
pub(crate) struct Shared(RefCell<Directory>);

impl SharedDirectory for Shared {
    fn read<R>(&self, look: impl FnOnce(&Directory) -> R) -> R {
        look(&self.0.borrow())
    }

    fn write<R>(&self, change: impl FnOnce(&mut Directory) -> R) -> R {
        change(&mut self.0.borrow_mut())
    }
}

/// Where orders come from, among the shards.
const OUTSIDE: usize = usize::MAX;

/// The process.
pub(crate) struct Host {
    pub(crate) brokers: Vec<Broker>,
    handles: Vec<StoreHandle>,
    directory: Shared,
    mail: BTreeMap<(usize, usize), VecDeque<Input>>,
}

impl Host {
    /// Starts with what the disk holds. Outputs of the restart come with it.
    pub(crate) fn start(
        shards: u16,
        limits: &Arc<Limits>,
        ruleset: &Arc<Ruleset>,
        disk: &mut Disk,
        now: Moment,
    ) -> (Self, Vec<(usize, Vec<Output>)>) {
        let (image, handles) = disk.open(shards);
        let totals = Arc::new(Totals::new());
        let broker = |shard| Broker::new(ShardId(shard), Arc::clone(limits), Arc::clone(&totals), Arc::clone(ruleset), 7);
        let first_free = image.first_free;
        let (retained, parts) = image.split(shards);
        let mut directory = Directory::new(7);
        directory.restore(retained, first_free);
        let mut host =
            Self { brokers: (0..shards).map(broker).collect(), handles, directory: Shared(RefCell::new(directory)), mail: BTreeMap::new() };
        let mut outputs = Vec::new();
        for (shard, part) in parts.into_iter().enumerate() {
            let mut output = Vec::new();
            let store = &mut host.handles[shard];
            host.brokers[shard].restore(part, &mut Context { now, directory: &host.directory, store, output: &mut output });
            store.post();
            outputs.push((shard, host.sort(shard, output)));
        }
        for shard in 0..usize::from(shards) {
            outputs.push((shard, host.apply(shard, Input::Tick, now)));
        }
        (host, outputs)
    }

    /// Applies an input. Mail for other shards waits here, and everything else is returned.
    pub(crate) fn apply(&mut self, shard: usize, input: Input, now: Moment) -> Vec<Output> {
        let mut output = Vec::new();
        let store = &mut self.handles[shard];
        self.brokers[shard].apply(input, &mut Context { now, directory: &self.directory, store, output: &mut output });
        self.sort(shard, output)
    }

    fn sort(&mut self, shard: usize, output: Vec<Output>) -> Vec<Output> {
        let mut rest = Vec::with_capacity(output.len());
        let mut has_mail = false;
        for output in output {
            match output {
                Output::Handover { shard: to, delivery } => {
                    has_mail = true;
                    self.mail.entry((shard, usize::from(to.0))).or_default().push_back(Input::Delivery(delivery));
                }
                other => rest.push(other),
            }
        }
        if has_mail {
            // No shard hears of a message that the store has not got.
            self.handles[shard].post();
        }
        rest
    }

    /// The end of a turn of a shard.
    pub(crate) fn post(&mut self, shard: usize) {
        self.handles[shard].post();
    }

    /// The oldest delivery between one pair of shards, and to whom.
    pub(crate) fn take_mail(&mut self, pick: usize) -> Option<(usize, Input)> {
        self.mail.retain(|_, waiting| !waiting.is_empty());
        let pair = *self.mail.keys().nth(pick % self.mail.len().max(1))?;
        Some((pair.1, self.mail.get_mut(&pair)?.pop_front()?))
    }

    /// Somebody outside of the shards has an order for one, which comes behind what it was told before.
    pub(crate) fn order(&mut self, shard: usize, order: Input) {
        self.mail.entry((OUTSIDE, shard)).or_default().push_back(order);
    }

    /// Up to where a shard's changes are durable.
    pub(crate) fn durable(&self, shard: usize) -> signet_broker::Ticket {
        self.handles[shard].durable()
    }

    /// The shard whose deadline comes first.
    pub(crate) fn next_deadline(&self) -> Option<(Moment, usize)> {
        (0..self.brokers.len()).filter_map(|shard| Some((self.brokers[shard].next_deadline()?, shard))).min()
    }

    pub(crate) fn shards(&self) -> u16 {
        u16::try_from(self.brokers.len()).unwrap()
    }
}
