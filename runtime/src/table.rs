//! The process table: from a pid to the queue of its process, without a lock and without a write to
//! shared memory.
//!
//! A slot holds one process after the other. Its memory stays in place as long as the table exists,
//! so a look-up needs no protection against reclamation. It must only ensure that an old pid never
//! reaches a new process. For this, a slot has a generation: a pid names the slot and its
//! generation, and the look-up compares them. The slot may change hands between the look-up and the
//! push, so each signal carries the generation that it was sent to, and the receiver discards a
//! signal that was not meant for it.
//!
//! Slots are allocated in chunks. A free slot is in one of several lists, so that workers that
//! spawn do not contend.
//!
//! The slots for the node's own services come after those of the program: even when the program has
//! reached its process limit, the node must be able to accept and make connections.
//!
//! # Invariants
//! - **T1** A chunk, once published, is not moved, and it is only freed when the table and all
//!   wakers of its slots are gone: each holds a count of its `Arc`.
//! - **T2** A `SlotRef` is only held by the table, by the timers of its node, by the process in it,
//!   and by wakers. The table, the timers and the process only use it while the node exists, which
//!   owns the table. Run queues hold a number instead, so they need no promise.
//! - **T3** Only the slot's owner touches `body`. The owner is the maker of a process until it has
//!   scheduled the process. Then it is the thread that took the process from a run queue, until the
//!   process is parked, queued again or gone. Then the slot has no owner until the next maker takes
//!   it from a free list. `signal_queue` gives the hand-over its order. At the end, no thread can
//!   take a process from a run queue any more: after the last worker has ended (`stop`), or when
//!   the `Stepper` or the node itself is dropped. Then the one thread that ends the node owns all
//!   bodies.
//!
//! Prior art: `erl_ptab` and its `PTables.md`.
#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::{AtomicPtr as StdAtomicPtr, AtomicUsize};
use std::sync::{Arc, OnceLock};
use std::task::{RawWaker, RawWakerVTable, Waker};

use crossbeam_utils::CachePadded;

use crate::message::Chain;
use crate::pid::LocalId;
use crate::priority::Priority;
use crate::room::Room;
use crate::scheduler::{Scheduler, TaskId, schedule};
use crate::signal_queue::{SignalQueue, Wake};
use crate::sync::{AtomicU32, Mutex, Ordering, UnsafeCell, fence};
use crate::vitals::Vitals;

/// The slots in a chunk. A chunk has 16 KiB, which suits small and big nodes.
const CHUNK_SLOTS: usize = if cfg!(loom) { 2 } else { 256 };

/// A list with this many free slots gives half of them to another worker before a new chunk is
/// made. Moving fewer is not worth it.
const MANY: usize = CHUNK_SLOTS / 2;

/// Chunks for the node's own services, in addition to the limit: slots for 4,096 clients of the
/// port mapper, 256 handshakes of peers, and about 3,800 connections that the node makes at the
/// same time. A service that finds no reserved slot takes one of the program's. Chunks are
/// allocated on demand.
const RESERVED_CHUNKS: usize = if cfg!(loom) { 1 } else { 32 };

/// The largest possible process limit, as in OTP.
pub(crate) const LIMIT_MAX: usize = 134_217_727;

/// A mark of a slot's process: it may have a name (see `registry`).
pub(crate) const NAMED: u8 = 1;
/// Timers may send to the process (see `process::timer_action`).
pub(crate) const TIMED: u8 = 2;
/// The process has, or has had, a mailbox limit (see `room`). Set before other processes can send
/// to it, or by the process itself.
pub(crate) const BOUNDED: u8 = 4;
/// The process is a service of the node: other nodes can neither end it nor link to it. This mark
/// and the next two are set before other processes can send to it; see `process::guard`.
pub(crate) const SERVICE: u8 = 8;
/// The process accepts no messages from other nodes.
pub(crate) const DEAF: u8 = 16;
/// Only the end of the node ends the process.
pub(crate) const ROOT: u8 = 32;

