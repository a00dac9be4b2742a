-- Refunds. Payments gain the states that follow from them, which takes a new table: a CHECK cannot be widened in place.

CREATE TABLE payment_2 (
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
    state          TEXT    NOT NULL CHECK (state IN ('created', 'unknown', 'awaiting_user', 'paid', 'refunding', 'partially_refunded', 'refunded', 'closed', 'failed')),
    version        INTEGER NOT NULL,
    code_url       TEXT,
    transaction_id TEXT,
    success_time   TEXT,
    refunded_minor INTEGER NOT NULL DEFAULT 0 CHECK (refunded_minor BETWEEN 0 AND amount_minor),   -- given back for certain
    reason         TEXT,
    created_ms     INTEGER NOT NULL,
    updated_ms     INTEGER NOT NULL,
    checks         INTEGER NOT NULL,
    next_check_ms  INTEGER,
    UNIQUE (merchant, key),
    UNIQUE (merchant, out_trade_no)
) STRICT;

INSERT INTO payment_2 (id, merchant, key, fingerprint, request_id, out_trade_no, amount_minor, currency, description, method, amount_source, decided_by,
                       model_version, order_id, order_body, state, version, code_url, transaction_id, success_time, reason, created_ms, updated_ms, checks,
                       next_check_ms)
SELECT id, merchant, key, fingerprint, request_id, out_trade_no, amount_minor, currency, description, method, amount_source, decided_by,
       model_version, order_id, order_body, state, version, code_url, transaction_id, success_time, reason, created_ms, updated_ms, checks,
       next_check_ms
FROM payment;

DROP TABLE payment;
ALTER TABLE payment_2 RENAME TO payment;

CREATE INDEX payment_by_request ON payment (merchant, fingerprint, created_ms);
CREATE INDEX payment_by_order ON payment (merchant, order_id, created_ms) WHERE order_id IS NOT NULL;
CREATE INDEX payment_due ON payment (next_check_ms) WHERE next_check_ms IS NOT NULL;

CREATE TRIGGER payment_terms_are_frozen BEFORE UPDATE OF id, merchant, key, fingerprint, out_trade_no, amount_minor, currency, description, order_body, created_ms ON payment
BEGIN SELECT RAISE(ABORT, 'the terms of a payment are frozen'); END;

CREATE TRIGGER payment_ends_stay BEFORE UPDATE OF state ON payment WHEN OLD.state IN ('closed', 'failed', 'refunded') AND NEW.state <> OLD.state
BEGIN SELECT RAISE(ABORT, 'a final state never changes'); END;

CREATE TRIGGER payment_paid_stays_paid BEFORE UPDATE OF state ON payment
WHEN OLD.state IN ('paid', 'refunding', 'partially_refunded') AND NEW.state NOT IN ('paid', 'refunding', 'partially_refunded', 'refunded')
BEGIN SELECT RAISE(ABORT, 'what was paid stays paid'); END;

CREATE TRIGGER payment_is_kept BEFORE DELETE ON payment
BEGIN SELECT RAISE(ABORT, 'payments are kept'); END;

CREATE TABLE refund (
    merchant       TEXT    NOT NULL,
    out_refund_no  TEXT    NOT NULL,
    payment        TEXT    NOT NULL REFERENCES payment (id),
    key            TEXT    NOT NULL,               -- what makes it the same refund of its payment
    fingerprint    TEXT    NOT NULL,               -- of the request that asked for it
    request_id     TEXT    NOT NULL,
    amount_minor   INTEGER NOT NULL CHECK (amount_minor > 0),
    currency       TEXT    NOT NULL,
    reason         TEXT,                           -- what the payer reads
    amount_source  TEXT    NOT NULL,
    decided_by     TEXT    NOT NULL,
    model_version  TEXT,
    body           BLOB    NOT NULL,               -- the bytes that are sent, and sent again
    state          TEXT    NOT NULL CHECK (state IN ('created', 'unknown', 'waiting', 'processing', 'abnormal', 'refunded', 'failed')),
    version        INTEGER NOT NULL,
    refund_id      TEXT,
    success_time   TEXT,
    why            TEXT,
    created_ms     INTEGER NOT NULL,
    updated_ms     INTEGER NOT NULL,
    checks         INTEGER NOT NULL,
    next_check_ms  INTEGER,
    PRIMARY KEY (merchant, out_refund_no),
    UNIQUE (payment, key)
) STRICT;

CREATE INDEX refund_by_key ON refund (merchant, key);
CREATE INDEX refund_by_request ON refund (merchant, fingerprint);
CREATE INDEX refund_due ON refund (next_check_ms) WHERE next_check_ms IS NOT NULL;

CREATE TRIGGER refund_terms_are_frozen BEFORE UPDATE OF merchant, out_refund_no, payment, key, fingerprint, amount_minor, currency, reason, body, created_ms ON refund
BEGIN SELECT RAISE(ABORT, 'the terms of a refund are frozen'); END;

CREATE TRIGGER refund_ends_stay BEFORE UPDATE OF state ON refund WHEN OLD.state IN ('refunded', 'failed') AND NEW.state <> OLD.state
BEGIN SELECT RAISE(ABORT, 'a final state never changes'); END;

CREATE TRIGGER refund_is_kept BEFORE DELETE ON refund
BEGIN SELECT RAISE(ABORT, 'refunds are kept'); END;

-- The same rule the code keeps, kept once more where the money is written down.
CREATE TRIGGER refund_within_what_was_paid BEFORE INSERT ON refund
WHEN NEW.amount_minor + (SELECT coalesce(sum(amount_minor), 0) FROM refund WHERE payment = NEW.payment AND state <> 'failed')
     > coalesce((SELECT amount_minor FROM payment WHERE id = NEW.payment AND merchant = NEW.merchant AND currency = NEW.currency), 0)
BEGIN SELECT RAISE(ABORT, 'refunds never exceed what was paid'); END;

ALTER TABLE audit ADD COLUMN refund TEXT;           -- the out_refund_no an entry is about
