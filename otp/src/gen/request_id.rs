//! Requests whose replies are asked for later: [`RequestId`] and collections of them.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use fika_runtime::{Elapsed, timeout};
use parking_lot::Mutex;

use super::call_error::{CallError, Late, Why};
use super::request::{Sent, why_of};
use super::server_ref::Address;

/// A request that was sent, and whose reply is asked for later (OTP's `request_id()`). Dropping it
/// abandons the request: a late reply is dropped.
///
/// ```
/// # use fika::prelude::*;
/// # struct Counter(u64);
/// # #[gen_server]
/// # impl Counter {
/// #     async fn init(n: u64) -> Self { Counter(n) }
/// #     #[call]
/// #     async fn add(&mut self, n: u64) -> u64 { self.0 += n; self.0 }
/// # }
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let counter = Counter::start_link(Start::new(), 0).await?;
/// let request = counter.add(2).send();
/// println!("something else");
/// assert_eq!(request.receive_response(secs(5)).await?, 2);
///
/// let mut request = counter.add(2).send();
/// let sum = loop {
///     if let Some(sum) = request.wait_response(secs(1)).await {
///         break sum?;
///     }
///     println!("still waiting");
/// };
/// assert_eq!(sum, 4);
/// # Ok(())
/// # }
/// ```
#[must_use = "dropped, it abandons the request"]
pub struct RequestId<A> {
    to: Address,
    request: &'static str,
    sent: Sent<A>,
}

impl<A> RequestId<A> {
    pub(crate) fn new(to: Address, request: &'static str, sent: Sent<A>) -> RequestId<A> {
        RequestId { to, request, sent }
    }

    /// Waits for the reply, and abandons the request if it does not come in time (OTP's
    /// `receive_response/2`).
    ///
    /// # Errors
    /// If there is no such server, it ends or drops the request, its node can't be reached, or the
    /// reply does not come in time. Unlike the error of a call that was awaited, this one does not
    /// say what the server was doing.
    pub async fn receive_response(mut self, limit: Duration) -> Result<A, CallError> {
        match self.wait_response(limit).await {
            Some(response) => response,
            None => Err(self.fails(Why::Timeout(Late { after: limit, ..Late::default() }))),
        }
    }

    /// Waits for the reply. Returns `None` if it does not come in time; the request stays, so this
    /// can be called again (OTP's `wait_response/2`). After a reply, the result is an error for
    /// which [`is_no_reply`](CallError::is_no_reply) is true.
    pub async fn wait_response(&mut self, limit: Duration) -> Option<Result<A, CallError>> {
        timeout(limit, poll_fn(|context| self.poll_response(context))).await.ok()
    }

    /// Returns the reply if it has come, without waiting (OTP's `check_response/2`). No reply is
    /// lost: the request stays until there is one.
    ///
    /// ```
    /// # use fika::prelude::*;
    /// # struct Counter(u64);
    /// # #[gen_server]
    /// # impl Counter {
    /// #     async fn init(n: u64) -> Self { Counter(n) }
    /// #     #[call]
    /// #     async fn add(&mut self, n: u64) -> u64 { self.0 += n; self.0 }
    /// # }
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// # let counter = Counter::start_link(Start::new(), 0).await?;
    /// let mut request = counter.add(2).send();
    /// let sum = loop {
    ///     match request.check_response().await {
    ///         Some(sum) => break sum?,
    ///         None => sleep(millis(1)).await, // some work
    ///     }
    /// };
    /// assert_eq!(sum, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn check_response(&mut self) -> Option<Result<A, CallError>> {
        poll_fn(|context| {
            Poll::Ready(match self.poll_response(context) {
                Poll::Ready(response) => Some(response),
                Poll::Pending => None,
            })
        })
        .await
    }

    /// Polls for the reply, in a future of your own.
    ///
    /// ```
    /// use std::future::poll_fn;
    /// # use fika::prelude::*;
    /// # struct Counter(u64);
    /// # #[gen_server]
    /// # impl Counter {
    /// #     async fn init(n: u64) -> Self { Counter(n) }
    /// #     #[call]
    /// #     async fn add(&mut self, n: u64) -> u64 { self.0 += n; self.0 }
    /// # }
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// # let counter = Counter::start_link(Start::new(), 0).await?;
    ///
    /// let mut request = counter.add(2).send();
    /// let sum = poll_fn(|context| request.poll_response(context)).await?;
    /// assert_eq!(sum, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn poll_response(&mut self, context: &mut Context<'_>) -> Poll<Result<A, CallError>> {
        let server = match &self.sent.server {
            Ok(server) => *server,
            Err(why) => return Poll::Ready(Err(self.fails(why.clone()))),
        };
        Pin::new(&mut self.sent)
            .poll(context)
            .map(|answered| answered.map_err(|failed| self.fails(why_of(failed, server))))
    }

    fn fails(&self, why: Why) -> CallError {
        CallError::new(&self.to, self.request, why)
    }
}