/// Room for one process, in a cache line of its own: senders on one core do not disturb the owner
/// of the next slot on another core.
#[repr(align(64))]
pub(crate) struct Slot<B: ?Sized> {
    pub(crate) queue: SignalQueue,
    generation: AtomicU32,
    index: u32,
    /// The chunk that contains the slot.
    chunk: StdAtomicPtr<Chunk<B>>,
    pub(crate) vitals: Vitals,
    body: UnsafeCell<Option<Pin<Box<B>>>>,
}

/// One cache line, all of which is used.
#[cfg(not(any(loom, shuttle)))]
const _: () = assert!(size_of::<Slot<dyn Send>>() == 64);

struct Chunk<B: ?Sized> {
    scheduler: Arc<Scheduler>,
    slots: Box<[Slot<B>]>,
    /// A room for each slot, allocated when the first of them is needed.
    rooms: OnceLock<Box<[Room]>>,
}

// SAFETY: T3 for the body; all other fields are atomic.
unsafe impl<B: ?Sized + Send> Sync for Chunk<B> {}
// SAFETY: a body and all other fields are `Send`.
unsafe impl<B: ?Sized + Send> Send for Chunk<B> {}

/// A reference to a slot, for wakers and the slot's process. See T2.
pub(crate) struct SlotRef<B: ?Sized>(NonNull<Slot<B>>);

impl<B: ?Sized> Clone for SlotRef<B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: ?Sized> Copy for SlotRef<B> {}

// SAFETY: this is a reference to a `Sync` object (T1, T2).
unsafe impl<B: ?Sized + Send> Send for SlotRef<B> {}
// SAFETY: as above.
unsafe impl<B: ?Sized + Send> Sync for SlotRef<B> {}

impl<B: ?Sized> std::ops::Deref for SlotRef<B> {
    type Target = Slot<B>;

    fn deref(&self) -> &Slot<B> {
        // SAFETY: T1 and T2.
        unsafe { self.0.as_ref() }
    }
}

impl<B: ?Sized> Slot<B> {
    fn new(index: u32) -> Self {
        Slot {
            queue: SignalQueue::closed(),
            generation: AtomicU32::new(0),
            index,
            chunk: StdAtomicPtr::new(std::ptr::null_mut()),
            vitals: Vitals::none(),
            body: UnsafeCell::new(None),
        }
    }

    pub(crate) fn id(&self) -> LocalId {
        LocalId { slot: self.index, generation: self.generation.load(Ordering::Acquire) }
    }

    /// Marks the process as about to have a name, or timers that send to it. The caller then calls
    /// `is_open_for`, and undoes its change if the process has ended. Otherwise the process sees
    /// the mark when it ends. Both sides are sequentially consistent: if a mark and an end happen
    /// at the same time, at least one side sees the other.
    pub(crate) fn mark(&self, mark: u8) {
        if self.vitals.marks.load(Ordering::SeqCst) & mark == 0 {
            self.vitals.marks.fetch_or(mark, Ordering::SeqCst);
        }
    }

    /// Returns whether the process's mailbox may have a limit. For senders, which have then looked
    /// at the slot's cache line only once before.
    pub(crate) fn is_bounded(&self) -> bool {
        self.vitals.marks.load(Ordering::Relaxed) & BOUNDED != 0
    }

    /// Returns whether the process has one of these marks, which are set before other processes can
    /// send to it.
    pub(crate) fn has_mark(&self, marks: u8) -> bool {
        self.vitals.marks.load(Ordering::Relaxed) & marks != 0
    }

    /// Returns whether the process of this generation has not ended.
    pub(crate) fn is_open_for(&self, generation: u32) -> bool {
        // In this order: an open queue may belong to the next process.
        !self.queue.is_closed() && self.generation.load(Ordering::Acquire) == generation
    }

    /// Owner: closes the queue. Returns what was in it, and the process's marks.
    pub(crate) fn close(&self) -> (Chain, u8) {
        let rest = self.queue.close();
        let marks = self.vitals.marks.load(Ordering::SeqCst);
        if marks != 0 {
            self.vitals.marks.store(0, Ordering::Relaxed);
        }
        (rest, marks)
    }

