//! Starting supervisors and their children.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fika::gen_server::{Start, StartError};
use fika::prelude::*;
use fika::supervisor::{
    self, ChildError, ChildSpec, ChildState, ChildType, FailedToStartChild, Restart, SpecError,
    SupFlags, Template, check_childspecs,
};

use crate::supervisor::*;
use crate::wait::{exit_from, has_none};

/// SUP-3, SUP-27: a supervisor runs below its parent, and ends with the parent's reason.
#[fika::test(workers = 2)]
async fn sup_start_normal() {
    trap_exit(true);
    let me = self_pid();
    let flags = SupFlags::one_for_one();
    let parent = spawn_link(async move {
        let child = move || async move { announce(me, "child", spawn_link(child())) };
        let top = supervisor::start_link(Start::new(), flags, [ChildSpec::new("child", child)]);
        let top = top.await.unwrap();
        send(me, pid_of(&top));
        receive! { Stop(reason) => exit(reason) }
    });
    let child = up_of("child").await;
    let top = crate::wait::next::<Pid>().await;
    let (watch_top, watch_child) = (monitor(top), monitor(child));
    // An exit signal of another process is ignored.
    exit_process(top, ExitReason::Shutdown);
    let by_pid = ServerRef::<Supervisor>::pid(top);
    assert_eq!(count(&by_pid).await, [1, 1, 0, 1]);
    send(parent, Stop(error()));
    assert_eq!(down(watch_child).await, ExitReason::Shutdown);
    assert_eq!(down(watch_top).await, error());
}

/// SUP-28: a start whose `init` returns `Ignored` leaves no name and no exit message.
#[fika::test(workers = 2)]
async fn sup_start_ignore_init() {
    trap_exit(true);
    let opts = Start::name("ignores");
    let started = supervisor::start_link_with(opts, || async { Err(StartError::Ignored) }).await;
    assert_eq!(started.unwrap_err(), StartError::Ignored);
    assert_eq!(whereis("ignores"), None);
    assert!(has_none::<Exit>().await);
}

/// SUP-5, SUP-20: a child whose start is ignored is listed as stopped, and can be restarted.
#[fika::test(workers = 2)]
async fn sup_start_ignore_child() {
    let ignores = Arc::new(AtomicBool::new(true));
    let unwanted = ignores.clone();
    let spec = ChildSpec::new("sometimes", move || {
        let ignored = unwanted.load(Ordering::SeqCst);
        async move { if ignored { Err(StartError::Ignored) } else { Ok(spawn_link(child())) } }
    });
    let top = top(SupFlags::one_for_one(), vec![worker("a"), spec]).await;
    let a = up_of("a").await;
    let expected =
        [("a".to_owned(), ChildState::Running(a)), ("sometimes".to_owned(), ChildState::Stopped)];
    assert_eq!(states(&top).await, expected);
    assert_eq!(count(&top).await, [2, 1, 0, 2]);
    ignores.store(false, Ordering::SeqCst);
    let pid = top.restart_child("sometimes").await.unwrap().pid();
    assert_eq!(which(&top).await[0].pid(), pid);
    assert!(pid.is_some());
}

/// SUP-5: a temporary child whose start is ignored is not stored.
#[fika::test(workers = 2)]
async fn sup_start_ignore_temporary_child_start_child() {
    let top = top(SupFlags::one_for_one(), vec![]).await;
    let ignore = || async { Err::<Pid, _>(StartError::Ignored) };
    let spec = || ChildSpec::new("c", ignore).restart(Restart::Temporary);
    assert_eq!(top.start_child(spec()).await.unwrap().pid(), None);
    assert_eq!(count(&top).await, [0; 4]);
    // The specification of another child stays.
    top.start_child(spec().restart(Restart::Transient)).await.unwrap();
    assert_eq!(count(&top).await, [1, 0, 0, 1]);
}

/// SUP-5, SUP-21: a simple supervisor stores no child whose start is ignored.
#[fika::test(workers = 2)]
async fn sup_start_ignore_temporary_child_start_child_simple() {
    trap_exit(true);
    for restart in [Restart::Temporary, Restart::Transient, Restart::Permanent] {
        let template =
            Template::new(|pid: Option<Pid>| async move { pid.ok_or(StartError::Ignored) });
        let template = template.restart(restart);
        let flags = SupFlags::one_for_one();
        let top = supervisor::start_link_simple(Start::new(), flags, template).await.unwrap();
        assert_eq!(top.start_child(None).await.unwrap().pid(), None);
        assert_eq!(count(&top).await, [0; 4]);
    }
}

