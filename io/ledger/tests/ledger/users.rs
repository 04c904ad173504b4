//! Users: the same promises of both ledgers.

use signet_ca::LedgerError;
use signet_ledger::{DurableLedger, MemoryLedger, USERS_MAXIMUM, User, UserPassword, UserScram};

use crate::ledger_rules::both;

fn user(name: &str) -> User {
    User {
        name: name.to_owned(),
        password: Some(UserPassword { kind: "salt,sha256".to_owned(), hash: "00ff".to_owned(), salt: Some("salt".to_owned()) }),
        scram: vec![UserScram {
            mechanism: "SCRAM-SHA-256".to_owned(),
            salt: vec![0, 1, 255],
            iterations: 4096,
            stored_key: vec![2; 32],
            server_key: vec![3; 32],
        }],
        superuser: true,
        groups: ["plant".to_owned(), "lab".to_owned()].into(),
        attributes: [("site".to_owned(), "north".to_owned())].into(),
        disabled: true,
        created_at: 5,
        changed_at: 6,
        changed_by: "alice".to_owned(),
    }
}

#[test]
fn a_user_is_there_as_it_was_recorded_until_it_is_removed() {
    both(|subject| {
        let bare = User { name: "bare".to_owned(), ..User::default() };
        subject.ledger().record_users(&[user("ümläut 7"), bare.clone()]).unwrap();
        subject.reopen();
        let ledger = subject.ledger();
        assert_eq!(ledger.users(None, 10).unwrap(), [bare.clone(), user("ümläut 7")]);
        assert_eq!(ledger.users(None, 1).unwrap(), std::slice::from_ref(&bare));
        assert_eq!(ledger.users(Some("bare"), 10).unwrap(), [user("ümläut 7")]);
        assert_eq!(ledger.user("bare").unwrap(), Some(bare.clone()));
        assert_eq!(ledger.user("Bare").unwrap(), None);
        let changed = User { superuser: true, ..bare };
        ledger.record_users(std::slice::from_ref(&changed)).unwrap();
        subject.reopen();
        let ledger = subject.ledger();
        assert_eq!(ledger.remove_user("bare").unwrap(), Some(changed));
        subject.reopen();
        let ledger = subject.ledger();
        assert_eq!(ledger.remove_user("bare").unwrap(), None);
        assert_eq!(ledger.users(None, 10).unwrap(), [user("ümläut 7")]);
    });
}

#[test]
fn beyond_the_bound_nothing_of_an_import_is_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let users: Vec<User> = (0..USERS_MAXIMUM).map(|number| User { name: number.to_string(), ..User::default() }).collect();
    let mut memory = MemoryLedger::new();
    let mut durable = DurableLedger::open(&directory.path().join("ledger.redb")).unwrap();
    let ledgers: [&mut dyn signet_ledger::Inventory; 2] = [&mut memory, &mut durable];
    for ledger in ledgers {
        ledger.record_users(&users).unwrap();
        ledger.record_users(&[user("7")]).unwrap();
        let error = ledger.record_users(&[user("8"), user("one more")]).unwrap_err();
        assert!(matches!(error, LedgerError::Full { what: "users", maximum: USERS_MAXIMUM }), "{error}");
        assert_eq!(ledger.user("8").unwrap().unwrap().changed_by, "", "nothing of it");
        assert_eq!(ledger.user("one more").unwrap(), None);
    }
}

#[test]
fn what_is_secret_is_not_printed() {
    let printed = format!("{:?}", user("alice"));
    assert!(!printed.contains("00ff") && !printed.contains("255") && printed.contains("SCRAM-SHA-256"), "{printed}");
}
