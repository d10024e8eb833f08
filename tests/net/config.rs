//! The settings of a node as data: `Config`, from a file and from a program.

use crate::support;

use fika::message::MailboxLimit;
use fika::net::{AutoConnect, Ping as PingAnswer, ping};
use fika::node::{Config, ConfigError, Node, NodeBuilder};
use fika::prelude::*;
use serde::Deserialize;
use support::{Place, TestNode};

/// A setting of each kind, as a file writes it.
#[test]
fn a_file_has_all_settings() {
    let text = r#"
        name = "a@127.0.0.1"
        cookie = "a long and secret cookie"
        cookie_file = "/etc/cookie"
        allow_weak_cookie = true
        cluster_id = "blue"
        workers = 2
        process_limit = 1000
        mailbox_limit = 7
        long_message_queue = 50
        hidden = true
        listen = "127.0.0.1:0"
        listen_ports = "9100-9105"
        dist_listen = false
        unix_sockets = "/run/fika"
        start_epmd = false
        epmd_port = 14369
        allow = ["b@127.0.0.1", "c"]
        dist_auto_connect = "once"
        connect_all = false
        net_ticktime = 20
        net_tickintensity = 8
        net_setuptime = 0.5
        handshake_time = 1.5
        shutdown_time = 2.5
        message_bytes_max = "64MiB"
        output_bytes = "64KiB-1MiB"
        async_dist = true
        nodelay = false
        keepalive = true
        send_buffer = 30000
        recv_buffer = "20KiB"
        encode_messages = true
        stop_on_signals = false
        cookie_for = { "b@127.0.0.1" = "another long cookie" }

        [cookie_file_for]
        "c@127.0.0.1" = "/etc/c.cookie"
    "#;
    let config = Config::from_toml(text).unwrap();
    // The error for an unknown key lists all keys, so the text above is complete.
    let error = Config::from_toml("colour = 1").unwrap_err().to_string();
    let (_, known) = error.split_once("expected one of ").unwrap();
    for name in known.split('`').skip(1).step_by(2) {
        assert!(
            text.contains(&format!(" {name} = ")) || text.contains(&format!("[{name}]")),
            "{name}"
        );
    }
    let shown = format!("{config:?}");
    assert!(!shown.contains("secret") && !shown.contains("another"), "{shown}");
    assert_eq!(config.name.as_deref(), Some("a@127.0.0.1"));
    assert_eq!(config.cookie_file, Some("/etc/cookie".into()));
    assert_eq!(config.cluster_id.as_deref(), Some("blue"));
    assert_eq!((config.workers, config.process_limit), (Some(2), Some(1000)));
    assert_eq!(config.mailbox_limit, Some(MailboxLimit::messages(7)));
    assert_eq!(config.long_message_queue, Some(50));
    assert_eq!(config.listen, Some(([127, 0, 0, 1], 0).into()));
    assert_eq!(config.unix_sockets, Some("/run/fika".into()));
    assert_eq!((config.epmd_port, config.net_tickintensity), (Some(14369), Some(8)));
    assert_eq!(config.net_ticktime, Some(secs(20)));
    assert_eq!(config.handshake_time, Some(millis(1500)));
    assert_eq!(config.shutdown_time, Some(millis(2500)));
    assert_eq!(config.send_buffer, Some(30_000));
    let Config { allow_weak_cookie, hidden, async_dist, keepalive, encode_messages, .. } = config;
    let on = [allow_weak_cookie, hidden, async_dist, keepalive, encode_messages];
    assert_eq!(on, [Some(true); 5]);
    let Config { dist_listen, start_epmd, connect_all, nodelay, stop_on_signals, .. } = config;
    let off = [dist_listen, start_epmd, connect_all, nodelay, stop_on_signals];
    assert_eq!(off, [Some(false); 5]);
    assert_eq!(config.listen_ports, Some(9100..=9105));
    assert_eq!(config.dist_auto_connect, Some(AutoConnect::Once));
    assert_eq!(config.net_setuptime, Some(millis(500)));
    assert_eq!(config.message_bytes_max, Some(64 << 20));
    assert_eq!(config.output_bytes, Some((64 << 10, 1 << 20)));
    assert_eq!(config.recv_buffer, Some(20 << 10));
    assert_eq!(config.allow, ["b@127.0.0.1", "c"]);
    assert_eq!(config.cookie_for, [("b@127.0.0.1".into(), "another long cookie".into())]);
    assert_eq!(config.cookie_file_for, [("c@127.0.0.1".into(), "/etc/c.cookie".into())]);
}

