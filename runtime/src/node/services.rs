//! Services that start and stop with a node, in order.
//!
//! Services are the hook for layers above the runtime, such as process groups or applications. A
//! service starts after the services that it builds on, and stops before them. The processes of the
//! runtime and of the distribution are not such services: they run until the node ends.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::build_error::BuildError;
use super::{Inner, Node};
use crate::exit_reason::ExitReason;
use crate::process::{self, Ended, NewProcess, Service, Start};
use crate::report;
use crate::report::Cut;
use crate::sync::Mutex;

/// The time that a service has to stop. OTP's supervisors give their workers as long.
const SERVICE_STOP: Duration = Duration::from_secs(5);

/// How long to wait before looking again whether the services have stopped.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The future that stops a service. See [`NodeService::stop`].
pub type StopService = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Something that starts with a node and stops with it.
///
/// Services start in the order in which they are [added](crate::NodeBuilder::service), and stop in
/// the reverse order. They stop after the processes that wait in
/// [`run_until_stopped`](Node::run_until_stopped) have ended, while the node still has its
/// connections and all other processes. These processes are killed only after that.
///
/// ```
/// # use std::error::Error;
/// # use fika_runtime::{ExitReason, Node, NodeService, StopService, exit_process};
/// /// A registered process that counts.
/// struct Counter;
///
/// impl NodeService for Counter {
///     fn name(&self) -> &str {
///         "counter"
///     }
///
///     fn start(&self, node: &Node) -> Result<(), Box<dyn Error + Send + Sync>> {
///         let pid = node.spawn(std::future::pending::<()>()).ok_or("the node is full")?;
///         Ok(node.register("counter", pid)?)
///     }
///
///     fn stop(&self, node: &Node) -> StopService {
///         let counter = node.whereis("counter");
///         Box::pin(async move {
///             if let Some(counter) = counter {
///                 // Here it could save its count.
///                 exit_process(counter, ExitReason::Shutdown);
///             }
///         })
///     }
/// }
///
/// let node = Node::builder().service(Counter).build()?;
/// assert!(node.whereis("counter").is_some());
/// node.stop();
/// # Ok::<(), fika_runtime::BuildError>(())
/// ```
pub trait NodeService: Send + Sync + 'static {
    /// Returns the name of the service, for errors and logs.
    fn name(&self) -> &str;

    /// Starts the service. This runs on the thread that builds the node and not in a process, so it
    /// uses the methods of `node`. It must not wait for long.
    ///
    /// # Errors
    /// If the service can't start. The services before it are stopped then, and building the node
    /// fails with [`BuildError::Service`]. So does a panic.
    fn start(&self, node: &Node) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

    /// Returns the future that stops the service. It is awaited in a process of the node, so it can
    /// send and receive. It has 5 s. If it takes longer or panics, an error is logged, and the next
    /// service is stopped.
    ///
    /// The future does not run if the node ends without being stopped: if its simulation crashes
    /// the node, or if the operating system refuses a thread for the stop.
    fn stop(&self, node: &Node) -> StopService {
        let _ = node;
        Box::pin(async {})
    }
}

/// The services that have started.
#[derive(Default)]
pub(crate) struct Services(Mutex<State>);

#[derive(Default)]
struct State {
    /// In the order of their starts.
    started: Vec<Arc<dyn NodeService>>,
    /// The services have been stopped, or are about to be.
    stops: bool,
}

impl Services {
    /// Takes the services out, to be stopped.
    fn take(&self) -> Vec<Arc<dyn NodeService>> {
        let mut state = self.0.lock();
        state.stops = true;
        std::mem::take(&mut state.started)
    }
}

impl Node {
    /// Starts a service on a running node. It stops before all services that the node already has.
    ///
    /// # Errors
    /// [`BuildError::Service`] if the service does not start, or the node is stopping.
    pub fn start_service(&self, service: impl NodeService) -> Result<(), BuildError> {
        self.start_shared(Arc::new(service))
    }

