//! What a group's members share: the program that they run, and the mistake that keeps the next out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::Notify;

use crate::diagnostic::Diagnostic;
use crate::script::Kind;

/// The place of one group's or producer's program. Shared between threads; reading never waits.
#[derive(Debug)]
pub struct Slot<P> {
    kind: Kind,
    name: Arc<str>,
    program: ArcSwap<Held<P>>,
    generation: AtomicU64,
    error: ArcSwapOption<Vec<Diagnostic>>,
    /// Of those who may be asleep when a program is set; some are gone by then.
    sleepers: Mutex<Vec<Weak<Notify>>>,
}

/// A program, and which settings it is to run with.
#[derive(Debug)]
struct Held<P> {
    program: Arc<P>,
    settings: u64,
}

impl<P> Slot<P> {
    /// `name` is the group's id or the producer's name; it is unique within its kind.
    pub fn new(kind: Kind, name: &str, program: Arc<P>) -> Self {
        Self {
            kind,
            name: Arc::from(name),
            program: ArcSwap::from_pointee(Held {
                program,
                settings: 0,
            }),
            generation: AtomicU64::new(0),
            error: ArcSwapOption::empty(),
            sleepers: Mutex::default(),
        }
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The program to run now.
    pub fn current(&self) -> Arc<P> {
        self.program.load().program.clone()
    }

    /// Counts the times that a program and the settings of whoever runs it changed together.
    pub fn settings(&self) -> u64 {
        self.program.load().settings
    }

    /// The program to run with these settings; `None` while others are on their way to whoever asks.
    pub fn current_with(&self, settings: u64) -> Option<Arc<P>> {
        let held = self.program.load();
        (held.settings == settings).then(|| held.program.clone())
    }

    /// Counts the programs that were set after the first. One atomic load, cheap enough for every
    /// message: who sees it move takes [`Slot::current`], which is at least that new.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Takes `program` into use and forgets the mistake of any version that was refused.
    pub fn set(&self, program: Arc<P>) {
        self.hold(program, self.settings());
    }

    /// The same for a program that comes with other settings: whoever runs the one before takes it
    /// when those have reached them, so that no message meets the one without the other.
    ///
    /// Nobody else may set the slot meanwhile.
    pub fn set_with_settings(&self, program: Arc<P>) {
        self.hold(program, self.settings() + 1);
    }

    fn hold(&self, program: Arc<P>, settings: u64) {
        // The program first: a reader that sees the new generation must find the new program.
        self.program.store(Arc::new(Held { program, settings }));
        self.error.store(None);
        self.generation.fetch_add(1, Ordering::Release);
        for sleeper in self.sleepers().iter().filter_map(Weak::upgrade) {
            sleeper.notify_one();
        }
    }

    /// Has `sleeper` notified of each program that is set from now on, so that one without messages
    /// takes it up, too.
    pub fn wakes(&self, sleeper: &Arc<Notify>) {
        let mut sleepers = self.sleepers();
        sleepers.retain(|sleeper| sleeper.strong_count() > 0);
        sleepers.push(Arc::downgrade(sleeper));
    }

    fn sleepers(&self) -> MutexGuard<'_, Vec<Weak<Notify>>> {
        // A list is whole after any panic.
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the version on disk does not run; `None` when it does.
    pub fn error(&self) -> Option<Arc<Vec<Diagnostic>>> {
        self.error.load_full()
    }

    /// Keeps the mistakes of a version that was refused, or forgets them. What runs goes on.
    pub fn set_error(&self, mistakes: Option<Arc<Vec<Diagnostic>>>) {
        self.error.store(mistakes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Place;

    fn mistake() -> Arc<Vec<Diagnostic>> {
        Arc::new(vec![Diagnostic {
            message: "no `handle`".to_owned(),
            place: Place::Nowhere,
            label: String::new(),
            hints: Vec::new(),
        }])
    }

    /// A new program moves the generation by one and is what `current` gives from then on.
    #[test]
    fn setting_moves_the_generation() {
        let slot = Slot::new(Kind::Consumer, "group-1", Arc::new(1));
        assert_eq!((slot.generation(), *slot.current()), (0, 1));
        slot.set(Arc::new(2));
        assert_eq!((slot.generation(), *slot.current()), (1, 2));
    }

    /// A refused version leaves what runs alone; the next good one forgets the mistake.
    #[test]
    fn a_mistake_stays_until_a_good_version_is_set() {
        let slot = Slot::new(Kind::Consumer, "group-1", Arc::new(1));
        slot.set_error(Some(mistake()));
        assert_eq!((slot.generation(), *slot.current()), (0, 1));
        assert_eq!(slot.error(), Some(mistake()));
        slot.set(Arc::new(2));
        assert_eq!(slot.error(), None);
    }

    /// A program that comes with other settings is for those who have them; what is set after it, too.
    #[test]
    fn a_program_with_other_settings_waits_for_them() {
        let slot = Slot::new(Kind::Consumer, "group-1", Arc::new(1));
        let before = slot.settings();
        slot.set_with_settings(Arc::new(2));
        let after = slot.settings();
        assert_eq!((slot.generation(), *slot.current()), (1, 2));
        assert_eq!(slot.current_with(before), None);
        assert_eq!(slot.current_with(after), Some(Arc::new(2)));
        slot.set(Arc::new(3));
        assert_eq!(slot.current_with(before), None);
        assert_eq!(slot.current_with(after), Some(Arc::new(3)));
    }

    /// Whoever sees a generation finds a program at least as new, however the threads interleave.
    #[test]
    fn a_generation_is_never_ahead_of_its_program() {
        let slot = Arc::new(Slot::new(Kind::Consumer, "group-1", Arc::new(0u64)));
        let writer = {
            let slot = slot.clone();
            std::thread::spawn(move || (1..=20_000).for_each(|n| slot.set(Arc::new(n))))
        };
        loop {
            let generation = slot.generation();
            let program = *slot.current();
            assert!(program >= generation, "{program} at {generation}");
            if generation == 20_000 {
                break;
            }
        }
        writer.join().expect("the writer ran through");
    }
}