/// Requests whose replies come in any order, each with a label of your choice (OTP's
/// `request_id_collection()`).
///
/// ```
/// use fika::gen_server::RequestIds;
/// # use fika::prelude::*;
/// # struct Counter(u64);
/// # #[gen_server]
/// # impl Counter {
/// #     async fn init(n: u64) -> Self { Counter(n) }
/// #     #[call]
/// #     async fn add(&mut self, n: u64) -> u64 { self.0 += n; self.0 }
/// # }
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let counter = Counter::start_link(Start::new(), 0).await?;
/// # let other = Counter::start_link(Start::new(), 0).await?;
///
/// let mut requests = RequestIds::new();
/// requests.add("one", counter.add(1).send());
/// requests.add("other", other.add(5).send());
/// requests.add("two", counter.add(2).send());
/// assert_eq!(requests.len(), 3);
///
/// let mut sums = Vec::new();
/// while let Some((label, sum)) = requests.receive_response(secs(5)).await? {
///     sums.push((label, sum?));
/// }
/// sums.sort();
/// assert_eq!(sums, [("one", 1), ("other", 5), ("two", 3)]);
/// assert!(requests.is_empty());
/// # Ok(())
/// # }
/// ```
pub struct RequestIds<L, A> {
    requests: HashMap<u64, Stored<L, A>>,
    /// The number of the next request.
    next: u64,
    arrivals: Arc<Arrivals>,
}

/// A request in a collection. It has its own waker, so a reply costs the same in any collection.
struct Stored<L, A> {
    label: L,
    request: RequestId<A>,
    waker: Waker,
    /// The response, if it had come when the request was added.
    response: Option<Result<A, CallError>>,
}

/// The requests whose responses have come or may have come, oldest first (GS-18).
#[derive(Default)]
struct Arrivals {
    numbers: Mutex<VecDeque<u64>>,
    /// The task that waits for a response of the collection.
    waiting: Mutex<Option<Waker>>,
}

impl Arrivals {
    fn wait(&self, waker: &Waker) {
        let mut waiting = self.waiting.lock();
        if !waiting.as_ref().is_some_and(|old| old.will_wake(waker)) {
            let old = waiting.replace(waker.clone());
            drop(waiting);
            drop(old);
        }
    }
}

struct Arrival {
    number: u64,
    arrivals: Arc<Arrivals>,
}

