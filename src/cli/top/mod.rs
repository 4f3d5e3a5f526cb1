//! `deliveryd top`: what runs, live in the terminal, over the control socket.
//!
//! `follow` brings what happens, `model` is what is known and shown, `draw` makes a picture of it
//! without any input or output, `terminal` is where the picture goes.

mod curves;
mod draw;
mod follow;
mod group;
mod layout;
mod lists;
mod members;
mod mistake;
mod model;
mod overview;
mod plot;
mod table;
mod terminal;
#[cfg(test)]
mod tests;
mod theme;

use std::io::{self, IsTerminal};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Exit, Output, remote};
use crate::control::{Client, Wanted};
use crate::observe::now;
use draw::{Look, draw};
use follow::News;
use model::{Model, Next};
use terminal::Terminal;
use theme::Theme;

pub const EXAMPLES: &str = "Examples:\n  \
    deliveryd top                              the daemon in the default place\n  \
    deliveryd top --config config/kafka.toml   the one that runs this configuration\n  \
    deliveryd top --control PATH               the one at this socket\n\n\
    Keys: Tab or a number changes the view, arrows scroll, p stops the display, ? helps, q quits.\n\
    The same once is printed by deliveryd status, for scripts with --json. NO_COLOR is honoured.";

/// The clock on the screen goes on without news.
const TICK: Duration = Duration::from_secs(1);

/// Why the loop ended.
enum End {
    Quit,
    Signal(i32),
}

/// Shows what runs until a key or a signal ends it.
///
/// # Errors
/// What the writers and the terminal say.
pub fn top(wanted: &Wanted, output: &mut Output<'_>) -> io::Result<Exit> {
    let dumb = wanted.env.get("TERM").is_some_and(|term| term == "dumb");
    if !io::stdout().is_terminal() || dumb {
        writeln!(
            output.err,
            "error: deliveryd top needs a terminal to draw on; deliveryd status prints the same once, \
             deliveryd status --json for scripts"
        )?;
        return Ok(Exit::Usage);
    }
    // Before the terminal is taken, so that an error is a line like any other.
    let first = Client::find(wanted).and_then(|client| {
        let status = client.status()?;
        let samples = follow::remembered(&client)?;
        Ok((client, status, samples))
    });
    let (client, status, samples) = match first {
        Ok(first) => first,
        Err(error) => return remote::failed(&error, output),
    };
    let started = status.started_at;
    let model = Model::new(status, samples, now());
    let (sender, news) = channel();
    follow::signals(sender.clone())?;
    let ended = {
        let mut terminal = Terminal::take()?;
        follow::keys(sender.clone())?;
        follow::daemon(client, wanted.clone(), started, sender)?;
        let no_colour = wanted
            .env
            .get("NO_COLOR")
            .is_some_and(|set| !set.is_empty());
        let look = Look {
            theme: Theme::new(!no_colour),
            zone: TimeZone::system(),
        };
        show(model, &news, &mut terminal, &look)
    };
    match ended {
        Ok(End::Quit) => Ok(Exit::Done),
        // As if the signal had done it, with the terminal given back.
        Ok(End::Signal(signal)) => {
            signal_hook::low_level::emulate_default_handler(signal)?;
            Ok(Exit::Done)
        }
        Err(error) => {
            writeln!(output.err, "error: deliveryd top ended: {error}")?;
            Ok(Exit::Failed)
        }
    }
}

fn show(
    mut model: Model,
    news: &Receiver<News>,
    terminal: &mut Terminal,
    look: &Look,
) -> io::Result<End> {
    loop {
        terminal.screen().draw(|frame| {
            let area = frame.area();
            draw(&mut model, look, now(), area, frame.buffer_mut());
        })?;
        let first = match news.recv_timeout(TICK) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("nobody listens any more"));
            }
        };
        // Keys that are held down come faster than pictures are drawn.
        for piece in std::iter::once(first).chain(news.try_iter()) {
            match piece {
                News::Told(status, samples) => model.told(*status, samples, now()),
                News::Lost(why) => model.lost(why, now()),
                News::Key(key) => {
                    if model.key(key) == Next::Quit {
                        return Ok(End::Quit);
                    }
                }
                News::Resized => {}
                News::Signal(signal) => return Ok(End::Signal(signal)),
                News::Failed(why) => return Err(io::Error::other(why)),
            }
        }
    }
}
