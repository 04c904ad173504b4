//! Connections that are kept open between questions. Whoever holds one has it for himself; one whose question was given up in the middle is closed,
//! because nobody knows what would come out of it next.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::source::{BoxFuture, Failure};

/// A connection that nobody has used for so long is not used again: what stands in between may have forgotten it without a word.
const IDLE_MAXIMUM: Duration = Duration::from_secs(60);

/// Who makes connections.
pub(crate) trait Connect: fmt::Debug + Send + Sync {
    /// One connection. Dropping it closes it.
    type Connection: Send;

    /// Makes one.
    fn connect(&self) -> BoxFuture<'_, Result<Self::Connection, Failure>>;
}

/// A bounded number of connections, made when they are needed.
pub(crate) struct Pool<C: Connect> {
    connector: C,
    connect_timeout: Duration,
    places: Semaphore,
    /// The last used one is at the end, and is used next.
    idle: Mutex<Vec<(C::Connection, Instant)>>,
}

impl<C: Connect> Pool<C> {
    /// At most `maximum` connections, at least one.
    pub(crate) fn new(connector: C, maximum: usize, connect_timeout: Duration) -> Self {
        Self { connector, connect_timeout, places: Semaphore::new(maximum.max(1)), idle: Mutex::default() }
    }

    /// Takes a connection, or makes one. Waits for a place; has to be called within a tokio runtime.
    pub(crate) async fn take(&self) -> Result<Held<'_, C>, Failure> {
        let place = self.places.acquire().await.map_err(Failure::new)?;
        if let Some(connection) = self.idle() {
            return Ok(Held { pool: self, _place: place, connection, was_used: true });
        }
        let made = tokio::time::timeout(self.connect_timeout, self.connector.connect()).await;
        let connection = made.map_err(|_| Failure(format!("no connection within {:?}", self.connect_timeout)))??;
        Ok(Held { pool: self, _place: place, connection, was_used: false })
    }

    /// Closes all that nobody uses.
    pub(crate) fn clear(&self) {
        drop(std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner)));
    }

    fn idle(&self) -> Option<C::Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let (connection, since) = idle.pop()?;
        if since.elapsed() < IDLE_MAXIMUM {
            return Some(connection);
        }
        // The others have waited longer.
        idle.clear();
        None
    }
}

/// A connection in use. Dropped without [`Self::give_back`], it is closed.
pub(crate) struct Held<'a, C: Connect> {
    pool: &'a Pool<C>,
    _place: SemaphorePermit<'a>,
    /// The connection.
    pub(crate) connection: C::Connection,
    /// Whether somebody has used it before: then it may be broken without anybody's fault, as after a restart of the server.
    pub(crate) was_used: bool,
}

impl<C: Connect> Held<'_, C> {
    /// Keeps it open for the next.
    pub(crate) fn give_back(self) {
        let Self { pool, _place, connection, .. } = self;
        pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push((connection, Instant::now()));
    }
}

impl<C: Connect> fmt::Debug for Pool<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pool").field("connector", &self.connector).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct Counter(AtomicUsize);

    impl Connect for Counter {
        type Connection = usize;

        fn connect(&self) -> BoxFuture<'_, Result<usize, Failure>> {
            Box::pin(async { Ok(self.0.fetch_add(1, Ordering::SeqCst)) })
        }
    }

    #[tokio::test]
    async fn connections_are_kept_when_they_are_given_back_and_closed_otherwise() {
        let pool = Pool::new(Counter::default(), 2, Duration::from_secs(5));
        let first = pool.take().await.unwrap();
        assert_eq!((first.connection, first.was_used), (0, false));
        let second = pool.take().await.unwrap();
        assert_eq!(second.connection, 1);
        // There is no third place.
        assert!(tokio::time::timeout(Duration::from_millis(20), pool.take()).await.is_err());
        first.give_back();
        let again = pool.take().await.unwrap();
        assert_eq!((again.connection, again.was_used), (0, true));
        drop((again, second));
        assert_eq!(pool.take().await.unwrap().connection, 2);
        let third = pool.take().await.unwrap();
        third.give_back();
        pool.clear();
        assert_eq!(pool.take().await.unwrap().connection, 4);
    }
}
