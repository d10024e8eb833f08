//! Cases of `distribution_SUITE` about values and names that come back unchanged.

use super::super::*;

/// DIST-10, DIST-21: pids and references of three nodes come back unchanged, also when the node
/// that sends them back has restarted.
#[test]
fn ref_port_roundtrip() {
    let place = Place::new();
    let third = place.node("third");
    let here = place.node("here");
    let (third_pid, third_ref) = third.block_on(async { (self_pid(), make_ref()) });
    let mut of_earlier: Vec<(Pid, Reference)> = Vec::new();
    for _ in 0..3 {
        let mut there = place.os("there").start();
        let earlier = of_earlier.clone();
        let new = here.block_on(async move {
            let pid = spawn_on(place.name("there"), echo(false)).await;
            let mut pids = vec![self_pid(), third_pid, pid, self_pid()];
            let mut references = vec![make_ref(), third_ref, make_ref()];
            for (pid, reference) in &earlier {
                pids.push(*pid);
                references.push(*reference);
            }
            send(pid, (self_pid(), pids.clone()));
            assert_eq!(next!(Vec<Pid>), pids);
            send(pid, (self_pid(), references.clone()));
            assert_eq!(next!(Vec<Reference>), references);
            for (old, _) in &earlier {
                assert_ne!(*old, pid);
                assert_eq!(old.node().name(), pid.node().name());
            }
            (pid, make_ref())
        });
        of_earlier.push(new);
        there.kill();
    }
}

/// SIG-3: empty values come back unchanged.
#[test]
fn nil_roundtrip() {
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let pid = spawn_on(place.name("there"), echo(false)).await;
        send(pid, (self_pid(), ()));
        next!(());
        send(pid, (self_pid(), Vec::<()>::new()));
        assert_eq!(next!(Vec<()>), []);
        send(pid, (self_pid(), None::<u8>));
        assert_eq!(next!(Option<u8>), None);
        send(pid, (self_pid(), String::new()));
        assert_eq!(next!(String), "");
    });
    drop(there);
}

/// Sends the names there and back, for several rounds.
fn names_come_back(names: Vec<Name>, rounds: usize) {
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let pid = spawn_on(place.name("there"), echo(false)).await;
        for _ in 0..rounds {
            send(pid, (self_pid(), names.clone()));
            assert_eq!(next!(Vec<Name>), names);
        }
        assert_answers(pid, 1).await;
    });
    assert_eq!(there.logged("ERROR"), 0, "{}", there.log());
}

/// SIG-3: names come back unchanged.
#[test]
fn atom_roundtrip() {
    let longest = "x".repeat(255);
    let names = ["", "a", "with space", "Ünïcode", &longest, "nul\0inside"];
    names_come_back(names.into_iter().map(Name::from).collect(), 3);
}

/// SIG-3: names in Unicode come back unchanged.
#[test]
fn unicode_atom_roundtrip() {
    let longest = "🦐".repeat(255);
    let names = ["å", "ロボット", "🦀🦀", "e\u{301}", "\u{10ffff}", &longest];
    names_come_back(names.into_iter().map(Name::from).collect(), 3);
}

/// SIG-3, SIG-5: messages reach their names, though the test uses more names in turns than a
/// connection has numbers for, so that each takes the number of another.
#[test]
fn contended_unicode_atom_cache_entry() {
    const NAMES: u64 = 2048 + 200;
    let place = Place::new();
    let there = place.os("there").start();
    let here = place.node("here");
    here.block_on(async move {
        let at = place.name("there");
        spawn_on(&at, has_names(NAMES, self_pid())).await;
        assert_eq!(next!(u64), NAMES);
        for round in 0..3 {
            for n in 0..NAMES {
                // Some names are used more often than others.
                send((&*unicode_name(n), &*at), (n, self_pid()));
                send((&*unicode_name(n % 7), &*at), (n % 7, self_pid()));
            }
            for _ in 0..2 * NAMES {
                assert!(next!(bool), "a message came to another name, in round {round}");
            }
        }
    });
    assert_eq!(there.logged("ERROR"), 0, "{}", there.log());
}

fn unicode_name(n: u64) -> String {
    format!("ключ-{n}-🗝")
}

/// Registers a process for each of `count` names, which reports whether each message was meant for
/// it.
#[remote]
async fn has_names(count: u64, to: Pid) {
    for n in 0..count {
        let pid = spawn(async move {
            loop {
                let (meant, from) = receive! { (meant, from): (u64, Pid) => (meant, from) };
                send(from, meant == n);
            }
        });
        register(unicode_name(n), pid).unwrap();
    }
    send(to, count);
}
