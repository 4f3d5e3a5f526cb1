//! What is answered under which path.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::peer::Peer;
use super::protocol::{self, HandlerSources, Planned, Problem, Reloaded};
use super::server::{Order, Refusal, Reply};
use crate::observe::{Board, Status};

/// Bytes of one request's body.
const BODY: usize = 1 << 20;
/// From the headers to the end of the body.
const READ_BODY: Duration = Duration::from_secs(10);

#[derive(Clone)]
struct App {
    board: Board,
    orders: mpsc::Sender<Order>,
}

type Answer<T> = Result<Json<T>, Refusal>;

pub(super) fn router(board: Board, orders: mpsc::Sender<Order>) -> Router {
    Router::new()
        .route(protocol::STATUS, get(status))
        .route(protocol::PLAN, get(plan))
        .route(protocol::RELOAD, post(reload))
        .route("/v1/handlers/{group}", get(handler))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(read_body))
        .with_state(App { board, orders })
}

async fn status(State(app): State<App>) -> Json<Status> {
    Json(app.board.snapshot())
}

async fn plan(State(app): State<App>) -> Answer<Planned> {
    app.ask(Order::Plan).await
}

async fn reload(State(app): State<App>, Extension(peer): Extension<Peer>) -> Answer<Reloaded> {
    tracing::info!("reload: asked for over the control socket by {peer}");
    app.ask(|reply| Order::Reload(peer, reply)).await
}

async fn handler(State(app): State<App>, Path(group): Path<String>) -> Answer<HandlerSources> {
    app.ask(|reply| Order::Handler(group, reply)).await
}

impl App {
    async fn ask<T: Serialize>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Answer<T> {
        let (reply, answer): (_, oneshot::Receiver<_>) = Reply::new();
        let stopping = || Refusal::Unavailable("deliveryd is stopping".to_owned());
        self.orders
            .send(order(reply))
            .await
            .map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?.map(Json)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound(error) => problem(StatusCode::NOT_FOUND, error),
            Self::Unavailable(error) => problem(StatusCode::SERVICE_UNAVAILABLE, error),
        }
    }
}

fn problem(code: StatusCode, error: String) -> Response {
    (code, Json(Problem { error })).into_response()
}

async fn unknown(request: Request) -> Response {
    let version = env!("CARGO_PKG_VERSION");
    let path = request.uri().path();
    let error = format!("deliveryd {version} has no `{path}`; is the command of another version?");
    problem(StatusCode::NOT_FOUND, error)
}

async fn wrong_method(request: Request) -> Response {
    let error = format!(
        "`{}` does not take {}",
        request.uri().path(),
        request.method()
    );
    problem(StatusCode::METHOD_NOT_ALLOWED, error)
}

/// Reads the body before anything is done, so that a slow or endless one costs only its sender.
async fn read_body(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let error = match tokio::time::timeout(READ_BODY, to_bytes(body, BODY)).await {
        Ok(Ok(bytes)) => {
            return next
                .run(Request::from_parts(parts, Body::from(bytes)))
                .await;
        }
        Ok(Err(_)) => {
            format!("the request's body could not be read, or is larger than {BODY} bytes")
        }
        Err(_) => format!("the request's body took longer than {READ_BODY:?}"),
    };
    let mut response = problem(StatusCode::BAD_REQUEST, error);
    // What is left of the body is not read, so nothing can follow it.
    response.headers_mut().insert(
        axum::http::header::CONNECTION,
        axum::http::HeaderValue::from_static("close"),
    );
    response
}
