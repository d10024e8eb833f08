//! State that layers above the runtime keep in a node, found by its type.
//!
//! The extensions are a list that only grows, with one entry for each type. So a look-up takes no
//! lock, and the returned reference lives as long as the node. A node has few extensions.

use std::any::Any;
use std::sync::OnceLock;

use super::Node;
use crate::process::contain;

/// The extensions of a node, in the order in which they were added.
#[derive(Default)]
pub(super) struct Extensions(OnceLock<Box<Entry>>);

struct Entry {
    /// A `OnceLock<T>`. It is set after the entry is in the list, so that making one extension may
    /// look at others.
    value: Box<dyn Any + Send + Sync>,
    next: OnceLock<Box<Entry>>,
}

impl Extensions {
    fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        let mut at = &self.0;
        while let Some(entry) = at.get() {
            if let Some(value) = entry.value.downcast_ref::<OnceLock<T>>() {
                return value.get();
            }
            at = &entry.next;
        }
        None
    }

    fn get_or_init<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> &T {
        let empty = || {
            let (value, next) = (Box::new(OnceLock::<T>::new()), OnceLock::new());
            Box::new(Entry { value, next })
        };
        let mut at = &self.0;
        loop {
            let entry = at.get_or_init(empty);
            if let Some(value) = entry.value.downcast_ref::<OnceLock<T>>() {
                return value.get_or_init(make);
            }
            at = &entry.next;
        }
    }
}

/// The extension that was added last is dropped first.
impl Drop for Extensions {
    fn drop(&mut self) {
        let mut entries = Vec::new();
        let mut next = self.0.take();
        while let Some(mut entry) = next {
            next = entry.next.take();
            entries.push(entry);
        }
        while let Some(entry) = entries.pop() {
            contain(|| drop(entry));
        }
    }
}

impl Node {
    /// Returns the node's extension of this type. `None` if it has none.
    ///
    /// An extension is a value that a library keeps in a node, such as a registry. Its type is its
    /// key, so a type that only the library can name is the library's own. A program may have many
    /// nodes: state in a `static` would belong to all of them, and an extension belongs to one.
    #[must_use]
    pub fn extension<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.extensions.get()
    }

    /// Returns the node's extension of this type, and makes it first if the node has none.
    ///
    /// An extension is made once, however many threads call this, and lives as long as the node. So
    /// it must not hold a [`Node`], only a [`WeakNode`](crate::WeakNode).
    ///
    /// ```
    /// # use std::sync::atomic::{AtomicU64, Ordering};
    /// # use fika_runtime::Node;
    /// /// Numbers the jobs of a node.
    /// #[derive(Default)]
    /// struct Jobs(AtomicU64);
    ///
    /// fn next_job(node: &Node) -> u64 {
    ///     node.extension_or_init(Jobs::default).0.fetch_add(1, Ordering::Relaxed)
    /// }
    ///
    /// # let [a, b] = [0, 1].map(|_| Node::builder().build().unwrap());
    /// assert_eq!((next_job(&a), next_job(&a)), (0, 1));
    /// assert_eq!(next_job(&b), 0); // another node has jobs of its own
    /// # a.stop();
    /// # b.stop();
    /// ```
    ///
    /// # Panics
    /// If `make` panics, with the same panic; the next call tries again. A `make` that asks for the
    /// extension that it is making panics or waits forever.
    pub fn extension_or_init<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> &T {
        self.0.extensions.get_or_init(make)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Barrier, Mutex};

    use super::*;

    fn node() -> Node {
        Node::builder().workers(1).build().unwrap()
    }

    #[test]
    fn each_node_has_its_own_extensions() {
        struct Name(&'static str);
        let (a, b) = (node(), node());
        assert!(a.extension::<Name>().is_none());
        assert_eq!(a.extension_or_init(|| Name("a")).0, "a");
        assert!(b.extension::<Name>().is_none());
        assert_eq!(b.extension_or_init(|| Name("b")).0, "b");
        // It is there already.
        assert_eq!(a.extension_or_init(|| Name("another")).0, "a");
        assert_eq!(a.extension::<Name>().unwrap().0, "a");
        assert!(a.extension::<&'static str>().is_none());
        a.stop();
        b.stop();
    }

    #[test]
    fn an_initializer_may_use_another_extension() {
        struct Lower(u64);
        struct Upper(u64);
        let node = node();
        let lower = || node.extension_or_init(|| Lower(1));
        assert_eq!(node.extension_or_init(|| Upper(lower().0 + 1)).0, 2);
        assert_eq!((lower().0, node.extension::<Upper>().unwrap().0), (1, 2));
        node.stop();
    }

    #[test]
    fn an_initializer_that_panics_adds_no_extension() {
        let node = node();
        let made = catch_unwind(AssertUnwindSafe(|| {
            node.extension_or_init::<u64>(|| std::panic::resume_unwind(Box::new("not now")));
        }));
        assert!(made.is_err());
        assert_eq!(node.extension::<u64>(), None);
        assert_eq!(node.extension_or_init(|| 7_u64), &7);
        node.stop();
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "threads beside the node")]
    fn threads_that_race_initialize_once() {
        struct A(usize);
        struct B(usize);
        for _ in 0..20 {
            let (node, made, start) = (node(), AtomicUsize::new(0), Barrier::new(4));
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    let (node, made, start) = (&node, &made, &start);
                    scope.spawn(move || {
                        start.wait();
                        let a = || A(made.fetch_add(1, Ordering::Relaxed));
                        let b = || B(made.fetch_add(1, Ordering::Relaxed));
                        // In both orders.
                        if thread % 2 == 0 {
                            (node.extension_or_init(a).0, node.extension_or_init(b).0)
                        } else {
                            let b = node.extension_or_init(b).0;
                            (node.extension_or_init(a).0, b)
                        }
                    });
                }
            });
            assert_eq!(made.into_inner(), 2);
            let both = [node.extension::<A>().unwrap().0, node.extension::<B>().unwrap().0];
            assert!(both == [0, 1] || both == [1, 0]);
            node.stop();
        }
    }

    /// Extensions are dropped after the node's processes, the newest first, even if one panics.
    #[test]
    fn extensions_are_dropped_with_the_node() {
        type Log = Arc<Mutex<Vec<&'static str>>>;
        struct First(Log);
        struct Loud(Log);
        struct Last(Log);
        struct Held(Log);
        macro_rules! notes {
            ($($type:ident $note:literal $($then:expr)?;)*) => {$(
                impl Drop for $type {
                    fn drop(&mut self) {
                        self.0.lock().unwrap().push($note);
                        $($then;)?
                    }
                }
            )*};
        }
        notes! {
            First "first";
            Loud "loud" std::panic::resume_unwind(Box::new("a destructor"));
            Last "last";
            Held "process";
        }
        let log = Log::default();
        let node = node();
        node.extension_or_init(|| First(log.clone()));
        node.extension_or_init(|| Loud(log.clone()));
        node.extension_or_init(|| Last(log.clone()));
        let held = Held(log.clone());
        node.spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        assert!(node.stop());
        assert_eq!(*log.lock().unwrap(), ["process"]);
        drop(node);
        assert_eq!(*log.lock().unwrap(), ["process", "last", "loud", "first"]);
    }
}
