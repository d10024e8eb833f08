//! The kinds of values of settings: how each is written on a command line and in a file.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use fika_net::AutoConnect;
use fika_runtime::{MailboxLimit, NodeName, NodeNameError};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Unexpected, Visitor};

/// A kind of value.
#[derive(Clone, Copy)]
pub(super) struct Kind<T> {
    /// The placeholder for the value in the help of a command line.
    #[cfg_attr(not(feature = "clap"), allow(dead_code, reason = "there is no command line"))]
    name: &'static str,
    /// The forms that the value may have in a file.
    accepts: &'static [Form],
    /// The text that follows "expected" in an error.
    expected: &'static str,
    /// Parses the value, which is text on a command line. A value in a file is converted to text
    /// first.
    parse: fn(&str) -> Result<T, String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Text,
    Number,
    Bool,
}

/// A list of values: an array in a file, and an option that can be given several times.
#[derive(Clone, Copy)]
pub(super) struct ListOf<T>(pub(super) Kind<T>);

/// A value for each of several nodes: a table in a file, and an option `NODE=VALUE` that can be
/// given several times.
#[derive(Clone, Copy)]
pub(super) struct ByNode<T>(pub(super) Kind<T>);

pub(super) const TEXT: Kind<String> = Kind {
    name: "TEXT",
    accepts: &[Form::Text],
    expected: "a text",
    parse: |text| Ok(text.to_owned()),
};

pub(super) const FLAG: Kind<bool> = Kind {
    name: "true|false",
    accepts: &[Form::Bool],
    expected: "true or false",
    parse: |text| text.parse().map_err(|_| "write true or false".to_owned()),
};

pub(super) const NODE_NAME: Kind<String> = Kind {
    name: "ALIVE@HOST",
    accepts: &[Form::Text],
    expected: "the name of a node, like \"a@127.0.0.1\"",
    parse: |text| node_name(text).map(|()| text.to_owned()),
};

pub(super) const NODE: Kind<String> = Kind { name: "NODE", expected: "a text", ..TEXT };

pub(super) const FILE: Kind<PathBuf> = Kind {
    name: "FILE",
    accepts: &[Form::Text],
    expected: "the path of a file",
    parse: |text| match text {
        "" => Err("the path is empty".to_owned()),
        text => Ok(text.into()),
    },
};

#[cfg(unix)]
pub(super) const DIRECTORY: Kind<PathBuf> =
    Kind { name: "DIRECTORY", expected: "the path of a directory", ..FILE };

pub(super) const COUNT: Kind<usize> = Kind {
    name: "COUNT",
    accepts: &[Form::Number],
    expected: "a whole number",
    parse: |text| text.parse().map_err(|_| "write a whole number, like 1000".to_owned()),
};

pub(super) const TIMES: Kind<u32> = Kind {
    name: "TIMES",
    accepts: &[Form::Number],
    expected: "a whole number",
    parse: |text| text.parse().map_err(|_| "write a whole number, like 4".to_owned()),
};

pub(super) const MESSAGES: Kind<MailboxLimit> = Kind {
    name: "MESSAGES",
    accepts: &[Form::Number],
    expected: "a whole number",
    parse: |text| (COUNT.parse)(text).map(MailboxLimit::messages),
};

pub(super) const PORT: Kind<u16> = Kind {
    name: "PORT",
    accepts: &[Form::Number],
    expected: "a port",
    parse: |text| text.parse().map_err(|_| "write a port from 1 to 65535".to_owned()),
};

pub(super) const PORTS: Kind<RangeInclusive<u16>> = Kind {
    name: "MIN-MAX",
    accepts: &[Form::Text],
    expected: "a range of ports, like \"9100-9105\"",
    parse: port_range,
};

pub(super) const ADDR: Kind<SocketAddr> = Kind {
    name: "ADDR:PORT",
    accepts: &[Form::Text],
    expected: "an IP address and a port, like \"10.0.0.1:0\"",
    parse: |text| {
        text.parse().map_err(|_| "write an IP address and a port, like 10.0.0.1:0".to_owned())
    },
};

