//! What happens outside: the daemon's answers, keys, signals. Each has a thread of its own, and all
//! come out of one channel.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyEvent};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::control::{Client, ClientError, Wanted};
use crate::observe::Status;
use crate::observe::history::Sample;
use crate::panic_text;

/// Between two questions.
const EVERY: Duration = Duration::from_secs(1);

/// Something to draw, or to end for.
#[derive(Debug)]
pub enum News {
    /// The status; with the first one of a daemon, what it remembers.
    Told(Box<Status>, Option<Vec<Sample>>),
    Lost(String),
    Key(KeyEvent),
    /// The terminal has another size.
    Resized,
    Signal(i32),
    /// One of the threads can not go on.
    Failed(String),
}

/// Listens for signals that end the process. It has to be called before the terminal is changed.
///
/// # Errors
/// The system refuses a handler or the thread.
pub fn signals(news: Sender<News>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP])?;
    thread("signals", news, move |news| {
        for signal in signals.forever() {
            if news.send(News::Signal(signal)).is_err() {
                break;
            }
        }
        Ok(())
    })
}

/// Reads keys.
///
/// # Errors
/// The system refuses the thread.
pub fn keys(news: Sender<News>) -> io::Result<()> {
    thread("keys", news, |news| {
        loop {
            let piece = match event::read() {
                Ok(Event::Key(key)) => News::Key(key),
                Ok(Event::Resize(..)) => News::Resized,
                Ok(_) => continue,
                Err(error) => return Err(format!("the keyboard can not be read: {error}")),
            };
            if news.send(piece).is_err() {
                return Ok(());
            }
        }
    })
}

/// Asks the daemon once a second; `started` is of the one that answered last.
///
/// # Errors
/// The system refuses the thread.
pub fn daemon(
    mut client: Client,
    wanted: Wanted,
    mut started: jiff::Timestamp,
    news: Sender<News>,
) -> io::Result<()> {
    thread("daemon", news, move |news| {
        loop {
            std::thread::sleep(EVERY);
            let piece = match ask(&mut client, &wanted, started) {
                Ok((status, samples)) => {
                    started = status.started_at;
                    News::Told(Box::new(status), samples)
                }
                Err(error) => News::Lost(error.to_string()),
            };
            if news.send(piece).is_err() {
                return Ok(());
            }
        }
    })
}

/// The status; of a daemon that was started since, with what it remembers. One that has gone may
/// have come back elsewhere.
fn ask(
    client: &mut Client,
    wanted: &Wanted,
    started: jiff::Timestamp,
) -> Result<(Status, Option<Vec<Sample>>), ClientError> {
    let status = client.status().or_else(|error| {
        *client = Client::find(wanted).map_err(|_| error)?;
        client.status()
    })?;
    let samples = match status.started_at == started {
        true => None,
        false => Some(remembered(client)?),
    };
    Ok((status, samples))
}

/// What the daemon remembers; one of an older version remembers nothing.
///
/// # Errors
/// It does not answer.
pub fn remembered(client: &Client) -> Result<Vec<Sample>, ClientError> {
    match client.history() {
        Ok(remembered) => Ok(remembered.samples),
        Err(ClientError::Refused(_)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// A thread whose failure is news.
fn thread(
    name: &str,
    news: Sender<News>,
    body: impl FnOnce(&Sender<News>) -> Result<(), String> + Send + 'static,
) -> io::Result<()> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    let run = move || {
        let ended = catch_unwind(AssertUnwindSafe(|| body(&news)));
        let why = match ended {
            Ok(Ok(())) => return,
            Ok(Err(why)) => why,
            Err(panic) => panic_text(&*panic),
        };
        if let Err(unheard) = news.send(News::Failed(why)) {
            tracing::debug!("{unheard}");
        }
    };
    builder.spawn(run).map(drop)
}
