//! An answer: a value that is given once and waited for, across threads and processes. The end that
//! waits also learns that the answer will never come.
//!
//! A call to a server waits for such an answer, so it costs as little as a message: one allocation,
//! and one atomic exchange to give it. The two ends share a cell. Its word says what they have
//! done:
//!
//! | word | meaning | give | poll | leave |
//! |---|---|---|---|---|
//! | `OPEN` | no value yet; the asker is to be woken | → `GIVEN`, wakes the asker | → pointer, for a task | → `LEFT` |
//! | pointer | no value yet; the task with this waker is to be woken | → `GIVEN`, wakes the task | → `OPEN` or another pointer | → `LEFT` |
//! | `GIVEN` | the value is there, and the giving end is gone | | takes the value, frees the cell | frees the cell |
//! | `LEFT` | the waiting end is gone | frees the cell | | |
//!
//! The process that makes the cell is its *asker*, which usually waits in its own poll. The cell
//! has the asker's waker from the beginning, so such a wait changes nothing in the cell.
//!
//! # Invariants
//! - **A1** Both ends point to a cell that came from `Box::into_raw`. The end that is the last to
//!   be done frees it: the giving end if its exchange finds `LEFT`, the waiting end if it finds
//!   `GIVEN`. Otherwise the exchange of an end is its last access to the cell.
//! - **A2** Until `GIVEN`, only the giving end touches `value`. From then on, only the waiting end
//!   does. The same holds for `asker`, except that both ends may read it until `GIVEN`.
//! - **A3** A pointer in the word came from `Box::into_raw` of a `Box<Waker>`. The end whose
//!   exchange takes the pointer out owns the waker.
//! - **A4** The exchange that gives releases the value, and a look that finds `GIVEN` acquires it.
//!   The exchange that puts in a pointer releases the waker, and the one that takes it out acquires
//!   it.
#![allow(unsafe_code)]

use std::fmt;
use std::ptr::{self, NonNull};
use std::task::{Context, Waker};

use crate::contain::wake;
use crate::sync::{AtomicPtr, Ordering, UnsafeCell};

const OPEN: *mut Waker = ptr::null_mut();
const GIVEN: *mut Waker = ptr::without_provenance_mut(1);
const LEFT: *mut Waker = ptr::without_provenance_mut(2);

/// No constant is the address of a waker.
const _: () = assert!(align_of::<Waker>() > LEFT_WORD);
const LEFT_WORD: usize = 2;

/// Returns the waker that an exchange has taken out of the word, if there was one.
///
/// # Safety
/// The caller's exchange has returned this word, and it is used only once.
unsafe fn waker_of(word: *mut Waker) -> Option<Waker> {
    // SAFETY: A3.
    (word.addr() > LEFT_WORD).then(|| *unsafe { Box::from_raw(word) })
}

/// The process that asks, as the giving end knows it.
#[derive(Debug)]
pub(crate) struct Asker {
    pub(crate) waker: Waker,
    /// The number by which `local` finds the process.
    pub(crate) slot: u32,
    pub(crate) local: &'static Local,
}

/// Wakes processes of the node that the calling thread works for, without cloning their wakers.
#[derive(Debug)]
pub(crate) struct Local {
    /// Returns whether the process with this waker and this number belongs to that node.
    pub(crate) has: fn(&Waker, u32) -> bool,
    /// Wakes the process with this number.
    pub(crate) wake: fn(u32),
}

struct Cell<T> {
    word: AtomicPtr<Waker>,
    value: UnsafeCell<Option<T>>,
    asker: UnsafeCell<Option<Asker>>,
}

/// The answering end of a request. If it is dropped because the answering process or its node has
/// ended, the requester learns that there is no answer. Made by
/// [`Waiting::new`](crate::Waiting::new).
///
/// ```
/// # use fika_runtime::{Node, Waiting, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// let (answer, waiting) = Waiting::new();
/// spawn(async move {
///     if !answer.is_abandoned() {
///         answer.give(7);
///     }
/// });
/// assert_eq!(waiting.await, Some(7));
/// # });
/// ```
pub struct Answer<T>(NonNull<Cell<T>>);