    /// Returns the id of the slot's process, if it is alive and not about to end.
    fn live_id(&self) -> Option<LocalId> {
        let id = self.id();
        if self.queue.is_closed() || self.vitals.is_exiting() {
            return None;
        }
        // Orders the second look after the first ones. If the id has changed, the process has ended
        // meanwhile, and the first looks may have seen the next process.
        fence(Acquire);
        (self.id() == id).then_some(id)
    }

    /// Owner (T3): stores a process.
    pub(crate) fn set_body(&self, body: Pin<Box<B>>) {
        // SAFETY: T3: the caller is the owner.
        self.body.with_mut(|at| unsafe { *at = Some(body) });
    }

    /// Owner (T3): calls `work` with the process. Returns `None` if there is none.
    pub(crate) fn with_body<R>(&self, work: impl FnOnce(Pin<&mut B>) -> R) -> Option<R> {
        // SAFETY: T3: the caller is the owner, so there is no other reference.
        self.body.with_mut(|at| unsafe { (*at).as_mut() }.map(|body| work(body.as_mut())))
    }

    /// Owner (T3): takes out the process.
    pub(crate) fn take_body(&self) -> Option<Pin<Box<B>>> {
        // SAFETY: T3: the caller is the owner.
        self.body.with_mut(|at| unsafe { (*at).take() })
    }

    fn chunk(&self) -> *const Chunk<B> {
        self.chunk.load(Relaxed)
    }
}

impl<B: ?Sized> SlotRef<B> {
    /// The size of a slot.
    pub(crate) const BYTES: usize = size_of::<Slot<B>>();

    /// Schedules the process if a push or a notification requires it.
    pub(crate) fn wake(self, wake: Wake) {
        self.wake_at(wake, Priority::Low);
    }

    /// Schedules the process, if a push or a notification requires it, at this priority or a higher
    /// one.
    pub(crate) fn wake_at(self, wake: Wake, at_least: Priority) {
        if wake == Wake::Schedule {
            self.schedule(self.vitals.priority().max(at_least));
        }
    }

    /// Queues the process; see `signal_queue` for the threads that may.
    pub(crate) fn schedule(self, priority: Priority) {
        // SAFETY: T1: the chunk exists as long as the slot does.
        let scheduler = unsafe { &(*self.chunk()).scheduler };
        schedule(scheduler, TaskId::of(self.index), priority);
    }

    /// Returns the slot's room, if a slot of its chunk has ever needed one.
    pub(crate) fn room(&self) -> Option<&Room> {
        self.rooms().get()?.get(self.index as usize % CHUNK_SLOTS)
    }

    /// Returns the slot's room. Allocates it if needed.
    pub(crate) fn room_or_make(&self) -> &Room {
        let rooms =
            self.rooms().get_or_init(|| (0..CHUNK_SLOTS).map(|_| Room::default()).collect());
        &rooms[self.index as usize % CHUNK_SLOTS]
    }

    fn rooms(&self) -> &OnceLock<Box<[Room]>> {
        // SAFETY: T1: the chunk exists as long as the slot does.
        unsafe { &(*self.chunk()).rooms }
    }

    /// Returns a waker that borrows the slot during a poll.
    pub(crate) fn waker(self) -> ManuallyDrop<Waker> {
        // SAFETY: the vtable keeps the contract of `RawWaker`: each clone holds a count of the
        // chunk (T1), and this waker, which holds none, is never dropped.
        ManuallyDrop::new(unsafe {
            Waker::from_raw(RawWaker::new(self.0.as_ptr().cast(), Self::WAKER))
        })
    }
}

