//! Who is held off, and forgiving it.

use signet_admin::api::{Forgive, ForgiveReport, HeldOffClient, Problem, ProblemKind};
use signet_admin::date;
use signet_server::{HeldOff, ServerHandle};

use super::wide;

/// Everybody who is held off.
pub(crate) fn held_off(server: &ServerHandle) -> Vec<HeldOffClient> {
    server.held_off().into_iter().map(shown).collect()
}

fn shown(held: HeldOff) -> HeldOffClient {
    let until = i64::try_from(held.until.div_ceil(1_000)).unwrap_or(i64::MAX);
    HeldOffClient { who: held.who, why: held.kind.name().to_owned(), until: date(until), times: held.times }
}

/// Lets somebody try again at once.
pub(crate) fn forgive(server: &ServerHandle, request: &Forgive) -> Result<ForgiveReport, Problem> {
    match (server.forgive(request.who.as_deref()), &request.who) {
        (0, Some(who)) => Err(Problem::new(ProblemKind::NotFound, format!("`{who}` is not held off"))
            .with_hint("`signet refusals held` shows who is, under which name")),
        (count, _) => Ok(ForgiveReport { forgiven: wide(count) }),
    }
}