    fn start_shared(&self, service: Arc<dyn NodeService>) -> Result<(), BuildError> {
        let failed = |error| BuildError::Service { name: service.name().to_owned(), error };
        let stops = || failed("the node stops".into());
        if self.0.services.0.lock().stops {
            return Err(stops());
        }
        match process::catch(|| service.start(self)) {
            Ok(started) => started.map_err(failed)?,
            Err(panic) => return Err(failed(Cut(&panic).to_string().into())),
        }
        let mut state = self.0.services.0.lock();
        if state.stops {
            drop(state);
            // The stop has begun meanwhile, and does not know of this service.
            self.spawn(service.stop(self));
            return Err(stops());
        }
        state.started.push(service);
        Ok(())
    }

    /// Starts the services of a node that has been made. If one does not start, the node is stopped.
    pub(super) fn with_services(
        self,
        services: Vec<Arc<dyn NodeService>>,
    ) -> Result<Node, BuildError> {
        for service in services {
            if let Err(error) = self.start_shared(service) {
                self.stop();
                return Err(error);
            }
        }
        Ok(self)
    }
}

/// Stops the services of a node in a process. Waits for that on this thread, which is the thread
/// that stops the node.
pub(crate) fn stop_services(node: &Inner) {
    let services = node.services.take();
    let Ok(count) = u32::try_from(services.len()) else { return };
    if count == 0 {
        return;
    }
    let limit = SERVICE_STOP * count + LOOK_AGAIN;
    let start = Start { service: Some(Service::Root), ..Start::new(None, Location::caller()) };
    let stops = NewProcess::of()(stop_in_turn(node.handle(), services));
    let Some(pid) = process::start(node, start, stops, |_| ()) else {
        report!(error, count, "the node has no room for the process that stops its services");
        return;
    };
    let deadline = node.env.now() + limit;
    let mut state = node.stop.lock();
    while node.is_alive(pid) && node.env.now() < deadline {
        node.stop.wait_for_end(&mut state, LOOK_AGAIN);
    }
}

/// Stops the services of a node in the running process.
pub(crate) async fn stop_services_here(node: Node) {
    let services = node.0.services.take();
    stop_in_turn(node, services).await;
}

