//! Routes to handlers; nothing else. Work that waits for the disk or for shards runs on threads that may wait.

use std::future::{Future, IntoFuture as _};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::administration::Administration;
use crate::api::{
    AddDevice, AuthenticatorState, Explain, Explained, ForgetAnswers, ForgetReport, Forgive, ForgiveReport, HeldOffClient, Numbers,
    Problem, ProblemKind, RefreshReport, RefreshSources, RefusalQuery, RefusedClient, ReloadReport, RevocationSource, Revoke, Status,
    TrustProfile,
};
use crate::caller::Caller;
use crate::socket::AdminSocket;

mod abuse;
mod live;
mod trust;
mod users;

/// What only the running process itself can answer.
pub trait Control: Send + Sync {
    /// How it is.
    fn status(&self) -> Status;

    /// What it has counted. May wait for its shards.
    fn numbers(&self) -> Numbers;

    /// Reads the configuration anew: all of it or nothing.
    ///
    /// # Errors
    /// What is wrong with it. The old one stays in force.
    fn reload(&self) -> Result<ReloadReport, Problem>;

    /// What would become of a client by what is in force now.
    ///
    /// # Errors
    /// The question cannot be read, or what it names is not there.
    fn explain(&self, request: &Explain) -> Result<Explained, Problem>;

    /// How those fare who are asked about clients.
    fn authenticators(&self) -> Vec<AuthenticatorState>;

    /// Forgets what they have said, so that the next client is asked about anew.
    ///
    /// # Errors
    /// There is nobody of that name.
    fn forget_answers(&self, request: &ForgetAnswers) -> Result<ForgetReport, Problem>;

    /// The last refused connections, newest first.
    fn refusals(&self, query: &RefusalQuery) -> Vec<RefusedClient>;

    /// Who is held off now.
    fn held_off(&self) -> Vec<HeldOffClient>;

    /// Forgets what there is against somebody, or everybody.
    ///
    /// # Errors
    /// Nobody of that name is held off.
    fn forgive(&self, request: &Forgive) -> Result<ForgiveReport, Problem>;

    /// Every trust profile, without what the administration adds.
    fn trust(&self) -> Vec<TrustProfile>;

    /// How the sources of revocation knowledge fare.
    fn sources(&self) -> Vec<RevocationSource>;

    /// Has them fetched and read now; does not wait for what comes of it.
    ///
    /// # Errors
    /// There is no such source.
    fn refresh(&self, request: &RefreshSources) -> Result<RefreshReport, Problem>;
}

#[derive(Clone)]
struct Shared {
    administration: Arc<Administration>,
    control: Arc<dyn Control>,
}

/// Answers requests on `socket` until `stop` is done. Requests under way are finished first.
///
/// # Errors
/// The socket fails.
pub async fn serve(
    mut socket: AdminSocket,
    administration: Arc<Administration>,
    control: Arc<dyn Control>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let Some(listener) = socket.take_listener() else { return Ok(()) };
    let router = Router::new()
        .route("/v1/status", get(status))
        .route("/v1/numbers", get(numbers))
        .route("/v1/devices", get(list).post(add_device))
        .route("/v1/devices/{which}", get(show))
        .route("/v1/revoke", post(revoke))
        .route("/v1/ca", get(ca))
        .route("/v1/crl", post(sign_crl))
        .merge(abuse::routes())
        .merge(live::routes())
        .merge(trust::routes())
        .merge(users::routes())
        .route("/v1/reload", post(reload))
        .fallback(unknown)
        .with_state(Shared { administration, control });
    let service = router.into_make_service_with_connect_info::<Caller>();
    axum::serve(listener, service).with_graceful_shutdown(stop).into_future().await
}

/// `?after=`
#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn status(State(shared): State<Shared>) -> Response {
    answer(move || Ok::<_, Problem>(shared.control.status())).await
}

async fn numbers(State(shared): State<Shared>) -> Response {
    answer(move || Ok::<_, Problem>(shared.control.numbers())).await
}

async fn reload(State(shared): State<Shared>) -> Response {
    answer(move || shared.control.reload()).await
}

async fn list(State(shared): State<Shared>, Query(query): Query<After>) -> Response {
    answer(move || shared.administration.list(query.after)).await
}

async fn show(State(shared): State<Shared>, Path(which): Path<String>) -> Response {
    answer(move || shared.administration.show(&which)).await
}

async fn add_device(State(shared): State<Shared>, ConnectInfo(caller): ConnectInfo<Caller>, Json(request): Json<AddDevice>) -> Response {
    answer(move || shared.administration.add_device(&request, &caller)).await
}

async fn revoke(State(shared): State<Shared>, ConnectInfo(caller): ConnectInfo<Caller>, Json(request): Json<Revoke>) -> Response {
    answer(move || shared.administration.revoke(&request, &caller)).await
}

async fn ca(State(shared): State<Shared>) -> Response {
    answer(move || shared.administration.ca()).await
}

async fn sign_crl(State(shared): State<Shared>) -> Response {
    answer(move || shared.administration.sign_crl()).await
}

async fn unknown() -> Response {
    problem(
        Problem::new(ProblemKind::NotFound, "no such request").with_hint("the command line and the broker may be of different versions"),
    )
}

async fn answer<T: Serialize + Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(value)) => Json(value).into_response(),
        Ok(Err(refused)) => problem(refused),
        Err(error) => problem(Problem::new(ProblemKind::Failed, format!("the request ended early: {error}"))),
    }
}

fn problem(problem: Problem) -> Response {
    let status = match problem.kind {
        ProblemKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ProblemKind::NotFound => StatusCode::NOT_FOUND,
        ProblemKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, Json(problem)).into_response()
}
