//! How things look: few colours of the terminal's own palette, or none at all.

use ratatui::style::{Color, Modifier, Style};

/// The styles. Nothing is told by colour alone: without colour only weight is left.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    colour: bool,
}

impl Theme {
    /// With colours, or by weight alone.
    pub fn new(colour: bool) -> Self {
        Self { colour }
    }

    fn coloured(self, colour: Color) -> Style {
        match self.colour {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }

    pub fn plain(self) -> Style {
        Style::new()
    }

    pub fn heading(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub fn quiet(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub fn good(self) -> Style {
        self.coloured(Color::Green)
    }

    pub fn warn(self) -> Style {
        self.coloured(Color::Yellow)
    }

    pub fn bad(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// What is held, curves.
    pub fn accent(self) -> Style {
        self.coloured(Color::Cyan)
    }

    /// What has just moved; the tab that is shown.
    pub fn marked(self) -> Style {
        self.coloured(Color::Cyan)
            .add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }

    /// A line across the screen that has to be seen.
    pub fn alarm(self) -> Style {
        self.coloured(Color::Red)
            .add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }
}