/// SUP-28: an init that fails by returning an error.
#[fika::test(workers = 2)]
async fn sup_start_error_return() {
    trap_exit(true);
    let init = || async { Err(StartError::Failed(error())) };
    let started = supervisor::start_link_with(Start::name("fails"), init).await;
    assert_eq!(reason_of(started.unwrap_err()), error());
    assert_eq!(whereis("fails"), None);
    assert!(has_none::<Exit>().await);
}

/// SUP-28: an init that panics or exits.
#[fika::test(workers = 2)]
async fn sup_start_fail() {
    trap_exit(true);
    let init = || async { exit(error()) };
    let started = supervisor::start_link_with(Start::name("fails"), init).await;
    assert_eq!(reason_of(started.unwrap_err()), error());
    let init = || async { panic!("as asked") };
    let started = supervisor::start_link_with(Start::name("fails"), init).await;
    assert!(matches!(reason_of(started.unwrap_err()), ExitReason::Panic(_)));
    assert_eq!(whereis("fails"), None);
    assert!(has_none::<Exit>().await);
}

fn failing(id: &'static str) -> ChildSpec {
    ChildSpec::new(id, || async { Err::<Pid, _>(StartError::Failed(error())) })
}

/// SUP-4, SUP-16: a child that does not start is not stored, and a supervisor that does not start
/// ends the children that it has started.
#[fika::test(workers = 2)]
async fn sup_start_child_returns_error() {
    let sup = top(SupFlags::one_for_one(), vec![]).await;
    let failed = sup.start_child(failing("c")).await.unwrap_err();
    assert_eq!(
        failed.to_string(),
        "the child \"c\" did not start: the process did not start: error: as asked"
    );
    let panics = ChildSpec::new("p", || async { panic!("as asked") as Pid });
    let failed = sup.start_child(panics).await.unwrap_err();
    assert!(matches!(
        failed,
        ChildError::Failed { error: StartError::Failed(ExitReason::Panic(_)), .. }
    ));
    assert_eq!(count(&sup).await, [0; 4]);

    let specs = [worker("a"), worker("b"), failing("c"), worker("d")];
    let opts = Start::name("never");
    let started = supervisor::start_link(opts, SupFlags::one_for_one(), specs).await;
    let started = started.unwrap_err();
    let failed = FailedToStartChild::of(&started).unwrap();
    assert_eq!((failed.id.unwrap().as_str(), reason_of(failed.error)), ("c", error()));
    let (a, b) = (up_of("a").await, up_of("b").await);
    nobody_up().await;
    for pid in [a, b] {
        assert_eq!(down(monitor(pid)).await, ExitReason::Noproc, "they have ended");
    }
    assert_eq!(whereis("never"), None);
    assert!(has_none::<Exit>().await);
}

/// SUP-22: a simple supervisor stores no child whose start returns an error or panics.
#[fika::test(workers = 2)]
async fn sup_start_child_returns_error_simple() {
    trap_exit(true);
    let template = Template::new(|fails: bool| async move {
        assert!(fails, "as asked");
        Err::<Pid, _>(error())
    });
    let flags = SupFlags::one_for_one();
    let top = supervisor::start_link_simple(Start::new(), flags, template).await.unwrap();
    for fails in [true, false] {
        top.start_child(fails).await.unwrap_err();
        assert_eq!(count(&top).await, [0; 4]);
    }
}

/// SUP-1, SUP-2: by default, a child is a permanent worker with 5 seconds to end, and a supervisor
/// allows one restart within 5 seconds.
#[fika::test(workers = 2)]
async fn sup_start_map() {
    let spec = format!("{:?}", worker("a"));
    for default in ["restart: Permanent", "Timeout(5s)", "significant: false", "kind: Worker"] {
        assert!(spec.contains(default), "{spec}");
    }
    let nested = format!("{:?}", ChildSpec::supervisor("s", || async { self_pid() }));
    assert!(nested.contains("shutdown: Infinity") && nested.contains("kind: Supervisor"));
    let flags = SupFlags::default();
    assert_eq!(flags, SupFlags::one_for_one().intensity(1).period(secs(5)));
    let top = top(flags, vec![worker("a"), worker("b")]).await;
    let (a, b) = (up_of("a").await, up_of("b").await);
    end(a, ExitReason::Normal).await;
    let again = up_of("a").await;
    assert_ne!(again, a);
    let expected =
        [("a".to_owned(), ChildState::Running(again)), ("b".to_owned(), ChildState::Running(b))];
    assert_eq!(states(&top).await, expected);
    end(again, ExitReason::Normal).await;
    assert_eq!(exit_from(pid_of(&top)).await, ExitReason::Shutdown);
}

