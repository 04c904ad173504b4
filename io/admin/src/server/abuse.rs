//! Routes to who is held off.

use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use super::{Shared, answer};
use crate::administration::Done;
use crate::api::{Forgive, Problem};
use crate::caller::Caller;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/v1/held", get(held)).route("/v1/held/forgive", post(forgive))
}

async fn held(State(shared): State<Shared>) -> Response {
    answer(move || Ok::<_, Problem>(shared.control.held_off())).await
}

async fn forgive(State(shared): State<Shared>, ConnectInfo(caller): ConnectInfo<Caller>, Json(request): Json<Forgive>) -> Response {
    answer(move || {
        let report = shared.control.forgive(&request)?;
        let subject = request.who.as_deref().unwrap_or("everybody");
        let by = caller.as_str();
        tracing::info!(subject, by, forgiven = report.forgiven, "forgiven what was tried too often");
        let done =
            Done { action: "held.forgive", subject, by, details: json!({ "forgiven": report.forgiven }), revoked_at: None, sessions: None };
        if let Err(problem) = shared.administration.audit(&done) {
            tracing::error!(action = done.action, subject, by, "this is done and could not be recorded: {problem}");
        }
        Ok::<_, Problem>(report)
    })
    .await
}
