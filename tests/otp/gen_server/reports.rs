//! Cases about reports and the status. The servers run in another OS process, whose log is read.

use std::sync::atomic::{AtomicBool, Ordering};

use fika::inspect::set_label;

use super::super::*;

/// The line of the report of this process's end.
fn report_of(there: &OsNode, pid: Pid) -> String {
    let mention = format!("pid={pid} ");
    let is_meant =
        |line: &&str| line.contains(&mention) && line.contains("a process ended by an error");
    there.log().lines().find(is_meant).expect("there is one").to_owned()
}

/// Waits for the line of the report of this process's end.
fn await_report(there: &OsNode, pid: Pid) -> String {
    // The line says it before the fields.
    crate::support::until("it is reported", || {
        let mention = format!("pid={pid} ");
        there
            .log()
            .lines()
            .any(|line| line.contains(&mention) && line.contains("ended by an error"))
    });
    report_of(there, pid)
}

/// GS-14, PROC-13: servers end with different reasons; those that are errors are reported, once.
#[test]
fn crash() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        let orderly = [
            ExitReason::Normal,
            ExitReason::Shutdown,
            ExitReason::ShutdownWith(fika::message::Term::new(&"because".to_owned())),
        ];
        let mut quiet = Vec::new();
        for ends in orderly {
            let pid = server_on(&there, None).await;
            let monitor = monitor(pid);
            Ref::pid(pid).cast(Tell(1, Then::Stop(ends.clone())));
            saw(Saw::Cast(1)).await;
            saw(Saw::Terminate(ends.clone())).await;
            assert_eq!(down(monitor).await, ends);
            quiet.push(pid);
        }
        let pid = server_on(&there, Some("crashes")).await;
        let watch = monitor(pid);
        Ref::pid(pid).cast(Tell(41, Then::Stop(reason("an odd reason"))));
        saw(Saw::Cast(41)).await;
        assert_eq!(down(watch).await, reason("an odd reason"));
        let report = await_report(&there, pid);
        for part in ["crashes", "an odd reason", "handle_cast of", "Tell", "formatted 41", "Server"]
        {
            assert!(report.contains(part), "{part}: {report}");
        }
        // The process that has started the server has ended, and is its ancestor.
        assert!(report.contains("ancestors=[<"), "{report}");
        saw(Saw::Terminate(reason("an odd reason"))).await;

        let pid = server_on(&there, None).await;
        let watch = monitor(pid);
        let failed = Ref::pid(pid).call(Ask::Panic).await.unwrap_err();
        assert!(failed.to_string().contains("a call fails as asked"), "{failed}");
        assert!(down(watch).await.to_string().contains("a call fails as asked"));
        let report = await_report(&there, pid);
        for part in ["a call fails as asked", "handle_call of", "Ask"] {
            assert!(report.contains(part), "{part}: {report}");
        }
        assert!(matches!(next::<Saw>().await, Saw::Terminate(ExitReason::Panic(_))));
        assert_eq!(there.log().matches("a process ended by an error").count(), 2);
        assert_eq!(there.log().matches("a panic ended a process").count(), 0, "once is enough");
        for pid in quiet {
            assert!(!there.log().contains(&format!("pid={pid} ")));
        }
    });
}

/// A server whose `format_status` hides the state, and panics while `HOOK_FAILS` is set.
struct Formats(String);

static HOOK_FAILS: AtomicBool = AtomicBool::new(false);

#[message]
struct Format(String);

impl GenServer for Formats {
    type Args = ();
    type Receives = (Call<Format>, Cast<Format>);

    async fn init(_: ()) -> Init<Self> {
        Init::ok(Formats("secret".into()))
    }

    async fn terminate(&mut self, reason: &ExitReason) {
        assert_ne!(*reason, reason_to_fail(), "terminate fails as asked");
    }

    fn format_status(&self) -> String {
        assert!(!HOOK_FAILS.load(Ordering::SeqCst), "the hook fails as asked");
        format!("hidden, {} long", self.0.len())
    }
}

fn reason_to_fail() -> ExitReason {
    reason("fail in terminate")
}

impl HandleCall<Format> for Formats {
    type Reply = ();

    async fn handle_call(&mut self, Format(text): Format, _: &mut Caller<'_, ()>) -> Reply<()> {
        match text.as_str() {
            "hook fails" => HOOK_FAILS.store(true, Ordering::SeqCst),
            "hook works" => HOOK_FAILS.store(false, Ordering::SeqCst),
            "label" => set_label("labelled 17"),
            "panic" => panic!("a call fails as asked"),
            text => self.0 = text.to_owned(),
        }
        ().into()
    }
}

impl HandleCast<Format> for Formats {
    async fn handle_cast(&mut self, Format(text): Format) -> Next {
        self.0 = text;
        Next::go_on()
    }
}

