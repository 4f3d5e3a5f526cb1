//! Pictures of known states, at the sizes that terminals have.

mod scene;

use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Color, Modifier};

use super::draw::{Look, draw};
use super::model::Model;
use super::theme::Theme;
use crate::observe::status::MemberState;
use scene::{before, model, now, status_of, tour};

fn press(model: &mut Model, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '\t' => KeyCode::Tab,
            key => KeyCode::Char(key),
        };
        model.key(KeyEvent::new(code, KeyModifiers::NONE));
    }
}

fn buffer(model: &mut Model, width: u16, height: u16, colour: bool) -> Buffer {
    let look = Look {
        theme: Theme::new(colour),
        zone: TimeZone::UTC,
    };
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let drawn = terminal.draw(|frame| {
        let area = frame.area();
        draw(model, &look, now(), area, frame.buffer_mut());
    });
    drawn.unwrap();
    terminal.backend().buffer().clone()
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let area = buffer.area;
    let line = |y| {
        let cells = (0..area.width).map(|x| buffer[(x, y)].symbol());
        cells.collect::<String>().trim_end().to_owned()
    };
    (0..area.height).map(line).collect()
}

fn shown(model: &mut Model, width: u16, height: u16) -> Vec<String> {
    lines(&buffer(model, width, height, true))
}

#[track_caller]
fn assert_shows(lines: &[String], wanted: &[&str]) {
    for wanted in wanted {
        let there = lines.iter().any(|line| line.contains(wanted));
        assert!(there, "no {wanted:?} in\n{}", lines.join("\n"));
    }
}

/// All that there is to know about the tour fits the usual terminal.
#[test]
fn first_view_shows_the_tour_at_a_glance() {
    let lines = shown(&mut model(tour()), 80, 24);
    assert_shows(
        &lines,
        &[
            "host-a   running   generation 2   for 1h 2m 5s   localhost:9092 up",
            " 1 all  2 group-1  3 group-2  4 topics  5 reloads  6 lessons",
            "group-1   Delivery   3 members, 1 idle   print.rhai, version 0123456789ab",
            "  group-1-1 [0]    group-1-2 [1]    group-1-3 idle",
            "  messages/s 5.0 ",
            "lag 24 ",
            "behind 2.4 s ",
            "handled 1000   failed 0   retried 0   dead letters 0",
            "rebalances 1, the last at 03:01:10 in 1.1 s",
            "  group-2-1 [0] [1]",
            "random → Delivery   5/s   running   produced 1200",
            "Delivery           2            1",
            "lessons   ○ independent groups   ✓ shared partitions",
            "q quit  Tab view",
        ],
    );
}

/// Everything is there at 40 columns too, wrapped or without what matters less.
#[test]
fn narrow_terminal_shows_what_matters() {
    let mut model = model(tour());
    let lines = shown(&mut model, 40, 24);
    assert_shows(
        &lines,
        &[
            "host-a   running   generation 2",
            " 1 all  2 group-1  3 group-2",
            "group-1   Delivery   3 members, 1 idle",
            "  group-1-1 [0]    group-1-2 [1]",
            "  group-1-3 idle",
            "  lag 24 ",
            "q quit",
        ],
    );
    press(&mut model, "6");
    assert_shows(&shown(&mut model, 40, 24), &["6 lessons", "To see it:"]);
}

/// No size and no view makes it fall over.
#[test]
fn every_view_is_drawn_at_every_size() {
    let mut down = model(status_of(100, 200));
    down.lost("nobody listens".to_owned(), now());
    for mut model in [model(tour()), model(status_of(100, 200)), down] {
        for keys in ["1", "2", "3", "4", "5", "6", "?"] {
            press(&mut model, keys);
            for (width, height) in [
                (1, 1),
                (2, 3),
                (7, 5),
                (20, 12),
                (39, 13),
                (120, 40),
                (300, 90),
            ] {
                let lines = shown(&mut model, width, height);
                assert_eq!(lines.len(), usize::from(height));
            }
        }
    }
}

/// With 200 partitions and 100 members each is to be found, and the first view stays short.
#[test]
fn many_partitions_and_members_can_be_read() {
    let mut model = model(status_of(100, 200));
    let lines = shown(&mut model, 80, 60);
    assert_shows(
        &lines,
        &[
            "group-1-1   [0] [100]",
            "… of 100 members; 2 shows all",
            "group-2-1 [0-199]",
            "lessons   ",
        ],
    );
    press(&mut model, "2");
    let all = shown(&mut model, 80, 500);
    assert_shows(
        &all,
        &["group-1-100 [99] [199]", "Delivery/0 ", "Delivery/199 "],
    );
    let lines = shown(&mut model, 80, 24);
    assert!(lines[23].contains(" 1-21 of "), "{}", lines[23]);
    press(&mut model, "G");
    let lines = shown(&mut model, 80, 24);
    assert_shows(
        &lines[22..23],
        &["Delivery/199  group-1-100      1000        990   12   2.4 s        0"],
    );
    let wide = shown(&mut model, 200, 24);
    assert!(wide.iter().all(|line| line.chars().count() <= 200));
}

/// A partition that is stuck or paused is marked without colour, with its reason.
#[test]
fn stuck_and_paused_partitions_are_marked() {
    let mut status = tour();
    let members = &mut status.groups.get_mut("group-1").unwrap().members;
    members[0].state = MemberState::Stuck;
    members[0].partitions[0].stuck = Some("no such topic".to_owned());
    members[1].partitions[0].paused = true;
    let mut model = model(status);
    let shown_at_once = shown(&mut model, 80, 24);
    assert_shows(
        &shown_at_once,
        &[
            "! group-1-1 can't go on with Delivery/0: no such topic",
            "group-1-1 stuck [0!]",
            "group-1-2 [1‖]",
        ],
    );
    press(&mut model, "2");
    let lines = shown(&mut model, 100, 60);
    assert_shows(&lines, &["stuck: no such topic", "paused"]);
}

