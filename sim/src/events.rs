//! Adds the `tracing` events of nodes and programs to the log of the simulation.
//!
//! Events do not affect the run, so they may contain real values, such as how long a call took. The
//! program's own subscriber also gets them.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use fika_runtime::Pid;
use parking_lot::Mutex;
use tracing::dispatcher::{self, DefaultGuard};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

use crate::log::Log;
use crate::watch::Watch;

/// Events below this level go only to the program's own subscriber.
const LEVEL: Level = Level::INFO;

/// Passes `tracing` events to the log.
pub(crate) struct Events {
    speaker: Arc<Speaker>,
    dispatch: Dispatch,
}

/// The source of events: a process of a node, or other work of the node.
#[derive(Default)]
struct Speaker(Mutex<Option<(Arc<Watch>, Option<Pid>)>>);

impl Events {
    pub(crate) fn new(log: Arc<Log>) -> Events {
        let speaker = Arc::<Speaker>::default();
        let outer = dispatcher::get_default(Clone::clone);
        let most = LevelFilter::current().max(LevelFilter::from_level(LEVEL));
        let dispatch = Dispatch::new(Listener { log, speaker: speaker.clone(), outer, most });
        Events { speaker, dispatch }
    }

    /// Adds the events of this thread to the log while the guard is alive.
    pub(crate) fn listen(&self) -> DefaultGuard {
        dispatcher::set_default(&self.dispatch)
    }

    /// Sets the source of the events that follow.
    pub(crate) fn come_from(&self, watch: &Arc<Watch>, pid: Option<Pid>) {
        *self.speaker.0.lock() = Some((watch.clone(), pid));
    }
}

/// The `tracing` subscriber of a simulation.
struct Listener {
    log: Arc<Log>,
    speaker: Arc<Speaker>,
    /// The program's own subscriber.
    outer: Dispatch,
    /// The most verbose level that either subscriber wants.
    most: LevelFilter,
}

impl Listener {
    fn log(&self, event: &Event<'_>) {
        let speaker = self.speaker.0.lock().clone();
        // Formatted before the log is locked, since the `Debug` of a value may emit events itself.
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.log.report(|line| {
            match &speaker {
                Some((watch, pid)) => watch.begin_line(line, *pid),
                None => line.of("", format_args!("")),
            }
            line.text.push_str("-- ");
            if *event.metadata().level() < LEVEL {
                let _ = write!(line.text, "{}: ", event.metadata().level());
            }
            line.text.push_str(&fields.message);
            line.text.push_str(&fields.others);
        });
    }
}

/// The message of an event, and its other fields.
#[derive(Default)]
struct Fields {
    message: String,
    others: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.others, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Spans go only to the program's subscriber, which assigns their ids.
        (metadata.is_event() && *metadata.level() <= LEVEL) || self.outer.enabled(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.most)
    }

    fn event(&self, event: &Event<'_>) {
        if *event.metadata().level() <= LEVEL {
            self.log(event);
        }
        if self.outer.enabled(event.metadata()) {
            self.outer.event(event);
        }
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.outer.new_span(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.outer.record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.outer.record_follows_from(span, follows);
    }

    fn enter(&self, span: &Id) {
        self.outer.enter(span);
    }

    fn exit(&self, span: &Id) {
        self.outer.exit(span);
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.outer.clone_span(id)
    }

    fn try_close(&self, id: Id) -> bool {
        self.outer.try_close(id)
    }
}
