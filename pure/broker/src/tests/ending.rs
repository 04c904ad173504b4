//! How connections end, beyond what `connecting` and `wills` show.

use signet_mqtt::{Disconnect, Packet, ReasonCode};

use super::rig::*;
use crate::CloseCause;

fn disconnect(expiry: Option<u32>) -> Packet {
    Packet::Disconnect(Box::new(Disconnect { session_expiry_interval: expiry, ..Disconnect::new(ReasonCode::Success) }))
}

#[test]
fn a_disconnect_can_change_the_session_expiry() {
    let mut rig = Rig::new();
    let a = rig.connect(v5("a").expiry(100));
    rig.send(a, disconnect(Some(0)));
    assert_eq!(rig.stats().sessions, 0);
    assert_eq!(rig.store.changes.last().copied(), Some("SessionRemoved"), "what was stored is taken back");
    let b = rig.connect(v5("b").expiry(1));
    rig.send(b, disconnect(Some(50)));
    rig.pass(49_000);
    assert_eq!(rig.stats().sessions, 1);
    rig.pass(1_000);
    assert_eq!(rig.stats().sessions, 0);
}

#[test]
fn a_disconnect_cannot_keep_a_session_that_was_to_end() {
    let mut rig = Rig::new();
    let a = rig.connect(v5("a"));
    rig.send(a, disconnect(Some(5)));
    assert!(matches!(rig.next(a), Some(Packet::Disconnect(disconnect)) if disconnect.reason_code == ReasonCode::ProtocolError));
    assert!(matches!(rig.closed(a), Some(CloseCause::ProtocolError(_))));
    assert_eq!(rig.stats().sessions, 0);
}

#[test]
fn nothing_is_left_in_the_directory_when_sessions_are_gone() {
    use crate::SharedDirectory;
    let mut rig = Rig::new();
    for name in ["a", "b", "c", "d"] {
        let id = rig.connect(v5(name));
        for filter in ["x/#", "+/y", "$share/g/x/y", "x/y/z"] {
            rig.subscribe(id, filter, QOS1);
        }
        rig.lose(id);
    }
    assert_eq!(rig.directory.read(crate::Directory::subscriptions), 0);
    assert_eq!((rig.stats().connections, rig.stats().sessions), (0, 0));
}
