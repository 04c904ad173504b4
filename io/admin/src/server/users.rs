//! Routes to the built-in users.

use axum::extract::{ConnectInfo, Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};

use super::{Shared, answer};
use crate::api::{AddUser, ChangeUser, ImportUsers, RemoveUser, UserQuery};
use crate::caller::Caller;

type Asker = ConnectInfo<Caller>;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/users", get(list).post(add))
        .route("/v1/users/{name}", get(show))
        .route("/v1/user/change", post(change))
        .route("/v1/user/remove", post(remove))
        .route("/v1/user/import", post(import))
}

async fn list(State(shared): State<Shared>, Query(query): Query<UserQuery>) -> Response {
    answer(move || shared.administration.list_users(&query)).await
}

async fn show(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    answer(move || shared.administration.user(&name)).await
}

async fn add(State(shared): State<Shared>, ConnectInfo(caller): Asker, Json(request): Json<AddUser>) -> Response {
    answer(move || shared.administration.add_user(&request, &caller)).await
}

async fn change(State(shared): State<Shared>, ConnectInfo(caller): Asker, Json(request): Json<ChangeUser>) -> Response {
    answer(move || shared.administration.change_user(&request, &caller)).await
}

async fn remove(State(shared): State<Shared>, ConnectInfo(caller): Asker, Json(request): Json<RemoveUser>) -> Response {
    answer(move || shared.administration.remove_user(&request, &caller)).await
}

async fn import(State(shared): State<Shared>, ConnectInfo(caller): Asker, Json(request): Json<ImportUsers>) -> Response {
    answer(move || shared.administration.import_users(&request, &caller)).await
}
