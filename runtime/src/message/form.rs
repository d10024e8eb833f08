//! Chooses the form in which a value is sent to another node, and checks that it can be read back.
//!
//! The plain form is postcard's. It is not self-describing, so it only works if a type's
//! `Deserialize` reads exactly what its `Serialize` writes. Three things decide:
//!
//! - The **type**, once: it is traced with invented values (`fingerprint`). If any part of it asks
//!   what comes next, its values are described. Each invented value is also written and read back.
//! - The **parts** of a value: its variants, and its structs with their numbers of fields. The
//!   encoder collects them on the way. A value with parts that were not seen before is tried: it is
//!   written in the described form and read as a receiver would read it.
//! - A **value** leaves something out: the plain encoder gives up, and the value is described.
//!
//! If neither form can bring a value back, its sender gets an error.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::coverage::Coverage;
use super::described::{self, Reading, Written};
use super::known::{self, Known, State};
use super::limits::Refused;
use super::node_codec::Does;
use super::{Buffer, NodeList, encode_with_nodes, encoder, fingerprint, node_codec};
use crate::contain::drop_payload;
use crate::exit_reason::ExitReason;

/// The result of encoding a value.
pub(super) enum Encoded {
    /// The value was appended.
    Yes,
    /// The value needs the described form, which applies to the whole message.
    NeedsDescription,
}

/// Appends `value` to `out`, in the form that `out` has.
#[inline(always)]
pub(super) fn encode<T: Serialize + DeserializeOwned>(
    value: &T,
    out: &mut Buffer,
) -> Result<Encoded, Refused> {
    let known = known::of::<T>();
    if out.is_described() || !known.state.is_plain() {
        return encode_with_care(value, known, out);
    }
    let before = out.mark();
    match encoder::append(value, out)? {
        Some(coverage) if known.plain.has(coverage) => Ok(Encoded::Yes),
        coverage => {
            out.reset(before);
            match coverage {
                Some(_) => encode_with_care(value, known, out),
                None => Ok(Encoded::NeedsDescription),
            }
        }
    }
}

#[cold]
fn encode_with_care<T: Serialize + DeserializeOwned>(
    value: &T,
    known: &Known,
    out: &mut Buffer,
) -> Result<Encoded, Refused> {
    if !known.state.has(State::TRIED) {
        examine::<T>(known);
    }
    if !out.is_described() {
        return Ok(match tried(value, known)? {
            Found::Plain if !known.state.has(State::DESCRIBES) => {
                let before = out.mark();
                if encoder::append(value, out)?.is_some() {
                    Encoded::Yes
                } else {
                    // The value has changed since it was tried.
                    out.reset(before);
                    Encoded::NeedsDescription
                }
            }
            _ => Encoded::NeedsDescription,
        });
    }
    let before = out.mark();
    let written = described::append(value, out)?;
    if known.state.has(State::DOUBTFUL) || !known.described.has(written.coverage) {
        out.reset(before);
        tried(value, known)?;
        described::append(value, out)?;
    }
    Ok(Encoded::Yes)
}

/// Traces the type, once, and records the result.
fn examine<T: Serialize + DeserializeOwned>(known: &Known) {
    if fingerprint::shape_of::<T>().asks {
        known.state.add(State::DESCRIBES);
    } else {
        fingerprint::trace::<T>(|invented| match look(&invented) {
            Ok((Found::Plain, coverage)) => known.plain.add(coverage),
            Ok((Found::Described { doubtful: false, .. }, _)) => {}
            // A problem with an invented value may affect no other value, so nothing is refused
            // because of it.
            Ok(_) | Err(_) => known.state.add(State::DOUBTFUL),
        });
    }
    known.state.add(State::TRIED);
}

/// The form in which a value can be read back.
enum Found {
    Plain,
    Described {
        /// Some part is read as another kind than the kind it was written as.
        doubtful: bool,
        /// The type asked what comes next.
        asks: bool,
    },
}

/// Writes a value, reads it as a receiver would, and records the result.
fn tried<T: Serialize + DeserializeOwned>(value: &T, known: &Known) -> Result<Found, Refused> {
    let found = match node_codec::try_out(|| look(value)) {
        Ok(found) => found,
        Err(payload) if payload.is::<ExitReason>() => {
            // Ends the sender here if it was the value's `Serialize` that called `exit`.
            describe(value)?;
            Err(Refused::new("its `Deserialize` calls `exit` at this value"))
        }
        Err(payload) => {
            drop_payload(payload);
            Err(Refused::new("its `Serialize` or `Deserialize` panics at this value"))
        }
    };
    let (found, coverage) = found.inspect_err(|_| known.state.add(State::DOUBTFUL))?;
    match found {
        Found::Plain => known.plain.add(coverage),
        Found::Described { asks: true, .. } => known.state.add(State::DESCRIBES),
        Found::Described { doubtful: true, .. } => known.state.add(State::DOUBTFUL),
        Found::Described { .. } => {}
    }
    known.described.add(coverage);
    Ok(found)
}

fn look<T: Serialize + DeserializeOwned>(value: &T) -> Result<(Found, Coverage), Refused> {
    let (bytes, nodes, written) = describe(value)?;
    let read = |reading| {
        node_codec::decode_as(Does::DecodesDescribed, &nodes, || {
            described::take::<T>(&bytes, None, reading)
        })
    };
    let mut by_place = None;
    let mut asks = false;
    if !written.irregular {
        let (plain, noticed) = read(Reading::AsPlain);
        match plain {
            Ok(_) if !noticed.variants_differ => return Ok((Found::Plain, written.coverage)),
            // A variant that is read by its index may have become another one.
            Ok(again) if describe(&again)?.0 == bytes => {
                return Ok((Found::Plain, written.coverage));
            }
            result => by_place = result.err().filter(|_| !noticed.asked),
        }
        asks = noticed.asked;
    }
    let doubtful = !written.irregular && !asks;
    match read(Reading::Trial).0 {
        Ok(_) => Ok((Found::Described { doubtful, asks }, written.coverage)),
        Err(why) => Err(explained(why, by_place, &written)),
    }
}

fn describe<T: Serialize>(value: &T) -> Result<(Bytes, NodeList, Written), Refused> {
    let (mut buffer, mut nodes) = (Buffer::new(), NodeList::new());
    let written = encode_with_nodes(&mut nodes, || described::append(value, &mut buffer))?;
    Ok((buffer.into_bytes(), nodes, written))
}

/// Adds what the program's author can do about the error. `by_place` is the reason why the plain
/// form does not work.
fn explained(why: Refused, by_place: Option<Refused>, written: &Written) -> Refused {
    let text = why.to_string();
    let Some((_, name)) = text.rsplit_once("missing field `") else {
        return by_place.unwrap_or(why);
    };
    let name = name.split('`').next();
    let is_skipped = written.skipped.iter().any(|skipped| name == Some(skipped));
    Refused::new(if is_skipped {
        format!("{text}, which `skip_serializing_if` leaves out: add `#[serde(default)]` to it")
    } else {
        format!(
            "{text}: it is not sent (`skip_serializing` without `default`), or under another name \
             (`rename(serialize = \"..\")`)"
        )
    })
}
