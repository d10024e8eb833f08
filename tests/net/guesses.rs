//! How many guesses at the cookie get an answer, per address and per network of IPv6, while other
//! nodes can connect. The addresses are those of a host that the test makes.

use crate::support;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use fika::net::{BadCookie, Decision, NetHandler};
use fika::prelude::*;
use socket2::{Domain, Socket, Type};
use support::hosts::Switch;
use support::peer::{Hello, Peer, framed, proofs, read_framed};
use support::{COOKIE, Clock, LIMIT, TestNode, times};

/// How many guesses are answered in a burst, and how many per second after that.
const AT_ONCE: u64 = 16;
const PER_SECOND: u64 = 4;

/// How many guesses are made at the same time, from each address.
const GUESSERS: usize = 4;

/// Counts the wrong proofs that were checked, by the address that they came from.
#[derive(Clone, Default)]
struct Guesses(Arc<Mutex<BTreeMap<IpAddr, u64>>>);

impl NetHandler for Guesses {
    fn bad_cookie(&self, attempt: BadCookie) -> Decision<BadCookie> {
        *self.0.lock().unwrap().entry(attempt.from.ip()).or_default() += 1;
        Decision::Refuse
    }
}

impl Guesses {
    fn from(&self, ips: &[IpAddr]) -> u64 {
        let counts = self.0.lock().unwrap();
        ips.iter().filter_map(|ip| counts.get(ip)).sum()
    }
}

/// Connects from this address, with a time limit for reads and writes.
fn open(from: IpAddr, to: SocketAddr) -> std::io::Result<Peer> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.set_read_timeout(Some(LIMIT))?;
    socket.set_write_timeout(Some(LIMIT))?;
    socket.connect(&to.into())?;
    Ok(Peer { stream: socket.into() })
}

/// Performs a handshake with this cookie. Returns whether it was completed.
fn knocks(from: IpAddr, to: SocketAddr, names: [&str; 2], cookie: &str) -> bool {
    let Ok(mut peer) = open(from, to) else { return false };
    let hello = Hello::new(names[0], names[1]).body();
    peer.write_to_the_end(&framed(&hello));
    let Some(answer) = read_framed(&mut peer.stream) else { return false };
    let (ours, theirs) = proofs(cookie, &hello, &answer);
    peer.write_to_the_end(&framed(&ours));
    read_framed(&mut peer.stream).is_some_and(|answer| answer == theirs)
}

#[test]
fn cookie_guesses_in_ten_seconds() {
    let time = secs(times(3, 10));
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    // The node's address, two groups of addresses that guess, and the address of a node that knows
    // the cookie.
    type Case = (IpAddr, [Vec<IpAddr>; 2], IpAddr);
    let cases: [Case; 2] = [
        (ip("10.0.0.1"), [vec![ip("10.0.0.2")], vec![ip("10.0.0.3")]], ip("10.0.0.4")),
        (
            ip("2001:db8:0:1::1"),
            [
                vec![ip("2001:db8:0:2::1"), ip("2001:db8:0:2::2"), ip("2001:db8:0:2:1:2:3:4")],
                vec![ip("2001:db8:0:3::1")],
            ],
            ip("2001:db8:0:4::1"),
        ),
    ];
    let Some(switch) = Switch::new("cookie_guesses_in_ten_seconds") else { return };
    let of_case =
        |(node, sources, member): &Case| [vec![*node, *member], sources.concat()].concat();
    let ips: Vec<IpAddr> = cases.iter().flat_map(of_case).collect();
    let host = switch.host(0, &ips, "127.0.0.1 localhost", "");
    for (ip, sources, member) in cases {
        host.enter(|| {
            let seen = Guesses::default();
            let name = format!("node@{ip}");
            let builder = Node::builder().name(&name).cookie(COOKIE).listen((ip, 24_369).into());
            let node = TestNode::of(builder.epmd_port(14_369).net_handler(seen.clone()));
            let to = SocketAddr::new(ip, 24_369);
            let [guesser, known] = [format!("guesser@{ip}"), format!("member@{ip}")];
            let clock = &Clock::new();
            let [guesser, known, name] = [&*guesser, &known, &name];
            std::thread::scope(|scope| {
                for from in sources.concat() {
                    for _ in 0..GUESSERS {
                        scope.spawn(move || {
                            while clock.elapsed() < time {
                                assert!(!knocks(from, to, [guesser, name], "a guess"));
                            }
                        });
                    }
                }
                // Others can connect meanwhile.
                let mut members = 0;
                while clock.elapsed() < time {
                    assert!(knocks(member, to, [known, name], COOKIE), "after {members}");
                    members += 1;
                    std::thread::park_timeout(millis(50));
                }
                assert!(members > 0);
            });
            let took = clock.elapsed().as_secs() + 1;
            for source in &sources {
                let guesses = seen.from(source);
                println!("{source:?}: {guesses} guesses were looked at in {:?}", clock.elapsed());
                let most = AT_ONCE + PER_SECOND * took;
                assert!((AT_ONCE..=most).contains(&guesses), "{guesses} from {source:?}");
            }
            assert_eq!(seen.from(&[member]), 0);
            drop(node);
        });
    }
}
