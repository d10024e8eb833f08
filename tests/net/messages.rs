//! The types of messages and of arguments of a `#[remote]` function: all types of std that serde
//! supports, arrays of any length, and messages that stay on their node.

use crate::support;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fmt::Debug;
use std::hash::BuildHasherDefault;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::*;
use std::ops::Bound;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use fika::inspect::Snapshot;
use fika::message::{Bytes, Reference, SendOpts, Tagged, Term, send_wait, send_with, try_send};
use fika::net::{Ping as PingAnswer, ping};
use fika::prelude::*;
use support::{LIMIT, Place, TestNode, down};

/// A place with two connected nodes.
fn nodes() -> (Place, TestNode, TestNode) {
    let place = Place::new();
    (place, place.node("here"), place.node("there"))
}

/// Sends a value to another node, whose process returns it as it was received.
fn round<M: Message + Debug>(place: Place, [here, there]: [&TestNode; 2], value: M, text: &str) {
    let echo = there.spawn(async {
        receive! { (to, ()): (Pid, ()) => {
            let value = next!(M);
            send(to, value);
        } }
    });
    let echo = echo.expect("there is room");
    let name = format!("echo {}", M::tag());
    there.register(&*name, echo).unwrap();
    let before = there.undecodable_count();
    let expected = text.to_owned();
    here.block_on(async move {
        let echo = (&*name, &*place.name("there"));
        send(echo, (self_pid(), ()));
        send(echo, value);
        assert_eq!(format!("{:?}", next!(M)), expected);
    });
    assert_eq!(there.undecodable_count(), before);
}

type OtherHash = BuildHasherDefault<DefaultHasher>;

#[test]
fn std_types_with_serde_support() {
    let (place, here, there) = nodes();
    macro_rules! round {
        ($($value:expr;)*) => {$(
            // The values are compared as text, since a heap can't be compared.
            let text = format!("{:?}", $value);
            round(place, [&here, &there], $value, &text);
        )*};
    }
    let v6 = Ipv6Addr::new(1, 2, 3, 4, 5, 6, 7, 8);
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789);
    round! {
        ();
        true;
        'ü';
        String::from("text");
        (1_u8, 2_u16, 3_u32, 4_u64, 5_u128, 6_usize, -1_i8, -2_i16, -3_i32, -4_i64, -5_i128, -6_isize);
        (1.5_f32, f64::NAN, f64::NEG_INFINITY, -0.0_f64);
        (NonZeroU8::MAX, NonZeroU16::MAX, NonZeroU32::MAX, NonZeroU64::MAX, NonZeroU128::MAX, NonZeroUsize::MAX);
        (NonZeroI8::MIN, NonZeroI16::MIN, NonZeroI32::MIN, NonZeroI64::MIN, NonZeroI128::MIN, NonZeroIsize::MIN);
        (Wrapping(7_u8), Wrapping(-7_i64));
        (Saturating(1_u8), Saturating(2_u16), Saturating(3_u32), Saturating(4_u64), Saturating(5_usize));
        (Saturating(-1_i8), Saturating(-2_i16), Saturating(-3_i32), Saturating(-4_i64), Saturating(-5_isize));
        Duration::new(7, 8);
        time;
        IpAddr::from([1, 2, 3, 4]);
        (IpAddr::V6(v6), Ipv4Addr::LOCALHOST, v6);
        SocketAddr::from((v6, 80));
        (SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1), SocketAddrV6::new(v6, 2, 0, 0));
        PathBuf::from("/a/ü");
        OsString::from_vec(vec![b'a', 0xff]);
        CString::new("c").unwrap();
        (Box::<str>::from("b"), Box::<Path>::from(Path::new("/b")), Box::<OsStr>::from(OsStr::new("o")));
        Box::<CStr>::from(c"c");
        (Arc::<str>::from("b"), Arc::<Path>::from(Path::new("/b")), Arc::<OsStr>::from(OsStr::new("o")));
        Arc::<CStr>::from(c"c");
        (Cow::Borrowed("borrowed"), Cow::<'static, str>::Owned("owned".into()));
        (Cow::Borrowed(Path::new("/p")), Cow::Borrowed(OsStr::new("o")), Cow::Borrowed(c"c"));
        (Cow::Borrowed(&7_u64), Cow::<'static, [u16]>::Borrowed(&[1, 2]));
        (Some(1_u8), None::<u8>, Ok::<u8, String>(1), Err::<u8, String>("no".into()));
        (Box::new(1_u8), Arc::new(String::from("shared")));
        vec![1_u8, 2, 3];
        (vec![String::from("a")], Vec::<u64>::new());
        (Box::<[u8]>::from([1, 2]), Box::<[u64]>::from([1, 2]));
        (Arc::<[u8]>::from([1, 2]), Arc::<[u64]>::from([1, 2]));
        (VecDeque::from([1_u8, 2]), LinkedList::from([1_u8, 2]), BTreeSet::from([1_u8, 2]));
        BinaryHeap::from([3_u8, 1, 2]);
        (HashSet::from([7_u8]), HashMap::from([(7_u8, String::from("seven"))]));
        (HashSet::<u8, OtherHash>::from_iter([7]), HashMap::<u8, u8, OtherHash>::from_iter([(7, 8)]));
        BTreeMap::from([(1_u8, String::from("one")), (2, "two".into())]);
        (1_u8..7, 1_u8..=7, 1_u8.., ..7_u8);
        (Bound::Included(1_u8), Bound::Excluded(2_u8), Bound::<u8>::Unbounded);
        (Reverse(7_u8), PhantomData::<String>);
        [1_u16; 3];
        [0_u8; 0];
        std::array::from_fn::<String, 33, _>(|n| n.to_string());
        [7_u8; 1000];
        [[1_u8; 4]; 4];
        (Bytes::from_static(b"bytes"), Term::new(&7_u8), ExitReason::Killed);
    }
}

