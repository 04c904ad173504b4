//! The body of an answer, with the bounds that a server which means harm, or is broken, has to meet.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, timeout_at};

use crate::words::words;

/// How much and how long.
#[derive(Debug, Clone, Copy)]
pub struct BodyBounds {
    /// Bytes, by Content-Length and by count.
    pub maximum_size: usize,
    /// How long each part may take.
    pub timeout: Duration,
    /// When all of it has to be there.
    pub until: Instant,
}

/// Reads it to its end.
///
/// # Errors
/// In words: it is larger than the limit, takes too long, or breaks off.
pub async fn body(mut body: Incoming, bounds: BodyBounds) -> Result<Bytes, String> {
    let too_large = |size: String| format!("the answer has {size} bytes, more than the limit of {}", bounds.maximum_size);
    let announced = body.size_hint().lower();
    if usize::try_from(announced).unwrap_or(usize::MAX) > bounds.maximum_size {
        return Err(too_large(announced.to_string()));
    }
    let mut bytes = Vec::new();
    loop {
        let until = (Instant::now() + bounds.timeout).min(bounds.until);
        let frame = timeout_at(until, body.frame()).await;
        let frame = frame.map_err(|_| format!("the answer stopped after {} bytes, or takes too long", bytes.len()))?;
        let Some(frame) = frame else { return Ok(bytes.into()) };
        let frame = frame.map_err(|error| format!("the answer broke off after {} bytes: {}", bytes.len(), words(&error)))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len().saturating_add(data.len()) > bounds.maximum_size {
            return Err(too_large(format!("over {}", bounds.maximum_size)));
        }
        bytes.extend_from_slice(&data);
    }
}