/// Stops services, the last one first.
async fn stop_in_turn(node: Node, mut services: Vec<Arc<dyn NodeService>>) {
    while let Some(service) = services.pop() {
        let (stops, of) = (service.clone(), node.clone());
        // The program's code runs in a separate process.
        let stopped = match Ended::spawn_root_service(async move { stops.stop(&of).await }) {
            Some((_, ended)) => process::timeout(SERVICE_STOP, ended).await,
            None => Ok(ExitReason::SystemLimit),
        };
        let service = service.name();
        match stopped {
            Ok(ExitReason::Normal) => {}
            Ok(reason) => {
                report!(error, service, reason = %Cut(&reason), "a service failed to stop");
            }
            Err(_) => {
                let ms = SERVICE_STOP.as_millis();
                report!(error, service, ms, "a service did not stop in time");
            }
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::error::Error;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::{Env as _, self_node, sleep};

    type Log = Arc<Mutex<Vec<String>>>;

    /// The behaviour of a service of these tests.
    #[derive(Clone, Copy, PartialEq)]
    enum Does {
        Well,
        FailToStart,
        PanicInStart,
        PanicInStop,
        PanicWhileItStops,
        HangInStop,
        /// It stops only after the service `late` has stopped.
        WaitForLate,
    }

    struct Noted(&'static str, Does, Log);

    impl Noted {
        fn note(&self, what: &str) {
            self.2.lock().push(format!("{} {what}", self.0));
        }
    }

    impl NodeService for Noted {
        fn name(&self) -> &str {
            self.0
        }

        fn start(&self, _: &Node) -> Result<(), Box<dyn Error + Send + Sync>> {
            self.note("starts");
            match self.1 {
                Does::FailToStart => Err("no luck".into()),
                Does::PanicInStart => panic!("in start"),
                _ => Ok(()),
            }
        }

        fn stop(&self, node: &Node) -> StopService {
            self.note("stops");
            assert!(self.1 != Does::PanicInStop, "in stop");
            let (does, name, log, stops) = (self.1, self.0, self.2.clone(), node.clone());
            Box::pin(async move {
                // It runs in a process of the node that stops, which still has its processes.
                assert_eq!(self_node().id(), stops.id());
                assert!(!stops.is_stopping());
                match does {
                    Does::PanicWhileItStops => panic!("while it stops"),
                    Does::HangInStop => std::future::pending().await,
                    Does::WaitForLate => {
                        while !log.lock().iter().any(|line| line == "late has stopped") {
                            sleep(Duration::from_millis(1)).await;
                        }
                    }
                    // The thread that stops the node looks several times meanwhile.
                    _ => sleep(LOOK_AGAIN * 2).await,
                }
                log.lock().push(format!("{name} has stopped"));
            })
        }
    }

    fn lines(log: &Log) -> Vec<String> {
        std::mem::take(&mut log.lock())
    }

    #[test]
    fn services_start_in_order_and_stop_in_reverse() {
        let log = Log::default();
        let noted = |name| Noted(name, Does::Well, log.clone());
        let node = Node::builder().workers(2).service(noted("a")).service(noted("b"));
        let node = node.build().unwrap();
        node.start_service(noted("c")).unwrap();
        assert_eq!(lines(&log), ["a starts", "b starts", "c starts"]);
        let ends = node.clone();
        let waiting = log.clone();
        node.spawn(async move {
            ends.run_until_stopped().await;
            waiting.lock().push("the program ends".into());
        });
        // The process waits for the stop before the stop begins.
        node.block_on(crate::yield_now());
        while node.inner().stop.waiting() == 0 {
            node.block_on(crate::yield_now());
        }
        assert!(node.stop());
        let stopped = [
            "the program ends",
            "c stops",
            "c has stopped",
            "b stops",
            "b has stopped",
            "a stops",
            "a has stopped",
        ];
        assert_eq!(lines(&log), stopped);
        // Once.
        assert!(node.stop());
        assert_eq!(lines(&log).len(), 0);
        let late = node.start_service(noted("late")).unwrap_err();
        assert_eq!(late.to_string(), "the service `late` does not start: the node stops");
        assert_eq!(lines(&log).len(), 0);
    }

    /// The node begins to stop while a service starts. That service is stopped too, and its start
    /// fails.
    #[test]
    fn one_that_starts_too_late_is_stopped() {
        struct Late(Noted);
        impl NodeService for Late {
            fn name(&self) -> &str {
                self.0.name()
            }

            fn start(&self, node: &Node) -> Result<(), Box<dyn Error + Send + Sync>> {
                node.begin_stop();
                while !node.0.services.0.lock().stops {
                    node.block_on(crate::yield_now());
                }
                self.0.start(node)
            }

            fn stop(&self, node: &Node) -> StopService {
                self.0.stop(node)
            }
        }
        let log = Log::default();
        let noted = |name, does| Noted(name, does, log.clone());
        let node = Node::builder().workers(2).service(noted("a", Does::WaitForLate));
        let node = node.build().unwrap();
        let late = node.start_service(Late(noted("late", Does::Well))).unwrap_err();
        assert_eq!(late.to_string(), "the service `late` does not start: the node stops");
        assert!(node.stop());
        let seen = lines(&log);
        let of_late = seen.iter().filter(|line| line.starts_with("late"));
        assert!(of_late.eq(["late starts", "late stops", "late has stopped"]), "{seen:?}");
        assert_eq!(seen.last().unwrap(), "a has stopped");
    }

    /// The processes that stop services do not count towards the process limit.
    #[test]
    fn they_stop_on_a_full_node() {
        let log = Log::default();
        let service = Noted("a", Does::Well, log.clone());
        let node = Node::builder().workers(1).process_limit(8).service(service).build().unwrap();
        while node.spawn(std::future::pending::<()>()).is_some() {}
        assert!(node.stop());
        assert_eq!(lines(&log), ["a starts", "a stops", "a has stopped"]);
    }

    #[test]
    fn each_node_has_its_own_services() {
        let logs = [Log::default(), Log::default()];
        let nodes = logs.each_ref().map(|log| {
            let service = Noted("a", Does::Well, log.clone());
            Node::builder().workers(1).service(service).build().unwrap()
        });
        assert!(nodes[0].stop());
        assert_eq!(lines(&logs[0]), ["a starts", "a stops", "a has stopped"]);
        assert_eq!(lines(&logs[1]), ["a starts"]);
        assert!(nodes[1].stop());
        assert_eq!(lines(&logs[1]), ["a stops", "a has stopped"]);
    }

    #[test]
    fn a_failed_start_stops_the_services_before_it() {
        for (does, why) in [(Does::FailToStart, "no luck"), (Does::PanicInStart, "in start")] {
            let log = Log::default();
            let noted = |name, does| Noted(name, does, log.clone());
            let node = Node::builder().workers(1).service(noted("a", Does::Well));
            let node = node.service(noted("b", does)).service(noted("c", Does::Well));
            let error = node.build().unwrap_err().to_string();
            assert!(error.starts_with("the service `b` does not start: "), "{error}");
            assert!(error.contains(why), "{error}");
            assert_eq!(lines(&log), ["a starts", "b starts", "a stops", "a has stopped"]);
        }
    }

    #[test]
    fn a_panic_does_not_keep_other_services_from_stopping() {
        for does in [Does::PanicInStop, Does::PanicWhileItStops] {
            let log = Log::default();
            let noted = |name, does| Noted(name, does, log.clone());
            let node = Node::builder().workers(1).service(noted("a", Does::Well));
            let node = node.service(noted("b", does)).service(noted("c", Does::Well));
            let node = node.build().unwrap();
            lines(&log);
            assert!(node.stop());
            let stopped = ["c stops", "c has stopped", "b stops", "a stops", "a has stopped"];
            assert_eq!(lines(&log), stopped);
        }
    }

    /// A service that never stops has its time, and the next one follows. The node has no threads,
    /// and the test moves its clock.
    #[test]
    fn a_service_that_hangs_is_abandoned_after_its_time() {
        let log = Log::default();
        let noted = |name, does| Noted(name, does, log.clone());
        let clock = Arc::new(crate::stepper::tests::Clock::default());
        let node = Node::builder().env(clock.clone()).service(noted("a", Does::Well));
        let node = node.service(noted("b", Does::HangInStop));
        let (node, stepper) = node.build_stepped().unwrap();
        node.begin_stop();
        let begun = clock.now();
        let mut seen = lines(&log);
        while !seen.iter().any(|line| line == "a has stopped") {
            while stepper.ready() > 0 {
                stepper.step(0);
            }
            seen.extend(lines(&log));
            match stepper.fire_timers() {
                Some(left) => clock.forward(left),
                None if stepper.ready() > 0 => {}
                None => break,
            }
        }
        assert_eq!(seen, ["a starts", "b starts", "b stops", "a stops", "a has stopped"]);
        let took = clock.now().since(begun);
        assert!((SERVICE_STOP..SERVICE_STOP * 2).contains(&took), "{took:?}");
        drop(stepper);
    }

    /// A service that blocks its worker has its time, too, and then the worker is left behind.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "a thread beside the node")]
    fn one_that_blocks_its_worker_has_its_time() {
        struct Blocks(Mutex<Option<Receiver<()>>>);
        impl NodeService for Blocks {
            fn name(&self) -> &str {
                "blocks"
            }

            fn start(&self, _: &Node) -> Result<(), Box<dyn Error + Send + Sync>> {
                Ok(())
            }

            fn stop(&self, _: &Node) -> StopService {
                let blocks = self.0.lock().take().unwrap();
                Box::pin(async move { _ = blocks.recv() })
            }
        }
        let (ends, end) = channel();
        let clock = Arc::new(crate::stepper::tests::Clock::default());
        let service = Blocks(Mutex::new(Some(end)));
        let node = Node::builder().workers(1).env(clock.clone()).service(service).build().unwrap();
        let (told, stopped) = channel();
        std::thread::spawn(move || told.send(node.stop()));
        let all_ended = (0..1000).find_map(|_| {
            clock.forward(Duration::from_millis(100));
            stopped.recv_timeout(Duration::from_millis(20)).ok()
        });
        drop(ends);
        assert_eq!(all_ended, Some(false), "the worker is left behind");
    }
}