impl<B: ?Sized> SlotRef<B> {
    const WAKER: &'static RawWakerVTable = &RawWakerVTable::new(
        |slot| {
            // SAFETY: the waker that is cloned proves that the chunk exists (T1).
            unsafe { Arc::increment_strong_count(Self::of_waker(slot).chunk()) };
            RawWaker::new(slot, Self::WAKER)
        },
        |slot| {
            let slot = Self::of_waker(slot);
            slot.wake(slot.queue.notify());
            // SAFETY: the waker is used up, and with it its count.
            unsafe { Arc::decrement_strong_count(slot.chunk()) };
        },
        |slot| {
            let slot = Self::of_waker(slot);
            slot.wake(slot.queue.notify());
        },
        // SAFETY: the waker is dropped, and with it its count.
        |slot| unsafe { Arc::decrement_strong_count(Self::of_waker(slot).chunk()) },
    );

    fn of_waker(data: *const ()) -> Self {
        SlotRef(NonNull::new(data.cast_mut()).expect("made from a slot, in `waker`").cast())
    }
}

/// All processes of a node. This file does not know what a process, `B`, is.
pub(crate) struct Table<B: ?Sized> {
    scheduler: Arc<Scheduler>,
    chunks: Box<[StdAtomicPtr<Chunk<B>>]>,
    /// The number of chunks. The lock is for making one.
    made: Mutex<usize>,
    free: Box<[CachePadded<Mutex<Vec<u32>>>]>,
    /// The numbers of live processes: one for each free list, and one for the reserve.
    counts: Box<[CachePadded<AtomicUsize>]>,
    limit: usize,
    reserve: Mutex<Reserve>,
}

/// The slots of the node's own services.
#[derive(Default)]
struct Reserve {
    /// How many chunks are allocated.
    made: usize,
    free: Vec<u32>,
}

impl<B: ?Sized> Table<B> {
    /// Makes a table for `limit` processes, with a free list for each of `workers`.
    pub(crate) fn new(scheduler: Arc<Scheduler>, limit: usize, workers: usize) -> Self {
        let lists = workers + 1;
        Table {
            scheduler,
            chunks: (0..limit.div_ceil(CHUNK_SLOTS) + RESERVED_CHUNKS)
                .map(|_| StdAtomicPtr::default())
                .collect(),
            made: Mutex::new(0),
            free: (0..lists).map(|_| CachePadded::default()).collect(),
            counts: (0..=lists).map(|_| CachePadded::default()).collect(),
            limit,
            reserve: Mutex::default(),
        }
    }

    /// Returns the slot of this id, if its process is not known to have ended.
    pub(crate) fn get(&self, id: LocalId) -> Option<SlotRef<B>> {
        let slot = self.slot(id.slot as usize)?;
        (slot.generation.load(Ordering::Acquire) == id.generation).then_some(slot)
    }

    /// Returns the slot with this index, whatever process is in it.
    pub(crate) fn get_any(&self, index: u32) -> Option<SlotRef<B>> {
        self.slot(index as usize)
    }

    /// Returns whether a process is alive. `None` if it is not idle: it may have a fatal signal in
    /// its queue, so only the process itself can tell.
    pub(crate) fn is_known_alive(&self, id: LocalId) -> Option<bool> {
        let Some(slot) = self.get(id) else { return Some(false) };
        let idle = slot.queue.is_idle();
        // The signals in the queue may include a fatal one.
        let alive = slot.live_id() == Some(id);
        if alive && !idle { None } else { Some(alive) }
    }

    /// Returns the slot of a task.
    pub(crate) fn at(&self, task: TaskId) -> SlotRef<B> {
        self.slot(task.index() as usize).expect("a slot stays as long as its table")
    }

    fn slot(&self, index: usize) -> Option<SlotRef<B>> {
        let chunk = self.chunks.get(index / CHUNK_SLOTS)?.load(Ordering::Acquire);
        // SAFETY: T1: a published chunk exists as long as the table does.
        let chunk = unsafe { chunk.as_ref() }?;
        chunk.slots.get(index % CHUNK_SLOTS).map(|slot| SlotRef(slot.into()))
    }

    /// Returns the number of the first slot of the reserve.
    fn reserved_from(&self) -> usize {
        (self.chunks.len() - RESERVED_CHUNKS) * CHUNK_SLOTS
    }

