//! The ledger: what is true about payments, in SQLite. Written before anything leaves, moved by compare-and-set, every move with its audit
//! entry in the same commit. One handle, cheap to clone; one writing thread, one reading thread.

mod audit;
mod books;
mod error;
mod outbox;
mod payments;
mod refunds;
mod row;
mod schema;
mod usage;
mod watch;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{broadcast, oneshot};
use tokio::time::Instant;

pub use audit::{AuditEntry, AuditNote, Cause};
pub use books::Books;
pub use error::LedgerError;
pub use payments::{Applied, OpenCounts, Opened};
pub use refunds::{RefundApplied, RefundBody, RefundOpened};

use crate::chat::usage::UsageRecord;
use crate::clock::{Clock, UnixMs};
use crate::ids::{Fingerprint, IdempotencyKey, MerchantId, OutTradeNo, PaymentId, RequestId};
use crate::metrics::Metrics;
use crate::payment::record::{NewPayment, Payment};
use crate::payment::state::{Event, State, Step};
use writer::{Finish, Laid, Tray, Work, Writer};

/// Most changes, and most questions, that wait at once; beyond it the ledger says that it is busy.
const QUEUE_MAX: usize = 4_096;

/// Change reports a slow listener may fall behind by before it is told that it missed some.
const REPORTS_MAX: usize = 1_024;

/// Makes the bytes of an order, once its number and its time of recording are known.
pub type OrderBody = Box<dyn FnOnce(&OutTradeNo, UnixMs) -> Vec<u8> + Send>;

type Question = Box<dyn FnOnce(&Connection) + Send>;

/// The handle.
#[derive(Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
}

struct Shared {
    work: SyncSender<Work>,
    tray: Arc<Tray>,
    questions: SyncSender<Question>,
    changes: broadcast::Sender<PaymentId>,
    failed: Arc<AtomicBool>,
    clock: Clock,
    metrics: Metrics,
    /// Given up when the ledger is closed: then another process may have the file.
    lock: Mutex<Option<File>>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ledger")
    }
}

impl Ledger {
    /// Opens the ledger at `url` (`sqlite:PATH`), making it if it is not there. Fails if another process has it.
    pub fn open(url: &str, clock: Clock, metrics: Metrics) -> Result<Self, LedgerError> {
        let path = schema::settle(&PathBuf::from(url.strip_prefix("sqlite:").unwrap_or(url)))?;
        let lock = schema::lock(&path)?;
        let connection = schema::open_writer(&path)?;
        let failed = Arc::new(AtomicBool::new(false));
        let (work, queue) = sync_channel(QUEUE_MAX);
        let tray = Arc::new(Tray::default());
        let writer = Writer { connection, work: queue, tray: Arc::clone(&tray), failed: Arc::clone(&failed), metrics: metrics.clone() };
        start("ledger-writer", &path, move || writer.run())?;
        let questions = reading(&path)?;
        let (changes, _) = broadcast::channel(REPORTS_MAX);
        Ok(Self { shared: Arc::new(Shared { work, tray, questions, changes, failed, clock, metrics, lock: Mutex::new(Some(lock)) }) })
    }

    /// Records a payment, durably, or finds the one that exists under its identity. `body` makes the order's bytes; it is called only for a
    /// new payment.
    pub async fn open_payment(&self, new: NewPayment, body: OrderBody) -> Result<Opened, LedgerError> {
        let now = self.shared.clock.now();
        let opened = self.change(move |connection| payments::open(connection, new, body, now)).await?;
        if let Opened::New(payment) = &opened {
            self.report(payment);
        }
        Ok(opened)
    }

    /// The same for an order whose merchant wants to be told at `notify_url` when it is paid.
    pub async fn open_payment_telling(&self, new: NewPayment, body: OrderBody, notify_url: String) -> Result<Opened, LedgerError> {
        let now = self.shared.clock.now();
        let opened = self
            .change(move |connection| {
                let opened = payments::open(connection, new, body, now)?;
                if let Opened::New(payment) = &opened {
                    outbox::remember(connection, &payment.id, &notify_url)?;
                }
                Ok(opened)
            })
            .await?;
        if let Opened::New(payment) = &opened {
            self.report(payment);
        }
        Ok(opened)
    }

