//! The queue of a scheduler that has no threads: somebody else says what runs next, and when.

use parking_lot::Mutex;

use super::TaskId;

/// Something that is ready to run.
pub(crate) enum Ready {
    Task(TaskId),
    /// A call that blocks.
    Call(Box<dyn FnOnce() + Send>),
}

/// What is ready to run. Its order means nothing: any of it may be next, as it may be with many
/// workers.
#[derive(Default)]
pub(crate) struct Stepped(Mutex<Vec<Ready>>);

impl Stepped {
    pub(crate) fn push(&self, ready: Ready) {
        self.0.lock().push(ready);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// The task at this place, if there is one and it is no call.
    pub(crate) fn task_at(&self, place: usize) -> Option<TaskId> {
        match self.0.lock().get(place)? {
            Ready::Task(task) => Some(*task),
            Ready::Call(_) => None,
        }
    }

    /// Takes out what is at this place, if there is as much; the last takes its place.
    pub(crate) fn take(&self, place: usize) -> Option<Ready> {
        let mut all = self.0.lock();
        (place < all.len()).then(|| all.swap_remove(place))
    }
}
