//! `receive!` from outside: which message an arm gets, and what an arm's body may do.
//!
//! `ui/` has the code that does not compile. The runtime's unit tests cover the mailbox itself.
#![deny(warnings)]

use std::time::Duration;

use fika::message::{Envelope, Local, Reference, make_ref};
use fika::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
#[message(tag = "test::receive::Ping")]
struct Ping {
    n: u64,
    text: String,
}

#[derive(Message, Serialize, Deserialize)]
struct Pong(u64);

#[derive(Message, Serialize, Deserialize)]
struct Stop;

#[derive(Message, Serialize, Deserialize)]
enum Account {
    Deposit(u64),
    Rename { name: String },
    Close,
}

#[derive(Message, Serialize, Deserialize)]
struct Tagged<T> {
    value: T,
}

const LIMIT: u64 = 10;

fn to_self<M: Message>(message: M) {
    send(self_pid(), message);
}

fn ping(n: u64, text: &str) {
    to_self(Ping { n, text: text.to_owned() });
}

/// Returns the messages that are left in the mailbox, as strings.
async fn left() -> Vec<String> {
    let mut left = Vec::new();
    loop {
        receive! {
            Ping { n, text } => left.push(format!("{n}{text}")),
            Pong(n) => left.push(format!("pong {n}")),
            Stop => left.push("stop".to_owned()),
            n: u64 => left.push(n.to_string()),
            _ => left.push("?".to_owned()),
            after Duration::ZERO => return left,
        }
    }
}

/// RECV-1: the order of the mailbox decides before the order of the arms.
#[fika::test]
async fn the_oldest_message_wins() {
    to_self(Pong(1));
    ping(2, "");
    let found = receive! { Ping { n, .. } => n, Pong(n) => n };
    assert_eq!(found, 1);
    assert_eq!(left().await, ["2"]);
}

/// RECV-9: `for` skips messages that are older than the reference, and is evaluated once.
#[fika::test]
async fn a_receive_for_a_reference_skips_older_messages() {
    struct Call {
        mark: Reference,
    }
    to_self(Pong(1));
    let calls = [Call { mark: make_ref() }, Call { mark: make_ref() }];
    to_self(Pong(2));
    to_self(calls[1].mark);
    let mut read = 0;
    let found = receive! {
        for { read += 1; calls[0].mark },
        reference: Reference if reference == calls[0].mark => 0,
        Pong(n) if n > 2 => 0,
        Pong(n) => n,
        after Duration::ZERO => 0,
    };
    assert_eq!((found, read), (2, 1));
    receive! { for calls[1].mark, reference: Reference => assert_eq!(reference, calls[1].mark) }
    receive! { for calls[1].mark, _ => panic!("older than it"), after Duration::ZERO => {} }
    assert_eq!(left().await, ["pong 1"]);
    // The receive does not know the place of a reference that another process has made.
    to_self(Pong(3));
    let (me, other) = (self_pid(), make_ref());
    spawn(async move { send(me, make_ref()) });
    let others = receive! { for other, reference: Reference => reference };
    receive! { for others, Pong(n) => assert_eq!(n, 3) }
}

/// RECV-2: a message that no arm takes stays in its place, opened or not.
#[fika::test]
async fn other_messages_stay_in_their_order() {
    to_self(1_u64);
    ping(1, "a");
    to_self(Stop);
    ping(2, "b");
    ping(3, "c");
    to_self(4_u64);
    let text = receive! { Ping { n, text } if n == 2 => text };
    assert_eq!(text, "b");
    assert_eq!(left().await, ["1", "1a", "stop", "3c", "4"]);
}

/// RECV-3: with a time of zero, a receive looks at the mailbox once.
#[fika::test]
async fn a_zero_timeout_checks_the_mailbox_once() {
    ping(1, "a");
    let found = receive! {
        Ping { n: 2.., .. } | Ping { n: 0, .. } => "ping",
        Pong(_) => "pong",
        after Duration::ZERO => "nothing",
    };
    assert_eq!(found, "nothing");
    assert_eq!(left().await, ["1a"]);
}

