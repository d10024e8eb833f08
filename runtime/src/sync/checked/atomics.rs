//! The checker's atomics.
//!
//! In shuttle, every ordering is sequentially consistent. In loom, only fences are part of the
//! single order of sequentially consistent operations. Loom treats a sequentially consistent access
//! as one that only acquires and releases, so it would report false errors. Under loom, each such
//! access therefore has a fence before it, as on a machine without a better instruction. This
//! promises slightly more than the language does. It adds nothing to stores that are followed by
//! weaker loads of another variable.

pub(crate) use super::checker::sync::atomic::fence;
#[cfg(shuttle)]
pub(crate) use super::checker::sync::atomic::{
    AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize,
};

#[cfg(loom)]
pub(crate) use fenced::*;

#[cfg(loom)]
mod fenced {
    use std::sync::atomic::Ordering;

    use super::super::checker::sync::atomic;
    use super::fence;

    fn before(ordering: Ordering) {
        if ordering == Ordering::SeqCst {
            fence(ordering);
        }
    }

    macro_rules! fenced {
        ($name:ident $(<$of:ident>)?, $value:ty, { $($fetch:ident)* }) => {
            #[derive(Debug, Default)]
            pub(crate) struct $name $(<$of>)? (atomic::$name $(<$of>)?);

            #[allow(dead_code, reason = "each is used of some")]
            impl $(<$of>)? $name $(<$of>)? {
                #[track_caller]
                pub(crate) fn new(value: $value) -> Self {
                    $name(atomic::$name::new(value))
                }

                #[track_caller]
                pub(crate) fn load(&self, ordering: Ordering) -> $value {
                    before(ordering);
                    self.0.load(ordering)
                }

                #[track_caller]
                pub(crate) fn store(&self, value: $value, ordering: Ordering) {
                    before(ordering);
                    self.0.store(value, ordering);
                }

                #[track_caller]
                pub(crate) fn swap(&self, value: $value, ordering: Ordering) -> $value {
                    before(ordering);
                    self.0.swap(value, ordering)
                }

                #[track_caller]
                pub(crate) fn compare_exchange(
                    &self,
                    from: $value,
                    to: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    before(success);
                    self.0.compare_exchange(from, to, success, failure)
                }

                #[track_caller]
                pub(crate) fn compare_exchange_weak(
                    &self,
                    from: $value,
                    to: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    self.compare_exchange(from, to, success, failure)
                }

                $(
                    #[track_caller]
                    pub(crate) fn $fetch(&self, value: $value, ordering: Ordering) -> $value {
                        before(ordering);
                        self.0.$fetch(value, ordering)
                    }
                )*
            }
        };
    }

    fenced!(AtomicBool, bool, { fetch_or });
    fenced!(AtomicPtr<T>, *mut T, {});
    fenced!(AtomicU8, u8, { fetch_or });
    fenced!(AtomicU32, u32, { fetch_add fetch_sub });
    fenced!(AtomicU64, u64, { fetch_add fetch_sub fetch_min });
    fenced!(AtomicUsize, usize, { fetch_add fetch_sub });
}