    /// Moves a payment by an event: compare-and-set with its audit entry in the same commit. An event that changes nothing writes nothing;
    /// one that contradicts a final state is written into the audit trail and moves nothing.
    pub async fn apply(&self, id: &PaymentId, event: Event, cause: Cause) -> Result<Applied, LedgerError> {
        let (id, now) = (id.clone(), self.shared.clock.now());
        let applied = self.change(move |connection| payments::apply(connection, &id, &event, &cause, now)).await?;
        if let Step::To(state) = applied.step {
            self.report(&applied.payment);
            if state == State::Paid {
                self.took(&applied.payment);
            }
        }
        Ok(applied)
    }

    /// Notes that the payment side was asked about a payment and had nothing new: the next question waits longer.
    pub async fn checked(&self, id: &PaymentId) -> Result<(), LedgerError> {
        let (id, now) = (id.clone(), self.shared.clock.now());
        self.change(move |connection| payments::checked(connection, &id, now)).await
    }

    /// Writes an entry of the audit trail that moves nothing.
    pub async fn audit(&self, note: AuditNote) -> Result<(), LedgerError> {
        let now = self.shared.clock.now();
        self.change(move |connection| audit::note(connection, &note, now)).await
    }

    /// Keeps a usage record, soon: nobody waits for it. If it cannot be kept a metric says so.
    pub fn record_usage(&self, record: UsageRecord) {
        match self.shared.tray.lay(record, self.shared.clock.now()) {
            // A full queue needs no telling: the writer is at work, and every commit takes the tray along.
            Laid::First => drop(self.shared.work.try_send(Work::UsageWaits)),
            Laid::More => {}
            Laid::Full => self.shared.metrics.usage_dropped.with_label_values(&["tray_full"]).inc(),
        }
    }

    /// A payment by its public name.
    pub async fn payment(&self, id: &PaymentId) -> Result<Option<Payment>, LedgerError> {
        let id = id.clone();
        self.ask(move |connection| payments::by_id(connection, &id)).await
    }

    /// A merchant's payment by its number at the payment side.
    pub async fn payment_by_out_trade_no(&self, merchant: &MerchantId, out_trade_no: &OutTradeNo) -> Result<Option<Payment>, LedgerError> {
        let (merchant, number) = (merchant.clone(), out_trade_no.clone());
        self.ask(move |connection| payments::by_number(connection, &merchant, &number)).await
    }

    /// The payment an equal request without an idempotency key made, if that was within [`crate::payment::record::Identity::WINDOW_MS`].
    pub async fn payment_by_request(&self, merchant: &MerchantId, fingerprint: &Fingerprint) -> Result<Option<Payment>, LedgerError> {
        let (merchant, fingerprint, now) = (merchant.clone(), fingerprint.clone(), self.shared.clock.now());
        self.ask(move |connection| payments::by_request(connection, &merchant, &fingerprint, now)).await
    }

    /// The payment under a name the caller gave it.
    pub async fn payment_by_name(&self, merchant: &MerchantId, name: &IdempotencyKey) -> Result<Option<Payment>, LedgerError> {
        let (merchant, name) = (merchant.clone(), name.clone());
        self.ask(move |connection| payments::by_name(connection, &merchant, &name)).await
    }

    /// Payments the payment side should be asked about by now, the most overdue first.
    pub async fn due(&self, now: UnixMs, limit: u32) -> Result<Vec<Payment>, LedgerError> {
        self.ask(move |connection| payments::due(connection, now, limit)).await
    }

    /// How many payments are open, by state, and since when the oldest of unknown outcome is.
    pub async fn open_counts(&self) -> Result<OpenCounts, LedgerError> {
        self.ask(payments::open_counts).await
    }

    /// Everything the audit trail says of a payment, oldest first.
    pub async fn audit_trail(&self, id: &PaymentId) -> Result<Vec<AuditEntry>, LedgerError> {
        let id = id.clone();
        self.ask(move |connection| audit::trail(connection, &id)).await
    }

    /// The usage records of one request, oldest first. A record may take a fifth of a second to appear.
    pub async fn usage_of(&self, request: &RequestId) -> Result<Vec<UsageRecord>, LedgerError> {
        let request = request.clone();
        self.ask(move |connection| usage::of_request(connection, &request)).await
    }

