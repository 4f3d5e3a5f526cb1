//! What is answered under which path, and to whom.

use std::sync::LazyLock;

use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::{App, events, health};
use crate::observe::history::Remembered;
use crate::observe::lessons::LESSONS;
use crate::observe::metrics::Exposition;
use crate::observe::status::Status;

/// The page, one file for the browser, with `{nonce}` where its script and style name theirs.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let lessons = LESSONS.map(|lesson| json!([lesson.name, lesson.title, lesson.action]));
    let script = [
        include_str!("page/dom.js"),
        include_str!("page/history.js"),
        include_str!("page/plots.js"),
        include_str!("page/groups.js"),
        include_str!("page/lists.js"),
        include_str!("page/live.js"),
    ];
    include_str!("page/page.html")
        .replace("{style}", include_str!("page/style.css"))
        .replace("{script}", &script.join("\n"))
        .replace("{lessons}", &json!(lessons).to_string())
});

pub(super) fn router(app: App) -> Router {
    // For browsers: only under our own names.
    let page = Router::new()
        .route("/", get(page))
        .route("/api/status", get(status))
        .route("/api/events", get(events::events))
        .route("/api/history", get(history))
        .layer(middleware::from_fn_with_state(app.clone(), check_host));
    // For probes and scrapers: under any.
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .merge(page)
        .layer(middleware::from_fn(read_only))
        .with_state(app)
}

async fn page() -> Response {
    let nonce = format!("{:032x}", rand::random::<u128>());
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let html = PAGE.replace("{nonce}", &nonce);
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response();
    // Made of our own letters and digits, so it is a valid header.
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

async fn status(State(app): State<App>) -> Json<Status> {
    Json(app.board.snapshot())
}

async fn history(State(app): State<App>) -> Json<Remembered> {
    Json(app.history.samples())
}

async fn metrics(State(app): State<App>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok());
    let exposition = Exposition::accepted(accept.unwrap_or_default());
    let text = app.metrics.text(exposition);
    ([(header::CONTENT_TYPE, exposition.content_type())], text).into_response()
}

async fn healthz(State(app): State<App>) -> Response {
    verdict("alive", health::ailments(&app.board.wedged()))
}

async fn readyz(State(app): State<App>) -> Response {
    verdict("ready", health::obstacles(&app.board.snapshot()))
}

fn verdict(question: &str, reasons: Vec<String>) -> Response {
    let yes = reasons.is_empty();
    let status = if yes {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(json!({ question: yes, "reasons": reasons }))).into_response()
}

/// Refuses requests that are addressed to somebody else.
async fn check_host(State(app): State<App>, request: Request, next: Next) -> Response {
    match addressed_to(request.uri(), request.headers()) {
        Some(host) if app.hosts.admit(host) => next.run(request).await,
        host => {
            let host = host.unwrap_or("no single host");
            let text = format!(
                "this page does not answer to {host:?}; `daemon.hosts` in the config adds names\n"
            );
            (StatusCode::MISDIRECTED_REQUEST, text).into_response()
        }
    }
}

/// The one host that the request names; two that differ are none (RFC 9112, 3.2).
fn addressed_to<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let mut named = headers.get_all(header::HOST).iter();
    let host = named.next()?.to_str().ok()?;
    if named.next().is_some() {
        return None;
    }
    match uri.authority() {
        Some(authority) if authority.as_str() != host => None,
        _ => Some(host),
    }
}

/// Answers GET and HEAD without a body, and sets the headers that every answer has.
async fn read_only(request: Request, next: Next) -> Response {
    let mut response = if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let allow = [(header::ALLOW, "GET, HEAD")];
        let text = "read only: commands go through the control socket\n";
        (StatusCode::METHOD_NOT_ALLOWED, allow, text).into_response()
    } else if has_body(request.headers()) {
        (StatusCode::PAYLOAD_TOO_LARGE, "no body is taken here\n").into_response()
    } else {
        next.run(request).await
    };
    let refused = response.status() == StatusCode::METHOD_NOT_ALLOWED
        || response.status() == StatusCode::PAYLOAD_TOO_LARGE;
    let headers = response.headers_mut();
    if refused {
        // What is left of the request is not read, so nothing can follow it.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    for (name, value) in SECURITY {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING)
        || length.is_some_and(|length| length.as_bytes() != b"0")
}

/// Nothing is cached, guessed, framed or told to others.
const SECURITY: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];
