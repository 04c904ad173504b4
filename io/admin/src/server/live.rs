//! Routes to suspensions, releases, the operator's list, live connections and the audit records.

use axum::extract::{ConnectInfo, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};

use super::{Shared, answer};
use crate::api::{AddRevocation, AuditQuery, CloseConnections, ConnectionQuery, Release, RemoveRevocation, Resume, Suspend};
use crate::caller::Caller;

type Asker = ConnectInfo<Caller>;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/suspensions", get(suspended))
        .route("/v1/suspend", post(suspend))
        .route("/v1/resume", post(resume))
        .route("/v1/release", post(release))
        .route("/v1/revocations", get(revocations).post(add_revocation))
        .route("/v1/revocations/remove", post(remove_revocation))
        .route("/v1/connections", get(connections))
        .route("/v1/connections/close", post(close_connections))
        .route("/v1/audit", get(audit))
}

async fn suspended(State(shared): State<Shared>) -> Response {
    answer(move || shared.administration.suspended()).await
}

async fn suspend(State(shared): State<Shared>, ConnectInfo(caller): Asker, Json(request): Json<Suspend>) -> Response {
    answer(move || shared.administration.suspend(&request, &caller)).await
}

async fn resume(State(shared): State<Shared>, ConnectInfo(caller): Asker, Json(request): Json<Resume>) -> Response {
    answer(move || shared.administration.resume(&request, &caller)).await
}

async fn release(State(shared): State<Shared>, ConnectInfo(caller): Asker, Json(request): Json<Release>) -> Response {
    answer(move || shared.administration.release(&request, &caller)).await
}

async fn revocations(State(shared): State<Shared>) -> Response {
    answer(move || shared.administration.revocations()).await
}

async fn add_revocation(State(shared): State<Shared>, ConnectInfo(caller): Asker, Json(request): Json<AddRevocation>) -> Response {
    answer(move || shared.administration.add_revocation(&request, &caller)).await
}

async fn remove_revocation(State(shared): State<Shared>, ConnectInfo(caller): Asker, Json(request): Json<RemoveRevocation>) -> Response {
    answer(move || shared.administration.remove_revocation(&request, &caller)).await
}

async fn connections(State(shared): State<Shared>, Query(query): Query<ConnectionQuery>) -> Response {
    answer(move || shared.administration.connections(&query)).await
}

async fn close_connections(State(shared): State<Shared>, ConnectInfo(caller): Asker, Json(request): Json<CloseConnections>) -> Response {
    answer(move || shared.administration.close_connections(&request, &caller)).await
}

async fn audit(State(shared): State<Shared>, Query(query): Query<AuditQuery>) -> Response {
    answer(move || shared.administration.audit_records(&query)).await
}