#[fika::test]
async fn a_guard_can_read_and_refuse_values() {
    for n in [5, 20, 7] {
        ping(n, &"x".repeat(n as usize));
    }
    let longest = receive! { Ping { n, text } if n > LIMIT && text.len() > 10 => text };
    assert_eq!(longest.len(), 20);
    let guarded_only =
        receive! { Ping { n, text } if n == 7 => text.len(), after Duration::ZERO => 0 };
    assert_eq!(guarded_only, 7);
    let (in_text, _n) = receive! { Ping { n, text } if format!("{n}") == "5" => (text, 0) };
    assert_eq!(in_text, "xxxxx");
}

#[fika::test]
async fn every_form_of_a_pattern() {
    to_self((1_u64, String::from("pair")));
    let (n, text) = receive! { (n, text): (u64, String) => (n, text) };
    assert_eq!((n, &*text), (1, "pair"));

    to_self(Some(5_u64));
    let n = receive! { None: Option<u64> => 0, Some(n): Option<u64> => n };
    assert_eq!(n, 5);

    to_self(LIMIT);
    let word = receive! { LIMIT: u64 => "limit", 0..=9: u64 => "less", _: u64 => "more" };
    assert_eq!(word, "limit");

    to_self(Pong(LIMIT));
    let word = receive! { Pong(0) => "none", Pong(LIMIT) => "limit", Pong(_) => "some" };
    assert_eq!(word, "limit");

    to_self(Tagged { value: 3_u8 });
    let value =
        receive! { Tagged::<u16> { value } => value, Tagged::<u8> { value } => value.into() };
    assert_eq!(value, 3);

    ping(4, "whole");
    let whole = receive! { whole @ Ping { n: 1.., .. } => whole };
    assert_eq!(whole, Ping { n: 4, text: "whole".to_owned() });

    to_self(String::from("text"));
    let text = receive! { mut text: String if text == "text" => { text.push('!'); text } };
    assert_eq!(text, "text!");
}

#[fika::test]
async fn variants_of_one_enum_share_a_message() {
    to_self(Account::Deposit(7));
    to_self(Account::Rename { name: "b".to_owned() });
    to_self(Account::Close);
    let (mut balance, mut called) = (0, String::from("a"));
    loop {
        receive! {
            Account::Deposit(0) => unreachable!(),
            Account::Deposit(n) => balance += n,
            Account::Rename { name } => called = name,
            Account::Close => break,
        }
    }
    assert_eq!((balance, &*called), (7, "b"));
    to_self(Account::Deposit(1));
    let either = receive! { Account::Deposit(_) | Account::Close => true };
    assert!(either);
}

#[fika::test]
async fn a_plain_name_matches_any_message() {
    to_self(Stop);
    ping(1, "a");
    to_self(5_u64);
    let n =
        receive! { any if any.is::<u64>() => any.downcast::<u64>().map_or(0, |node| node.body) };
    assert_eq!(n, 5);
    let first: Envelope = receive! { Ping { n: 2, .. } => unreachable!(), any => any };
    assert!(first.is::<Stop>());
    receive! { _ => {} }
    assert!(left().await.is_empty());
}

#[fika::test]
async fn arms_of_one_type_are_tried_in_order() {
    ping(3, "a");
    let word = receive! {
        Ping { n: 1, .. } => "one",
        Pong(_) => "pong",
        Ping { n, .. } if n > 2 => "more",
        Ping { .. } => "any",
    };
    assert_eq!(word, "more");
}

async fn returns(fail: bool) -> Result<u64, std::num::ParseIntError> {
    ping(1, if fail { "x" } else { "42" });
    receive! {
        Ping { text, .. } => {
            let n: u64 = text.parse()?;
            return Ok(n);
        }
        Stop => {}
    }
    Ok(0)
}

#[fika::test]
async fn return_and_try_leave_the_enclosing_function() {
    assert_eq!(returns(false).await, Ok(42));
    assert!(returns(true).await.is_err());
}

