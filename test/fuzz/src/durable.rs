//! What is read from the disk at start: the segments of the journal, and the records in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use signet_broker::{Change, Image, MessageId, MessageImage, Moment, Recipient, RetainedId, SessionId, ShardId, StageImage, Starting};
use signet_identity::{DeviceIdentity, DeviceName, Leaf, PathCertificate};
use signet_journal::simulated::{SimulatedFolder, first_segment};
use signet_journal::{Batch, Journal, JournalConfig, JournalError, check, repair};
use signet_mqtt::{
    ClientIdentifier, Message, MessageProperties, PacketId, QoS, RetainHandling, SubscriptionIdentifier, SubscriptionOptions, TopicFilter,
    TopicName, UserProperties, Will, WillProperties,
};
use signet_policy::{Client, Principal};
use signet_store::{encode, image_of};

use crate::corpus::{self, CorpusError};

const CONFIG: JournalConfig = JournalConfig { segment_bytes: 4096, maximum_bytes: None };

type Opened = Result<(Journal, Vec<Vec<u8>>), JournalError>;

fn open(folder: &SimulatedFolder) -> Opened {
    let mut payloads = Vec::new();
    let (journal, _) = Journal::open(Box::new(folder.clone()), CONFIG, |_, payload| {
        payloads.push(payload.to_vec());
        Ok(())
    })?;
    Ok((journal, payloads))
}

/// The first segment of a journal, and the only one.
///
/// # Panics
/// When looking, opening and repairing disagree, or when a journal that was opened does not go on from where it was.
pub fn journal(data: &[u8]) {
    let (name, _) = first_segment(&[], 0);
    let folder = SimulatedFolder::new();
    folder.put(&name, data);
    assert_eq!(life(&folder).map_err(|error| error.to_string()), Ok(()));
}

