//! What nodes and programs report by `tracing` while they run in a simulation: lines of its log.
//!
//! Reports have no part in the run: they may name what is real, such as how long something took.
//! The program's own subscriber gets them, too.

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

/// What is less than this goes to the others only.
const LEVEL: Level = Level::INFO;

/// The way from `tracing` to the log.
pub(crate) struct Events {
    speaker: Arc<Speaker>,
    dispatch: Dispatch,
}

/// What runs: a process of a node, or other work of the node.
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

    /// What this thread reports goes to the log as well, as long as the guard is there.
    pub(crate) fn listen(&self) -> DefaultGuard {
        dispatcher::set_default(&self.dispatch)
    }

    /// What is reported from now on comes from there.
    pub(crate) fn come_from(&self, watch: &Arc<Watch>, pid: Option<Pid>) {
        *self.speaker.0.lock() = Some((watch.clone(), pid));
    }
}

/// The subscriber of a simulation.
struct Listener {
    log: Arc<Log>,
    speaker: Arc<Speaker>,
    /// Where reports go without it.
    outer: Dispatch,
    /// What any of the two may want.
    most: LevelFilter,
}

impl Listener {
    fn log(&self, event: &Event<'_>) {
        let speaker = self.speaker.0.lock().clone();
        // Formatted before the log is locked, since a value's own code may report something, too.
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
        // Spans are the others' only, who give them their ids.
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
