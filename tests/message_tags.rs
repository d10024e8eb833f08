//! Two messages of one tag in a program: no node of it starts.

use fika::prelude::*;

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
fn a_node_of_the_program_does_not_start() {
    let error = Node::builder().build().err().expect("it does not start").to_string();
    for text in
        ["message_tags::user::Get", "message_tags::order::Get", "`fika::Get`", "tag = \"..\""]
    {
        assert!(error.contains(text), "{error}");
    }
}

/// Without a node, the same is found where they are used.
#[test]
fn neither_is_encoded() {
    let user = fika::Encoded::new(&user::Get(1)).unwrap_err().to_string();
    let order = fika::Encoded::new(&order::Get(1)).unwrap_err().to_string();
    assert!(user.contains("user::Get") && order.contains("order::Get"), "{user} {order}");
}
