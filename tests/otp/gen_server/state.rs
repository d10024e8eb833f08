//! Cases about reading and replacing the state.

use super::super::*;

/// A server whose state can be copied.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    n: u64,
}

impl GenServer for Kept {
    type Args = u64;
    type Receives = (Cast<u64>,);

    async fn init(n: u64) -> Init<Self> {
        Init::ok(Kept { n })
    }
}

impl HandleCast<u64> for Kept {
    async fn handle_cast(&mut self, n: u64) -> Next {
        self.n += n;
        Next::go_on()
    }
}

/// SYS-2: reads the state by a system message, also while the server is suspended.
#[test]
fn get_state() {
    let place = Place::new();
    let there = place.os("there").start();
    place.node("here").block_on(async move {
        let kept = server::start::<Kept>(Start::name("kept"), 7).await.unwrap();
        for at in [kept.clone(), ServerRef::at("kept"), ServerRef::pid(kept.whereis().unwrap())] {
            assert_eq!(sys::get_state(&at).await.unwrap(), Kept { n: 7 });
            assert_eq!(sys::with_state(&at, |kept| kept.n + 1).await.unwrap(), 8);
        }
        sys::suspend(&kept).await.unwrap();
        kept.cast(1);
        assert_eq!(sys::get_state(&kept).await.unwrap(), Kept { n: 7 });
        sys::resume(&kept).await.unwrap();
        assert_eq!(sys::get_state(&kept).await.unwrap(), Kept { n: 8 }, "in the order of messages");

        // A function that fails, a state of another type, a server of another node, and none.
        let failed = sys::with_state(&kept, |_| panic!("as asked")).await;
        let failed = failed.map(|(): ()| ()).unwrap_err();
        assert!(failed.function_failed().unwrap().to_string().contains("as asked"), "{failed}");
        let other = ServerRef::<String>::at("kept");
        let wrong = sys::get_state(&other).await.unwrap_err();
        assert!(wrong.to_string().contains("its state is not a"), "{wrong}");
        let far = Ref::pid(server_on(&there, None).await);
        let wrong = sys::with_state(&far, |server| server.n).await.unwrap_err();
        assert!(wrong.to_string().contains("another node"), "{wrong}");
        kept.stop(ExitReason::Normal, None).await.unwrap();
        assert!(sys::get_state(&kept).await.unwrap_err().is_noproc());
    });
}

/// SYS-2: replaces the state; a function that fails leaves it as it was.
#[fika::test(workers = 2)]
async fn replace_state() {
    let kept = server::start::<Kept>(Start::new(), 7).await.unwrap();
    for suspended in [false, true] {
        if suspended {
            sys::suspend(&kept).await.unwrap();
        }
        sys::replace_state(&kept, |kept| Kept { n: kept.n + 1 }).await.unwrap();
        let failed = sys::replace_state(&kept, |_| panic!("as asked")).await.unwrap_err();
        assert!(failed.function_failed().is_some(), "{failed}");
        let expected = Kept { n: 8 + u64::from(suspended) };
        assert_eq!(sys::get_state(&kept).await.unwrap(), expected);
    }
    sys::resume(&kept).await.unwrap();
    kept.cast(1);
    assert_eq!(sys::get_state(&kept).await.unwrap(), Kept { n: 10 });
}
