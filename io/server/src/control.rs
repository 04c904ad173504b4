//! Whom the server gives requests that clients publish below `$CONTROL/`: the seam to those who administer it. Nobody behind it may block a shard.

use std::sync::Arc;

use bytes::Bytes;
use signet_broker::ControlAnswer;
use signet_mqtt::TopicName;
use signet_net::LinkId;
use signet_policy::Client;

/// A request of a client whose rules allow it.
#[derive(Debug)]
pub struct ControlRequest {
    /// The connection by which it came.
    pub connection: LinkId,
    /// Who asks.
    pub client: Arc<Client>,
    /// Where it was published.
    pub topic: TopicName,
    /// What it asks for.
    pub payload: Bytes,
}

/// Carries out requests.
pub trait ControlTopics: Send + Sync {
    /// Takes a request, and returns at once; `done` is called when it is carried out, from any thread. A client has one request at a time, and
    /// nothing more is read from it before that.
    fn request(&self, request: ControlRequest, done: ControlDone);
}

/// Takes the answer to a request.
pub type ControlDone = Box<dyn FnOnce(ControlAnswer) + Send>;