    /// Returns whether the slot belongs to the reserve, so that its process is a service of the
    /// node.
    pub(crate) fn is_reserved(&self, slot: SlotRef<B>) -> bool {
        slot.index as usize >= self.reserved_from()
    }

    /// Takes a free slot for a service of the node. Returns `None` if there is none, not even among
    /// the program's.
    pub(crate) fn allocate_for_service(&self, list: usize) -> Option<SlotRef<B>> {
        let Some(index) = self.take_reserved() else { return self.allocate(list) };
        self.counts[self.free.len()].fetch_add(1, Ordering::SeqCst);
        self.slot(index as usize)
    }

    fn take_reserved(&self) -> Option<u32> {
        let mut reserve = self.reserve.lock();
        if let Some(index) = reserve.free.pop() {
            return Some(index);
        }
        if reserve.made == RESERVED_CHUNKS {
            return None;
        }
        let first = self.reserved_from() + reserve.made * CHUNK_SLOTS;
        reserve.free = self.make_chunk(first, first + CHUNK_SLOTS);
        reserve.made += 1;
        reserve.free.pop()
    }

    /// Takes a free slot. Returns `None` if the table is full.
    ///
    /// The count is sequentially consistent. If one thread counts and then asks whether the node
    /// stops, and another thread stops the node and then counts, at least one of them sees the
    /// other.
    pub(crate) fn allocate(&self, list: usize) -> Option<SlotRef<B>> {
        let list = list % self.free.len();
        let index = loop {
            if let Some(index) = self.free[list].lock().pop() {
                break index;
            }
            if !self.refill(list) {
                return None;
            }
        };
        self.counts[list].fetch_add(1, Ordering::SeqCst);
        self.slot(index as usize)
    }

    /// Frees a slot whose queue is closed and whose body was taken out. From now on, no pid of the
    /// slot's process is valid.
    #[inline(always)]
    pub(crate) fn release(&self, slot: SlotRef<B>, list: usize) {
        let list = if self.is_reserved(slot) { self.free.len() } else { list % self.free.len() };
        let generation = slot.generation.load(Ordering::Relaxed);
        // A slot that has used all its generations is not used again.
        if generation < u32::MAX {
            slot.generation.store(generation + 1, Ordering::Release);
            match self.free.get(list) {
                Some(free) => free.lock().push(slot.index),
                None => self.reserve.lock().free.push(slot.index),
            }
        }
        // Last, so that a thread that sees the lower count finds the slot free.
        self.counts[list].fetch_sub(1, Ordering::Release);
    }

    /// Fills an empty free list: with half of another list that has many slots, with a new chunk,
    /// or with half of any other list.
    ///
    /// Other lists come first. Otherwise a node whose processes are spawned on one worker and end
    /// on another would make chunks up to its limit.
    fn refill(&self, list: usize) -> bool {
        // Stays locked: slots that are moved between two lists are in neither, so the table would
        // seem full to another thread.
        let mut made = self.made.lock();
        if self.take_from_others(list, MANY) {
            return true;
        }
        let first = *made * CHUNK_SLOTS;
        if first >= self.limit {
            return self.take_from_others(list, 1);
        }
        let indices = self.make_chunk(first, self.limit.min(first + CHUNK_SLOTS));
        *made += 1;
        self.free[list].lock().extend(indices);
        true
    }

    /// Makes the chunk that begins with slot `first` and ends before `end`. Returns its slots in
    /// descending order. The caller holds the lock for chunks of this kind.
    fn make_chunk(&self, first: usize, end: usize) -> Vec<u32> {
        let slots = (first..end)
            .map(|index| Slot::new(u32::try_from(index).expect("the limit is far below 2^32")));
        let chunk = Chunk {
            scheduler: self.scheduler.clone(),
            slots: slots.collect(),
            rooms: OnceLock::new(),
        };
        let indices = chunk.slots.iter().rev().map(|slot| slot.index).collect::<Vec<_>>();
        let chunk = Arc::into_raw(Arc::new(chunk)).cast_mut();
        // SAFETY: the chunk was just made.
        for slot in unsafe { &(*chunk).slots } {
            slot.chunk.store(chunk, Relaxed);
        }
        self.chunks[first / CHUNK_SLOTS].store(chunk, Ordering::Release);
        indices
    }

