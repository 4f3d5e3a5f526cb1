//! What is answered under which path.

use std::fmt::Display;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use futures_util::stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};

use super::peer::Peer;
use super::protocol::{
    self, HandlerSources, Level, Planned, Problem, Reloaded, Resume, Seek, SeekPlan, SeekTo,
    SetLevel, Sought, Steered, TapWanted, Tapped, Target,
};
use super::server::{Order, Refusal, Reply};
use crate::diagnostic::printable;
use crate::observe::history::Remembered;
use crate::observe::{Board, History, Status};

/// Bytes of one request's body.
const BODY: usize = 1 << 20;
/// From the headers to the end of the body.
const READ_BODY: Duration = Duration::from_secs(10);
/// Characters of a request that are logged.
const MOST_SAID: usize = 300;

#[derive(Clone)]
struct App {
    board: Board,
    history: History,
    orders: mpsc::Sender<Order>,
}

type Answer<T> = Result<Json<T>, Refusal>;

pub(super) fn router(board: Board, remembered: History, orders: mpsc::Sender<Order>) -> Router {
    let app = App {
        board,
        history: remembered,
        orders,
    };
    Router::new()
        .route(protocol::STATUS, get(status))
        .route(protocol::HISTORY, get(history))
        .route(protocol::PLAN, get(plan))
        .route(protocol::RELOAD, post(reload))
        .route("/v1/handlers/{group}", get(handler))
        .route(protocol::PAUSE, post(pause))
        .route(protocol::RESUME, post(resume))
        .route(protocol::SEEK_PLAN, post(plan_seek))
        .route(protocol::SEEK, post(seek))
        .route(protocol::LOG_LEVEL, post(log_level))
        .route(protocol::TAP, post(tap))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(read_body))
        .with_state(app)
}

async fn status(State(app): State<App>) -> Json<Status> {
    Json(app.board.snapshot())
}

async fn history(State(app): State<App>) -> Json<Remembered> {
    Json(app.history.samples())
}

async fn plan(State(app): State<App>, Extension(peer): Extension<Peer>) -> Answer<Planned> {
    note(peer, "plan");
    app.ask(Order::Plan).await
}

async fn reload(State(app): State<App>, Extension(peer): Extension<Peer>) -> Answer<Reloaded> {
    note(peer, "reload");
    app.ask(|reply| Order::Reload(peer, reply)).await
}

async fn pause(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Answer<Steered> {
    let target: Target = read(&body)?;
    note(peer, format_args!("pause {target}"));
    app.ask(|reply| Order::Pause(target, reply)).await
}

async fn resume(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Answer<Steered> {
    let wanted: Resume = read(&body)?;
    let how = match wanted.dead_letter_one {
        true => " --dead-letter-one",
        false => "",
    };
    note(peer, format_args!("resume {}{how}", wanted.target));
    app.ask(|reply| Order::Resume(wanted, reply)).await
}

async fn plan_seek(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Answer<SeekPlan> {
    let wanted: SeekTo = read(&body)?;
    let (target, to) = (&wanted.target, wanted.to);
    note(
        peer,
        format_args!("what a seek of {target} to {to} would do"),
    );
    app.ask(|reply| Order::PlanSeek(wanted, reply)).await
}

async fn seek(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Answer<Sought> {
    let wanted: Seek = read(&body)?;
    note(peer, format_args!("seek {wanted}"));
    app.ask(|reply| Order::Seek(wanted, reply)).await
}

async fn log_level(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Answer<Level> {
    let wanted: SetLevel = read(&body)?;
    match &wanted.level {
        Some(level) => note(peer, format_args!("log-level {level:?}")),
        None => tracing::debug!("log-level: asked for by {peer}"),
    }
    app.ask(|reply| Order::Level(wanted, reply)).await
}

/// Lines of JSON until the caller hangs up. What is not taken in time is left out, not waited for.
async fn tap(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Result<Response, Refusal> {
    let wanted: TapWanted = read(&body)?;
    let how = if wanted.values { " --values" } else { "" };
    note(peer, format_args!("tap {}{how}", wanted.group));
    let tapped = app.answer(|reply| Order::Tap(wanted, reply)).await?;
    let lines = stream::unfold(tapped, |mut tapped| async {
        let next = tapped.recv().await?;
        Some((line(&next), tapped))
    });
    Ok(Body::from_stream(lines).into_response())
}

fn line(tapped: &Tapped) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(tapped)?;
    line.push(b'\n');
    Ok(line)
}

/// Who asked for what. It is logged before it is done, so that nothing is done unseen.
fn note(peer: Peer, what: impl Display) {
    let mut what = what.to_string();
    if let Some((end, _)) = what.char_indices().nth(MOST_SAID) {
        what.truncate(end);
        what.push('…');
    }
    tracing::info!("{what}: asked for over the control socket by {peer}");
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::Wrong(format!("the request's body is not understood: {error}")))
}

async fn handler(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    Path(group): Path<String>,
) -> Answer<HandlerSources> {
    note(peer, format_args!("the handler of {}", printable(&group)));
    app.ask(|reply| Order::Handler(group, reply)).await
}

impl App {
    async fn ask<T: Serialize>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Answer<T> {
        self.answer(order).await.map(Json)
    }

    async fn answer<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, Refusal> {
        let (reply, answer): (_, oneshot::Receiver<_>) = Reply::new();
        let stopping = || Refusal::Unavailable("deliveryd is stopping".to_owned());
        self.orders
            .send(order(reply))
            .await
            .map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Wrong(error) => problem(StatusCode::BAD_REQUEST, error),
            Self::Impossible(error) => problem(StatusCode::CONFLICT, error),
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