#[fika::test]
async fn break_and_continue_act_on_the_enclosing_loop() {
    for n in 0..6 {
        to_self(Pong(n));
    }
    let mut seen = Vec::new();
    let outcome = 'outer: loop {
        let mut rounds = 0;
        while rounds < 3 {
            rounds += 1;
            receive! {
                Pong(1) => continue,
                Pong(4) => break 'outer rounds,
                Pong(n) if n > 1 => {
                    seen.push(n + 100);
                    break;
                }
                Pong(n) => seen.push(n),
            }
        }
    };
    assert_eq!((outcome, seen), (1, vec![0, 102, 103]));
    assert_eq!(left().await, ["pong 5"]);
}

#[fika::test]
async fn receives_can_be_nested() {
    ping(1, "a");
    to_self(Pong(9));
    to_self(Pong(0));
    to_self(Stop);
    let found = receive! {
        Stop => {
            let n = receive! { Pong(n) => n };
            let text = receive! { Ping { text, .. } => text, after receive! { Pong(_) => Duration::ZERO } => "b".into() };
            (n, text)
        }
    };
    assert_eq!(found, (9, "a".to_owned()));
}

#[fika::test]
async fn a_body_can_await_move_and_mutate() {
    let log = vec![String::from("first")];
    ping(1, "second");
    let log = receive! {
        Ping { mut text, n: mut count } => {
            let mut log = log;
            count += left().await.len() as u64;
            text.push_str(&count.to_string());
            log.push(text);
            log
        }
        Stop => log,
    };
    assert_eq!(log, ["first", "second1"]);
}

/// A future that receives may run on any thread.
#[fika::test]
async fn the_future_is_send() {
    fn is_send<F: Future + Send>(future: F) -> F {
        future
    }
    to_self(Pong(1));
    let future = is_send(async move {
        let text = String::from("moved");
        receive! {
            Pong(n) if n > 0 => { left().await; text.len() as u64 + n }
            any if any.is::<Stop>() => { left().await; drop(any); 0 }
            after Duration::from_secs(1) => { left().await; 0 }
        }
    });
    assert_eq!(future.await, 6);
}

async fn generic<T: Message + Default + Serialize + DeserializeOwned>() -> T {
    receive! {
        Tagged::<T> { value } => value,
        (value, _): (T, u64) => value,
        after Duration::ZERO => T::default(),
    }
}

#[fika::test]
async fn a_pattern_can_use_generic_parameters() {
    to_self(Tagged { value: 7_u64 });
    assert_eq!(generic::<u64>().await, 7);
    assert_eq!(generic::<String>().await, "");
}

mod cmd {
    use super::*;

    #[derive(Message, Serialize, Deserialize)]
    pub(super) enum Cmd {
        Get(u64),
        Put { text: String },
        Flush,
    }

    impl Cmd {
        pub(super) const GREETING: u64 = 77;
    }
}
use cmd::Cmd::{self, *};

/// A pattern that has only one type needs no type beside it.
#[fika::test]
async fn a_pattern_of_one_type_needs_no_annotation() {
    to_self(Local(Cmd::Get(1)));
    to_self(Local(Cmd::Flush));
    let word = receive! { Local(Cmd::Put { .. }) => 0, Local(Cmd::Get(n)) => n };
    assert_eq!(word, 1);
    receive! { Local(Flush) => {} }

    // The pattern names variants that are imported, as with `use Cmd::*`.
    to_self(Cmd::Get(2));
    to_self(Cmd::Put { text: "two".to_owned() });
    to_self(Cmd::Flush);
    let mut seen = Vec::new();
    for _ in 0..3 {
        receive! {
            Get(n) => seen.push(n.to_string()),
            Flush => seen.push("flush".to_owned()),
            Put { text } => seen.push(text),
        }
    }
    assert_eq!(seen, ["2", "two", "flush"]);
    to_self(Cmd::Flush);
    let either = receive! { Get(_) | Flush => true, Put { .. } => false };
    assert!(either);

    // The pattern names constants, of a module and of a type.
    to_self(LIMIT);
    to_self(Cmd::GREETING);
    to_self(u64::MAX);
    let found = receive! { Cmd::GREETING => "greeting", u64::MAX => "most", LIMIT => "limit" };
    assert_eq!(found, "limit");
    receive! { Cmd::GREETING => {} }
    receive! { 1_u64..=LIMIT => unreachable!(), n @ LIMIT.. => assert_eq!(n, u64::MAX) }

    // The pattern has literals that show their type, and combinations of them.
    to_self(true);
    to_self(());
    to_self(-5_i64);
    to_self((Cmd::Get(3), false));
    to_self(Some(Cmd::Get(4)));
    let word =
        receive! { false => "no", 'a'..='z' => "letter", -9_i64..=-1 => "less", true => "yes" };
    assert_eq!(word, "yes");
    receive! { () => {} }
    receive! { -9_i64..=-1 => {} }
    receive! { (Get(n), false) => assert_eq!(n, 3) }
    receive! { Some(Get(n)) => assert_eq!(n, 4) }

    // The pattern leaves out type parameters.
    to_self(Tagged { value: 5_u64 });
    let value: u64 = receive! { Tagged { value } => value };
    assert_eq!(value, 5);
    assert!(left().await.is_empty());
}

