//! What a durable message costs: `commit [DIRECTORY]`, about six seconds. Each message of 256 bytes is queued for one session, and one of 2000
//! messages before is acknowledged; so many as a row says are posted at once, and the next ones when those are durable.

#![expect(clippy::print_stdout, reason = "the numbers are the point of it")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use signet_broker::{Change, MessageId, Moment, Recipient, SessionId, ShardId, Store as _, SubscriptionIdentifiers, Urgency};
use signet_mqtt::{Message, QoS, TopicName};
use signet_store::{Opened, Store, StoreConfig, StoreHandle};

const WIDTHS: [u64; 3] = [1, 128, 1024];
const PER_WIDTH: Duration = Duration::from_secs(2);
/// So many messages wait at any time.
const WAITING: u64 = 2000;

fn main() -> Result<(), Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let directory = std::env::args_os().nth(1).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    println!("{:>6} {:>12} {:>16} {:>10} {:>10} {:>14}", "width", "messages/s", "CPU µs/message", "p50 ms", "p99 ms", "MiB on disk");
    for width in WIDTHS {
        row(width, directory.join(format!("width-{width}")))?;
    }
    Ok(())
}

fn row(width: u64, directory: PathBuf) -> Result<(), Box<dyn Error>> {
    let (sender, woken) = channel();
    let wake: Box<dyn Fn() + Send> = Box::new(move || sender.send(()).unwrap_or_default());
    let Opened { store, mut handles, .. } = Store::open(&StoreConfig::new(directory), vec![wake])?;
    let handle = handles.first_mut().ok_or("no handle")?;
    let message = Arc::new(Message {
        topic: TopicName::new("plant/hall/pump/7")?,
        payload: vec![b'x'; 256].into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: Default::default(),
    });
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let mut latencies = Vec::new();
    let mut count = 0;
    let mut bytes = 0;
    while begun.elapsed() < PER_WIDTH {
        let start = Instant::now();
        for _ in 0..width {
            count += 1;
            queue(handle, count, &message);
        }
        commit(handle, &woken)?;
        latencies.push(start.elapsed());
        bytes = bytes.max(store.stats().bytes_total);
    }
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    latencies.sort_unstable();
    let at = |share: usize| latencies.get(latencies.len() * share / 100).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0);
    let messages = f64::from(u32::try_from(count)?);
    let kept = f64::from(u32::try_from(bytes >> 20)?);
    println!("{width:>6} {:>12.0} {:>16.2} {:>10.2} {:>10.2} {kept:>14.0}", messages / seconds, cpu * 1e6 / messages, at(50), at(99));
    store.close()?;
    Ok(())
}

fn queue(handle: &mut StoreHandle, number: u64, message: &Arc<Message>) {
    let recipient = Recipient {
        session: SessionId(number % 100),
        shard: ShardId(0),
        qos: QoS::AtLeastOnce,
        retain: false,
        identifiers: SubscriptionIdentifiers::default(),
        shared: None,
    };
    let queued = Change::MessageQueued { id: MessageId(number), message, recipients: &[recipient], received_at: Moment::ZERO };
    handle.append(&queued, Urgency::Now);
    if let Some(done) = number.checked_sub(WAITING) {
        handle.append(&Change::MessageDone { session: SessionId(done % 100), id: MessageId(done) }, Urgency::Later);
    }
}

/// Posts, and waits until it is durable.
fn commit(handle: &mut StoreHandle, woken: &Receiver<()>) -> Result<(), Box<dyn Error>> {
    handle.post();
    while handle.durable() < handle.latest() {
        woken.recv()?;
        if handle.is_failed() {
            return Err("the store failed".into());
        }
    }
    Ok(())
}

/// Of all threads of this process.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0)).as_secs_f64()
}