/// The end of a request that waits for its answer.
pub(crate) struct Wait<T> {
    /// `None` after the answer was taken.
    cell: Option<NonNull<Cell<T>>>,
}

// SAFETY: the ends hand the value and wakers over in order (A2, A4), and a shared end only looks at
// the word.
unsafe impl<T: Send> Send for Answer<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Answer<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Wait<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Wait<T> {}

impl<T> Answer<T> {
    /// Makes the two ends.
    pub(crate) fn new(asker: Option<Asker>) -> (Answer<T>, Wait<T>) {
        let cell = Box::new(Cell {
            word: AtomicPtr::new(OPEN),
            value: UnsafeCell::new(None),
            asker: UnsafeCell::new(asker),
        });
        let cell = NonNull::from(Box::leak(cell));
        (Answer(cell), Wait { cell: Some(cell) })
    }

    /// Returns whether nothing waits for the answer any more.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        // SAFETY: A1: this end is not done.
        unsafe { self.0.as_ref() }.word.load(Ordering::Relaxed) == LEFT
    }

    /// Passes the answer to the process that waits for it, if it still waits.
    pub fn give(self, value: T) {
        let this = std::mem::ManuallyDrop::new(self);
        // SAFETY: A1: this end is not done, and A2: the value is not given yet.
        unsafe { this.0.as_ref() }.value.with_mut(|at| unsafe { *at = Some(value) });
        this.end();
    }

    /// Completes the work of this end, and wakes the task that waits.
    fn end(&self) {
        // SAFETY: A1: this end is not done.
        let cell = unsafe { self.0.as_ref() };
        // The waiting end may free the cell as soon as it sees the answer, so the asker is read
        // before that.
        // SAFETY: A2: the value is not given yet, so nothing changes the asker.
        let asker = cell.asker.with(|asker| unsafe { &*asker }.as_ref().map(Wakes::of));
        match cell.word.swap(GIVEN, Ordering::AcqRel) {
            OPEN => asker.into_iter().for_each(Wakes::wake),
            // SAFETY: A1: the waiting end is done.
            LEFT => drop(unsafe { Box::from_raw(self.0.as_ptr()) }),
            // SAFETY: the exchange above has returned this word.
            word => unsafe { waker_of(word) }.into_iter().for_each(wake),
        }
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        self.end();
    }
}

/// The way to wake an asker after the cell may be gone.
enum Wakes {
    Local(fn(u32), u32),
    Waker(Waker),
}

impl Wakes {
    fn of(asker: &Asker) -> Wakes {
        let Asker { waker, slot, local } = asker;
        if (local.has)(waker, *slot) {
            Wakes::Local(local.wake, *slot)
        } else {
            Wakes::Waker(waker.clone())
        }
    }

    fn wake(self) {
        match self {
            Wakes::Local(wake, slot) => wake(slot),
            Wakes::Waker(waker) => wake(waker),
        }
    }
}

impl<T> Wait<T> {
    /// Returns whether the answer was given, or will never come.
    pub(crate) fn is_given(&self) -> bool {
        // SAFETY: A1: this end is not done.
        self.cell.is_some_and(|cell| unsafe { cell.as_ref() }.word.load(Ordering::Acquire) == GIVEN)
    }

    /// Returns whether the answer was given, or will never come. If not, the task is woken when
    /// either happens.
    pub(crate) fn is_given_or_wakes(&mut self, context: &Context<'_>) -> bool {
        let Some(cell) = self.cell else { return false };
        // SAFETY: A1: this end is not done.
        let cell = unsafe { cell.as_ref() };
        let word = cell.word.load(Ordering::Acquire);
        if word == GIVEN {
            return true;
        }
        // SAFETY: A2: nothing changes the asker before this end takes it.
        let asks = cell.asker.with(|asker| unsafe { &*asker }.as_ref().map(|of| of.waker.data()));
        let by_asker = asks == Some(context.waker().data());
        if by_asker && word == OPEN {
            return false;
        }
        let waker = (!by_asker).then(|| Box::new(context.waker().clone()));
        let to = waker.map_or(OPEN, Box::into_raw);
        match cell.word.compare_exchange(word, to, Ordering::AcqRel, Ordering::Acquire) {
            Ok(word) => {
                // SAFETY: the exchange above has returned this word.
                drop(unsafe { waker_of(word) });
                false
            }
            // Only the giving end changes the word meanwhile.
            Err(_) => {
                // SAFETY: the pointer was made above, and was not put into the word.
                drop(unsafe { waker_of(to) });
                true
            }
        }
    }

