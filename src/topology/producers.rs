//! Producers that run: the adapter to the shared Kafka producer, and their places on the board.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Producer;
use crate::delivery::Emit;
use crate::handlers::{HandlerSlot, Watched};
use crate::kafka::{DeliveryReports, Outgoing, SendError, Sender};
use crate::observe::ProducerBoard;
use crate::observe::metrics::ProducerMetrics;
use crate::observe::status::ProducerState;
use crate::preflight::Programs;
use crate::producer::{
    Deliveries, Hooks, ProducerSetup, ProducerTask, Progress, Sent, Sink, State, try_generator,
};
use crate::script::Kind;

use super::Running;
use super::running::{comes_along, handler_status};

/// What a producer may still have unsent when it is replaced or removed.
const FLUSH: Duration = Duration::from_secs(10);

/// Beyond flushing, for a call of the generator that is under way.
const LAST_CALL: Duration = Duration::from_secs(2);

/// A call of a generator takes at most so long, as its engine is set.
const LONGEST_CALL: Duration = Duration::from_secs(1);

/// One configured producer.
pub(super) struct RunningProducer {
    task: ProducerTask,
    pub(super) slot: Arc<HandlerSlot>,
    deliveries: Arc<Deliveries>,
    /// Written by the daemon, once a second and on changes.
    board: RefCell<ProducerBoard>,
    metrics: ProducerMetrics,
    /// What the metrics know of.
    counted: RefCell<(u64, u64)>,
    /// By the user, until they resume it; a successor takes it over.
    paused: Cell<bool>,
}

/// What a producer takes over from the one before it.
#[derive(Clone)]
pub(super) struct Before {
    deliveries: Arc<Deliveries>,
    progress: Progress,
    paused: bool,
}

/// Hands a generator's messages to the shared producer.
struct ToKafka {
    sender: Sender,
    reports: Arc<DeliveryReports>,
}

impl Sink for ToKafka {
    fn send(&mut self, emit: &Emit<'_>) -> Sent {
        let mut headers = emit.headers();
        let outgoing = Outgoing::of(emit, &mut headers);
        match self.sender.send(outgoing, &self.reports) {
            Ok(()) => Sent::Queued,
            Err(SendError::Full) => Sent::Full,
            Err(SendError::Refused(error)) => Sent::Refused(error.message),
        }
    }

    fn wait_for_room(&mut self, most: Duration) -> bool {
        self.sender.wait_for_room(most)
    }

    fn flush(&mut self, most: Duration) -> Result<(), String> {
        self.sender.flush(most).map_err(|error| error.message)
    }
}

impl RunningProducer {
    pub(super) fn set_paused(&self, paused: bool) {
        self.paused.set(paused);
        match paused {
            true => self.task.pause(),
            false => self.task.resume(),
        }
    }

    /// Shows on the board which handler runs, and what is wrong with one that was refused.
    pub(super) fn show_handler(&self) {
        let handler = handler_status(&self.slot);
        self.board
            .borrow_mut()
            .update(|status| status.handler = handler);
    }

    /// Brings the board and the metrics up to date. Returns whether its thread died.
    pub(super) fn look(&self, away: bool) -> Option<String> {
        let status = self.task.status();
        let mut counted = self.counted.borrow_mut();
        self.metrics
            .produced
            .inc_by(status.produced.saturating_sub(counted.0));
        self.metrics
            .failed
            .inc_by(status.failed.saturating_sub(counted.1));
        *counted = (status.produced, status.failed);
        let ended = status.state.ended() || status.state == State::Finished;
        let (state, reason) = match &status.state {
            // It hears of it at its next message.
            _ if self.paused.get() && !ended => (ProducerState::Paused, None),
            State::Running if away => (ProducerState::WaitingForBroker, None),
            State::Running | State::Paused => (ProducerState::Running, None),
            State::Waiting => (
                ProducerState::WaitingForBroker,
                Some("too much is unacknowledged".to_owned()),
            ),
            State::Failing => (
                ProducerState::Running,
                status.last_error.map(|failure| failure.reason),
            ),
            State::Finished => (ProducerState::Finished, None),
            State::Stopped => (ProducerState::Stopped, None),
            State::Died(reason) => (ProducerState::Stopped, Some(reason.clone())),
        };
        let mut board = self.board.borrow_mut();
        // Its thread says itself when it died; a long wait for the broker is no fault of it.
        board.beat(Instant::now());
        board.update(|shown| {
            shown.state = state;
            shown.reason = reason;
            shown.produced = status.produced;
            shown.failed = status.failed + status.script_errors;
        });
        match status.state {
            State::Died(reason) => Some(reason),
            _ => None,
        }
    }
}

impl Running {
    pub(super) fn add_producer(
        &mut self,
        name: &str,
        config: &Arc<Producer>,
        programs: &Programs,
    ) -> Result<(), String> {
        // Its removal failed before it began.
        if self.shown.producers().contains_key(name) {
            return Ok(());
        }
        self.start_producer(name, config, programs)
    }