/// A string arrives as a `String`, and is compared with the literal.
#[fika::test]
async fn a_string_is_matched_by_a_literal() {
    for text in ["halt", "stop", "go", "a long one"] {
        to_self(text.to_owned());
    }
    let n = 1;
    let word = receive! { "stop" if n > 1 => 0, "stop" => 1, "go" | "run" => 2 };
    assert_eq!(word, 1);
    let word = receive! { "stop" => 1, "go" | "run" => 2 };
    assert_eq!(word, 2);
    receive! { "a long one": String => {} }
    receive! { "stop" => unreachable!(), other: String => assert_eq!(other, "halt") }

    // A literal inside of a pattern works, too.
    to_self(Cmd::Put { text: "second".to_owned() });
    to_self(Cmd::Put { text: "first".to_owned() });
    to_self((self_pid(), "hello".to_owned()));
    let n = receive! { Put { text: "first" } => 1, Put { text: "second" | "third" } => 2 };
    assert_eq!(n, 2);
    receive! { (from, "hello"): (Pid, String) if from == self_pid() => {} }
    receive! { Cmd::Put { text: "first" } => {} }
}

/// The form that rustfmt can format has the same arms.
#[fika::test]
async fn a_match_in_receive_works_like_arms() {
    ping(7, "seven");
    to_self((1_u64, String::from("pair")));
    to_self(Pong(1));
    let mut seen = Vec::new();
    loop {
        receive!(match _ {
            Ping { n, mut text } if n > 1 => {
                text.push('!');
                seen.push(text);
            }
            As::<(u64, String)>((n, text)) if n == 1 => seen.push(text),
            Pong(_) => continue,
            _ if after(Duration::ZERO) => break,
        });
    }
    assert_eq!(seen, ["seven!", "pair"]);
    to_self(Pong(2));
    let mark = make_ref();
    to_self(Pong(3));
    let n = receive!(match since(mark) {
        Pong(n) => n,
    });
    assert_eq!(n, 3);
    assert_eq!(left().await, ["pong 2"]);
}

/// The promises of the documentation about that form hold.
#[test]
fn rustfmt_formats_the_match_form() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    let source = "async fn f(){receive!(match _{Ping{from,n} if n>0=>send(from,n),\
                  As::<(Pid,u64)>((pid,n))=>{send(pid,n)} _ if after(secs(1))=>return,});}";
    let formatted = "async fn f() {
    receive!(match _ {
        Ping { from, n } if n > 0 => send(from, n),
        As::<(Pid, u64)>((pid, n)) => {
            send(pid, n)
        }
        _ if after(secs(1)) => return,
    });
}
";
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path", "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("rustfmt is installed: `rustup component add rustfmt`");
    let mut input = rustfmt.stdin.take().expect("it is piped");
    input.write_all(source.as_bytes()).expect("it reads");
    drop(input);
    let output = rustfmt.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), formatted);
}
