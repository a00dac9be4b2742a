-- Payments, their audit trail, and usage. Nothing here is ever deleted; what was agreed is never changed.

CREATE TABLE payment (
    id             TEXT    NOT NULL PRIMARY KEY,
    merchant       TEXT    NOT NULL,
    key            TEXT    NOT NULL,               -- the idempotency key, or one derived from the request and the moment
    fingerprint    TEXT    NOT NULL,               -- of the request that asked for it
    request_id     TEXT    NOT NULL,
    out_trade_no   TEXT    NOT NULL,
    amount_minor   INTEGER NOT NULL CHECK (amount_minor > 0),
    currency       TEXT    NOT NULL,
    description    TEXT    NOT NULL,
    method         TEXT    NOT NULL,
    amount_source  TEXT    NOT NULL,
    decided_by     TEXT    NOT NULL,
    model_version  TEXT,
    order_id       TEXT,
    order_body     BLOB    NOT NULL,               -- the bytes that are sent, and sent again
    state          TEXT    NOT NULL CHECK (state IN ('created', 'unknown', 'awaiting_user', 'paid', 'closed', 'failed')),
    version        INTEGER NOT NULL,
    code_url       TEXT,
    transaction_id TEXT,
    success_time   TEXT,
    reason         TEXT,
    created_ms     INTEGER NOT NULL,
    updated_ms     INTEGER NOT NULL,
    checks         INTEGER NOT NULL,
    next_check_ms  INTEGER,
    UNIQUE (merchant, key),
    UNIQUE (merchant, out_trade_no)
) STRICT;

CREATE INDEX payment_by_request ON payment (merchant, fingerprint, created_ms);
CREATE INDEX payment_due ON payment (next_check_ms) WHERE next_check_ms IS NOT NULL;

CREATE TRIGGER payment_terms_are_frozen BEFORE UPDATE OF id, merchant, key, fingerprint, out_trade_no, amount_minor, currency, description, order_body, created_ms ON payment
BEGIN SELECT RAISE(ABORT, 'the terms of a payment are frozen'); END;

CREATE TRIGGER payment_ends_stay BEFORE UPDATE OF state ON payment WHEN OLD.state IN ('paid', 'closed', 'failed') AND NEW.state <> OLD.state
BEGIN SELECT RAISE(ABORT, 'a final state never changes'); END;

CREATE TRIGGER payment_is_kept BEFORE DELETE ON payment
BEGIN SELECT RAISE(ABORT, 'payments are kept'); END;

CREATE TABLE audit (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms    INTEGER NOT NULL,
    kind     TEXT    NOT NULL,                     -- recorded, moved, contradiction, exception, …
    merchant TEXT,
    payment  TEXT,
    "from"   TEXT,
    "to"     TEXT,
    cause    TEXT,                                 -- create_answer, notice, query, …
    refers   TEXT,                                 -- the notice's or answer's own number
    detail   TEXT
) STRICT;

CREATE INDEX audit_by_payment ON audit (payment, seq);

CREATE TRIGGER audit_is_append_only_u BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_is_append_only_d BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;

CREATE TABLE usage (
    seq               INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms             INTEGER NOT NULL,
    request_id        TEXT    NOT NULL,
    merchant          TEXT    NOT NULL,
    provider          TEXT    NOT NULL,
    model             TEXT    NOT NULL,
    stream            INTEGER NOT NULL,
    outcome           TEXT    NOT NULL,
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    duration_ms       INTEGER NOT NULL
) STRICT;

CREATE INDEX usage_by_request ON usage (request_id);
