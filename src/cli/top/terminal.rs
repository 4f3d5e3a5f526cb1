//! The terminal while it is ours: raw, on its alternate screen, and given back as it was by whatever
//! ends us.

use std::io;
use std::mem::ManuallyDrop;

use ratatui::DefaultTerminal;

/// Gives the terminal back when dropped. ratatui's own hook does when something panics.
//
// ratatui's terminal prints to standard error when its end fails, and so panics where the terminal
// has been closed; it is not dropped.
pub struct Terminal(ManuallyDrop<DefaultTerminal>);

impl Terminal {
    /// Takes the terminal.
    ///
    /// # Errors
    /// It can not be set as needed; then it is as it was.
    pub fn take() -> io::Result<Self> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self(ManuallyDrop::new(terminal))),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// Where to draw.
    pub fn screen(&mut self) -> &mut DefaultTerminal {
        &mut self.0
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Err(error) = self.0.show_cursor() {
            tracing::debug!("the cursor stays hidden: {error}");
        }
        give_back();
    }
}

fn give_back() {
    if let Err(error) = ratatui::try_restore() {
        tracing::debug!("the terminal is gone: {error}");
    }
}
