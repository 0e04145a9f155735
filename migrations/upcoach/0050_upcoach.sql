-- The contract with the UpCoach platform (design section 2). Columns follow UpCoach's own models; amounts are in Stripe's
-- units. No foreign key points in here. UPCOACH_MODE=tables (the default) uses these tables.
--
-- Beyond the contract, each table that Stripe feeds has stripe_facts: per Stripe object (customer, payment_intent, charge,
-- ...) the newest that it told and when. The row's columns follow from them, so that neither order nor repetition of
-- events matters.
CREATE TABLE upcoach.users (
    id                 uuid PRIMARY KEY,
    email              text CHECK (length(email) <= 320),
    name               text CHECK (length(name) <= 1000),
    stripe_customer_id text UNIQUE CHECK (length(stripe_customer_id) <= 255),
    stripe_facts    jsonb NOT NULL DEFAULT '{}',
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at         timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- matching a Stripe customer by e-mail, case-insensitively
CREATE INDEX users_email ON upcoach.users (lower(email)) WHERE email IS NOT NULL;
CREATE INDEX users_created ON upcoach.users (created_at, id);

CREATE TABLE upcoach.user_stripe_customers (
    stripe_customer_id text PRIMARY KEY CHECK (length(stripe_customer_id) <= 255),
    user_id            uuid NOT NULL REFERENCES upcoach.users (id),
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at         timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX user_stripe_customers_user ON upcoach.user_stripe_customers (user_id);

CREATE TABLE upcoach.subscriptions (
    id                     uuid PRIMARY KEY,
    user_id                uuid NOT NULL,
    stripe_subscription_id text UNIQUE CHECK (length(stripe_subscription_id) <= 255),
    stripe_customer_id     text,
    plan                   text NOT NULL CHECK (plan IN ('free', 'basic', 'pro', 'team', 'enterprise')),
    status                 text NOT NULL CHECK (status IN
        ('active', 'past_due', 'canceled', 'incomplete', 'incomplete_expired', 'trialing', 'paused')),
    billing_interval       text NOT NULL CHECK (billing_interval IN ('monthly', 'quarterly', 'yearly')),
    amount                 bigint NOT NULL CHECK (amount >= 0),
    currency               text NOT NULL CHECK (currency ~ '^[A-Za-z]{3}$'),
    trial_start            timestamptz,
    trial_end              timestamptz,
    current_period_start   timestamptz,
    current_period_end     timestamptz,
    canceled_at            timestamptz,
    stripe_facts        jsonb NOT NULL DEFAULT '{}',
    created_at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at             timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX subscriptions_user ON upcoach.subscriptions (user_id);
CREATE INDEX subscriptions_created ON upcoach.subscriptions (created_at, id);
-- the job that asks for those that are running
CREATE INDEX subscriptions_running ON upcoach.subscriptions (id) WHERE status IN ('active', 'past_due', 'trialing');

CREATE TABLE upcoach.transactions (
    id                    uuid PRIMARY KEY,
    user_id               uuid NOT NULL,
    subscription_id       uuid,
    -- pi_ or, without a payment intent, ch_; dp_ or du_ of a chargeback
    stripe_transaction_id text UNIQUE CHECK (length(stripe_transaction_id) <= 255),
    type                  text NOT NULL CHECK (type IN ('payment', 'refund', 'adjustment', 'chargeback', 'payout')),
    status                text NOT NULL CHECK (status IN
        ('pending', 'completed', 'failed', 'refunded', 'partially_refunded')),
    amount                bigint NOT NULL,
    currency              text NOT NULL CHECK (currency ~ '^[A-Za-z]{3}$'),
    payment_method        text,
    description           text,
    stripe_invoice_id     text,
    stripe_charge_id      text,
    stripe_refund_id      text UNIQUE CHECK (length(stripe_refund_id) <= 255),
    -- beyond the contract: the payment that a refund or chargeback belongs to
    original_id           uuid,
    failure_reason        text,
    refunded_amount       bigint NOT NULL DEFAULT 0 CHECK (refunded_amount >= 0),
    fee                   bigint,
    net                   bigint,
    stripe_facts       jsonb NOT NULL DEFAULT '{}',
    created_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at            timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX transactions_user ON upcoach.transactions (user_id);
CREATE INDEX transactions_created ON upcoach.transactions (created_at, id);
CREATE INDEX transactions_charge ON upcoach.transactions (stripe_charge_id) WHERE stripe_charge_id IS NOT NULL;
CREATE INDEX transactions_invoice ON upcoach.transactions (stripe_invoice_id) WHERE stripe_invoice_id IS NOT NULL;
-- the refunds of a payment, of which its refunded_amount is the sum
CREATE INDEX transactions_original ON upcoach.transactions (original_id) WHERE original_id IS NOT NULL;
CREATE INDEX transactions_subscription ON upcoach.transactions (subscription_id) WHERE subscription_id IS NOT NULL;

CREATE TABLE upcoach.invoices (
    id                  uuid PRIMARY KEY,
    user_id             uuid NOT NULL,
    subscription_id     uuid,
    transaction_id      uuid,
    stripe_invoice_id   text UNIQUE CHECK (length(stripe_invoice_id) <= 255),
    flasherp_invoice_id text UNIQUE CHECK (length(flasherp_invoice_id) <= 64),
    origin              text NOT NULL DEFAULT 'upcoach' CHECK (origin IN ('upcoach', 'flasherp')),
    status              text NOT NULL CHECK (status IN ('draft', 'open', 'paid', 'void', 'uncollectible')),
    amount              bigint NOT NULL,
    currency            text NOT NULL CHECK (currency ~ '^[A-Za-z]{3}$'),
    due_date            timestamptz,
    paid_at             timestamptz,
    stripe_facts     jsonb NOT NULL DEFAULT '{}',
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX invoices_user ON upcoach.invoices (user_id);
CREATE INDEX invoices_created ON upcoach.invoices (created_at, id);

CREATE TABLE upcoach.cost_entries (
    id          uuid PRIMARY KEY DEFAULT uuidv7(),
    category    text NOT NULL CHECK (length(category) BETWEEN 1 AND 100),
    amount      bigint NOT NULL,
    currency    text NOT NULL CHECK (currency ~ '^[A-Za-z]{3}$'),
    incurred_on date NOT NULL,
    description text,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- costs of a day for the financial report
CREATE INDEX cost_entries_incurred ON upcoach.cost_entries (incurred_on);

-- Every change asks for a sync in its own transaction: one inserted row, no lock of ours, no notification (design
-- section 2: pg_notify here cuts 32 clients from 23 thousand commits/s to 5; a poll every 100 ms finds the rows).
CREATE FUNCTION upcoach.request_sync() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO sync.requests (entity_type, source_id, origin) VALUES (TG_ARGV[0]::sync.entity_type, NEW.id, 'change');
    RETURN NULL;
END
$$;

CREATE TRIGGER request_sync_insert AFTER INSERT ON upcoach.users
    FOR EACH ROW EXECUTE FUNCTION upcoach.request_sync('customer');
CREATE TRIGGER request_sync_update AFTER UPDATE ON upcoach.users
    FOR EACH ROW WHEN ((OLD.email, OLD.name, OLD.stripe_customer_id)
        IS DISTINCT FROM (NEW.email, NEW.name, NEW.stripe_customer_id))
    EXECUTE FUNCTION upcoach.request_sync('customer');

CREATE TRIGGER request_sync_insert AFTER INSERT ON upcoach.transactions
    FOR EACH ROW EXECUTE FUNCTION upcoach.request_sync('transaction');
CREATE TRIGGER request_sync_update AFTER UPDATE ON upcoach.transactions
    FOR EACH ROW WHEN ((OLD.user_id, OLD.stripe_transaction_id, OLD.type, OLD.status, OLD.amount, OLD.currency,
            OLD.payment_method, OLD.description, OLD.refunded_amount)
        IS DISTINCT FROM (NEW.user_id, NEW.stripe_transaction_id, NEW.type, NEW.status, NEW.amount, NEW.currency,
            NEW.payment_method, NEW.description, NEW.refunded_amount))
    EXECUTE FUNCTION upcoach.request_sync('transaction');

CREATE TRIGGER request_sync_insert AFTER INSERT ON upcoach.subscriptions
    FOR EACH ROW EXECUTE FUNCTION upcoach.request_sync('subscription');
CREATE TRIGGER request_sync_update AFTER UPDATE ON upcoach.subscriptions
    FOR EACH ROW WHEN ((OLD.user_id, OLD.stripe_subscription_id, OLD.plan, OLD.status, OLD.billing_interval, OLD.amount,
            OLD.currency, OLD.trial_end, OLD.current_period_start, OLD.current_period_end, OLD.canceled_at)
        IS DISTINCT FROM (NEW.user_id, NEW.stripe_subscription_id, NEW.plan, NEW.status, NEW.billing_interval, NEW.amount,
            NEW.currency, NEW.trial_end, NEW.current_period_start, NEW.current_period_end, NEW.canceled_at))
    EXECUTE FUNCTION upcoach.request_sync('subscription');

CREATE TRIGGER request_sync_insert AFTER INSERT ON upcoach.invoices
    FOR EACH ROW EXECUTE FUNCTION upcoach.request_sync('invoice');
CREATE TRIGGER request_sync_update AFTER UPDATE ON upcoach.invoices
    FOR EACH ROW WHEN ((OLD.user_id, OLD.transaction_id, OLD.status, OLD.amount, OLD.currency, OLD.due_date, OLD.paid_at)
        IS DISTINCT FROM (NEW.user_id, NEW.transaction_id, NEW.status, NEW.amount, NEW.currency, NEW.due_date, NEW.paid_at))
    EXECUTE FUNCTION upcoach.request_sync('invoice');

-- session_replication_role = replica must not pass them by
ALTER TABLE upcoach.users ENABLE ALWAYS TRIGGER request_sync_insert;
ALTER TABLE upcoach.users ENABLE ALWAYS TRIGGER request_sync_update;
ALTER TABLE upcoach.transactions ENABLE ALWAYS TRIGGER request_sync_insert;
ALTER TABLE upcoach.transactions ENABLE ALWAYS TRIGGER request_sync_update;
ALTER TABLE upcoach.subscriptions ENABLE ALWAYS TRIGGER request_sync_insert;
ALTER TABLE upcoach.subscriptions ENABLE ALWAYS TRIGGER request_sync_update;
ALTER TABLE upcoach.invoices ENABLE ALWAYS TRIGGER request_sync_insert;
ALTER TABLE upcoach.invoices ENABLE ALWAYS TRIGGER request_sync_update;

-- Takes rows over that UpCoach exported: each is inserted, or brings those of its fields up to date that it has. A row that Stripe's events
-- feed is left to them. What would take a Stripe id from another row changes nothing. Says for each row, in the order given, what became of
-- it: created, updated, unchanged, stripes, or taken (by which row, by which column).
CREATE FUNCTION upcoach.import_batch(p_type sync.entity_type, p_rows jsonb
) RETURNS TABLE (id uuid, outcome text, holder uuid, taken_column text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_table text;
    -- beside id, created_at and updated_at
    v_columns text[];
    -- no two rows have the same
    v_unique text[];
    v_defaults jsonb;
    v_taken text;
BEGIN
    SELECT kind.of, kind.columns, kind.unique_columns, kind.defaults INTO STRICT v_table, v_columns, v_unique, v_defaults
    FROM (VALUES
        ('customer'::sync.entity_type, 'users', ARRAY['email', 'name', 'stripe_customer_id'], ARRAY['stripe_customer_id'], '{}'::jsonb),
        ('subscription', 'subscriptions',
            ARRAY['user_id', 'stripe_subscription_id', 'stripe_customer_id', 'plan', 'status', 'billing_interval', 'amount', 'currency',
                'trial_start', 'trial_end', 'current_period_start', 'current_period_end', 'canceled_at'],
            ARRAY['stripe_subscription_id'], '{}'),
        ('transaction', 'transactions',
            ARRAY['user_id', 'subscription_id', 'stripe_transaction_id', 'type', 'status', 'amount', 'currency', 'payment_method',
                'description', 'stripe_invoice_id', 'stripe_charge_id', 'stripe_refund_id', 'failure_reason', 'refunded_amount', 'fee',
                'net'],
            ARRAY['stripe_transaction_id', 'stripe_refund_id'], '{"refunded_amount": 0}'),
        ('invoice', 'invoices',
            ARRAY['user_id', 'subscription_id', 'transaction_id', 'stripe_invoice_id', 'status', 'amount', 'currency', 'due_date', 'paid_at'],
            ARRAY['stripe_invoice_id'], '{}')
    ) AS kind (type, of, columns, unique_columns, defaults)
    WHERE kind.type = p_type;

    -- In a statement of its own, so that the next one sees what others committed while this waited; in id order, as all do.
    EXECUTE format(
        'SELECT count(*) FROM (
            SELECT FROM upcoach.%I u WHERE u.id IN (SELECT (g.row ->> ''id'')::uuid FROM jsonb_array_elements($1) AS g (row))
            ORDER BY u.id FOR UPDATE) AS locked', v_table)
    USING p_rows;

    SELECT string_agg(format(
            'SELECT g.id, u.id AS holder, %L AS taken_column FROM given g JOIN upcoach.%I u ON u.%I = g.row ->> %L AND u.id <> g.id',
            name, v_table, name, name), ' UNION ALL ')
        INTO v_taken FROM unnest(v_unique) AS name;
    IF p_type = 'customer' THEN
        v_taken := v_taken || ' UNION ALL SELECT g.id, l.user_id, ''stripe_customer_id'' FROM given g
            JOIN upcoach.user_stripe_customers l ON l.stripe_customer_id = g.row ->> ''stripe_customer_id'' AND l.user_id <> g.id';
    END IF;

    RETURN QUERY EXECUTE format($statement$
        WITH given AS MATERIALIZED (
            SELECT (g.row ->> 'id')::uuid AS id, g.row, g.position FROM jsonb_array_elements($1) WITH ORDINALITY AS g (row, position)
        ), taken AS MATERIALIZED (
            SELECT DISTINCT ON (t.id) t.* FROM (%1$s) AS t ORDER BY t.id
        ), free AS MATERIALIZED (
            SELECT g.id, g.row FROM given g WHERE NOT EXISTS (SELECT FROM taken t WHERE t.id = g.id)
        ), differing AS MATERIALIZED (
            SELECT m.*, f.row ? 'updated_at' AS is_dated, u.stripe_facts <> '{}' AS is_stripes
            FROM free f JOIN upcoach.%2$I u ON u.id = f.id, LATERAL jsonb_populate_record(u, f.row) AS m
            WHERE (%3$s, u.created_at, u.updated_at) IS DISTINCT FROM (%4$s, m.created_at, m.updated_at)
        ), updated AS (
            UPDATE upcoach.%2$I u
            SET (%5$s, created_at, updated_at) =
                ROW (%4$s, m.created_at, CASE WHEN m.is_dated THEN m.updated_at ELSE clock_timestamp() END)
            FROM differing m WHERE u.id = m.id AND NOT m.is_stripes
            RETURNING u.id
        ), created AS (
            INSERT INTO upcoach.%2$I (id, %5$s, created_at, updated_at)
            SELECT m.id, %4$s, coalesce(m.created_at, clock_timestamp()), coalesce(m.updated_at, clock_timestamp())
            FROM free f, LATERAL jsonb_populate_record(NULL::upcoach.%2$I, $2 || f.row) AS m
            WHERE NOT EXISTS (SELECT FROM upcoach.%2$I u WHERE u.id = f.id) ORDER BY m.id
            RETURNING id
        )
        SELECT g.id,
            CASE WHEN t.id IS NOT NULL THEN 'taken'
                WHEN c.id IS NOT NULL THEN 'created'
                WHEN u.id IS NOT NULL THEN 'updated'
                WHEN d.id IS NOT NULL THEN 'stripes'
                ELSE 'unchanged' END,
            t.holder, t.taken_column
        FROM given g LEFT JOIN taken t ON t.id = g.id LEFT JOIN created c ON c.id = g.id LEFT JOIN updated u ON u.id = g.id
            LEFT JOIN differing d ON d.id = g.id
        ORDER BY g.position
        $statement$,
        v_taken, v_table,
        (SELECT string_agg(format('u.%I', name), ', ' ORDER BY place) FROM unnest(v_columns) WITH ORDINALITY AS c (name, place)),
        (SELECT string_agg(format('m.%I', name), ', ' ORDER BY place) FROM unnest(v_columns) WITH ORDINALITY AS c (name, place)),
        (SELECT string_agg(format('%I', name), ', ' ORDER BY place) FROM unnest(v_columns) WITH ORDINALITY AS c (name, place)))
    USING p_rows, v_defaults;
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE
    ON upcoach.users, upcoach.user_stripe_customers, upcoach.subscriptions, upcoach.transactions, upcoach.invoices,
        upcoach.cost_entries
    TO erp_sync_worker;
-- the contract itself is what the others read
GRANT SELECT
    ON upcoach.users, upcoach.user_stripe_customers, upcoach.subscriptions, upcoach.transactions, upcoach.invoices,
        upcoach.cost_entries
    TO erp_config_api, erp_scheduler, erp_reconciler;
GRANT EXECUTE ON FUNCTION upcoach.import_batch(sync.entity_type, jsonb) TO erp_config_api;
