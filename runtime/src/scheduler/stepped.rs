//! The queue of a scheduler without threads. Its user decides what runs next, and when.

use parking_lot::Mutex;

use super::TaskId;

/// Something that is ready to run.
pub(crate) enum Ready {
    Task(TaskId),
    /// A blocking call.
    Call(Box<dyn FnOnce() + Send>),
}

/// The tasks and calls that are ready. Their order has no meaning: any of them may be next, as with
/// many workers.
#[derive(Default)]
pub(crate) struct Stepped(Mutex<Vec<Ready>>);

impl Stepped {
    pub(crate) fn push(&self, ready: Ready) {
        self.0.lock().push(ready);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Returns the task at this place. `None` if the place is empty or holds a call.
    pub(crate) fn task_at(&self, place: usize) -> Option<TaskId> {
        match self.0.lock().get(place)? {
            Ready::Task(task) => Some(*task),
            Ready::Call(_) => None,
        }
    }

    /// Removes and returns what is at this place, if there is anything. The last entry takes its
    /// place.
    pub(crate) fn take(&self, place: usize) -> Option<Ready> {
        let mut all = self.0.lock();
        (place < all.len()).then(|| all.swap_remove(place))
    }
}
