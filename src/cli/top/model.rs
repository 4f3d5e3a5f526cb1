//! What the screen shows and how keys change it. It does no input or output itself.

use jiff::Timestamp;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::observe::Status;
use crate::observe::history::{EVERY, SAMPLES, Sample};

/// What is known of the daemon at one moment.
#[derive(Debug, Clone)]
pub struct Seen {
    pub status: Status,
    /// The last minutes, the oldest first.
    pub samples: Vec<Sample>,
    pub at: Timestamp,
}

/// Whether the daemon answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Link {
    /// With the time of its last answer.
    Up(Timestamp),
    Down {
        since: Timestamp,
        why: String,
    },
}

/// What a screenful is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tab {
    All,
    Group(String),
    Topics,
    Reloads,
    Lessons,
}

/// Whether to go on after a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Go,
    Quit,
}

/// Everything that is drawn.
#[derive(Debug)]
pub struct Model {
    pub link: Link,
    latest: Seen,
    /// While the display is paused, what it shows.
    frozen: Option<Seen>,
    pub tab: Tab,
    pub scroll: usize,
    pub help: bool,
    /// What the last picture had: lines that fit, and how far it can be scrolled.
    pub page: usize,
    pub furthest: usize,
}

impl Model {
    /// With the first answer.
    pub fn new(status: Status, samples: Vec<Sample>, now: Timestamp) -> Self {
        let mut latest = Seen {
            status,
            samples,
            at: now,
        };
        latest.remember();
        Self {
            link: Link::Up(now),
            latest,
            frozen: None,
            tab: Tab::All,
            scroll: 0,
            help: false,
            page: 1,
            furthest: 0,
        }
    }

    /// What is to be shown.
    pub fn seen(&self) -> &Seen {
        self.frozen.as_ref().unwrap_or(&self.latest)
    }

    /// Whether the display stands still.
    pub fn is_paused(&self) -> bool {
        self.frozen.is_some()
    }

    /// The daemon has answered; `samples` come with the first answer of each daemon.
    pub fn told(&mut self, status: Status, samples: Option<Vec<Sample>>, now: Timestamp) {
        self.link = Link::Up(now);
        self.latest.status = status;
        self.latest.at = now;
        if let Some(samples) = samples {
            self.latest.samples = samples;
        }
        self.latest.remember();
        self.keep_tab();
    }

    /// The daemon has not answered.
    pub fn lost(&mut self, why: String, now: Timestamp) {
        let since = match self.link {
            Link::Down { since, .. } => since,
            Link::Up(_) => now,
        };
        self.link = Link::Down { since, why };
    }

    /// The tabs that there are, in their order.
    pub fn tabs(&self) -> Vec<Tab> {
        let groups = self.seen().status.groups.keys().cloned().map(Tab::Group);
        std::iter::once(Tab::All)
            .chain(groups)
            .chain([Tab::Topics, Tab::Reloads, Tab::Lessons])
            .collect()
    }

    /// Does what a key says.
    pub fn key(&mut self, key: KeyEvent) -> Next {
        if key.kind == KeyEventKind::Release {
            return Next::Go;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Next::Quit,
            KeyCode::Char('f') if control => self.scroll_to(self.scroll.saturating_add(self.page)),
            KeyCode::Char('b') if control => self.scroll_to(self.scroll.saturating_sub(self.page)),
            KeyCode::Char('q') | KeyCode::Esc if self.help => self.help = false,
            KeyCode::Char('q') | KeyCode::Esc => return Next::Quit,
            KeyCode::Char('?') => {
                self.help = !self.help;
                self.scroll = 0;
            }
            KeyCode::Char('p') => self.pause(),
            KeyCode::Down | KeyCode::Char('j') => self.scroll_to(self.scroll.saturating_add(1)),
            KeyCode::Up | KeyCode::Char('k') => self.scroll_to(self.scroll.saturating_sub(1)),
            KeyCode::PageDown | KeyCode::Char(' ') => {
                self.scroll_to(self.scroll.saturating_add(self.page));
            }
            KeyCode::PageUp => self.scroll_to(self.scroll.saturating_sub(self.page)),
            KeyCode::Home | KeyCode::Char('g') => self.scroll_to(0),
            KeyCode::End | KeyCode::Char('G') => self.scroll_to(usize::MAX),
            KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => self.turn(1),
            KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h') => self.turn(-1),
            KeyCode::Char(digit) => {
                let at = digit.to_digit(10).and_then(|digit| digit.checked_sub(1));
                if let Some(tab) = at.and_then(|at| self.tabs().get(at as usize).cloned()) {
                    self.show(tab);
                }
            }
            _ => {}
        }
        Next::Go
    }

    fn pause(&mut self) {
        self.frozen = match self.frozen {
            None => Some(self.latest.clone()),
            Some(_) => None,
        };
        self.keep_tab();
    }

    fn scroll_to(&mut self, line: usize) {
        self.scroll = line.min(self.furthest);
    }

    /// To the next tab or the one before; after the last comes the first.
    fn turn(&mut self, by: isize) {
        let tabs = self.tabs();
        let at = tabs.iter().position(|tab| *tab == self.tab).unwrap_or(0);
        let at = at.checked_add_signed(by).unwrap_or(tabs.len() - 1) % tabs.len();
        self.show(tabs[at].clone());
    }