/// A refused handler's error is there with the marked line.
#[test]
fn refused_handler_is_shown_with_the_marked_line() {
    let mut status = tour();
    let error = "error: the handler has no function `handle`\n --> handlers/print.rhai:3:4\n  |\n\
                 3 | fn handel(msg) {\n  |    ^^^^^^ this is its name";
    status.groups.get_mut("group-1").unwrap().handler.error = Some(error.to_owned());
    let mut model = model(status);
    for (keys, width) in [("1", 80), ("2", 80), ("2", 40)] {
        press(&mut model, keys);
        let lines = shown(&mut model, width, 30);
        let mark = lines
            .iter()
            .position(|line| line.contains("^^^^^^"))
            .unwrap();
        let at = lines[mark].chars().position(|c| c == '^').unwrap();
        let meant: String = lines[mark - 1].chars().skip(at).take(6).collect();
        assert_eq!(meant, "handel", "{}", lines.join("\n"));
    }
    press(&mut model, "1");
    let trouble = "! group-1: the changed handler is refused; version 0123456789ab goes on";
    assert_shows(&shown(&mut model, 80, 24), &[trouble]);
}

/// Rebalances stand on a line of time, and below it with what they took and ended in.
#[test]
fn rebalances_are_told_with_their_durations() {
    let mut model = model(tour());
    press(&mut model, "2");
    let lines = shown(&mut model, 100, 40);
    assert_shows(
        &lines,
        &[
            "rebalances 1",
            "03:01:10  1.1 s  0 → group-1-1 · 1 → group-1-2 · idle: group-1-3 (3 members, 2 partitions)",
            "messages/s 5.0, most 5.0",
        ],
    );
}

/// Topics show who holds a partition in each group; reloads their generation; lessons what shows them.
#[test]
fn lists_tell_topics_reloads_and_lessons() {
    let mut model = model(tour());
    press(&mut model, "4");
    assert_shows(
        &shown(&mut model, 80, 24),
        &["   1   group-1-2   group-2-1"],
    );
    press(&mut model, "5");
    let reload = "reload 2   03:01:10   in 1.5 s   by SIGHUP";
    assert_shows(
        &shown(&mut model, 80, 24),
        &[reload, "  group-1: members 2 → 3"],
    );
    press(&mut model, "6");
    assert_shows(
        &shown(&mut model, 80, 24),
        &[
            "✓ The members of a group share the partitions",
            "  Seen at 03:02:50.",
            "○ A spare member idles",
            "  To see it: Set members",
        ],
    );
}

/// A partition that has just moved stands out, and no longer does after a while.
#[test]
fn moved_partitions_stand_out() {
    let reversed = |age| {
        let mut status = tour();
        let group = status.groups.get_mut("group-1").unwrap();
        let mut last = group.rebalance_history[0].clone();
        let from = last.assignment.remove("group-1-2").unwrap();
        last.assignment.insert("group-1-9".to_owned(), from);
        group.rebalance_history.insert(0, last);
        group.rebalance_history[1].at = before(age);
        let mut model = model(status);
        let buffer = buffer(&mut model, 80, 24, false);
        let lines = lines(&buffer);
        let y = lines
            .iter()
            .position(|line| line.contains("group-1-2 [1]"))
            .unwrap();
        let x = lines[y].chars().position(|c| c == ']').unwrap();
        let at = lines[y].find("[1]").unwrap();
        let marked = |x: usize| {
            let cell = &buffer[(x as u16, y as u16)];
            cell.modifier.contains(Modifier::REVERSED)
        };
        (marked(x), marked(at + 1))
    };
    assert_eq!(reversed(5), (false, true));
    assert_eq!(reversed(60), (false, false));
}

/// Without colour not one cell has any.
#[test]
fn no_colour_means_none() {
    let coloured = |colour| {
        let mut model = model(tour());
        model.lost("gone".to_owned(), now());
        let buffer = buffer(&mut model, 80, 24, colour);
        let coloured =
            |cell: &&ratatui::buffer::Cell| cell.fg != Color::Reset || cell.bg != Color::Reset;
        buffer.content.iter().filter(coloured).count()
    };
    assert_eq!(coloured(false), 0);
    assert!(coloured(true) > 0);
}

/// While the daemon is away that is said, and what was seen stays.
#[test]
fn silence_is_told_and_what_was_seen_stays() {
    let mut model = model(tour());
    model.lost("the socket is not there".to_owned(), before(10));
    let lines = shown(&mut model, 100, 24);
    let told =
        "no answer since 03:04:20, trying again; what is shown is old: the socket is not there";
    assert_shows(&lines[23..], &[told]);
    assert_shows(&lines, &["group-1-1 [0]"]);
    model.told(tour(), None, before(10));
    assert_shows(
        &shown(&mut model, 80, 24)[23..],
        &["no answer since 03:04:20, waiting"],
    );
    model.told(tour(), None, now());
    press(&mut model, "p");
    assert_shows(
        &shown(&mut model, 80, 24)[23..],
        &["display paused at 03:04:30"],
    );
}

/// What the daemon tells can not steer the terminal.
#[test]
fn control_characters_are_not_drawn() {
    let mut status = tour();
    status.on_disk = Some("a\u{1b}[31mb\u{7}c".to_owned());
    let lines = shown(&mut model(status), 80, 24);
    assert_shows(&lines, &["! a[31mbc"]);
}
