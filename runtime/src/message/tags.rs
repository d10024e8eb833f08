//! Detects two message types with the same tag, since the wire can't tell them apart.
//!
//! The linker collects the non-generic types of `derive(Message)` in a list, which a node checks
//! when it starts. A generic type, or a type with a hand-written `Message`, becomes known when it
//! is first sent to another node or received from one. After that, it is an error to use another
//! type with the same tag.

use std::any::{TypeId, type_name};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::known::{self, State};
use super::{Message, hash_tag};

/// An entry in the linker's list.
#[derive(Debug)]
pub struct TagEntry {
    tag: &'static str,
    of: fn() -> (TypeId, &'static str),
}

impl TagEntry {
    #[doc(hidden)]
    #[must_use]
    pub const fn new<M: 'static>(tag: &'static str) -> TagEntry {
        TagEntry { tag, of: || (TypeId::of::<M>(), type_name::<M>()) }
    }
}

inventory::collect!(TagEntry);

/// Two types that the wire can't tell apart.
///
/// ```
/// use fika_runtime::{BuildError, Node};
///
/// match Node::builder().build() {
///     Ok(node) => println!("{} is up", node.name()),
///     Err(BuildError::MessageTag(clash)) => eprintln!("two message types have one tag: {clash}"),
///     Err(error) => eprintln!("{error}"),
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TagClash {
    /// The tags. They are equal, or have the same hash.
    tags: [String; 2],
    /// The paths of the types.
    types: [&'static str; 2],
}

impl fmt::Display for TagClash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([tag, other_tag], [a, b]) = (&self.tags, self.types);
        write!(f, "the messages `{a}` and `{b}` ")?;
        if tag == other_tag {
            write!(f, "have the same tag `{tag}`")?;
        } else {
            write!(f, "have the tags `{tag}` and `{other_tag}`, which have the same hash")?;
        }
        write!(
            f,
            ", so other nodes can't tell them apart: give one of them another tag, with \
             #[message(tag = \"..\")], or with #[gen_server(tag = \"..\")] on the server of a request"
        )
    }
}

impl std::error::Error for TagClash {}

/// The type that owns a tag.
struct Owner {
    type_id: TypeId,
    tag: String,
    name: &'static str,
}

impl Owner {
    fn clash(&self, tag: &str, name: &'static str) -> TagClash {
        TagClash { tags: [self.tag.clone(), tag.to_owned()], types: [self.name, name] }
    }
}

/// The known types, by the hashes of their tags.
struct Owners(HashMap<u64, Owner>);

impl Owners {
    fn claim(
        &mut self,
        hash: u64,
        tag: &str,
        (type_id, name): (TypeId, &'static str),
    ) -> Result<(), TagClash> {
        match self.0.entry(hash) {
            Entry::Occupied(owner) if owner.get().type_id == type_id => Ok(()),
            Entry::Occupied(owner) => Err(owner.get().clash(tag, name)),
            Entry::Vacant(vacant) => {
                vacant.insert(Owner { type_id, tag: tag.to_owned(), name });
                Ok(())
            }
        }
    }
}

fn owners() -> &'static Result<Mutex<Owners>, TagClash> {
    static OWNERS: OnceLock<Result<Mutex<Owners>, TagClash>> = OnceLock::new();
    OWNERS.get_or_init(|| {
        let mut owners = Owners(HashMap::new());
        for entry in inventory::iter::<TagEntry> {
            owners.claim(hash_tag(entry.tag), entry.tag, (entry.of)())?;
        }
        Ok(Mutex::new(owners))
    })
}

/// Checks the types in the linker's list.
///
/// # Errors
/// If two types have the same tag.
pub fn check_program() -> Result<(), TagClash> {
    owners().as_ref().map(drop).map_err(TagClash::clone)
}

/// Checks that no other known type has the tag of `M`, and makes `M` known.
///
/// # Errors
/// If another type has the tag.
#[inline(always)]
pub(super) fn check<M: Message>() -> Result<(), &'static TagClash> {
    if known::of::<M>().state.has(State::UNIQUE) { Ok(()) } else { first_check::<M>() }
}

