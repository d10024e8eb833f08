//! `#[fika::message]` needs no imports or other derives, and keeps the type's own attributes.
#![deny(warnings, missing_docs, unreachable_pub)]

mod nothing_is_imported {
    #[fika::message]
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) struct Ping {
        pub(crate) n: u64,
    }

    #[fika::message(tag = "message_attr::renamed")]
    pub(crate) enum Order<T> {
        Buy(T),
        None,
    }

    #[fika::message(local)]
    pub(crate) struct Job(pub(crate) std::sync::mpsc::Sender<u64>);

    #[fika::message]
    pub(crate) struct Unit;
}

mod with_the_prelude {
    use fika::prelude::*;
    use serde::{Deserialize, Serialize};

    /// The type and its field keep their own serde attributes.
    #[message]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    pub(crate) struct Renamed {
        #[serde(default)]
        pub(crate) the_number: u64,
    }

    /// Below a derive, `#[message]` is the derive's own attribute, not the macro.
    #[derive(Message, Serialize, Deserialize)]
    #[message(tag = "message_attr::derived")]
    pub(crate) struct Derived;

    #[derive(Message)]
    #[message(local)]
    pub(crate) struct Task(pub(crate) Box<dyn Fn() -> u64 + Send>);
}

use fika::prelude::*;
use nothing_is_imported::{Job, Order, Ping, Unit};
use with_the_prelude::{Derived, Renamed, Task};

#[fika::main(encode_messages = true)]
async fn main() {
    let me = self_pid();
    send(me, Ping { n: 7 }.clone());
    receive! { ping: Ping => assert_eq!(ping, Ping { n: 7 }) }
    send(me, Order::Buy(5_u64));
    receive! { Order::<u64>::Buy(n) => assert_eq!(n, 5), Order::<u64>::None => unreachable!() }
    send(me, Order::<String>::None);
    receive! { Order::<String>::None => {}, Order::<String>::Buy(_) => unreachable!() }
    let (told, ask) = std::sync::mpsc::channel();
    send(me, Job(told));
    receive! { Job(told) => told.send(3).unwrap() }
    assert_eq!(ask.recv(), Ok(3));
    send(me, Renamed { the_number: 9 });
    receive! { Renamed { the_number } => assert_eq!(the_number, 9) }
    send(me, Unit);
    send(me, Derived);
    send(me, Task(Box::new(|| 1)));
    receive! { Unit => {} }
    receive! { Derived => {} }
    receive! { Task(f) => assert_eq!(f(), 1) }
}
