//! Children that a program may put into a supervision tree without code of its own: servers with
//! `#[gen_server]`, and plain futures.
#![deny(warnings)]

use fika::gen_server::{ServerRef, StartError};
use fika::inspect::info;
use fika::prelude::*;
use fika::supervisor::{self, ChildSpec, ChildState, Restart, SupFlags, Supervisor, Template};
use fika::sys;

use crate::support::LIMIT;

/// Only the types of the arguments of `init` are `Clone`.
struct Shelf {
    first: String,
    count: u32,
}

#[gen_server]
impl Shelf {
    pub(crate) async fn init(first: String, count: u32) -> Result<Self, String> {
        if count == 0 {
            return Err("an empty shelf".into());
        }
        Ok(Shelf { first, count })
    }

    #[call]
    async fn content(&self) -> (String, u32) {
        (self.first.clone(), self.count)
    }
}

/// Starts a supervisor with these children.
async fn tree(children: impl IntoIterator<Item = ChildSpec>) -> Result<Pid, StartError> {
    let flags = SupFlags::one_for_one().intensity(9);
    let top = supervisor::start_link(Start::new(), flags, children).await?;
    Ok(top.whereis().unwrap())
}

/// Waits until a process other than `old` has this name.
async fn named_anew(name: &str, old: Option<Pid>) -> Pid {
    let other = async {
        loop {
            match whereis(name) {
                Some(pid) if Some(pid) != old => return pid,
                _ => sleep(millis(1)).await,
            }
        }
    };
    timeout(LIMIT, other).await.expect("a process gets the name")
}

/// Kills the process with this name, and returns the one that has the name afterwards.
async fn replaced(name: &str) -> Pid {
    let old = named_anew(name, None).await;
    exit_process(old, ExitReason::Kill);
    named_anew(name, Some(old)).await
}

#[fika::test]
async fn a_server_specifies_itself_as_a_child() {
    let shelf = Shelf::child_spec("shelf", Start::name("shelf"), "Faust".into(), 7);
    tree([shelf.restart(Restart::Permanent)]).await.unwrap();
    let before = Shelf::at("shelf").content().await.unwrap();
    replaced("shelf").await;
    assert_eq!(Shelf::at("shelf").content().await.unwrap(), before);
    assert_eq!(before, ("Faust".to_owned(), 7));

    trap_exit(true);
    let error = tree([Shelf::child_spec(1_u32, Start::new(), String::new(), 0)]).await.unwrap_err();
    assert!(error.to_string().contains("an empty shelf"), "{error}");
}

/// A supervisor that does not start names the child and the mistake.
#[fika::test]
async fn a_refused_specification_is_explained() {
    let shelf = || Shelf::child_spec("shelf", Start::new(), "Faust".into(), 7);
    let error = tree([shelf(), shelf()]).await.unwrap_err().to_string();
    assert!(error.contains("two children have the id \"shelf\""), "{error}");
}

/// A start function returns the client that `start_link` has returned.
#[fika::test]
async fn a_client_is_a_started_child() {
    let start = || Shelf::start_link(Start::name("shelf"), "Faust".into(), 7);
    tree([ChildSpec::new("shelf", start)]).await.unwrap();
    replaced("shelf").await;

    let template = Template::new(|count| Shelf::start_link(Start::new(), "Emma".into(), count));
    let flags = SupFlags::one_for_one();
    let shelves = supervisor::start_link_simple(Start::new(), flags, template).await.unwrap();
    let shelf = shelves.start_child(3).await.unwrap().pid().unwrap();
    assert_eq!(Shelf::at(shelf).content().await.unwrap(), ("Emma".to_owned(), 3));

    let clients = supervisor::start_link_dynamic(Start::new(), flags).await.unwrap();
    let shelf = Shelf::child_spec("shelf", Start::new(), "Emma".into(), 4);
    let shelf = clients.start_child(shelf).await.unwrap().pid().unwrap();
    assert_eq!(Shelf::at(shelf).content().await.unwrap(), ("Emma".to_owned(), 4));
}

async fn named() -> fika::Result {
    register("plain", self_pid())?;
    receive! { () => Ok(()) }
}

#[fika::test]
async fn a_plain_future_is_a_child() {
    let parent = self_pid();
    let word = String::from("done");
    let line = line!() + 2;
    let children = [
        ChildSpec::process("named", named),
        ChildSpec::process("sender", move || {
            let word = word.clone();
            async move { send(parent, word) }
        })
        .restart(Restart::Transient),
    ];
    let top = tree(children).await.unwrap();
    receive! { "done" => {}, after LIMIT => panic!("it did not run") }
    let named = replaced("plain").await;
    assert!(info::links(named).await.unwrap().contains(&top));
    let place = info::initial_call(named).await.unwrap();
    assert!(place.file().ends_with("children.rs"), "{place}");
    assert_eq!(place.line(), line);
    // It has ended with `normal`, which the supervisor may learn a little later.
    let top = ServerRef::<Supervisor>::pid(top);
    let stopped = async {
        while top.which_children().await.unwrap()[0].child != ChildState::Stopped {
            sleep(millis(1)).await;
        }
    };
    timeout(LIMIT, stopped).await.expect("it is transient");
}

/// A server is reported with the place where its options were made, and not with one in fika.
#[fika::test]
async fn a_server_knows_where_it_was_started() {
    let line = line!() + 1;
    let shelf = Shelf::start(Start::new(), "Faust".into(), 7).await.unwrap();
    let place = info::initial_call(shelf.whereis().unwrap()).await.unwrap();
    assert!(place.file().ends_with("children.rs"), "{place}");
    assert_eq!(place.line(), line);
}

#[derive(Debug)]
struct Open<T> {
    items: Vec<T>,
}

#[gen_server]
impl<T: fika::message::Part + std::fmt::Debug> Open<T> {
    async fn init(items: Vec<T>) -> Self {
        Open { items }
    }

    #[call]
    async fn count(&mut self) -> usize {
        self.items.len()
    }
}

/// The state is shown by `Debug`, if the server has it; a long one is cut off.
#[fika::test]
async fn a_state_with_debug_is_shown() {
    let open = Open::start_link(Start::new(), vec!["Faust\n".to_owned()]).await.unwrap();
    assert_eq!(open.count().await.unwrap(), 1);
    assert_eq!(sys::get_status(&open).await.unwrap().state, r#"Open { items: ["Faust\n"] }"#);
    let long = Open::start_link(Start::new(), vec![7; 10_000]).await.unwrap();
    let state = sys::get_status(&long).await.unwrap().state;
    assert!(state.starts_with("Open { items: [7, 7,") && state.ends_with('…'), "{state}");
    let shelf = Shelf::start_link(Start::new(), "Faust".into(), 7).await.unwrap();
    let state = sys::get_status(&shelf).await.unwrap().state;
    assert!(state.starts_with("a `") && state.ends_with("Shelf`"), "{state}");
}