/// Checks a type for the first time, or again if it has the tag of another type.
#[cold]
fn first_check<M: Message>() -> Result<(), &'static TagClash> {
    let known = known::of::<M>();
    if let Some(Some(clash)) = known.clash.get() {
        return Err(clash);
    }
    // From now on a connection can write the type under its lock, where the program's code must not
    // run.
    known::wire_type::<M>();
    let (hash, tag) = (M::tag_hash(), M::tag());
    let result = match owners() {
        Ok(owners) => {
            let mut owners = owners.lock().unwrap_or_else(PoisonError::into_inner);
            owners.claim(hash, &tag, (TypeId::of::<M>(), type_name::<M>()))
        }
        Err(clash) => Err(clash.clone()),
    };
    match known.clash.get_or_init(|| result.err()) {
        None => {
            known.state.add(State::UNIQUE);
            Ok(())
        }
        Some(clash) => Err(clash),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Buffer, DecodeError, EncodeError, Encoded, Envelope};
    use std::borrow::Cow;

    macro_rules! message {
        ($name:ident $tag:literal $hash:expr) => {
            #[derive(Debug, PartialEq)]
            struct $name;

            impl Message for $name {
                fn tag() -> Cow<'static, str> {
                    $tag.into()
                }

                fn tag_hash() -> u64 {
                    $hash
                }

                fn fingerprint() -> u64 {
                    1
                }

                fn encode(&self, _: &mut Buffer) -> Result<(), EncodeError> {
                    Ok(())
                }

                fn decode(_: &bytes::Bytes) -> Result<Self, DecodeError> {
                    Ok($name)
                }
            }
        };
    }

    message!(First "tags::Same" hash_tag("tags::Same"));
    message!(Second "tags::Same" hash_tag("tags::Same"));
    message!(OneHash "tags::one" 77);
    message!(OtherHash "tags::other" 77);

    #[test]
    fn a_second_type_with_the_same_tag_is_refused_on_use() {
        let first = Encoded::new(&First).unwrap();
        let error = Encoded::new(&Second).unwrap_err().to_string();
        let says = |text: &str| assert!(error.contains(text), "{error}");
        says("tests::First");
        says("tests::Second");
        says("`tags::Same`");
        says("#[message(tag = \"..\")]");
        assert_eq!(first.decode::<First>(), Ok(First));
        assert!(first.decode::<Second>().is_err());
        assert!(Envelope::encoded(first.clone()).is::<First>());
        let error = first.decode::<Second>().unwrap_err().to_string();
        assert!(error.contains("the same tag"), "{error}");
        // On one node, messages are not identified by tag.
        assert!(!Envelope::new(First).is::<Second>() && Envelope::new(Second).is::<Second>());
    }

    /// A peer may send the tag that these types share. It identifies none of them, and claims
    /// nothing.
    #[test]
    fn a_peer_can_not_send_a_local_type() {
        let wire_type = crate::message::WireType::of::<crate::Local<u8>>();
        let encoded = Encoded { wire_type: wire_type.into(), ..Encoded::new(&7_u64).unwrap() };
        for _ in 0..2 {
            assert!(!Envelope::encoded(encoded.clone()).is::<crate::Local<u8>>());
            assert!(!Envelope::encoded(encoded.clone()).is::<crate::Local<String>>());
        }
    }

    #[test]
    fn a_second_tag_with_the_same_hash_is_refused() {
        assert!(Encoded::new(&OneHash).is_ok());
        let error = Encoded::new(&OtherHash).unwrap_err().to_string();
        assert!(error.contains("`tags::one` and `tags::other`"), "{error}");
    }

    /// The hash that crosses the wire is the hash of the tag that errors name.
    #[test]
    fn the_hash_of_a_type_is_that_of_its_tag() {
        fn check<M: Message>(tag: &str) {
            assert_eq!((&*M::tag(), M::tag_hash()), (tag, hash_tag(tag)));
        }
        check::<bytes::Bytes>("bytes");
        check::<String>("string");
        check::<[u8; 4]>("array4<u8>");
        check::<crate::Tagged<u8, String>>("tagged<u8,string>");
    }
}