/// Each error names the line and shows the mistake there.
#[test]
fn errors_of_a_file_name_the_place() {
    let cases = [
        ("wrokers = 4", "wrokers", "unknown setting `wrokers`: did you mean `workers`?"),
        ("net_tick_time = 4", "net_tick_time", "did you mean `net_ticktime`?"),
        ("colour = 4", "colour", "unknown field `colour`, expected one of `name`"),
        ("workers = 0", "workers", "`workers` must be in 1..=1024"),
        ("process_limit = 0", "process_limit", "`process_limit` must be in 1..=134217727"),
        ("epmd_port = 0", "epmd_port", "`epmd_port` must not be 0"),
        ("net_ticktime = 1e9", "net_ticktime", "must be from 1 ms to 365 days"),
        ("net_tickintensity = 3", "net_tickintensity", "must be in 4..=1000"),
        ("net_setuptime = 1e9", "net_setuptime", "must be from 1 ms to 365 days"),
        ("shutdown_time = 1e9", "shutdown_time", "`shutdown_time` must be at most 365 days"),
        ("handshake_time = 0.0001", "handshake_time", "must be from 1 ms to 365 days"),
        ("message_bytes_max = 1", "message_bytes_max", "must be from 4 KiB to 2 GiB"),
        ("output_bytes = \"1-2\"", "output_bytes", "must be from 64 KiB to 1 GiB"),
        ("workers = \"4\"", "workers", "invalid type: string \"4\", expected a whole number"),
        ("workers = 4.5", "workers", "write a whole number"),
        ("workers = -1", "workers", "write a whole number"),
        ("hidden = \"true\"", "hidden", "expected true or false"),
        ("hidden = 1", "hidden", "expected true or false"),
        ("name = 5", "name", "expected the name of a node"),
        ("name = \"a\"", "name", "`a`"),
        ("listen = \"localhost\"", "listen", "write an IP address and a port"),
        ("listen_ports = \"7\"", "listen_ports", "like 9100-9105"),
        ("net_ticktime = \"60\"", "net_ticktime", "expected a number of seconds"),
        ("net_ticktime = 0", "net_ticktime", "write a number of seconds, like 60 or 0.5"),
        ("message_bytes_max = \"many\"", "message_bytes_max", "write a number of bytes"),
        ("dist_auto_connect = \"Never\"", "dist_auto_connect", "write always, once or never"),
        ("allow = \"a\"", "allow", "expected a list"),
        ("allow = [1]", "allow", "expected a text"),
        ("cookie_for = { a = \"b\" }", "cookie_for", "`a`"),
        ("cookie_file_for = 1", "cookie_file_for", "expected a table from the names of nodes"),
        ("workers = 1\nworkers = 2", "workers", "duplicate key"),
        ("workers = ", "workers", "line"),
    ];
    for (line, key, why) in cases {
        let error = Config::from_toml(&format!("dist_listen = true\n\n{line}\n")).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(why) && error.contains(key), "{line}: {error}");
        assert!(error.contains("line 3") || error.contains("line 4"), "{line}: {error}");
    }
}

#[test]
fn errors_of_a_file_name_the_file() {
    let file = std::env::temp_dir().join(format!("fika-config-{}.toml", std::process::id()));
    let missing = Config::from_toml_file(&file).unwrap_err();
    assert!(matches!(missing, ConfigError::Read { .. }), "{missing}");
    assert!(missing.to_string().contains(file.to_str().unwrap()), "{missing}");
    std::fs::write(&file, "workers = 2\nhiden = true\n").unwrap();
    let wrong = Config::from_toml_file(&file).unwrap_err().to_string();
    std::fs::remove_file(&file).unwrap();
    for part in [file.to_str().unwrap(), "line 2", "hiden"] {
        assert!(wrong.contains(part), "{wrong}");
    }
}

/// A value that is set replaces the previous one, and a value that is not set leaves it.
#[test]
fn settings_are_applied_in_turn() {
    let defaults = Config::from_toml("process_limit = 4096\nworkers = 1\nallow = ['a']").unwrap();
    let spawned = |node: NodeBuilder| {
        let node = node.build().unwrap();
        let spawned = (0..5000).take_while(|_| node.spawn(std::future::pending::<()>()).is_some());
        let spawned = spawned.count();
        node.stop();
        spawned
    };
    let node = || Node::builder().workers(3).config(defaults.clone()).process_limit(64);
    let of_defaults = spawned(node().config(defaults.clone()));
    assert!((3000..=4096).contains(&of_defaults), "{of_defaults}");
    let of_program = spawned(node().config(Config::default()));
    assert!(of_program <= 64, "{of_program}");
    assert_eq!(defaults.workers, Some(1), "it was cloned, and stays as it is");
}

#[test]
fn lists_are_extended() {
    let place = Place::new();
    let _others = ["a", "b", "c"].map(|alive| place.node(alive));
    let allow = |alive: &str| Config { allow: vec![alive.to_owned()], ..Config::default() };
    let node = TestNode::of(place.builder("node").config(allow("a")).config(allow("b")));
    let reaches = |alive: &str| {
        let name = place.name(alive);
        node.block_on(async move { ping(name).await == PingAnswer::Pong })
    };
    assert!(reaches("a") && reaches("b") && !reaches("c"));
}

/// A key that is set twice is an error in each format, including those whose parsers allow it.
#[test]
fn a_key_is_set_once() {
    let twice = r#"{ "workers": 1, "hidden": true, "workers": 1 }"#;
    let error = serde_json::from_str::<Config>(twice).unwrap_err().to_string();
    assert!(error.contains("`workers` is set twice"), "{error}");
}

/// A program's own file may have the settings of the node in a section.
#[test]
fn a_section_of_the_programs_file() {
    #[derive(Deserialize)]
    struct Program {
        greeting: String,
        node: Config,
    }
    let text = "greeting = 'hello'\n[node]\nworkers = 2\n";
    let program: Program = toml::from_str(text).unwrap();
    assert_eq!((program.greeting.as_str(), program.node.workers), ("hello", Some(2)));
    let error = toml::from_str::<Program>(&text.replace("workers", "worker")).err().unwrap();
    assert!(error.to_string().contains("line 3"), "{error}");
}