#[remote(name = "test::gen_server_formats")]
async fn formats_there(owner: Pid) {
    let formats = server::start::<Formats>(Start::new(), ()).await.unwrap();
    send(owner, formats.whereis().unwrap());
}

async fn formats_on(there: &OsNode) -> ServerRef<Formats> {
    spawn_on(&there.name, formats_there(self_pid())).await;
    ServerRef::pid(next::<Pid>().await)
}

/// GS-24, SYS-3: the status tells module, parent, mode, log and the state through the hook. A hook
/// that fails does not harm the server.
#[fika::test(workers = 2)]
async fn call_format_status() {
    let me = self_pid();
    let formats = server::start_link::<Formats>(Start::new(), ()).await.unwrap();
    sys::log(&formats, 10).await.unwrap();
    formats.call(Format("sesame".into())).await.unwrap();
    let status = sys::get_status(&formats).await.unwrap();
    assert!(status.module.ends_with("Formats"));
    assert_eq!((status.parent, status.suspended), (Some(me), false));
    assert_eq!(status.state, "hidden, 6 long");
    assert_eq!(status.log.len(), 3, "{:?}", status.log);
    assert_eq!(status.log[2], sys::Event::State("hidden, 6 long".into()));
    assert!(!format!("{status:?}").contains("sesame"));
    sys::suspend(&formats).await.unwrap();
    let status = sys::get_status(&formats).await.unwrap();
    assert!(status.suspended && status.state == "hidden, 6 long");
    sys::resume(&formats).await.unwrap();
    let alone = server::start::<Formats>(Start::new(), ()).await.unwrap();
    assert_eq!(sys::get_status(&alone).await.unwrap().parent, None);
}

/// GS-24: crash reports show the state through the hook, also if it fails.
#[test]
fn error_format_status() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        let formats = formats_on(&there).await;
        formats.call(Format("sesame".into())).await.unwrap();
        formats.call(Format("hook fails".into())).await.unwrap();
        let state = sys::get_status(&formats).await.unwrap().state;
        assert!(state.contains("whose `format_status` panicked"), "{state}");
        formats.call(Format("hook works".into())).await.unwrap();
        assert_eq!(sys::get_status(&formats).await.unwrap().state, "hidden, 6 long");
        formats.call(Format("panic".into())).await.unwrap_err();
        let report = await_report(&there, formats.whereis().unwrap());
        assert!(report.contains("hidden, 6 long") && !report.contains("sesame"), "{report}");

        let formats = formats_on(&there).await;
        formats.call(Format("hook fails".into())).await.unwrap();
        formats.call(Format("panic".into())).await.unwrap_err();
        let report = await_report(&there, formats.whereis().unwrap());
        assert!(report.contains("whose `format_status` panicked"), "{report}");
        assert!(report.contains("a call fails as asked"), "the reason is the first one: {report}");
    });
}

/// GS-14, GS-24: a failure of `terminate` is the reason, and is reported with the formatted state.
#[test]
fn terminate_crash_format() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        let formats = formats_on(&there).await;
        let failed = formats.stop(reason_to_fail(), LIMIT).await.unwrap_err();
        let text = failed.exit_reason().unwrap().to_string();
        assert!(text.contains("terminate fails as asked"), "{text}");
        let report = await_report(&there, formats.whereis().unwrap());
        for part in ["terminate fails as asked", "hidden, 6 long"] {
            assert!(report.contains(part), "{part}: {report}");
        }
    });
}

/// GS-24: every part of a report and of the status that shows the state goes through the hook.
#[test]
fn format_all_status() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        let formats = formats_on(&there).await;
        sys::log(&formats, 10).await.unwrap();
        sys::trace(&formats, true).await.unwrap();
        formats.call(Format("sesame".into())).await.unwrap();
        formats.cast(Format("sesame street".into()));
        let status = sys::get_status(&formats).await.unwrap();
        assert_eq!(status.log.len(), 5, "{:?}", status.log);
        assert!(status.log.contains(&sys::Event::State("hidden, 13 long".into())));
        there.await_log("hidden, 13 long", 1);
        formats.stop(reason("an error"), LIMIT).await.unwrap();
        await_report(&there, formats.whereis().unwrap());
        assert!(!there.log().contains("sesame"), "{}", there.log());
        assert!(!format!("{status:?}").contains("sesame"));
    });
}

/// INFO-9, PL-6: reports name the label of the process.
#[test]
fn format_log_with_process_label() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        let formats = formats_on(&there).await;
        formats.call(Format("label".into())).await.unwrap();
        formats.call(Format("panic".into())).await.unwrap_err();
        let report = await_report(&there, formats.whereis().unwrap());
        assert!(report.contains("labelled 17"), "{report}");
    });
}
