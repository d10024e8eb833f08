//! The first steps of a server.

extern crate fika_runtime as fika;

use std::time::Duration;

use fika::{ExitReason, Node, self_pid, sleep, whereis};
use fika_macros::Message;
use fika_otp::gen_server::*;
use fika_otp::{gen_server, sys};
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
        println!("{}", sys::get_status(&counter).await.unwrap().state);
        let late = counter.call(Hang).timeout(Duration::from_millis(400)).await.unwrap_err();
        println!("{late}");
        assert!(late.is_timeout());
        let other = gen_server::start::<Counter>(Start::new(), 0).await.unwrap();
        let pid = other.whereis().unwrap();
        println!("{}", other.call(Ask(pid)).await.unwrap());
        let third = gen_server::start::<Counter>(Start::new(), 0).await.unwrap();
        let failed = third.call(Fail).await.unwrap_err();
        println!("{failed}");
        assert!(matches!(failed.exit_reason(), Some(ExitReason::Panic(_))));
        assert!(third.call(Add(1)).await.unwrap_err().is_noproc());
        let [a, b] = [0, 0].map(|n| gen_server::start::<Counter>(Start::new(), n));
        let (a, b) = (a.await.unwrap(), b.await.unwrap());
        let _ = (a, b, self_pid());
    });
    node.stop();
}