    /// Reports every payment that is recorded or moves, once it is durable.
    pub fn changes(&self) -> broadcast::Receiver<PaymentId> {
        self.shared.changes.subscribe()
    }

    /// Whether the ledger can be read, its payments included, and would be written.
    pub async fn ping(&self) -> Result<(), LedgerError> {
        if self.shared.failed.load(Ordering::SeqCst) {
            return Err(LedgerError::Failed);
        }
        self.ask(|connection| Ok(connection.query_row("SELECT count(*) FROM (SELECT 1 FROM payment LIMIT 1)", [], |_| Ok(()))?)).await
    }

    /// Commits what waits and closes the file for writing.
    pub async fn close(&self) -> Result<(), LedgerError> {
        let (tell, told) = oneshot::channel();
        let finish: Finish = Box::new(move |outcome| {
            let _ = tell.send(outcome);
        });
        self.queue(Work::Close(finish))?;
        let outcome = told.await.map_err(|_| LedgerError::Closed)?;
        self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        outcome
    }

    fn report(&self, payment: &Payment) {
        let metrics = &self.shared.metrics;
        metrics.payments.with_label_values(&[payment.state.name(), payment.decided_by.name()]).inc();
        // Nobody may be listening, which is no fault.
        let _ = self.shared.changes.send(payment.id.clone());
    }

    fn took(&self, payment: &Payment) {
        let ms = u64::try_from(payment.updated.0.saturating_sub(payment.created.0)).unwrap_or_default();
        self.shared.metrics.time_to_paid.observe(crate::metrics::seconds(std::time::Duration::from_millis(ms)));
    }

    /// Runs `change` in the writer's next commit; the answer comes once it is durable. A caller that goes away leaves the change standing.
    async fn change<T, F>(&self, change: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    {
        if self.shared.failed.load(Ordering::SeqCst) {
            return Err(LedgerError::Failed);
        }
        let (tell, told) = oneshot::channel();
        let begun = Arc::new(AtomicBool::new(false));
        let begin = Arc::clone(&begun);
        let work = Work::Change(
            Box::new(move |connection| {
                begin.store(true, Ordering::SeqCst);
                let outcome = connection.and_then(|connection| writer::in_savepoint(connection, change));
                Box::new(move |committed: Result<(), LedgerError>| {
                    // A change's own fault says more than the fate of the commit it was in.
                    let _ = tell.send(outcome.and_then(|value| committed.map(|()| value)));
                })
            }),
            Instant::now(),
        );
        self.queue(work)?;
        // The writer is gone: either it was closed before it came to this change, or it died in the middle.
        told.await.map_err(|_| match begun.load(Ordering::SeqCst) {
            true => LedgerError::Uncertain("the writer ended without an answer".to_owned()),
            false => LedgerError::Closed,
        })?
    }

    fn queue(&self, work: Work) -> Result<(), LedgerError> {
        self.shared.work.try_send(work).map_err(|e| match e {
            TrySendError::Full(_) => LedgerError::Busy,
            TrySendError::Disconnected(_) => LedgerError::Closed,
        })
    }

    /// Asks the reading thread.
    async fn ask<T, F>(&self, question: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let question: Question = Box::new(move |connection| {
            let _ = tell.send(question(connection));
        });
        self.shared.questions.try_send(question).map_err(|e| match e {
            TrySendError::Full(_) => LedgerError::Busy,
            TrySendError::Disconnected(_) => LedgerError::Closed,
        })?;
        told.await.map_err(|_| LedgerError::Closed)?
    }
}

/// Starts the reading thread.
fn reading(path: &Path) -> Result<SyncSender<Question>, LedgerError> {
    let connection = schema::open_reader(path)?;
    let (questions, queue) = sync_channel::<Question>(QUEUE_MAX);
    start("ledger-reader", path, move || {
        while let Ok(question) = queue.recv() {
            question(&connection);
        }
    })?;
    Ok(questions)
}

#[expect(clippy::disallowed_methods, reason = "SQLite blocks: its two threads are the ledger's own, and end when it is closed")]
fn start(name: &str, path: &Path, run: impl FnOnce() + Send + 'static) -> Result<(), LedgerError> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    started.map(|_| ()).map_err(|e| LedgerError::Open { path: path.to_owned(), why: e.to_string() })
}

#[cfg(test)]
mod tests;
