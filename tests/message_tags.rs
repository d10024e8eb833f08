//! If two messages of a program have one tag, none of its nodes gets a name.

use fika::prelude::*;
use serde::{Deserialize, Serialize};

mod user {
    use super::*;

    #[derive(Message, Serialize, Deserialize)]
    pub(crate) struct Get(pub(crate) u64);
}

mod order {
    use super::*;

    #[derive(Message, Serialize, Deserialize)]
    pub(crate) struct Get(pub(crate) u64);
}

#[test]
fn a_node_of_the_program_gets_no_name() {
    let named = Node::builder().name("tags@127.0.0.1").build().expect_err("it does not start");
    let encoding = Node::builder().encode_messages(true).build().expect_err("nor does this");
    let node = Node::builder().build().unwrap();
    let late = node.start_distribution("tags@127.0.0.1").unwrap_err();
    node.stop();
    for error in [named, encoding, late] {
        let error = error.to_string();
        for text in
            ["message_tags::user::Get", "message_tags::order::Get", "`fika::Get`", "tag = \"..\""]
        {
            assert!(error.contains(text), "{error}");
        }
    }
}

/// The clash is found where the types are used, without a node as well.
#[test]
fn neither_is_encoded() {
    let user = fika::message::Encoded::new(&user::Get(1)).unwrap_err().to_string();
    let order = fika::message::Encoded::new(&order::Get(1)).unwrap_err().to_string();
    assert!(user.contains("user::Get") && order.contains("order::Get"), "{user} {order}");
}