    /// Moves half of the first list that has `enough` slots to this list.
    fn take_from_others(&self, list: usize, enough: usize) -> bool {
        let mut others = (1..self.free.len()).map(|n| (list + n) % self.free.len());
        others.any(|other| {
            let mut from = self.free[other].lock();
            if from.len() < enough {
                return false;
            }
            let keep = from.len() / 2;
            let some = from.split_off(keep);
            drop(from);
            self.free[list].lock().extend(some);
            true
        })
    }

    /// Returns the number of processes. A process that ends meanwhile may be counted or not.
    pub(crate) fn len(&self) -> usize {
        let sum = self.counts.iter().fold(0_usize, |sum, n| {
            // See `allocate`.
            sum.wrapping_add(n.load(Ordering::SeqCst))
        });
        // The counts are not read at the same time. If one was raised and another lowered
        // meanwhile, the sum may be negative or too large.
        usize::try_from(sum.cast_signed())
            .map_or(0, |sum| sum.min(self.limit + RESERVED_CHUNKS * CHUNK_SLOTS))
    }

    /// Returns the first process that is at this slot or a later one, alive and not about to end,
    /// with its slot.
    pub(crate) fn next_live(&self, from: usize) -> Option<(usize, LocalId)> {
        // The chunks of either kind are made in order, without gaps.
        let reserved = self.reserved_from();
        let of_program = (from..reserved).map_while(|index| Some((index, self.slot(index)?)));
        let of_services =
            (from.max(reserved)..).map_while(|index| Some((index, self.slot(index)?)));
        let mut slots = of_program.chain(of_services);
        slots.find_map(|(index, slot)| Some((index, slot.live_id()?)))
    }

    /// Returns each slot with a process that has not ended.
    pub(crate) fn live(&self) -> impl Iterator<Item = SlotRef<B>> + '_ {
        let made = *self.made.lock() * CHUNK_SLOTS;
        let reserved = self.reserved_from();
        let all = (0..made).chain(reserved..reserved + self.reserve.lock().made * CHUNK_SLOTS);
        all.filter_map(|index| self.slot(index)).filter(|slot| !slot.queue.is_closed())
    }
}