    fn show(&mut self, tab: Tab) {
        self.help = false;
        self.scroll = 0;
        self.tab = tab;
    }

    /// A group that is gone takes its tab along.
    fn keep_tab(&mut self) {
        if !self.tabs().contains(&self.tab) {
            self.show(Tab::All);
        }
    }
}

impl Seen {
    /// Adds a sample of the status where it is time for one, as the daemon does.
    fn remember(&mut self) {
        let sample = Sample::of(&self.status, self.at);
        // The status is asked for at about half this distance.
        let due = EVERY.as_secs_f64() * 0.9;
        let last = self.samples.last();
        if last.is_none_or(|last| sample.at - last.at >= due) {
            self.samples.push(sample);
        }
        let over = self.samples.len().saturating_sub(SAMPLES);
        self.samples.drain(..over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Board, GroupInfo};

    fn status(groups: &[&str]) -> Status {
        let board = Board::new("host-a");
        for group in groups {
            board.set_group(group, GroupInfo::default());
        }
        board.snapshot()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn model() -> Model {
        Model::new(status(&["a", "b"]), Vec::new(), at(0))
    }

    fn press(model: &mut Model, code: KeyCode) -> Next {
        model.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    /// Digits and Tab choose what is shown; after the last comes the first.
    #[test]
    fn tabs_are_chosen_by_number_and_in_turn() {
        let mut model = model();
        press(&mut model, KeyCode::Char('3'));
        assert_eq!(model.tab, Tab::Group("b".to_owned()));
        press(&mut model, KeyCode::Tab);
        assert_eq!(model.tab, Tab::Topics);
        press(&mut model, KeyCode::BackTab);
        assert_eq!(model.tab, Tab::Group("b".to_owned()));
        press(&mut model, KeyCode::Char('9'));
        assert_eq!(model.tab, Tab::Group("b".to_owned()), "there is no ninth");
        press(&mut model, KeyCode::Char('6'));
        press(&mut model, KeyCode::Right);
        assert_eq!(model.tab, Tab::All);
        press(&mut model, KeyCode::Left);
        assert_eq!(model.tab, Tab::Lessons);
    }

    /// A group that comes does not change what is shown; one that goes takes its tab along.
    #[test]
    fn shown_group_stays_while_it_is_there() {
        let mut model = model();
        press(&mut model, KeyCode::Char('3'));
        model.told(status(&["a", "aa", "b"]), None, at(1));
        assert_eq!(model.tab, Tab::Group("b".to_owned()));
        model.told(status(&["a"]), None, at(2));
        assert_eq!(model.tab, Tab::All);
    }

    /// Scrolling stays within what there is.
    #[test]
    fn scrolling_is_bounded() {
        let mut model = model();
        (model.page, model.furthest) = (10, 25);
        let codes = [
            (KeyCode::Up, 0),
            (KeyCode::Down, 1),
            (KeyCode::PageDown, 11),
            (KeyCode::End, 25),
            (KeyCode::Char('j'), 25),
            (KeyCode::PageUp, 15),
            (KeyCode::Char('k'), 14),
            (KeyCode::Home, 0),
        ];
        for (code, expected) in codes {
            press(&mut model, code);
            assert_eq!(model.scroll, expected, "{code:?}");
        }
    }

    /// A paused display stands still; what comes meanwhile is there afterwards.
    #[test]
    fn paused_display_stands_still() {
        let mut model = model();
        press(&mut model, KeyCode::Char('p'));
        model.told(status(&["a"]), None, at(10));
        assert!(model.is_paused());
        assert_eq!(
            (model.seen().status.groups.len(), model.seen().at),
            (2, at(0))
        );
        press(&mut model, KeyCode::Char('p'));
        assert_eq!(
            (model.seen().status.groups.len(), model.seen().at),
            (1, at(10))
        );
        assert_eq!(model.seen().samples.len(), 2);
    }

    /// Quitting leaves the help first; Ctrl-C quits from anywhere.
    #[test]
    fn keys_quit() {
        let mut model = model();
        assert_eq!(press(&mut model, KeyCode::Char('?')), Next::Go);
        assert_eq!(press(&mut model, KeyCode::Esc), Next::Go);
        assert_eq!(press(&mut model, KeyCode::Char('q')), Next::Quit);
        assert_eq!(press(&mut model, KeyCode::Esc), Next::Quit);
        press(&mut model, KeyCode::Char('?'));
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(model.key(interrupt), Next::Quit);
    }

    /// A daemon that is away is away since its first silence.
    #[test]
    fn silence_begins_once() {
        let mut model = model();
        model.lost("one".to_owned(), at(5));
        model.lost("two".to_owned(), at(6));
        let why = "two".to_owned();
        assert_eq!(model.link, Link::Down { since: at(5), why });
        model.told(status(&[]), Some(Vec::new()), at(7));
        assert_eq!(model.link, Link::Up(at(7)));
    }

    /// Samples come every two seconds, however often the status does, and not without end.
    #[test]
    fn samples_are_bounded() {
        let mut model = model();
        for second in 1..2000 {
            model.told(status(&[]), None, at(second));
        }
        let samples = &model.seen().samples;
        assert_eq!(samples.len(), SAMPLES);
        assert_eq!(samples[1].at - samples[0].at, 2.0);
    }
}