impl Wake for Arrival {
    fn wake(self: Arc<Self>) {
        self.arrivals.numbers.lock().push_back(self.number);
        let waiting = self.arrivals.waiting.lock().clone();
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

impl<L, A> Default for RequestIds<L, A> {
    fn default() -> Self {
        RequestIds { requests: HashMap::new(), next: 0, arrivals: Arc::default() }
    }
}

impl<L, A> RequestIds<L, A> {
    /// Returns an empty collection (OTP's `reqids_new/0`).
    #[must_use]
    pub fn new() -> RequestIds<L, A> {
        RequestIds::default()
    }

    /// Adds a request with its label (OTP's `reqids_add/3`).
    pub fn add(&mut self, label: L, mut request: RequestId<A>) {
        let number = self.next;
        self.next += 1;
        let waker = Waker::from(Arc::new(Arrival { number, arrivals: self.arrivals.clone() }));
        // From now on, the waker notes when the response comes.
        let response = match request.poll_response(&mut Context::from_waker(&waker)) {
            Poll::Ready(response) => {
                self.arrivals.numbers.lock().push_back(number);
                Some(response)
            }
            Poll::Pending => None,
        };
        self.requests.insert(number, Stored { label, request, waker, response });
    }

    /// Returns the number of requests (OTP's `reqids_size/1`).
    #[must_use]
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Returns whether the collection has no requests.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Waits for the next reply, and removes its request (OTP's `receive_response/3`). `Ok(None)`
    /// if the collection is empty.
    ///
    /// # Errors
    /// If no reply comes in time. All requests are then abandoned.
    pub async fn receive_response(
        &mut self,
        limit: Duration,
    ) -> Result<Option<(L, Result<A, CallError>)>, Elapsed> {
        let next = self.wait_response(limit).await;
        if next.is_err() {
            self.requests.clear();
        }
        next
    }

    /// Waits for the next reply, and removes its request (OTP's `wait_response/3`). `Ok(None)` if
    /// the collection is empty.
    ///
    /// ```
    /// use fika::gen_server::RequestIds;
    /// # use fika::prelude::*;
    /// # struct Counter(u64);
    /// # #[gen_server]
    /// # impl Counter {
    /// #     async fn init(n: u64) -> Self { Counter(n) }
    /// #     #[call]
    /// #     async fn add(&mut self, n: u64) -> u64 { self.0 += n; self.0 }
    /// # }
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// # let counter = Counter::start_link(Start::new(), 0).await?;
    ///
    /// let mut requests = RequestIds::new();
    /// requests.add((), counter.add(1).send());
    /// let sum = loop {
    ///     match requests.wait_response(secs(1)).await {
    ///         Ok(response) => break response.map(|((), sum)| sum),
    ///         Err(_) => println!("still waiting"),
    ///     }
    /// };
    /// assert_eq!(sum.unwrap()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If no reply comes in time. The requests stay, and this can be called again.
    pub async fn wait_response(
        &mut self,
        limit: Duration,
    ) -> Result<Option<(L, Result<A, CallError>)>, Elapsed> {
        if self.is_empty() {
            return Ok(None);
        }
        let next = poll_fn(|context| self.poll_next(context).map_or(Poll::Pending, Poll::Ready));
        timeout(limit, next).await.map(Some)
    }

    /// Returns the next reply if one has come, without waiting, and removes its request (OTP's
    /// `check_response/3`).
    ///
    /// ```
    /// use fika::gen_server::RequestIds;
    /// # use fika::prelude::*;
    /// # struct Counter(u64);
    /// # #[gen_server]
    /// # impl Counter {
    /// #     async fn init(n: u64) -> Self { Counter(n) }
    /// #     #[call]
    /// #     async fn add(&mut self, n: u64) -> u64 { self.0 += n; self.0 }
    /// # }
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// # let counter = Counter::start_link(Start::new(), 0).await?;
    ///
    /// let mut requests = RequestIds::new();
    /// requests.add((), counter.add(1).send());
    /// while !requests.is_empty() {
    ///     if let Some(((), sum)) = requests.check_response().await {
    ///         assert_eq!(sum?, 1);
    ///     }
    ///     sleep(millis(1)).await;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn check_response(&mut self) -> Option<(L, Result<A, CallError>)> {
        poll_fn(|context| Poll::Ready(self.poll_next(context))).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Option<(L, Result<A, CallError>)> {
        self.arrivals.wait(context.waker());
        loop {
            let number = self.arrivals.numbers.lock().pop_front()?;
            let Some(stored) = self.requests.get_mut(&number) else { continue };
            let response = stored.response.take().map_or_else(
                || stored.request.poll_response(&mut Context::from_waker(&stored.waker)),
                Poll::Ready,
            );
            if let Poll::Ready(response) = response {
                let Stored { label, .. } = self.requests.remove(&number)?;
                return Some((label, response));
            }
        }
    }
}
