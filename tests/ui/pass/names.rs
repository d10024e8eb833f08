//! Nothing is imported, and the user's names are as awkward as they can be.
#![deny(warnings, missing_docs, unreachable_pub)]
#![forbid(unsafe_code)]
#![allow(non_camel_case_types, non_snake_case)]

/// Shadows a name that generated code could forget to write in full.
pub mod shadows {
    #![allow(dead_code, missing_docs)]

    pub struct Box;
    pub struct Vec;
    pub struct String;
    pub struct Option;
    pub enum Result { Ok, Err }
    pub use Result::{Err, Ok};
    pub struct Some;
    pub struct None;
    pub struct Envelope;
    pub struct Message;
    pub struct Cow;
    pub struct OnceLock;
    pub struct Send;
    pub mod std {}
    pub mod core {}
    pub fn drop() {}

    #[derive(fika::Message, ::serde::Serialize, ::serde::Deserialize)]
    pub struct Ping {
        pub __message: u64,
        pub __node: u64,
        pub r#type: u64,
        pub A0: u64,
    }

    #[derive(fika::Message, ::serde::Serialize, ::serde::Deserialize)]
    pub enum Wrapped<T, const N: usize> {
        A0(T),
        After,
    }

    #[fika::remote]
    pub async fn remote(__args: u64, __start: u64) -> u64 {
        __args + __start
    }

    pub async fn receive(__receive: u64) -> u64 {
        let __arm = 1_u64;
        fika::receive! {
            Ping { __message, __node, r#type, A0 } if __message > __arm =>
                __message + __node + r#type + A0 + __arm + __receive,
            Wrapped::<u8, 3>::A0(__message) => __message.into(),
            Wrapped::<u8, 3>::After => 0,
            __message if __message.is::<u64>() => 1,
            after ::std::time::Duration::ZERO => __arm,
        }
    }

    macro_rules! in_a_macro {
        ($field:ident, $value:ident) => {
            fika::receive! {
                Ping { $field: $value, __node, .. } if $value > __node => $value,
                any => any.type_name().len() as u64,
            }
        };
    }

    pub async fn receive_in_a_macro() -> u64 {
        in_a_macro!(A0, value)
    }
}

#[fika::main]
async fn main() {
    fika::message::send(fika::process::self_pid(), shadows::Ping { __message: 2, __node: 1, r#type: 1, A0: 1 });
    let found = shadows::receive(1).await;
    assert_eq!(found, 7);
    fika::message::send(fika::process::self_pid(), shadows::Ping { __message: 2, __node: 1, r#type: 1, A0: 9 });
    assert_eq!(shadows::receive_in_a_macro().await, 9);
    assert_eq!(shadows::remote(1, 2).await, 3);
}
