//! The first steps of a server.

extern crate fika_runtime as fika;

use std::time::Duration;

use fika::{ExitReason, Node, sleep, whereis};
use fika_macros::Message;
use fika_otp::gen_server::*;
use fika_otp::{CallError, gen_server, sys};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
struct Add(i64);
#[derive(Serialize, Deserialize, Message)]
struct Hang;
#[derive(Serialize, Deserialize, Message)]
struct Fail;
#[derive(Serialize, Deserialize, Message)]
struct Later;
#[derive(Serialize, Deserialize, Message)]
struct Ask(fika::Pid);

struct Counter {
    n: i64,
    later: Option<ReplyTo<i64>>,
}

impl GenServer for Counter {
    type Args = i64;
    type Receives = (Call<Add>, Call<Hang>, Call<Fail>, Call<Later>, Call<Ask>, Cast<Add>);

    async fn init(n: i64) -> Init<Self> {
        if n < 0 {
            return Init::stop(ExitReason::Badarg("negative".into()));
        }
        Init::ok(Counter { n, later: None })
    }
}

impl HandleCall<Add> for Counter {
    type Reply = i64;

    async fn handle_call(&mut self, Add(by): Add, _: &mut Caller<'_, i64>) -> Reply<i64> {
        self.n += by;
        if let Some(later) = self.later.take() {
            later.reply(self.n);
        }
        self.n.into()
    }
}

impl HandleCall<Hang> for Counter {
    type Reply = ();

    async fn handle_call(&mut self, _: Hang, _: &mut Caller<'_, ()>) -> Reply<()> {
        sleep(Duration::from_secs(1000)).await;
        ().into()
    }
}

impl HandleCall<Fail> for Counter {
    type Reply = ();

    async fn handle_call(&mut self, _: Fail, _: &mut Caller<'_, ()>) -> Reply<()> {
        panic!("as asked")
    }
}

impl HandleCall<Later> for Counter {
    type Reply = i64;

    async fn handle_call(&mut self, _: Later, caller: &mut Caller<'_, i64>) -> Reply<i64> {
        self.later = Some(caller.reply_later());
        Reply::later()
    }
}

impl HandleCall<Ask> for Counter {
    type Reply = String;

    async fn handle_call(&mut self, Ask(other): Ask, _: &mut Caller<'_, String>) -> Reply<String> {
        match ServerRef::<Counter>::pid(other).call(Add(1)).no_timeout().await {
            Ok(n) => n.to_string().into(),
            Err(error) => error.to_string().into(),
        }
    }
}

impl HandleCast<Add> for Counter {
    async fn handle_cast(&mut self, Add(by): Add) -> Next {
        self.n += by;
        Next::go_on()
    }
}

#[test]
fn a_server_answers() {
    let node = Node::builder().build().unwrap();
    node.block_on(async {
        let counter = gen_server::start::<Counter>(Start::name("counter"), 5).await.unwrap();
        assert_eq!(counter.call(Add(2)).await.unwrap(), 7);
        counter.cast(Add(3));
        assert_eq!(counter.call(Add(0)).await.unwrap(), 10);
        let again = gen_server::start::<Counter>(Start::name("counter"), 5).await.unwrap_err();
        assert_eq!(again, StartError::AlreadyStarted(whereis("counter").unwrap()));
        let failed = gen_server::start_link::<Counter>(Start::new(), -1).await.unwrap_err();
        assert_eq!(failed, StartError::Failed(ExitReason::Badarg("negative".into())));
        let id = counter.call(Later).send();
        assert_eq!(counter.call(Add(1)).await.unwrap(), 11);
        assert_eq!(id.receive_response(Duration::from_secs(5)).await.unwrap(), 11);
        let state = sys::get_status(&counter).await.unwrap().state;
        assert_eq!(state, "a `basics::Counter`", "without a `format_status` of its own");
    });
    node.stop();
}

