//! Messages that are stored: where, for whom, and how far they got.

use signet_broker::{MessageId, SessionId, StageImage};
use smallvec::SmallVec;

use super::Location;
use super::parts::Parts;
use crate::record::{RecordError, StoredRecipient};

/// From here on a list of recipients keeps a bit for each, so that taking one out does not move the others.
const MANY: usize = 32;

#[derive(Debug)]
struct Entry {
    location: Location,
    recipients: Recipients,
}

/// The sessions that still need a message.
#[derive(Debug)]
enum Recipients {
    Few(SmallVec<[SessionId; 2]>),
    Many(Box<Many>),
}

#[derive(Debug)]
struct Many {
    /// Rising.
    sessions: Box<[SessionId]>,
    /// One for each: whether it still needs the message.
    waiting: Box<[bool]>,
    left: usize,
}

impl Recipients {
    fn new(mut sessions: SmallVec<[SessionId; 2]>) -> Self {
        if sessions.len() <= MANY {
            return Self::Few(sessions);
        }
        sessions.sort_unstable();
        let sessions = sessions.into_vec().into_boxed_slice();
        let waiting = vec![true; sessions.len()].into_boxed_slice();
        Self::Many(Box::new(Many { left: sessions.len(), sessions, waiting }))
    }

    fn has(&self, session: SessionId) -> bool {
        match self {
            Self::Few(sessions) => sessions.contains(&session),
            Self::Many(many) => many.sessions.binary_search(&session).is_ok_and(|at| many.waiting.get(at).copied().unwrap_or(false)),
        }
    }

    /// Takes one out; whether none is left.
    fn remove(&mut self, session: SessionId) -> bool {
        match self {
            Self::Few(sessions) => {
                sessions.retain(|known| *known != session);
                sessions.is_empty()
            }
            Self::Many(many) => {
                if let Ok(at) = many.sessions.binary_search(&session)
                    && let Some(waiting) = many.waiting.get_mut(at)
                    && std::mem::take(waiting)
                {
                    many.left -= 1;
                }
                many.left == 0
            }
        }
    }
}

/// How far a delivery got that is on its way.
type Stages = Parts<(SessionId, MessageId), StageImage>;

/// See the file's documentation.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    stored: Parts<MessageId, Entry>,
    stages: Stages,
}

impl Messages {
    /// All that is true of a message now. Says where it stood before.
    pub(super) fn put<'a>(
        &mut self,
        id: MessageId,
        location: Location,
        recipients: impl Iterator<Item = Result<StoredRecipient<'a>, RecordError>>,
    ) -> Result<Option<Location>, RecordError> {
        let mut sessions = SmallVec::new();
        for recipient in recipients {
            let recipient = recipient?;
            sessions.push(recipient.session);
            match recipient.stage {
                // Nearly always there is nothing to take out, and nearly always nothing at all is on its way.
                StageImage::Queued if self.stages.is_empty() => {}
                StageImage::Queued => drop(self.stages.remove(&(recipient.session, id))),
                stage => self.set_stage(recipient.session, id, stage),
            }
        }
        let entry = Entry { location, recipients: Recipients::new(sessions) };
        Ok(self.stored.insert(id, entry).map(|former| former.location))
    }

    pub(super) fn set_stage(&mut self, session: SessionId, id: MessageId, stage: StageImage) {
        self.stages.insert((session, id), stage);
    }

    pub(super) fn release(&mut self, session: SessionId, id: MessageId) {
        if let Some(stage) = self.stages.get_mut(&(session, id))
            && let StageImage::Sent { packet_id, order } = *stage
        {
            *stage = StageImage::Released { packet_id, order };
        }
    }

    /// One recipient less. Says where the message stood if that was the last one.
    pub(super) fn done(&mut self, session: SessionId, id: MessageId) -> Option<Location> {
        self.stages.remove(&(session, id));
        if self.stored.get_mut(&id)?.recipients.remove(session) {
            return self.stored.remove(&id).map(|entry| entry.location);
        }
        None
    }

    pub(super) fn location(&self, id: MessageId) -> Option<Location> {
        self.stored.get(&id).map(|entry| entry.location)
    }

    /// How far the message got with this session; nothing if the session does not need it any more.
    pub(crate) fn stage(&self, session: SessionId, id: MessageId) -> Option<StageImage> {
        let entry = self.stored.get(&id).filter(|entry| entry.recipients.has(session));
        entry.map(|_| self.stages.get(&(session, id)).copied().unwrap_or(StageImage::Queued))
    }

    pub(super) fn forget_unknown(&mut self) {
        let stored = &self.stored;
        self.stages.retain(|(session, id)| stored.get(id).is_some_and(|entry| entry.recipients.has(*session)));
    }

    pub(crate) fn count(&self) -> usize {
        self.stored.len()
    }

    #[cfg(test)]
    pub(super) fn on_the_way(&self) -> usize {
        self.stages.len()
    }

    pub(super) fn shrink(&mut self) {
        self.stored.shrink();
        self.stages.shrink();
    }
}