pub(super) const SECONDS: Kind<Duration> = Kind {
    name: "SECONDS",
    accepts: &[Form::Number],
    expected: "a number of seconds, like 60 or 0.5",
    parse: seconds,
};

/// A number of bytes, or a number with a unit, such as `64KiB`, `16MiB` or `1GiB`.
pub(super) const BYTES: Kind<usize> = Kind {
    name: "BYTES",
    accepts: &[Form::Number, Form::Text],
    expected: "a number of bytes, like 4096 or \"16MiB\"",
    parse: bytes,
};

pub(super) const BYTE_RANGE: Kind<(usize, usize)> = Kind {
    name: "LOW-HIGH",
    accepts: &[Form::Text],
    expected: "two limits, like \"512KiB-1MiB\"",
    parse: byte_range,
};

pub(super) const WHEN: Kind<AutoConnect> = Kind {
    name: "WHEN",
    accepts: &[Form::Text],
    expected: "\"always\", \"once\" or \"never\"",
    parse: |text| match text {
        "always" => Ok(AutoConnect::Always),
        "once" => Ok(AutoConnect::Once),
        "never" => Ok(AutoConnect::Never),
        _ => Err("write always, once or never".to_owned()),
    },
};

/// The operations of a kind, which the list of settings uses.
pub(super) trait Reads {
    /// The type of the field that holds a setting of this kind.
    type Slot;

    /// Reads the value of a key in a file. `check` returns why a value is out of its range.
    fn read<'de, A: MapAccess<'de>>(
        self,
        map: &mut A,
        slot: &mut Self::Slot,
        check: impl FnOnce(Self::Slot) -> Result<(), String>,
    ) -> Result<(), A::Error>;

    /// Makes the option of a command line.
    #[cfg(feature = "clap")]
    fn option(self, arg: clap::Arg) -> clap::Arg;

    /// Takes the value from the command line, if it is there.
    #[cfg(feature = "clap")]
    fn take(self, matches: &clap::ArgMatches, id: &str, slot: &mut Self::Slot);
}