/// GS-4: the texts of errors say what has happened. Each error belongs to one kind.
#[test]
fn a_failed_call_says_why() {
    let node = Node::builder().build().unwrap();
    node.block_on(async {
        let kinds = |error: &CallError| {
            let kinds = [
                (error.is_noproc(), "noproc"),
                (error.is_timeout(), "timeout"),
                (error.is_calling_self(), "calling_self"),
                (error.is_nodedown(), "nodedown"),
                (error.is_no_reply(), "no_reply"),
                (error.is_unknown_request(), "unknown_request"),
                (error.exit_reason().is_some(), "ended"),
                (!error.cycle().is_empty(), "cycle"),
                (error.function_failed().is_some(), "function_failed"),
            ];
            kinds.into_iter().filter(|(is_so, _)| *is_so).map(|(_, kind)| kind).collect::<Vec<_>>()
        };
        let start = async || gen_server::start::<Counter>(Start::new(), 0).await.unwrap();

        let slow = start().await;
        let pid = slow.whereis().unwrap();
        let waits = slow.call(Hang).send();
        slow.cast(Add(1));
        slow.cast(Add(1));
        let late = slow.call(Add(1)).timeout(Duration::from_millis(400)).await.unwrap_err();
        assert_eq!(kinds(&late), ["timeout"]);
        let text = late.to_string();
        let start_of = format!(
            "the call `basics::Add` of {pid} failed: timeout: no reply within 400ms; the server \
             was in `handle_call` of `basics::Hang` for at least "
        );
        assert!(text.starts_with(&start_of), "{text}");
        assert!(text.ends_with("; 3 messages were waiting"), "{text}");
        assert_eq!(ExitReason::from(late), ExitReason::Timeout);
        drop(waits);

        let other = start().await;
        let own = other.whereis().unwrap();
        let why = other.call(Ask(own)).await.unwrap();
        let begins = format!("the call `basics::Add` of {own} failed: calling_self: ");
        assert!(why.starts_with(&begins), "{why}");
        let nobody = ServerRef::<Counter>::at("nobody").call(Add(1)).await.unwrap_err();
        assert_eq!(kinds(&nobody), ["noproc"]);
        assert!(nobody.to_string().ends_with("failed: noproc: there is no such process"));
        assert!(nobody.to_string().contains("nobody"), "{nobody}");
        assert_eq!(ExitReason::from(nobody), ExitReason::Noproc);

        let third = start().await;
        let failed = third.call(Fail).await.unwrap_err();
        assert_eq!(kinds(&failed), ["ended"]);
        assert!(
            failed.to_string().contains("failed: the server ended: panic: as asked"),
            "{failed}"
        );
        assert!(matches!(ExitReason::from(failed), ExitReason::Panic(_)));
        assert!(third.call(Add(1)).await.unwrap_err().is_noproc());

        let forgets = other.call(Later).send();
        let _kept = other.call(Later).send();
        let dropped = forgets.receive_response(Duration::from_secs(20)).await.unwrap_err();
        assert_eq!(kinds(&dropped), ["no_reply"]);
        let text = "failed: the server dropped the request without a reply";
        assert!(dropped.to_string().contains(text), "{dropped}");
        assert!(matches!(ExitReason::from(dropped), ExitReason::Error(_)));

        let elsewhere = ServerRef::<Counter>::at(("nobody", "elsewhere@127.0.0.1"));
        let failed = sys::with_state(&elsewhere, |_| ()).await.unwrap_err();
        assert_eq!(kinds(&failed), [""; 0]);
        let text = "the process is on another node, which the function can't reach";
        assert!(failed.to_string().ends_with(text), "{failed}");
        let own = fika::self_node().name();
        let nobodies = [
            ServerRef::<Counter>::at("nobody"),
            ServerRef::<Counter>::at(("nobody", own.as_str())),
        ];
        for nobody in nobodies {
            let failed = sys::with_state(&nobody, |_| ()).await.unwrap_err();
            assert_eq!(kinds(&failed), ["noproc"], "{failed}");
            assert_eq!(format!("{nobody:?}"), nobody.to_string());
        }

        let failed = sys::replace_state(&other, |_| panic!("as asked")).await.unwrap_err();
        assert_eq!(kinds(&failed), ["function_failed"]);
        let text = "failed: the function failed, and the state is as it was: panic: as asked";
        assert!(failed.to_string().contains(text), "{failed}");
        assert_eq!(format!("{failed:?}"), failed.to_string());
    });
    node.stop();
}