/// The fields of a message need not be messages: serde carries them, or returns an error.
#[test]
fn serialization_errors_are_returned_by_the_call() {
    let (place, here, there) = nodes();
    let taker = there.spawn(async { drop(next!(PathBuf)) }).unwrap();
    here.block_on(async move {
        let path = PathBuf::from(OsString::from_vec(vec![b'/', 0xff]));
        let (_, monitor) = spawn_monitor(async move { send(taker, path) });
        let ExitReason::Badarg(why) = down(monitor).await else { panic!("it was sent") };
        assert!(why.contains("path contains invalid UTF-8"), "{why}");
        let (_, monitor) = spawn_monitor(async move {
            send(taker, SystemTime::UNIX_EPOCH - Duration::from_secs(1));
        });
        let ExitReason::Badarg(why) = down(monitor).await else { panic!("it was sent") };
        assert!(why.contains("SystemTime must be later than UNIX_EPOCH"), "{why}");
        assert_eq!(ping(place.name("there")).await, PingAnswer::Pong);
    });
}

/// A hand-written message without serde's traits.
#[derive(Debug, PartialEq)]
struct ByHand(u8);

impl Message for ByHand {
    fn tag() -> Cow<'static, str> {
        "test::ByHand".into()
    }

    fn fingerprint() -> u64 {
        7
    }

    fn encode(&self, out: &mut fika::message::Buffer) -> Result<(), fika::message::EncodeError> {
        out.put_u8(self.0);
        Ok(())
    }

    fn decode(bytes: &Bytes) -> Result<ByHand, fika::message::DecodeError> {
        Ok(ByHand(bytes[0]))
    }
}

#[remote]
#[allow(clippy::too_many_arguments)]
async fn takes_arguments(
    to: Pid,
    addr: SocketAddr,
    path: PathBuf,
    time: SystemTime,
    array: [u64; 100],
    shared: Arc<str>,
    cow: Cow<'static, str>,
    number: NonZeroU16,
    bytes: Vec<u8>,
    range: std::ops::Range<u8>,
    by_hand: ByHand,
    last: Option<Box<[u8]>>,
) {
    let text = format!("{addr} {path:?} {time:?} {array:?} {shared} {cow} {number} {range:?}");
    send(to, (text, bytes, format!("{by_hand:?} {last:?}")));
}

#[test]
fn arguments_may_be_any_message() {
    let (place, here, there) = nodes();
    here.block_on(async move {
        let addr = SocketAddr::from(([1, 2, 3, 4], 5));
        let array = std::array::from_fn(|n| n as u64);
        let call = || {
            takes_arguments(
                self_pid(),
                addr,
                "/path".into(),
                SystemTime::UNIX_EPOCH,
                array,
                "shared".into(),
                Cow::Borrowed("cow"),
                NonZeroU16::MAX,
                vec![7; 10_000],
                1..2,
                ByHand(9),
                Some(Box::new([1])),
            )
        };
        type Answer = (String, Vec<u8>, String);
        spawn(call());
        let here = next!(Answer);
        spawn_on(place.name("there"), call()).await;
        assert_eq!(next!(Answer), here);
    });
    drop(there);
}

/// A message with a field that can't leave its node.
#[derive(Message, Debug)]
#[message(local)]
struct Job {
    answer: Sender<u64>,
    shared: Arc<Mutex<u64>>,
}

