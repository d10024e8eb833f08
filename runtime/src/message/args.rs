//! The arguments of a `#[remote]` function, or of a server's request: a tuple whose elements are
//! messages.
//!
//! On the wire, each argument is its length (32 bits) followed by its bytes. Any message can be an
//! argument, whether it uses serde's traits or its own encoding.

use bytes::{Buf as _, Bytes};

use super::limits::Refused;
use super::shared::SHARED_PART_MIN;
use super::{
    Buffer, DecodeError, EncodeError, Encoded, Message, WireType, check_tag, hash_bytes, hash_tag,
};

/// The arguments of a remote function, or of a server's request: a tuple of up to 12 messages.
///
/// ```
/// use fika_runtime::Bytes;
/// use fika_runtime::message::{Args, Buffer};
///
/// let mut buffer = Buffer::new();
/// (7_u64, "text".to_owned()).encode_args(&mut buffer)?;
/// let bytes: Bytes = buffer.into_bytes();
/// assert_eq!(<(u64, String)>::decode_args(&bytes).unwrap(), (7, "text".to_owned()));
/// # Ok::<(), fika_runtime::EncodeError>(())
/// ```
pub trait Args: Sized + Send + 'static {
    /// Returns the type of each argument.
    fn arg_types() -> Vec<WireType>;

    /// Checks that arguments of these types may leave the node.
    ///
    /// # Errors
    /// If an argument has a type whose values stay on their node.
    fn check_args() -> Result<(), EncodeError>;

    /// Appends the encoded arguments to `out`.
    ///
    /// # Errors
    /// If an argument can't leave this node.
    fn encode_args(&self, out: &mut Buffer) -> Result<(), EncodeError>;

    /// Reads arguments that fill `bytes` to the last byte.
    ///
    /// # Errors
    /// If the bytes are not valid arguments.
    fn decode_args(bytes: &Bytes) -> Result<Self, DecodeError>;

    /// Encodes the arguments as a message of their own.
    ///
    /// # Errors
    /// If an argument can't leave this node.
    fn encoded(&self) -> Result<Encoded, EncodeError> {
        Encoded::by(|out| self.encode_args(out), || wire_type(&Self::arg_types()))
    }

    /// Decodes the arguments.
    ///
    /// # Errors
    /// If the types differ, or if an argument can't be decoded.
    fn decoded(encoded: &Encoded) -> Result<Self, DecodeError> {
        encoded.read(&wire_type(&Self::arg_types()), Self::decode_args)
    }
}

macro_rules! args {
    ($($($name:ident $index:tt)*;)*) => {$(
        impl<$($name: Message),*> Args for ($($name,)*) {
            fn arg_types() -> Vec<WireType> {
                vec![$(WireType::of::<$name>()),*]
            }

            fn check_args() -> Result<(), EncodeError> {
                $($name::check_sendable()?;)*
                Ok(())
            }

            fn encode_args(&self, _out: &mut Buffer) -> Result<(), EncodeError> {
                $(put(&self.$index, _out)?;)*
                Ok(())
            }

            fn decode_args(bytes: &Bytes) -> Result<Self, DecodeError> {
                let mut _rest = Rest { bytes: bytes.clone(), whole: bytes.len() };
                let args = ($(_rest.next::<$name>()?,)*);
                match _rest.bytes.len() {
                    0 => Ok(args),
                    left => {
                        Err(DecodeError::malformed::<Self>(Refused::too_many_bytes(left).to_string()))
                    }
                }
            }
        }
    )*};
}

args! {
    ;
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11;
}

/// Returns the wire type of arguments with these types.
fn wire_type(args: &[WireType]) -> WireType {
    let tags: Vec<&str> = args.iter().map(|arg| &*arg.tag).collect();
    let tag = format!("args<{}>", tags.join(","));
    let seed = hash_tag("args");
    let fold = |hash, arg: &WireType| hash_bytes(hash, &arg.fingerprint.to_le_bytes());
    let fingerprint = args.iter().fold(seed, fold);
    WireType { hash: hash_tag(&tag), tag: tag.into(), fingerprint, connection: None }
}

fn put<M: Message>(arg: &M, out: &mut Buffer) -> Result<(), EncodeError> {
    check_tag::<M>()?;
    let length = out.put_with_length(|out| arg.encode(out))?;
    let too_large = |_| EncodeError::new::<M>("it is too large for a message");
    u32::try_from(length).map(drop).map_err(too_large)
}

/// The part that has not been read yet.
struct Rest {
    bytes: Bytes,
    /// The size of all arguments, in bytes.
    whole: usize,
}

impl Rest {
    fn next<M: Message>(&mut self) -> Result<M, DecodeError> {
        let cut_off = || DecodeError::malformed::<M>("it is cut off");
        let length = self.bytes.try_get_u32().map_err(|_| cut_off())?;
        let length = usize::try_from(length).ok().filter(|length| *length <= self.bytes.len());
        let mut arg = self.bytes.split_to(length.ok_or_else(cut_off)?);
        // A `Bytes` that shares the memory of a small argument would keep the memory of all
        // arguments.
        if arg.len() < self.whole / SHARED_PART_MIN {
            arg = Bytes::copy_from_slice(&arg);
        }
        M::decode(&arg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Local;

    #[test]
    fn arguments_round_trip() {
        let args = (7_u64, "text".to_owned(), [9_u8; 100]);
        let encoded = args.encoded().unwrap();
        assert_eq!(<(u64, String, [u8; 100])>::decoded(&encoded), Ok(args));
        assert!(<(u64, String)>::decoded(&encoded).is_err());
        assert!(<(u64, String, [u8; 101])>::decoded(&encoded).is_err());
        assert_eq!(<()>::decoded(&().encoded().unwrap()), Ok(()));
        assert!((1_u8, Local(())).encoded().is_err());
        let others = (1_u64, 2_u64).encoded().unwrap();
        assert!(<(u32, u32)>::decoded(&others).is_err(), "the bytes alone would do");
    }

    #[test]
    fn malformed_bytes_are_refused() {
        let encoded = (300_u64, 5_u64).encoded().unwrap();
        let with = |bytes: Bytes| <(u64, u64)>::decoded(&Encoded { bytes, ..encoded.clone() });
        assert_eq!(with(encoded.bytes.clone()), Ok((300, 5)));
        for length in 0..encoded.bytes.len() {
            assert!(with(encoded.bytes.slice(..length)).unwrap_err().is_malformed(), "{length}");
        }
        assert!(with([&encoded.bytes[..], &[0]].concat().into()).is_err());
        assert!(with(Bytes::from_static(&[255; 20])).is_err());
    }

    /// An argument shares the memory of the whole if it is a large part of it.
    #[test]
    fn a_large_argument_is_shared() {
        let args = (Bytes::from(vec![1; 8 << 10]), Bytes::from(vec![2; 1 << 20]));
        let encoded = args.encoded().unwrap();
        let (small, large) = <(Bytes, Bytes)>::decoded(&encoded).unwrap();
        let whole = encoded.bytes.as_ptr_range();
        assert!(!whole.contains(&small.as_ptr()) && whole.contains(&large.as_ptr()));
    }
}
