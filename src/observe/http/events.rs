//! The status as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use super::App;
use crate::observe::board::Board;

/// Between two events: at most two a second.
const PACE: Duration = Duration::from_millis(500);
/// A stream ends after this and the browser comes again by itself, so that a reader that is gone
/// without a word does not hold its place.
const STREAM: Duration = Duration::from_secs(540);

struct Following {
    board: Board,
    changes: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    /// When the next event may be sent.
    next: Instant,
    end: Instant,
    _place: OwnedSemaphorePermit,
}

/// `GET /api/events`: the whole status at once, then whenever it has changed.
///
/// When there are too many streams already, 503: the browser does not come again by itself then.
pub(super) async fn events(
    State(app): State<App>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, StatusCode> {
    let Ok(place) = app.streams.try_acquire_owned() else {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    };
    let mut changes = app.board.changes();
    // The first event comes without waiting for news.
    changes.mark_changed();
    let now = Instant::now();
    let following = Following {
        board: app.board,
        changes,
        stopping: app.stopping,
        next: now,
        end: now + STREAM,
        _place: place,
    };
    let stream = stream::unfold(following, |mut following| async {
        let event = following.next_event().await?;
        Some((Ok(event), following))
    });
    let alive = KeepAlive::new().interval(Duration::from_secs(10));
    Ok(Sse::new(stream).keep_alive(alive))
}

impl Following {
    /// The next event; `None` at the end.
    async fn next_event(&mut self) -> Option<Event> {
        let news = async {
            tokio::time::sleep_until(self.next).await;
            self.changes.changed().await
        };
        tokio::select! {
            news = news => news.ok()?,
            // Ready when the server stops, or is gone.
            _ = self.stopping.wait_for(|stopping| *stopping) => return None,
            () = tokio::time::sleep_until(self.end) => return None,
        }
        self.next = Instant::now() + PACE;
        match Event::default()
            .event("status")
            .json_data(self.board.snapshot())
        {
            Ok(event) => Some(event),
            Err(error) => {
                tracing::error!("the status could not be written as JSON: {error}");
                None
            }
        }
    }
}
