//! The test vectors of `net/testdata/handshake.txt`: every byte of a handshake, and the resulting
//! keys. A program that shares no code with this one made them.

use std::collections::BTreeMap;

use bytes::BytesMut;

use super::initiator::AwaitHello;
use super::*;
use crate::cookie::Cookie;

const VECTORS: &str = include_str!("../../../testdata/handshake.txt");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn body(frame: Vec<u8>) -> Vec<u8> {
    super::frame(&mut BytesMut::from(&frame[..])).unwrap().unwrap()
}

/// A case, as a map from field names to values.
struct Case(BTreeMap<&'static str, &'static str>);

impl Case {
    fn all() -> Vec<Case> {
        let fields = |case: &'static str| {
            let lines = case.lines().filter(|line| !line.starts_with('#'));
            lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim()))
        };
        let cases = VECTORS.split("\n\n").map(|case| Case(fields(case).collect()));
        cases.filter(|case| !case.0.is_empty()).collect()
    }

    fn text(&self, field: &str) -> &'static str {
        self.0.get(field).unwrap_or_else(|| panic!("no {field}"))
    }

    fn number(&self, field: &str) -> u64 {
        self.text(field).parse().unwrap()
    }

    fn bytes(&self, field: &str) -> [u8; 32] {
        let text = self.text(field);
        assert_eq!(text.len(), 64, "{field}");
        std::array::from_fn(|n| u8::from_str_radix(&text[2 * n..][..2], 16).unwrap())
    }

    fn identity(&self, name: &str, of: char) -> Identity {
        Identity {
            name: self.text(name).parse().unwrap(),
            creation: Creation(self.number(&format!("creation_{of}")) as u32),
            flags: Flags::from_bits(self.number(&format!("flags_{of}"))),
        }
    }

    fn status(&self) -> Status {
        match self.number("status") {
            0 => Status::Ok,
            6 => Status::Named,
            other => panic!("no case for status {other}"),
        }
    }

    fn given(&self) -> Option<NodeName> {
        Some(self.text("given"))
            .filter(|given| *given != "none")
            .map(|given| given.parse().unwrap())
    }
}

/// HS-1 to HS-4: every byte, in our own layout.
#[test]
fn test_vectors() {
    let cases = Case::all();
    assert_eq!(cases.len(), 5);
    for case in cases {
        println!("{}", case.text("case"));
        let cookie = Cookie::new(case.text("cookie")).unwrap();
        let secret = Secret { cookie, cluster_id: case.text("cluster_id").to_owned() };
        let transport = match case.text("binding") {
            "none" => Transport::Plain,
            _ => Transport::Bound(case.bytes("binding")),
        };
        let (i, r) = (case.identity("initiator", 'i'), case.identity("responder", 'r'));
        let (wanted, nonce) = (r.name.clone(), case.bytes("nonce_i"));
        let (initiator, frame) = AwaitHello::start(i, wanted, &secret, nonce).unwrap();
        let hello_i = body(frame);
        assert_eq!(hex(&hello_i), case.text("hello_i"));
        let greet = || {
            let greeted = responder::AwaitHello::new(r.clone()).handle(&hello_i).unwrap();
            match case.given() {
                Some(given) => greeted.named(given),
                None => greeted,
            }
        };
        let (responder, frame) =
            greet().accept(case.status(), &secret, transport, case.bytes("nonce_r"));
        let hello_r = body(frame);
        assert_eq!(hex(&hello_r), case.text("hello_r"));
        let (initiator, frame) = initiator.handle(&hello_r, transport).unwrap();
        let proof_i = body(frame);
        assert_eq!(hex(&proof_i), case.text("proof_i"));
        let (again, _) = greet().accept(case.status(), &secret, transport, case.bytes("nonce_r"));
        let refusal = body(again.handle(&proof_i).unwrap().refuse(Status::Nok));
        assert_eq!(hex(&refusal), case.text("refusal"));
        let (at_responder, frame) = responder.handle(&proof_i).unwrap().accept();
        let proof_r = body(frame);
        assert_eq!(hex(&proof_r), case.text("proof_r"));
        let at_initiator = initiator.handle(&proof_r).unwrap();
        assert_eq!((at_initiator.given, at_responder.given), (case.given(), None));
        let known_as = case.given().unwrap_or_else(|| case.text("initiator").parse().unwrap());
        assert_eq!(at_responder.peer, known_as);
    }
}
