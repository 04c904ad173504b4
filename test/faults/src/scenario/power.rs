//! The power fails under load: what was not synced is gone, and the file system takes no more. The broker either has noticed by itself and ended,
//! or is killed; afterwards everything that was acknowledged is there.

use std::time::Duration;

use crate::dice::Dice;
use crate::outcome::Outcome;
use crate::scene::Scene;
use crate::server::{STORE_FAILED, Server, Setup};
use crate::volume::Volume;
use crate::wills::Wills;

/// How long the broker may take to notice a disk that is gone, while it is told to write to it all the time.
const NOTICE: Duration = Duration::from_secs(20);

/// So many power failures.
pub(crate) fn run(rounds: u32, seed: u64) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let volume = Volume::ext4();
    let mut setup = Setup::new(directory.path(), 2);
    setup.data = volume.path.join("data");
    let mut dice = Dice::new(seed);
    let mut server = Server::start(&setup);
    let mut scene = Scene::open(setup.port, seed);
    let mut noticed = 0;
    for round in 1..=rounds {
        let wills = Wills::arm(setup.port, &scene.ledger, round);
        scene.join_late();
        // When the power fails is chance, and nothing waits for it to be late enough.
        std::thread::sleep(Duration::from_millis(dice.between(100, 1000)));
        let retained = scene.ledger.retained();
        wills.expect_loss(&scene.ledger);
        // Nobody hears of what a sync says that is under way while the file system goes: without power nobody would.
        server.freeze();
        volume.lose_power();
        if dice.between(0, 2) == 0 {
            server.kill();
        } else {
            server.thaw();
            match server.await_end(NOTICE) {
                Some(status) if status.code() == Some(STORE_FAILED) => noticed += 1,
                Some(status) => {
                    scene.ledger.fault(format!("the broker ended with {status} when its disk failed; its log:\n{}", server.log()))
                }
                None => scene.ledger.fault(format!("the broker goes on without a disk; its log:\n{}", server.log())),
            }
            server.kill();
        }
        drop(wills);
        volume.restart();
        server = Server::start(&setup);
        scene.check_retained(&retained);
    }
    let verdict = scene.finish();
    server.stop();
    Outcome::of(&verdict, &format!("{rounds} power failures ({noticed} noticed by the broker itself)"))
}