    /// Takes the answer if it was given, and the asker. The inner `None` is for an answer that will
    /// never come.
    pub(crate) fn take(&mut self) -> Option<(Option<T>, Option<Asker>)> {
        let cell = self.cell.take_if(|cell| {
            // SAFETY: A1: this end is not done.
            unsafe { cell.as_ref() }.word.load(Ordering::Acquire) == GIVEN
        })?;
        // SAFETY: A1: the giving end is done.
        let cell = unsafe { Box::from_raw(cell.as_ptr()) };
        // SAFETY: A2: the answer was given.
        let value = cell.value.with_mut(|value| unsafe { &mut *value }.take());
        // SAFETY: as above.
        Some((value, cell.asker.with_mut(|asker| unsafe { &mut *asker }.take())))
    }
}

impl<T> Drop for Wait<T> {
    fn drop(&mut self) {
        let Some(cell) = self.cell else { return };
        // SAFETY: A1: this end is not done.
        match unsafe { cell.as_ref() }.word.swap(LEFT, Ordering::AcqRel) {
            // SAFETY: A1: the giving end is done.
            GIVEN => drop(unsafe { Box::from_raw(cell.as_ptr()) }),
            // SAFETY: the exchange above has returned this word.
            word => drop(unsafe { waker_of(word) }),
        }
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("abandoned", &self.is_abandoned()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Wait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("given", &self.is_given()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(shuttle)))]
mod test_wakes {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    /// Counts how often it was woken.
    #[derive(Default)]
    pub(super) struct Wakes(AtomicUsize);

