//! The last refused connections, and which of them are meant.

use signet_admin::api::{RefusalQuery, RefusedClient};
use signet_admin::date;
use signet_identity::{Leaf, SerialNumber};
use signet_net::PeerAddress;
use signet_server::{RefusalBook, RefusalRecord};

/// Refusals in one answer unless asked otherwise.
const LAST: usize = 50;

/// Those that a query means, newest first.
pub(crate) fn refusals(book: &RefusalBook, query: &RefusalQuery) -> Vec<RefusedClient> {
    if let Some(number) = query.number {
        return book.find(number).iter().map(refused).collect();
    }
    let serial =
        query.serial.as_deref().map(|text| text.parse::<SerialNumber>().map_or_else(|_| text.to_owned(), |serial| serial.to_string()));
    let found = book.newest(query.last.unwrap_or(LAST), |record| {
        let is_device = |name: &String| record.refusal.certificate.as_ref().is_some_and(|der| has_common_name(der, name));
        query.listener.as_ref().is_none_or(|name| record.listener == *name)
            && serial.as_ref().is_none_or(|serial| record.refusal.serial.as_ref() == Some(serial))
            && query.address.as_ref().is_none_or(|address| place(&record.address) == *address)
            && query.device.as_ref().is_none_or(is_device)
    });
    found.iter().map(refused).collect()
}

fn has_common_name(der: &[u8], name: &str) -> bool {
    Leaf::parse(der).is_ok_and(|leaf| leaf.subject().cn() == Some(name))
}

/// The address without its port, which is another one every time.
fn place(address: &PeerAddress) -> String {
    match address {
        PeerAddress::Ip(address) => address.ip().to_canonical().to_string(),
        PeerAddress::Unix(_) => "unix".to_owned(),
    }
}

fn refused(record: &RefusalRecord) -> RefusedClient {
    let refusal = &record.refusal;
    RefusedClient {
        number: record.number,
        at: date(record.at),
        address: record.address.to_string(),
        listener: record.listener.clone(),
        subject: refusal.subject.clone(),
        serial: refusal.serial.clone(),
        issuer: refusal.issuer.clone(),
        check: refusal.check.name().to_owned(),
        found: refusal.found.clone(),
        hint: refusal.hint.clone(),
        explainable: refusal.certificate.is_some(),
    }
}