fn life(folder: &SimulatedFolder) -> Result<(), JournalError> {
    let report = check(folder)?;
    match open(folder) {
        Ok((mut journal, payloads)) => {
            assert!(report.damages.is_empty(), "{:?}", report.damages);
            let mut batch = Batch::new();
            batch.extend(b"more");
            let written = journal.append(&mut batch);
            assert!(written.is_ok(), "{written:?}");
            journal.sync()?;
            let (_, again) = open(&folder.kill())?;
            assert_eq!(again.split_last().map(|(last, before)| (last.as_slice(), before)), Some((b"more".as_slice(), payloads.as_slice())));
        }
        Err(JournalError::Damaged(damage)) => {
            assert_eq!(report.damages.first(), Some(&*damage));
            if repair(folder).is_ok() {
                assert!(check(folder)?.damages.is_empty());
                open(folder)?;
            }
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Segments with a few batches.
#[must_use]
pub fn journals() -> Vec<Vec<u8>> {
    let long = [9; 300];
    let lists: [&[&[u8]]; 3] = [&[], &[b"one", b"two!", b"three"], &[b"", &long, b"x", &long, b""]];
    lists.map(|payloads| first_segment(payloads, 4096).1).to_vec()
}

/// Records of the store, one after the other.
///
/// # Panics
/// When what they leave behind is not the same after it was written and read again.
pub fn records(data: &[u8]) {
    match image_of(data) {
        Ok(image) => {
            // Ids of what is gone are not written again.
            let compared = |image: Image| format!("{:?}", Image { first_free: 0, ..image });
            let again = image_of(&written(&image)).map(compared);
            assert_eq!(again, Ok(compared(image)));
        }
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() < 400 && !message.contains(char::is_control), "{message:?}");
        }
    }
}

/// The changes that make the same again.
fn written(image: &Image) -> Vec<u8> {
    let mut out = Vec::new();
    let mut messages: BTreeMap<MessageId, Vec<&MessageImage>> = BTreeMap::new();
    for message in image.sessions.iter().flat_map(|session| &session.messages).chain(&image.orphans) {
        messages.entry(message.id).or_default().push(message);
    }
    for (id, images) in messages {
        let Some(first) = images.first() else { continue };
        let recipients: Vec<Recipient> = images.iter().map(|image| image.recipient.clone()).collect();
        encode(&Change::MessageQueued { id, message: &first.message, recipients: &recipients, received_at: first.received_at }, &mut out);
        for image in images {
            put_stage(id, image, &mut out);
        }
    }
    for session in &image.sessions {
        let id = session.session;
        encode(&Change::SessionOpened { session: id, client: &session.client, expiry: session.expiry }, &mut out);
        if let Some(ends_at) = session.left {
            encode(&Change::SessionLeft { session: id, ends_at }, &mut out);
        }
        if let Some((will, due)) = &session.will {
            encode(&Change::WillSet { session: id, will, due: *due }, &mut out);
        }
        for subscription in &session.subscriptions {
            let (key, filter, options) = (subscription.key, &subscription.filter, &subscription.options);
            let (identifier, starting) = (subscription.identifier, subscription.starting);
            encode(&Change::SubscriptionAdded { session: id, key, filter, options, identifier, starting }, &mut out);
        }
        for packet_id in &session.received {
            encode(&Change::ReceivedQos2 { session: id, packet_id: *packet_id }, &mut out);
        }
    }
    for retained in &image.retained {
        let (id, received_at) = (retained.id, retained.received_at);
        let change = Change::RetainedSet { id, replaces: None, message: &retained.message, publisher: &retained.publisher, received_at };
        encode(&change, &mut out);
    }
    out
}

fn put_stage(id: MessageId, image: &MessageImage, out: &mut Vec<u8>) {
    let session = image.recipient.session;
    if let StageImage::Sent { packet_id, order } | StageImage::Released { packet_id, order } = image.stage {
        encode(&Change::MessageSent { session, id, packet_id, order }, out);
    }
    if let StageImage::Released { .. } = image.stage {
        encode(&Change::MessageReleased { session, id }, out);
    }
}

/// Lists with a record of every kind.
///
/// # Errors
/// When one of them cannot be built.
pub fn record_lists() -> Result<Vec<Vec<u8>>, CorpusError> {
    let mut all = Vec::new();
    for change in changes(&clients()?, &messages()?, &recipients()?)? {
        encode(&change, &mut all);
    }
    let (session, properties) = (SessionId(1), WillProperties { delay_interval: Some(5), ..WillProperties::default() });
    let will = Will { topic: TopicName::new("w")?, payload: "gone".into(), qos: QoS::AtLeastOnce, retain: true, properties };
    encode(&Change::WillSet { session, will: &will, due: Some(Moment::from_millis(9)) }, &mut all);
    let filter = TopicFilter::new("$share/g/a/+/#")?;
    let options = SubscriptionOptions { maximum_qos: QoS::AtLeastOnce, retain_handling: RetainHandling::SendIfNew, ..Default::default() };
    let starting = Some(Starting { after: RetainedId(1), up_to: RetainedId(9) });
    let identifier = SubscriptionIdentifier::new(5);
    encode(&Change::SubscriptionAdded { session, key: 1, filter: &filter, options: &options, identifier, starting }, &mut all);
    let mut small = Vec::new();
    let client = Client::restored(Principal::Anonymous, None, ClientIdentifier::new("c"), None);
    encode(&Change::SessionOpened { session: SessionId(1), client: &client, expiry: 0 }, &mut small);
    Ok(vec![all, small])
}

fn clients() -> Result<Vec<Client>, CorpusError> {
    let name = DeviceName::new("pump-7")?;
    let certificates = corpus::certificates()?;
    let leaf = Leaf::parse(certificates.get(1).ok_or("no certificate")?)?;
    let identity = Arc::new(DeviceIdentity::new(
        name.clone(),
        leaf.clone(),
        leaf.spki_digest(),
        [PathCertificate { id: leaf.id(), issuer_key: leaf.spki_digest() }],
    ));
    Ok(vec![
        Client::restored(Principal::Device(name.into()), Some("user".into()), ClientIdentifier::new("pump-7"), Some(identity)),
        Client::restored(Principal::Bridge("north".into()), None, ClientIdentifier::new("bridge"), None),
    ])
}

fn messages() -> Result<Vec<Arc<Message>>, CorpusError> {
    let plain = Message {
        topic: TopicName::new("a/b")?,
        payload: "payload".into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: Default::default(),
    };
    let properties = MessageProperties {
        payload_format_indicator: Some(true),
        message_expiry_interval: Some(60),
        response_topic: Some(TopicName::new("r")?),
        correlation_data: Some("data".into()),
        user_properties: UserProperties(vec![("name".into(), "value".into()), ("name".into(), "".into())]),
        content_type: Some("text".into()),
    };
    let full = Message { qos: QoS::ExactlyOnce, retain: true, properties: properties.into(), ..plain.clone() };
    Ok(vec![Arc::new(plain), Arc::new(full)])
}

fn recipients() -> Result<Vec<Recipient>, CorpusError> {
    let recipient = |session, shared| Recipient {
        session: SessionId(session),
        shard: ShardId(0),
        qos: QoS::ExactlyOnce,
        retain: session == 1,
        identifiers: SubscriptionIdentifier::new(300).into_iter().collect(),
        shared,
    };
    // The last one is of a session that is gone.
    Ok(vec![recipient(1, None), recipient(2, None), recipient(3, Some(Arc::new(TopicFilter::new("$share/g/a/#")?)))])
}

fn changes<'a>(clients: &'a [Client], messages: &'a [Arc<Message>], recipients: &'a [Recipient]) -> Result<Vec<Change<'a>>, CorpusError> {
    let (session, packet_id, received_at) = (SessionId(1), PacketId::new(7).ok_or("zero")?, Moment::from_millis(1_000));
    let mut list = Vec::new();
    for (session, client) in (1..).zip(clients) {
        list.push(Change::SessionOpened { session: SessionId(session), client, expiry: 60 });
    }
    for (id, message) in (1..).zip(messages) {
        list.push(Change::MessageQueued { id: MessageId(id), message, recipients, received_at });
        list.push(Change::MessageSent { session, id: MessageId(id), packet_id, order: id });
        let publisher = clients.first().ok_or("no client")?.client_identifier();
        let replaces = (id > 1).then_some(RetainedId(9));
        list.push(Change::RetainedSet { id: RetainedId(8 + id), replaces, message, publisher, received_at });
    }
    list.push(Change::MessageReleased { session, id: MessageId(1) });
    list.push(Change::MessageDone { session: SessionId(2), id: MessageId(1) });
    list.push(Change::SessionLeft { session, ends_at: Some(received_at) });
    list.push(Change::SessionLeft { session: SessionId(2), ends_at: None });
    list.push(Change::SessionReturned { session: SessionId(2) });
    list.push(Change::ReceivedQos2 { session, packet_id });
    list.push(Change::ReceivedQos2 { session: SessionId(2), packet_id });
    list.push(Change::ReleasedQos2 { session: SessionId(2), packet_id });
    list.push(Change::RetainedCleared { id: RetainedId(99) });
    list.push(Change::SubscriptionRemoved { session, key: 3 });
    list.push(Change::SessionRemoved { session: SessionId(4) });
    list.push(Change::WillCleared { session: SessionId(2) });
    Ok(list)
}
