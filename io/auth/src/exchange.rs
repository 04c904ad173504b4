//! Authentication in several steps: MQTT 5 enhanced authentication (§4.12).

use std::fmt;

use bytes::Bytes;
use signet_policy::{Applicant, Outcome};

use crate::source::{BoxFuture, Failure};

/// What comes next in an exchange.
#[derive(Debug)]
pub enum Progress {
    /// The client gets this, and has to answer.
    Challenge(Bytes),
    /// It is over; where the client is let in, it gets these last words.
    Over(Outcome, Bytes),
}

/// One exchange with one client, from its CONNECT, or from its request to authenticate again, to the verdict.
pub trait Exchange: fmt::Debug + Send {
    /// Takes the client's Authentication Data; the first is that of its CONNECT, or of the AUTH that begins anew.
    ///
    /// # Errors
    /// Somebody behind could not be asked. The exchange is over.
    fn step<'a>(&'a mut self, applicant: &'a Applicant, data: Bytes) -> BoxFuture<'a, Result<Progress, Failure>>;
}