    fn start_producer(
        &mut self,
        name: &str,
        config: &Arc<Producer>,
        programs: &Programs,
    ) -> Result<(), String> {
        let program = programs
            .producer(&config.handler)
            .ok_or_else(|| format!("the handler of producer {name} was not compiled"))?;
        let slot = Arc::new(HandlerSlot::new(Kind::Producer, name, program));
        let Before {
            deliveries,
            progress,
            paused,
        } = self
            .gone
            .producers
            .get(name)
            .cloned()
            .unwrap_or_else(|| Before {
                deliveries: Arc::new(Deliveries::new(name.into())),
                progress: Progress::default(),
                paused: false,
            });
        let told = deliveries.clone();
        let reports = DeliveryReports::new(move |error| match error {
            None => told.acknowledged(),
            Some(error) => told.refused(&error.message),
        });
        let sink = ToKafka {
            sender: self.sender.clone(),
            reports,
        };
        let counted = (deliveries.produced(), deliveries.failed());
        let task = ProducerTask::start(ProducerSetup {
            name: name.into(),
            config: (**config).clone(),
            slot: slot.clone(),
            sink: Box::new(sink),
            deliveries: deliveries.clone(),
            progress,
            paused,
            hooks: self.hooks(name),
        })
        .map_err(|error| format!("producer {name} has no thread: {error}"))?;
        let board =
            self.ground
                .board
                .producer(name, &config.topic, config.rate.into(), LONGEST_CALL);
        self.ground.board.counts_on(name, counted.0, counted.1);
        let producer = RunningProducer {
            task,
            slot: slot.clone(),
            deliveries,
            board: RefCell::new(board),
            metrics: self.ground.metrics.producer(name, &config.topic),
            counted: RefCell::new(counted),
            paused: Cell::new(paused),
        };
        producer.show_handler();
        if paused {
            producer.look(false);
        }
        self.shown.producers().insert(name.to_owned(), producer);
        self.watch_producer(slot, config);
        Ok(())
    }

    /// What the generator counts and observes goes to the metrics under the producer's name.
    fn hooks(&self, name: &str) -> Hooks {
        let mut user = self.ground.metrics.user(name);
        Hooks {
            on_metrics: Box::new(move |effects| {
                for (name, n) in &effects.counts {
                    user.count(name, *n);
                }
                for (name, value) in &effects.observations {
                    user.observe(name, *value);
                }
                user.flush();
            }),
            ..Hooks::default()
        }
    }

    fn watch_producer(&self, slot: Arc<HandlerSlot>, config: &Arc<Producer>) {
        let (name, producer) = (slot.name().clone(), config.clone());
        self.handlers.add(Watched {
            slot,
            file: config.handler.clone(),
            limits: config.limits,
            check: Some(Arc::new(move |program| {
                try_generator(program, &name, &producer)
            })),
        });
    }

    pub(super) fn change_producer(
        &mut self,
        name: &str,
        config: &Arc<Producer>,
        programs: &Programs,
    ) -> Result<(), String> {
        let producers = self.shown.producers();
        let Some(producer) = producers.get(name) else {
            return Err(format!("producer {name} does not run"));
        };
        let slot = &producer.slot;
        let program = comes_along(self.config(), slot, programs.producer(&config.handler))
            .map_err(|()| format!("the handler of producer {name} was not compiled"))?;
        if let Some(program) = program {
            self.handlers.remove(Kind::Producer, name);
            slot.set_with_settings(program);
        }
        producer.task.change((**config).clone(), slot.settings());
        // Also for the parameters and limits that the next version is tried with.
        self.watch_producer(slot.clone(), config);
        let rate = config.rate.into();
        producer
            .board
            .borrow_mut()
            .update(|status| status.rate = rate);
        producer.show_handler();
        Ok(())
    }

    /// Stops a producer and starts it with other settings; its counts go on.
    pub(super) async fn replace_producer(
        &mut self,
        name: &str,
        config: &Arc<Producer>,
        programs: &Programs,
    ) -> Result<(), String> {
        self.remove_producer(name).await?;
        self.start_producer(name, config, programs)
    }

    pub(super) async fn remove_producer(&mut self, name: &str) -> Result<(), String> {
        self.remove_producer_within(name, FLUSH).await
    }

    /// Stops a producer, which sends what it has queued for up to `flush`.
    pub(super) async fn remove_producer_within(
        &mut self,
        name: &str,
        flush: Duration,
    ) -> Result<(), String> {
        self.handlers.remove(Kind::Producer, name);
        let producer = self.shown.producers().remove(name);
        let Some(producer) = producer else {
            return Ok(());
        };
        producer.task.stop(flush);
        let RunningProducer {
            task,
            board,
            metrics,
            counted,
            slot,
            deliveries,
            paused,
        } = producer;
        let task = tokio::task::spawn_blocking(move || {
            let ended = task.wait(flush + LAST_CALL);
            (task, ended)
        });
        let (task, ended) = task
            .await
            .map_err(|error| format!("producer {name} could not be waited for: {error}"))?;
        let before = Before {
            deliveries: deliveries.clone(),
            progress: task.status().progress,
            paused: paused.get(),
        };
        self.gone.producers.insert(name.to_owned(), before);
        RunningProducer {
            task,
            board,
            metrics,
            counted,
            slot,
            deliveries,
            paused,
        }
        .look(false);
        self.ground.board.remove_producer(name);
        match ended {
            Some(State::Died(reason)) => Err(format!("producer {name} died: {reason}")),
            Some(_) => Ok(()),
            None => Err(format!("producer {name} did not end in time")),
        }
    }
}