impl<T: Clone + Send + Sync + 'static> Reads for Kind<T> {
    type Slot = Option<T>;

    fn read<'de, A: MapAccess<'de>>(
        self,
        map: &mut A,
        slot: &mut Option<T>,
        check: impl FnOnce(Option<T>) -> Result<(), String>,
    ) -> Result<(), A::Error> {
        *slot = Some(map.next_value_seed(InRange(self, check))?);
        Ok(())
    }

    #[cfg(feature = "clap")]
    fn option(self, arg: clap::Arg) -> clap::Arg {
        let arg = arg.value_name(self.name).value_parser(self.parse);
        match self.accepts {
            // `--hidden` means `--hidden=true`.
            [Form::Bool] => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
            _ => arg,
        }
    }

    #[cfg(feature = "clap")]
    fn take(self, matches: &clap::ArgMatches, id: &str, slot: &mut Option<T>) {
        if let Some(value) = matches.get_one::<T>(id) {
            *slot = Some(value.clone());
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Reads for ListOf<T> {
    type Slot = Vec<T>;

    fn read<'de, A: MapAccess<'de>>(
        self,
        map: &mut A,
        slot: &mut Vec<T>,
        _: impl FnOnce(Vec<T>) -> Result<(), String>,
    ) -> Result<(), A::Error> {
        slot.extend(map.next_value_seed(self)?);
        Ok(())
    }

    #[cfg(feature = "clap")]
    fn option(self, arg: clap::Arg) -> clap::Arg {
        self.0.option(arg).action(clap::ArgAction::Append)
    }

    #[cfg(feature = "clap")]
    fn take(self, matches: &clap::ArgMatches, id: &str, slot: &mut Vec<T>) {
        slot.extend(matches.get_many::<T>(id).into_iter().flatten().cloned());
    }
}

impl<T: Clone + Send + Sync + 'static> Reads for ByNode<T> {
    type Slot = Vec<(String, T)>;

    fn read<'de, A: MapAccess<'de>>(
        self,
        map: &mut A,
        slot: &mut Vec<(String, T)>,
        _: impl FnOnce(Vec<(String, T)>) -> Result<(), String>,
    ) -> Result<(), A::Error> {
        slot.extend(map.next_value_seed(self)?);
        Ok(())
    }

    #[cfg(feature = "clap")]
    fn option(self, arg: clap::Arg) -> clap::Arg {
        let parse = move |text: &str| {
            let (node, value) =
                text.split_once('=').ok_or_else(|| format!("write alive@host={}", self.0.name))?;
            node_name(node)?;
            (self.0.parse)(value).map(|value| (node.to_owned(), value))
        };
        let name = format!("NODE={}", self.0.name);
        arg.value_name(name).value_parser(parse).action(clap::ArgAction::Append)
    }

    #[cfg(feature = "clap")]
    fn take(self, matches: &clap::ArgMatches, id: &str, slot: &mut Vec<(String, T)>) {
        slot.extend(matches.get_many::<(String, T)>(id).into_iter().flatten().cloned());
    }
}

impl<T> Kind<T> {
    fn parse<E: Error>(&self, form: Form, text: &str, found: Unexpected<'_>) -> Result<T, E> {
        match self.accepts.contains(&form) {
            true => (self.parse)(text).map_err(E::custom),
            false => Err(E::invalid_type(found, &self.expected)),
        }
    }
}

impl<'de, T> DeserializeSeed<'de> for Kind<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<T> Visitor<'_> for Kind<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        self.parse(Form::Text, text, Unexpected::Str(text))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<T, E> {
        self.parse(Form::Bool, &value.to_string(), Unexpected::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        self.parse(Form::Number, &value.to_string(), Unexpected::Signed(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        self.parse(Form::Number, &value.to_string(), Unexpected::Unsigned(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        self.parse(Form::Number, &value.to_string(), Unexpected::Float(value))
    }
}

/// A value and the check of its range.
struct InRange<T, F>(Kind<T>, F);

impl<'de, T: Clone, F> DeserializeSeed<'de> for InRange<T, F>
where
    F: FnOnce(Option<T>) -> Result<(), String>,
{
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        let value = self.0.deserialize(deserializer)?;
        (self.1)(Some(value.clone())).map_err(D::Error::custom)?;
        Ok(value)
    }
}

impl<'de, T> DeserializeSeed<'de> for ListOf<T>
where
    T: Clone,
{
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Clone> Visitor<'de> for ListOf<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list, each item {}", self.0.expected)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.0.clone())? {
            list.push(item);
        }
        Ok(list)
    }
}

impl<'de, T: Clone> DeserializeSeed<'de> for ByNode<T> {
    type Value = Vec<(String, T)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Clone> Visitor<'de> for ByNode<T> {
    type Value = Vec<(String, T)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a table from the names of nodes to {}", self.0.expected)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = entries.next_key_seed(NODE_NAME)? {
            list.push((node, entries.next_value_seed(self.0.clone())?));
        }
        Ok(list)
    }
}

fn node_name(text: &str) -> Result<(), String> {
    let name: Result<NodeName, NodeNameError> = text.parse();
    name.map(drop).map_err(|error| error.to_string())
}

fn port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let why = "write the lowest and the highest port, like 9100-9105";
    let (min, max) = text.split_once('-').ok_or(why)?;
    let (min, max) = (min.parse().map_err(|_| why)?, max.parse().map_err(|_| why)?);
    match min {
        0 => Err("port 0 means any port: write the lowest port of the range".to_owned()),
        _ if min > max => Err("the lowest port is above the highest".to_owned()),
        _ => Ok(min..=max),
    }
}

fn bytes(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let bytes = digits.parse::<usize>().ok().and_then(|count| count.checked_mul(unit?));
    bytes.ok_or_else(|| "write a number of bytes, like 4096, 64KiB, 16MiB or 1GiB".to_owned())
}

fn byte_range(text: &str) -> Result<(usize, usize), String> {
    let (low, high) = text.split_once('-').ok_or("write both limits, like 512KiB-1MiB")?;
    let (low, high) = (bytes(low)?, bytes(high)?);
    match low > high {
        true => Err("the lower limit is above the upper one".to_owned()),
        false => Ok((low, high)),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| *seconds > 0.0);
    let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| "write a number of seconds, like 60 or 0.5".to_owned())
}