#[derive(Message, Debug)]
#[message(local, tag = "test::of")]
enum Of<T: Debug, const N: usize> {
    One(T),
    Call(fn(u64) -> u64, [T; N]),
}

fn job() -> (Job, Receiver<u64>) {
    let (answer, answers) = channel();
    (Job { answer, shared: Arc::default() }, answers)
}

/// The message is matched directly, by its fields.
#[test]
fn a_local_message_is_matched_directly() {
    assert_eq!(Of::<u8, 2>::tag(), "test::of");
    assert!(Job::check_sendable().is_err());
    let node = Node::builder().build().unwrap();
    node.block_on(async {
        let pid = spawn(async {
            for _ in 0..3 {
                receive! {
                    Job { answer, shared } if Arc::strong_count(&shared) > 0 => {
                        *shared.lock().unwrap() += 1;
                        answer.send(*shared.lock().unwrap()).unwrap();
                    }
                    Of::<Sender<u64>, 1>::One(sender) => sender.send(7).unwrap(),
                    Of::<Sender<u64>, 1>::Call(call, [sender]) => sender.send(call(1)).unwrap(),
                }
            }
        });
        let (job, answers) = job();
        let shared = job.shared.clone();
        let sender = job.answer.clone();
        send(pid, job);
        send(pid, Of::<_, 1>::One(sender.clone()));
        send(pid, Of::Call(|n| n + 1, [sender]));
        assert_eq!(answers.recv_timeout(LIMIT), Ok(1));
        assert_eq!(answers.recv_timeout(LIMIT), Ok(7));
        assert_eq!(answers.recv_timeout(LIMIT), Ok(2));
        assert_eq!(*shared.lock().unwrap(), 1);
    });
    node.stop();
}

/// Receives the messages of a process of its own node.
#[remote]
async fn works(job: Job) {
    job.answer.send(1).unwrap();
}

/// Each way to another node returns an error at the call, and nothing is sent.
#[test]
fn a_local_message_does_not_leave_its_node() {
    let (place, here, there) = nodes();
    let taker = there.spawn(async {
        let alias = fika::message::alias();
        receive! { to: Pid => send(to, alias) }
        receive! { _: Job => unreachable!("it came from another node"), (): () => {} }
    });
    let taker = taker.unwrap();
    there.register("taker", taker).unwrap();
    here.block_on(async move {
        send(taker, self_pid());
        let alias = next!(Reference);
        let there = place.name("there");
        type Attempt = fn(Pid, Reference, String);
        let attempts: [Attempt; 6] = [
            |taker, _, _| send(taker, job().0),
            |_, _, there| send(("taker", &*there), job().0),
            |_, alias, _| send(alias, job().0),
            |_, alias, _| fika::message::send_priority(alias, job().0),
            |taker, _, _| drop(send_with(taker, job().0, SendOpts::new())),
            |taker, _, _| send(taker, Tagged { tag: job().0, message: 7_u64 }),
        ];
        for (n, attempt) in attempts.into_iter().enumerate() {
            let there = there.clone();
            let (_, monitor) = spawn_monitor(async move { attempt(taker, alias, there) });
            let ExitReason::Badarg(why) = down(monitor).await else { panic!("{n} was sent") };
            assert!(why.contains("`net::messages::Job` cannot be sent to another node"), "{why}");
            assert!(why.contains("#[message(local)]"), "{why}");
        }
        // A function that gives the message back on error does so.
        let refused = try_send(taker, job().0).unwrap_err();
        assert!(refused.to_string().contains("#[message(local)]"), "{refused}");
        assert!(send_wait(taker, job().0).await.is_err());
        // The message is refused as an argument, and in a reason, which may be seen on every node.
        let (_, monitor) = spawn_monitor(async move {
            spawn_on(&*there, works(job().0)).await;
        });
        assert!(matches!(down(monitor).await, ExitReason::Badarg(_)));
        let (work, answers) = job();
        spawn(works(work));
        assert_eq!(answers.recv_timeout(LIMIT), Ok(1));
        let (_, monitor) = spawn_monitor(async { exit(ExitReason::term(job().0)) });
        assert!(matches!(down(monitor).await, ExitReason::Panic(_)));
        // The message can't be copied for inspection.
        send(self_pid(), job().0);
        let messages = fika::inspect::info::messages(self_pid()).await.unwrap();
        let is_job = |it: &Snapshot| it.type_name().ends_with("Job") && it.get::<Job>().is_none();
        assert!(messages.iter().any(is_job), "{messages:?}");
        let monitor = fika::process::monitor(taker);
        send(taker, ());
        assert_eq!(down(monitor).await, ExitReason::Normal);
    });
}
