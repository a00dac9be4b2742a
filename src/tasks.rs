//! The one place that spawns tasks. What is spawned here is known by its kind and is waited for when the process drains.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A handle through which every part of the house starts background work; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    /// Work that must end well before the process may stop: payments, open connections.
    vital: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// A new, empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts work that a drain waits for: a payment, a connection. It is not cancelled when the handle is dropped.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that spawns tasks")]
    pub fn vital<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(self.vital.track_future(work))
    }

    /// Starts work that runs for the life of the process (a sweep, a listener) and is cut at the next await once
    /// [`Tasks::stop`] is called.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that spawns tasks")]
    pub fn background<F>(&self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Tells background work, listeners and idle connections to end; vital work goes on.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Resolves once [`Tasks::stop`] has been called.
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + 'static {
        self.stop.clone().cancelled_owned()
    }

    /// Whether [`Tasks::stop`] has been called.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Waits until all vital work has ended. Call [`Tasks::stop`] first, or new work may keep coming.
    pub async fn drained(&self) {
        self.vital.close();
        self.vital.wait().await;
    }

    /// How many pieces of vital work are under way.
    pub fn vital_count(&self) -> usize {
        self.vital.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_drain_waits_for_vital_work_and_cuts_the_rest() {
        let tasks = Tasks::new();
        let paid = tasks.vital(async {
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            "paid"
        });
        tasks.background(std::future::pending());
        tasks.stop();
        tasks.drained().await;
        assert_eq!(paid.await.ok(), Some("paid"));
    }
}