impl<B: ?Sized> Drop for Table<B> {
    fn drop(&mut self) {
        for chunk in &self.chunks {
            let chunk = chunk.load(Ordering::Acquire);
            if !chunk.is_null() {
                // SAFETY: T1: this is the table's count.
                drop(unsafe { Arc::from_raw(chunk) });
            }
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::scheduler::ThreadDriver;

    fn table(limit: usize) -> Table<u64> {
        Table::new(Scheduler::new("test", Arc::<ThreadDriver>::default()), limit, 1)
    }

    /// T1: a waker may be used after the node is gone.
    #[test]
    fn a_waker_outlives_its_table() {
        let table = table(3);
        let slot = table.allocate(0).expect("room for one");
        slot.set_body(Box::pin(7));
        slot.queue.open();
        assert_eq!(slot.with_body(|body| *body), Some(7));
        let waker = Waker::clone(&slot.waker());
        let other = waker.clone();
        assert_eq!(slot.take_body().as_deref(), Some(&7));
        drop(slot.close());
        table.release(slot, 0);
        drop(table);
        waker.wake_by_ref();
        other.wake();
        drop(waker);
    }

    #[test]
    fn marks_and_room_belong_to_one_process() {
        let table = table(3);
        let slot = table.allocate(0).expect("room for one");
        let generation = slot.id().generation;
        slot.queue.open();
        assert!(slot.is_open_for(generation) && !slot.is_open_for(generation + 1));
        assert!(slot.room().is_none());
        let made = std::ptr::from_ref(slot.room_or_make());
        assert_eq!(slot.room().map(std::ptr::from_ref), Some(made));
        slot.mark(NAMED | BOUNDED);
        assert!(slot.is_bounded() && slot.has_mark(NAMED) && !slot.has_mark(TIMED));
        let (rest, marks) = slot.close();
        drop(rest);
        assert_eq!(marks, NAMED | BOUNDED);
        assert!(!slot.has_mark(u8::MAX) && !slot.is_open_for(generation));
        table.release(slot, 0);
    }

    /// Services and the program's processes don't take each other's slots, except that services
    /// that need more than the reserve get some of the program's.
    #[test]
    fn the_reserve() {
        const RESERVED: usize = RESERVED_CHUNKS * CHUNK_SLOTS;
        let table = table(3);
        let of_program: Vec<_> = std::iter::from_fn(|| table.allocate(0)).collect();
        assert_eq!(of_program.len(), 3);
        let service = || table.allocate_for_service(0);
        let services: Vec<_> = std::iter::from_fn(service).collect();
        assert_eq!((services.len(), table.len()), (RESERVED, 3 + RESERVED));
        assert!(services.iter().all(|slot| slot.index as usize >= CHUNK_SLOTS));

        let old = services[7].id();
        table.release(services[7], 1);
        assert!(table.get(old).is_none() && table.allocate(0).is_none());
        assert_eq!(service().map(|slot| slot.index), Some(services[7].index));
        table.release(of_program[1], 0);
        assert_eq!(service().map(|slot| slot.index), Some(1));
        assert!(table.allocate(0).is_none() && service().is_none());
        table.release(of_program[1], 1);
        assert_eq!(table.allocate(0).map(|slot| slot.index), Some(1));

        // All of them are found.
        of_program.iter().chain(&services).for_each(|slot| slot.queue.open());
        assert_eq!(table.live().count(), 3 + RESERVED);
        let (mut from, mut seen) = (0, 0);
        while let Some((index, _)) = table.next_live(from) {
            (from, seen) = (index + 1, seen + 1);
        }
        assert_eq!(seen, 3 + RESERVED);
    }

    /// Processes that are made on one worker and end on another reuse the slots.
    #[test]
    fn free_slots_are_reused_across_workers() {
        let table = table(10 * CHUNK_SLOTS);
        for _ in 0..20 {
            let slots = (0..CHUNK_SLOTS).map(|_| table.allocate(0).expect("room"));
            let slots: Vec<_> = slots.collect();
            slots.into_iter().for_each(|slot| table.release(slot, 1));
        }
        let made = *table.made.lock();
        assert!(made <= 2, "{made} chunks");
        assert_eq!(table.len(), 0);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::thread;

    use super::*;
    use crate::message::{Address, Envelope};
    use crate::name::Name;
    use crate::node_id::NodeId;
    use crate::pid::Pid;
    use crate::registry::{RegisterError, Registry};
    use crate::scheduler::ThreadDriver;
    use crate::sync::model;

    type Numbers = Table<u64>;

    fn table() -> Arc<Numbers> {
        let scheduler = Scheduler::new("model", Arc::<ThreadDriver>::default());
        Arc::new(Table::new(scheduler, 1, 1))
    }

    /// Makes a process with this number. It need not be scheduled.
    fn begin(table: &Numbers, number: u64) -> SlotRef<u64> {
        let slot = table.allocate(0).expect("room for one");
        slot.set_body(Box::pin(number));
        slot.queue.open();
        slot
    }

    fn end(table: &Numbers, slot: SlotRef<u64>) -> Vec<Envelope> {
        slot.take_body();
        let (rest, _) = slot.close();
        table.release(slot, 0);
        rest.collect()
    }

    fn addressed(id: LocalId) -> Envelope {
        let mut envelope = Envelope::new(0_u64);
        envelope.set_word(Address::pid(id.generation));
        envelope
    }

    /// A signal for a process that ends while another process gets its slot: the signal is refused,
    /// or found by the ending process, or recognised as stale by the new one.
    #[test]
    fn an_old_pid_against_a_new_process() {
        model(|| {
            let table = table();
            let old = begin(&table, 1);
            let id = old.id();
            let sender = {
                let table = table.clone();
                thread::spawn(move || {
                    let alive = table.is_known_alive(id);
                    let Some(slot) = table.get(id) else { return (0, alive) };
                    (usize::from(slot.queue.push(addressed(id)).is_ok()), alive)
                })
            };
            let left = end(&table, table.at(TaskId::of(id.slot))).len();
            let new = begin(&table, 2);
            let new_id = new.id();
            assert_ne!(id, new_id);
            let (sent, alive) = sender.join().unwrap();
            assert_ne!(alive, Some(true), "it was never idle");
            let own = Address::pid(new_id.generation);
            let strays = new.queue.take().signals.map(|signal| {
                assert!(signal.word().address() != own, "an old pid has reached a new process");
            });
            assert_eq!(left + strays.count(), sent);
            assert!(table.get(id).is_none() && !new.is_open_for(id.generation));
            assert_eq!(table.is_known_alive(id), Some(false));
            assert_eq!(table.next_live(0), Some((0, new_id)));
            end(&table, new);
        });
    }

    /// T3: the maker of a process, two workers one after the other, and the maker of the next
    /// process in the slot have exclusive access to the body.
    #[test]
    fn the_body_goes_from_owner_to_owner() {
        /// A turn, which raises the number in the body.
        fn turn(slot: SlotRef<u64>) -> usize {
            let mut signals = 0;
            loop {
                signals += slot.queue.take().signals.count();
                slot.with_body(|mut body| *body += 1);
                if slot.queue.park() {
                    return signals;
                }
            }
        }
        model(|| {
            let table = table();
            let slot = begin(&table, 0);
            let id = slot.id();
            let sender = {
                let table = table.clone();
                thread::spawn(move || {
                    let slot = table.get(id).expect("it lives");
                    match slot.queue.push(addressed(id)).unwrap() {
                        Wake::Schedule => turn(slot),
                        Wake::Nothing => 0,
                    }
                })
            };
            let mut seen = turn(slot);
            seen += sender.join().unwrap();
            assert_eq!(seen, 1);
            assert!(slot.with_body(|body| *body) >= Some(1));
            end(&table, slot);
        });
    }

    /// The next maker of a process in a slot has the body after the owner that has ended.
    #[test]
    fn the_body_goes_through_the_free_list() {
        model(|| {
            let table = table();
            let slot = begin(&table, 1);
            let id = slot.id();
            let maker = {
                let table = table.clone();
                thread::spawn(move || {
                    let slot = table.allocate(1)?;
                    slot.set_body(Box::pin(2));
                    Some(slot.id())
                })
            };
            end(&table, slot);
            if let Some(new) = maker.join().unwrap() {
                assert_eq!((new.slot, new.generation), (id.slot, id.generation + 1));
            }
        });
    }

    /// REG-2: no dead process keeps a name.
    #[test]
    fn register_against_exit() {
        model(|| {
            let table = table();
            let registry = Arc::new(Registry::default());
            let id = begin(&table, 1).id();
            let pid = Pid::new(NodeId::nameless(), id);
            let other = {
                let (table, registry) = (table.clone(), registry.clone());
                thread::spawn(move || {
                    let mark = || {
                        table.get(id).is_some_and(|slot| {
                            slot.mark(NAMED);
                            slot.is_open_for(id.generation)
                        })
                    };
                    registry.register(Name::from("name"), pid, mark)
                })
            };
            let (rest, marks) = table.at(TaskId::of(id.slot)).close();
            drop(rest);
            if marks & NAMED != 0 {
                registry.process_ended(pid);
            }
            let registered = other.join().unwrap();
            assert!(matches!(registered, Ok(()) | Err(RegisterError::Noproc)));
            assert_eq!(registry.whereis("name"), None, "the dead have a name");
        });
    }
}
