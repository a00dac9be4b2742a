-- The classic path: orders a merchant writes itself and fengate signs, and the notices about them that fengate passes on.

CREATE TABLE pass_on (
    payment    TEXT NOT NULL PRIMARY KEY,
    notify_url TEXT NOT NULL                       -- the merchant's own; the payment side is told fengate's
) STRICT;

CREATE TABLE outbox (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    merchant   TEXT    NOT NULL,
    payment    TEXT    NOT NULL,
    notice_id  TEXT    NOT NULL,                   -- the same with every delivery
    event_type TEXT    NOT NULL,                   -- TRANSACTION.SUCCESS, …
    notify_url TEXT    NOT NULL,
    resource   BLOB    NOT NULL,                   -- what the payment side said, unsealed; sealed anew with every delivery
    created_ms INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,
    answered   INTEGER,                            -- the last answer's status; 0 for none
    next_ms    INTEGER,                            -- NULL once it is taken, or given up
    UNIQUE (payment, event_type)
) STRICT;

CREATE INDEX outbox_due ON outbox (next_ms) WHERE next_ms IS NOT NULL;

CREATE TRIGGER outbox_is_kept BEFORE DELETE ON outbox
BEGIN SELECT RAISE(ABORT, 'notices are kept'); END;
