//! Routes to explanations, refusals, trust profiles and sources of revocation knowledge.

use axum::extract::{ConnectInfo, Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};

use super::{Shared, answer};
use crate::api::{DisableProfile, EnableProfile, Explain, ForgetAnswers, Problem, ProblemKind, RefreshSources, RefusalQuery};
use crate::caller::Caller;

type Asker = ConnectInfo<Caller>;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/explain", post(explain))
        .route("/v1/authenticators", get(authenticators))
        .route("/v1/authenticators/forget", post(forget))
        .route("/v1/refusals", get(refusals))
        .route("/v1/refusals/{number}", get(refusal))
        .route("/v1/trust", get(trust))
        .route("/v1/trust/disable", post(disable))
        .route("/v1/trust/enable", post(enable))
        .route("/v1/revocation/sources", get(sources))
        .route("/v1/revocation/refresh", post(refresh))
}

async fn explain(State(shared): State<Shared>, Json(request): Json<Explain>) -> Response {
    answer(move || shared.control.explain(&request)).await
}

async fn authenticators(State(shared): State<Shared>) -> Response {
    answer(move || Ok::<_, Problem>(shared.control.authenticators())).await
}

async fn forget(State(shared): State<Shared>, Json(request): Json<ForgetAnswers>) -> Response {
    answer(move || shared.control.forget_answers(&request)).await
}

async fn refusals(State(shared): State<Shared>, Query(query): Query<RefusalQuery>) -> Response {
    answer(move || Ok::<_, Problem>(shared.control.refusals(&query))).await
}

async fn refusal(State(shared): State<Shared>, Path(number): Path<u64>) -> Response {
    answer(move || {
        let query = RefusalQuery { number: Some(number), ..RefusalQuery::default() };
        shared.control.refusals(&query).into_iter().next().ok_or_else(|| unknown_refusal(number))
    })
    .await
}

/// There is no refusal with this number, or it is not kept any more.
fn unknown_refusal(number: u64) -> Problem {
    Problem::new(ProblemKind::NotFound, format!("refusal {number} is not kept"))
        .with_hint("`signet refusals` shows those that are; `refusals_kept` in [revocation] says how many, and a restart forgets them")
}

async fn trust(State(shared): State<Shared>) -> Response {
    answer(move || shared.administration.trust(shared.control.trust())).await
}

async fn disable(State(shared): State<Shared>, ConnectInfo(caller): Asker, Json(request): Json<DisableProfile>) -> Response {
    answer(move || shared.administration.disable_profile(&request, &shared.control.trust(), &caller)).await
}

async fn enable(State(shared): State<Shared>, ConnectInfo(caller): Asker, Json(request): Json<EnableProfile>) -> Response {
    answer(move || shared.administration.enable_profile(&request, &shared.control.trust(), &caller)).await
}

async fn sources(State(shared): State<Shared>) -> Response {
    answer(move || Ok::<_, Problem>(shared.control.sources())).await
}

async fn refresh(State(shared): State<Shared>, Json(request): Json<RefreshSources>) -> Response {
    answer(move || shared.control.refresh(&request)).await
}
