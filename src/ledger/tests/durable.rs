//! Durable: what the connection is set to, and how many changes one fsync carries.

use super::*;

#[tokio::test]
async fn a_commit_returns_after_its_fsync() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(dir.path(), &clock());
    let setting =
        async |pragma: &'static str| ledger.change(move |connection| Ok(connection.query_row(pragma, [], |row| row.get::<_, String>(0))?)).await;
    let number =
        async |pragma: &'static str| ledger.change(move |connection| Ok(connection.query_row(pragma, [], |row| row.get::<_, i64>(0))?)).await;
    assert_eq!(number("PRAGMA synchronous").await.expect("reads"), 2, "FULL");
    assert_eq!(setting("PRAGMA journal_mode").await.expect("reads"), "wal");
    assert_eq!((number("PRAGMA foreign_keys").await.expect("reads"), number("PRAGMA trusted_schema").await.expect("reads")), (1, 0));
}

#[tokio::test]
async fn changes_that_wait_together_are_one_commit() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(dir.path(), &clock());
    let id = payment(record(&ledger, Identity::Derived, "a").await).id;
    let commits = || (ledger.shared.metrics.ledger_group.get_sample_count(), ledger.shared.metrics.ledger_group.get_sample_sum());
    let before = commits();
    // The first change keeps the writer busy until the others wait together.
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let first = ledger.change(move |_| Ok(wait.recv().is_ok()));
    let note = |n: usize| AuditNote { kind: "test", merchant: None, payment: Some(id.clone()), detail: n.to_string() };
    let others = futures_util::future::join_all((0..200).map(|n| ledger.audit(note(n))));
    let release = async { go.send(()).is_ok() };
    let (first, others, _) = tokio::join!(biased; first, others, release);
    assert!(first.expect("committed") && others.iter().all(Result::is_ok));
    let after = commits();
    assert_eq!(after.1 - before.1, 201.0);
    assert!(after.0 - before.0 <= 2, "the first alone, or with the others: {} commits for 201 changes", after.0 - before.0);
    assert_eq!(ledger.audit_trail(&id).await.expect("reads").len(), 201, "each is there when its caller hears of it");
}

#[tokio::test]
async fn a_writer_that_dies_in_the_middle_leaves_doubt_and_one_that_was_closed_does_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(dir.path(), &clock());
    let died = ledger.change(|_| -> Result<(), LedgerError> { panic!("on purpose") }).await;
    assert!(matches!(died, Err(LedgerError::Uncertain(_))), "{died:?}");
    let after = ledger.change(|_| Ok(())).await;
    assert!(matches!(after, Err(LedgerError::Closed)), "{after:?}");
}
