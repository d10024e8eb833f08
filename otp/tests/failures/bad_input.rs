//! Flags, specifications, names and starts that fail.

use super::*;

/// A server that tells of its start.
struct Named;

impl GenServer for Named {
    type Args = (&'static str, Pid);
    type Receives = ();

    async fn init((id, test): (&'static str, Pid)) -> Init<Self> {
        send(test, Up(id, self_pid()));
        Init::ok(Named)
    }
}

fn named(id: &'static str, name: &'static str) -> ChildSpec {
    ChildSpec::server::<Named>(id, Start::name(name), (id, self_pid()))
}

/// A server that tells of its start and of its end.
struct Witness(&'static str, Pid);

#[derive(Message)]
#[message(local)]
struct Ended(&'static str);

impl GenServer for Witness {
    type Args = (&'static str, Pid);
    type Receives = ();

    async fn init((id, test): (&'static str, Pid)) -> Init<Self> {
        trap_exit(true);
        send(test, Up(id, self_pid()));
        Init::ok(Witness(id, test))
    }

    async fn terminate(&mut self, _: &ExitReason) {
        send(self.1, Ended(self.0));
    }
}

fn witness(id: &'static str, test: Pid) -> ChildSpec {
    ChildSpec::server::<Witness>(id, Start::new(), (id, test)).shutdown(Shutdown::Infinity)
}

async fn ended() -> &'static str {
    receive! { Ended(id) => id, after LIMIT => panic!("nothing ends") }
}

fn failed(error: &StartError) -> (String, StartError) {
    let FailedToStartChild { id, error } = FailedToStartChild::of(error).expect("a child failed");
    (id.unwrap().as_str().to_owned(), error)
}

/// SUP-4: a start that fails half-way ends what was started, in reverse order, and its error
/// names the child.
#[test]
fn a_start_that_fails_half_way_is_undone() {
    run(async {
        type Make = fn() -> ChildSpec;
        let failing: [(Make, &str); 4] = [
            (|| ChildSpec::new("bad", || async { Err::<Pid, _>(error()) }), "as it should"),
            (|| ChildSpec::new("bad", || async { panic!("a start") as Pid }), "a start"),
            (|| ChildSpec::new("bad", || async { exit(ExitReason::Timeout) as Pid }), "timeout"),
            (|| ChildSpec::new("bad", || async { Err::<Pid, _>(StartError::Timeout) }), "time"),
        ];
        for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
            for (bad, text) in failing {
                let witness = |id| witness(id, self_pid());
                let specs = [witness("a"), witness("b"), witness("c"), bad(), witness("d")];
                let flags = SupFlags::new(strategy);
                let opts = Start::name("never");
                let error = supervisor::start_link(opts, flags, specs).await.unwrap_err();
                let (id, why) = failed(&error);
                assert_eq!(id, "bad");
                assert!(why.to_string().contains(text), "{why}");
                assert!(error.to_string().contains("failed_to_start_child: \"bad\""), "{error}");
                assert_eq!([ended().await, ended().await, ended().await], ["c", "b", "a"]);
                for id in ["a", "b", "c"] {
                    assert_eq!(end_of(up(id).await).await, ExitReason::Noproc);
                }
                assert_eq!(whereis("never"), None);
            }
        }
        receive! { Up(id, _) => panic!("{id} was started"), after Duration::ZERO => {} }
    });
}

/// A nested supervisor that fails half-way is the child that fails.
#[test]
fn a_nested_start_that_fails_is_undone_on_each_level() {
    run(async {
        let me = self_pid();
        let inner = move || {
            let bad = ChildSpec::new("bad", || async { Err::<Pid, _>(error()) });
            supervisor::start_link(
                Start::new(),
                SupFlags::one_for_one(),
                [witness("inner witness", me), bad],
            )
        };
        let inner = ChildSpec::supervisor("inner", inner);
        let specs = [witness("a", me), inner, witness("c", me)];
        let error = supervisor::start_link(Start::new(), SupFlags::one_for_all(), specs).await;
        let error = error.unwrap_err();
        let (outer, why) = failed(&error);
        let (inner, why) = (outer, failed(&why));
        assert_eq!((inner.as_str(), why.0.as_str()), ("inner", "bad"));
        assert_eq!(why.1, StartError::Failed(super::error()));
        for id in ["inner", "bad", "as it should"] {
            assert!(error.to_string().contains(id), "{error}");
        }
        assert_eq!([ended().await, ended().await], ["inner witness", "a"]);
    });
}

/// GS-1, SUP-4, SUP-13, SUP-29: a name that is taken is an error that names the holder and the
/// child.
#[test]
fn a_taken_name_is_an_error() {
    run(async {
        let holder = spawn_link(child());
        fika::register("taken", holder).unwrap();
        let flags = SupFlags::one_for_one().intensity(u32::MAX);
        let started = supervisor::start_link(Start::name("taken"), flags, [worker("w")]).await;
        assert_eq!(started.unwrap_err(), StartError::AlreadyStarted(holder));
        let started = supervisor::start_link_dynamic(Start::name("taken"), flags).await;
        assert_eq!(started.unwrap_err(), StartError::AlreadyStarted(holder));
        let template = Template::new(|()| async { spawn_link(child()) });
        let started = supervisor::start_link_simple(Start::name("taken"), flags, template).await;
        assert_eq!(started.unwrap_err(), StartError::AlreadyStarted(holder));

        let specs = [witness("a", self_pid()), named("b", "taken")];
        let started = supervisor::start_link(Start::new(), flags, specs).await.unwrap_err();
        assert_eq!(failed(&started), ("b".to_owned(), StartError::AlreadyStarted(holder)));
        assert!(started.to_string().contains(&holder.to_string()), "{started}");
        assert_eq!(ended().await, "a");
        up("a").await;

        let top = supervisor::start_link(Start::new(), flags, [named("b", "free")]).await.unwrap();
        let b = up("b").await;
        let error = top.start_child(named("c", "taken")).await.unwrap_err();
        assert!(matches!(
            &error,
            ChildError::Failed { id: Some(id), error: StartError::AlreadyStarted(pid) }
                if *id == "c" && *pid == holder
        ));
        assert!(error.to_string().contains("\"c\"") && error.to_string().contains("already"));

        // The name is taken when the child is restarted, and is free again later.
        let thief = spawn_link(async {
            receive! { pid: Pid => {
                let watch = monitor(pid);
                receive! { Down { monitor, .. } if monitor == watch => {} }
            } }
            while fika::register("free", self_pid()).is_err() {
                yield_now().await;
            }
            child().await;
        });
        send(thief, b);
        top.terminate_child("b").await.unwrap();
        until("the name", || async { whereis("free") == Some(thief) }).await;
        let error = top.restart_child("b").await.unwrap_err();
        assert!(error.to_string().contains("\"b\""), "{error}");
        send(thief, Stop(ExitReason::Normal));
        end_of(thief).await;
        top.restart_child("b").await.unwrap();
        up("b").await;
        receive! { Up(id, _) => panic!("{id} was started"), after Duration::ZERO => {} }
    });
}

/// SUP-1, SUP-25: each error of a specification names the child. Nothing is started.
#[test]
fn contradictory_specifications_are_refused() {
    run(async {
        let flags = SupFlags::one_for_one();
        let auto = flags.auto_shutdown(AutoShutdown::AnySignificant);
        type Make = fn() -> Vec<ChildSpec>;
        let cases: [(SupFlags, Make, SpecError, &str); 4] = [
            (flags.period(Duration::ZERO), Vec::new, SpecError::ZeroPeriod, "period"),
            (
                flags,
                || vec![worker("a"), worker("b"), worker("a")],
                SpecError::DuplicateId("a".into()),
                "\"a\"",
            ),
            (
                auto,
                || vec![worker("a"), worker("b").significant(true)],
                SpecError::PermanentSignificant("b".into()),
                "\"b\"",
            ),
            (
                flags,
                || vec![worker("b").significant(true).restart(Restart::Transient)],
                SpecError::SignificantWithoutAutoShutdown("b".into()),
                "\"b\"",
            ),
        ];
        for (flags, specs, expected, text) in cases {
            let error = supervisor::start_link(Start::new(), flags, specs()).await.unwrap_err();
            let StartError::Failed(reason) = &error else { panic!("{error}") };
            assert_eq!(reason.get::<SpecError>().as_ref(), Some(&expected));
            assert!(error.to_string().contains(text), "{error}");
        }
        let zero = flags.period(Duration::ZERO);
        let error = supervisor::start_link_dynamic(Start::new(), zero).await.unwrap_err();
        assert!(error.to_string().contains("period"), "{error}");
        let template = Template::new(|()| async { spawn_link(child()) });
        let error = supervisor::start_link_simple(Start::new(), zero, template).await.unwrap_err();
        assert!(error.to_string().contains("period"), "{error}");

        let top = supervisor::start_link(Start::new(), flags, []).await.unwrap();
        let transient = worker("s").significant(true).restart(Restart::Transient);
        for spec in [worker("s").significant(true), transient] {
            let error = top.start_child(spec).await.unwrap_err();
            assert!(matches!(error, ChildError::Invalid(_)), "{error}");
            assert!(error.to_string().contains("\"s\""), "{error}");
        }
        assert_eq!(top.count_children().await.unwrap().specs, 0);
        receive! { Up(id, _) => panic!("{id} was started"), after Duration::ZERO => {} }
    });
}

/// SUP-16: an id that is taken names its child.
#[test]
fn a_taken_id_is_an_error() {
    run(async {
        let flags = SupFlags::one_for_one();
        let top = supervisor::start_link(Start::new(), flags, [worker("a")]).await.unwrap();
        let a = up("a").await;
        let error = top.start_child(worker("a")).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ChildError::AlreadyStarted { pid, .. } if pid == a));
        assert!(text.contains("\"a\"") && text.contains(&a.to_string()), "{text}");
        top.terminate_child("a").await.unwrap();
        let error = top.start_child(worker("a")).await.unwrap_err();
        assert!(matches!(error, ChildError::AlreadyPresent { .. }), "{error}");
        assert!(error.to_string().contains("\"a\""), "{error}");
        receive! { Up(id, _) => panic!("{id} was started"), after Duration::ZERO => {} }
    });
}
