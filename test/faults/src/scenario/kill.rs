//! `kill -9` in a loop under load, the broker restarted with one, two or three shards: whatever was acknowledged is there afterwards.

use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::outcome::Outcome;
use crate::scene::Scene;
use crate::server::{Server, Setup};
use crate::wills::Wills;

/// Runs rounds for so long.
pub(crate) fn run(seconds: u64, seed: u64) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let mut setup = Setup::new(directory.path(), 2);
    let mut dice = Dice::new(seed);
    let mut server = Server::start(&setup);
    let mut scene = Scene::open(setup.port, seed);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut rounds = 0;
    while Instant::now() < end {
        rounds += 1;
        let wills = Wills::arm(setup.port, &scene.ledger, rounds);
        scene.join_late();
        // How long a round lasts is chance, and nothing waits for it to be enough.
        std::thread::sleep(Duration::from_millis(dice.between(200, 1500)));
        let retained = scene.ledger.retained();
        wills.expect_loss(&scene.ledger);
        server.kill();
        drop(wills);
        setup.shards = u16::try_from(dice.between(1, 4)).unwrap();
        server = Server::start(&setup);
        scene.check_retained(&retained);
    }
    let verdict = scene.finish();
    server.stop();
    Outcome::of(&verdict, &format!("{rounds} rounds"))
}