    impl Wakes {
        pub(super) fn count(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use std::sync::Arc;

    use loom::thread;

    use super::test_wakes::Wakes;
    use super::*;
    use crate::sync::model;

    const NOWHERE: Local = Local { has: |_, _| false, wake: |_| unreachable!("it is elsewhere") };

    fn give(answer: Answer<u8>, value: Option<u8>) -> thread::JoinHandle<()> {
        thread::spawn(move || match value {
            Some(value) => answer.give(value),
            None => drop(answer),
        })
    }

    /// Waits as a task does: polls again only after a wake-up.
    fn wait(wait: &mut Wait<u8>, giver: thread::JoinHandle<()>, task: &Arc<Wakes>) -> Option<u8> {
        let waker = task.clone().into();
        let given = wait.is_given_or_wakes(&Context::from_waker(&waker));
        giver.join().unwrap();
        assert!(given || task.count() == 1, "the task is woken");
        wait.take().expect("it was given").0
    }

    /// A waiting task gets the value, or learns that there is none.
    #[test]
    fn give_against_poll() {
        for given in [Some(7), None] {
            model(move || {
                let (answer, mut waits) = Answer::new(None);
                let task = Arc::new(Wakes::default());
                assert_eq!(wait(&mut waits, give(answer, given), &task), given);
            });
        }
    }

    /// The asker waits, after another task has waited.
    #[test]
    fn give_against_another_task() {
        for first_by_asker in [true, false] {
            model(move || {
                let [asker, task] = [(); 2].map(|()| Arc::new(Wakes::default()));
                let waker = asker.clone().into();
                let (answer, mut waits) =
                    Answer::new(Some(Asker { waker, slot: 0, local: &NOWHERE }));
                let [first, second] =
                    if first_by_asker { [&asker, &task] } else { [&task, &asker] };
                let giver = give(answer, Some(7));
                let waker = first.clone().into();
                let given = waits.is_given_or_wakes(&Context::from_waker(&waker));
                if given {
                    giver.join().unwrap();
                    assert_eq!(waits.take().unwrap().0, Some(7));
                } else {
                    assert_eq!(wait(&mut waits, giver, second), Some(7));
                }
            });
        }
    }

    /// Exactly one end drops the value and frees the cell.
    #[test]
    fn give_against_leave() {
        for polled in [true, false] {
            model(move || {
                let value = Arc::new(());
                let (answer, mut waits) = Answer::new(None);
                let given = value.clone();
                let giver = thread::spawn(move || answer.give(given));
                if polled {
                    let _ = waits.is_given_or_wakes(&Context::from_waker(Waker::noop()));
                }
                drop(waits);
                giver.join().unwrap();
                assert_eq!(Arc::strong_count(&value), 1);
            });
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::test_wakes::Wakes;
    use super::*;

    fn asker(waker: &Arc<Wakes>, local: &'static Local) -> Option<Asker> {
        Some(Asker { waker: waker.clone().into(), slot: 3, local })
    }

    #[test]
    fn an_answer_is_taken_once() {
        let (answer, mut wait) = Answer::new(None);
        assert!(!wait.is_given());
        assert!(wait.take().is_none());
        answer.give(7);
        assert!(wait.is_given());
        assert_eq!(wait.take().unwrap().0, Some(7));
        assert!(wait.take().is_none());
        assert!(!wait.is_given_or_wakes(&Context::from_waker(Waker::noop())));
        let (answer, mut wait) = Answer::<u8>::new(None);
        drop(answer);
        assert_eq!(wait.take().unwrap().0, None);
    }

    #[test]
    fn the_end_that_is_last_drops_the_value() {
        for left_first in [true, false] {
            let value = Arc::new(());
            let (answer, wait) = Answer::new(None);
            if left_first {
                drop(wait);
                assert!(answer.is_abandoned());
                answer.give(value.clone());
            } else {
                assert!(!answer.is_abandoned());
                answer.give(value.clone());
                drop(wait);
            }
            assert_eq!(Arc::strong_count(&value), 1);
        }
    }

    #[test]
    fn the_last_task_that_polled_is_woken() {
        const ELSEWHERE: Local = Local { has: |_, _| false, wake: |_| unreachable!("not local") };
        let tasks = [(); 3].map(|()| Arc::new(Wakes::default()));
        let [asks, first, second] = &tasks;
        // The asker is woken even if it has not polled.
        for (polls, woken) in [
            (vec![], asks),
            (vec![first], first),
            (vec![first, second], second),
            (vec![first, asks], asks),
        ] {
            let before = tasks.each_ref().map(|task| task.count());
            let (answer, mut wait) = Answer::new(asker(asks, &ELSEWHERE));
            for task in polls {
                let waker = task.clone().into();
                assert!(!wait.is_given_or_wakes(&Context::from_waker(&waker)));
            }
            answer.give(());
            for (task, before) in tasks.iter().zip(before) {
                assert_eq!(task.count() - before, usize::from(Arc::ptr_eq(task, woken)));
            }
        }
    }

    #[test]
    fn a_local_asker_is_woken_by_its_number() {
        use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
        static WOKEN: AtomicU32 = AtomicU32::new(0);
        const HERE: Local =
            Local { has: |_, slot| slot == 3, wake: |slot| WOKEN.store(slot, Relaxed) };
        let task = Arc::new(Wakes::default());
        let (answer, mut wait) = Answer::new(asker(&task, &HERE));
        answer.give(());
        assert_eq!((WOKEN.load(Relaxed), task.count()), (3, 0));
        let (_, asker) = wait.take().unwrap();
        assert_eq!(asker.unwrap().slot, 3);
    }

    /// Gives the answer when it is dropped, like a task that is dropped with its waker.
    struct Gives(std::sync::Mutex<Option<Answer<u8>>>);

    impl Wake for Gives {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Gives {
        fn drop(&mut self) {
            self.0.get_mut().unwrap().take().into_iter().for_each(|answer| answer.give(7));
        }
    }

    #[test]
    fn a_waker_that_is_dropped_may_give_the_answer() {
        let (answer, mut wait) = Answer::new(None);
        let waker = Waker::from(Arc::new(Gives(Some(answer).into())));
        assert!(!wait.is_given_or_wakes(&Context::from_waker(&waker)));
        drop(waker);
        // Drops the first waker.
        let task = Arc::new(Wakes::default());
        let waker = task.clone().into();
        assert!(!wait.is_given_or_wakes(&Context::from_waker(&waker)));
        assert_eq!((task.count(), wait.take().unwrap().0), (1, Some(7)));
    }
}