/// SUP-1, SUP-21: the default flags of a simple supervisor restart a child that ended normally.
#[fika::test(workers = 2)]
async fn sup_start_map_simple() {
    trap_exit(true);
    let flags = SupFlags::default();
    let top = supervisor::start_link_simple(Start::new(), flags, workers()).await.unwrap();
    let pid = top.start_child("a".to_owned()).await.unwrap().pid().unwrap();
    assert_eq!(up_of("a").await, pid);
    end(pid, ExitReason::Normal).await;
    up_of("a").await;
    assert_eq!(count(&top).await, [1, 1, 0, 1]);
}

/// SUP-1, SUP-2: a supervisor refuses invalid specifications that the types allow.
#[fika::test(workers = 2)]
async fn sup_start_map_faulty_specs() {
    trap_exit(true);
    let flags = SupFlags::one_for_one();
    let twice = || vec![worker("a"), worker("b"), worker("a")];
    let refused = [
        (flags.period(Duration::ZERO), vec![], SpecError::ZeroPeriod),
        (flags, twice(), SpecError::DuplicateId("a".into())),
        (
            flags,
            vec![worker("s").significant(true).restart(Restart::Transient)],
            SpecError::SignificantWithoutAutoShutdown("s".into()),
        ),
    ];
    for (flags, specs, expected) in refused {
        let started = supervisor::start_link(Start::new(), flags, specs).await;
        let reason = reason_of(started.unwrap_err());
        assert_eq!(reason.get::<SpecError>(), Some(expected));
        assert!(has_none::<Exit>().await);
    }
    nobody_up().await;
}

/// SUP-1, SUP-2, SUP-25: `check_childspecs` finds duplicate ids and invalid significant children.
#[fika::test(workers = 2)]
async fn child_specs_map() {
    use fika::supervisor::AutoShutdown::{AllSignificant, AnySignificant, Never};
    let ok = |auto, specs: &[ChildSpec]| {
        check_childspecs(&SupFlags::one_for_one().auto_shutdown(auto), specs)
    };
    let significant = |restart| [worker("s").significant(true).restart(restart)];
    assert_eq!(ok(Never, &[worker("a"), worker("b")]), Ok(()));
    let expected = SpecError::DuplicateId("a".into());
    assert!(expected.to_string().contains("\"a\""));
    assert_eq!(ok(Never, &[worker("a"), worker("a")]), Err(expected));
    for auto in [AllSignificant, AnySignificant] {
        assert_eq!(ok(auto, &significant(Restart::Transient)), Ok(()));
        assert_eq!(ok(auto, &significant(Restart::Temporary)), Ok(()));
        let expected = SpecError::PermanentSignificant("s".into());
        assert_eq!(ok(auto, &significant(Restart::Permanent)), Err(expected));
    }
    let expected = SpecError::SignificantWithoutAutoShutdown("s".into());
    assert_eq!(ok(Never, &significant(Restart::Transient)), Err(expected));

    let top = top(SupFlags::one_for_one(), vec![]).await;
    let [spec] = significant(Restart::Temporary);
    assert!(matches!(top.start_child(spec).await, Err(ChildError::Invalid(_))));
}

/// SUP-1: a period of zero is refused, and all other limits are valid.
#[fika::test(workers = 2)]
async fn sup_flags() {
    let zero = SupFlags::one_for_all().period(Duration::ZERO);
    assert_eq!(check_childspecs(&zero, &[]), Err(SpecError::ZeroPeriod));
    for flags in [
        SupFlags::one_for_one().intensity(0),
        SupFlags::one_for_all().intensity(u32::MAX),
        SupFlags::rest_for_one().period(Duration::from_nanos(1)),
        SupFlags::rest_for_one().period(Duration::MAX),
    ] {
        assert_eq!(check_childspecs(&flags, &[]), Ok(()));
        let top = top(flags, vec![worker("a")]).await;
        up_of("a").await;
        assert_eq!(count(&top).await, [1, 1, 0, 1]);
    }
}

/// SUP-5, SUP-21: the start of a child may return extra information for the caller.
#[fika::test(workers = 2)]
async fn simple_one_for_one_extra() {
    trap_exit(true);
    let template = Template::new(|n: u64| async move { (spawn_link(child()), n + 1) });
    let flags = SupFlags::one_for_one();
    let top = supervisor::start_link_simple(Start::new(), flags, template).await.unwrap();
    let started = top.start_child(7).await.unwrap();
    assert_eq!((started.info::<u64>(), started.info::<String>()), (Some(8), None));
    let pid = started.pid().unwrap();
    let children = which(&top).await;
    assert_eq!((children[0].pid(), children[0].kind), (Some(pid), ChildType::Worker));
}
