-- UPCOACH_MODE=views: `upcoach` over a real UpCoach's own tables in this database (docs/upcoach-views.md). Run it as a superuser, after
-- `erpctl migrate`, and again after either side's columns have changed. It is one transaction, and running it again changes nothing.
--
-- It replaces our empty tables users, subscriptions and transactions by views over UpCoach's, asks for a sync on every change of a column
-- that FlashERP sees (triggers on UpCoach's tables: one inserted row, no lock of ours), and lets FlashERP's changes in by two functions that
-- run as the owner of UpCoach's tables. Nothing but the columns named here can be read; nothing can be written past the two functions.
--
-- UpCoach's tables are looked for in schema public; elsewhere: SET upcoach.source_schema = '...' first. Columns may be in camelCase, as
-- UpCoach's models have them, or in snake_case.
BEGIN;

DO $views$
DECLARE
    source text := coalesce(nullif(current_setting('upcoach.source_schema', true), ''), 'public');
    -- what the contract calls each column, what UpCoach's model does, what it holds; optional ones may be missing
    wanted CONSTANT jsonb := '{
        "users": [
            ["id", "id", "uuid"], ["email", "email", "text"], ["name", "name", "text"],
            ["stripe_customer_id", "stripeCustomerId", "text", "optional"],
            ["created_at", "createdAt", "time"], ["updated_at", "updatedAt", "time"]],
        "subscriptions": [
            ["id", "id", "uuid"], ["user_id", "userId", "uuid"],
            ["stripe_subscription_id", "stripeSubscriptionId", "text"], ["stripe_customer_id", "stripeCustomerId", "text", "optional"],
            ["plan", "plan", "text"], ["status", "status", "text"], ["billing_interval", "billingInterval", "text"],
            ["amount", "amount", "amount"], ["currency", "currency", "text"],
            ["trial_start", "trialStartDate", "time", "optional"], ["trial_end", "trialEndDate", "time", "optional"],
            ["current_period_start", "currentPeriodStart", "time"], ["current_period_end", "currentPeriodEnd", "time"],
            ["canceled_at", "canceledAt", "time", "optional"],
            ["created_at", "createdAt", "time"], ["updated_at", "updatedAt", "time"]],
        "transactions": [
            ["id", "id", "uuid"], ["user_id", "userId", "uuid"], ["subscription_id", "subscriptionId", "uuid", "optional"],
            ["stripe_transaction_id", "stripeTransactionId", "text"], ["type", "type", "text"], ["status", "status", "text"],
            ["amount", "amount", "amount"], ["currency", "currency", "text"], ["payment_method", "paymentMethod", "text", "optional"],
            ["description", "description", "text", "optional"], ["stripe_invoice_id", "stripeInvoiceId", "text", "optional"],
            ["stripe_charge_id", "stripeChargeId", "text", "optional"], ["stripe_refund_id", "stripeRefundId", "text", "optional"],
            ["failure_reason", "failureReason", "text"], ["refunded_amount", "refundedAmount", "amount", "optional"],
            ["fee", "fee", "amount", "optional"], ["net", "net", "amount", "optional"],
            ["created_at", "createdAt", "time"], ["updated_at", "updatedAt", "time"]]
    }';
    -- the columns that FlashERP sees
    mapped CONSTANT jsonb := '{
        "users": ["email", "name", "stripe_customer_id"],
        "subscriptions": ["user_id", "stripe_subscription_id", "plan", "status", "billing_interval", "amount", "currency", "trial_end",
            "current_period_start", "current_period_end", "canceled_at"],
        "transactions": ["user_id", "stripe_transaction_id", "type", "status", "amount", "currency", "payment_method", "description",
            "refunded_amount"]
    }';
    kinds CONSTANT jsonb := '{"users": "customer", "subscriptions": "subscription", "transactions": "transaction"}';
    -- contract table -> contract column -> UpCoach's column, quoted
    columns jsonb := '{"users": {}, "subscriptions": {}, "transactions": {}}';
    views jsonb := '{}';
    name text;
    base text;
    col jsonb;
    actual record;
    expression text;
    expressions text[];
    owner text;
    filled boolean;
    f jsonb;
BEGIN
    IF to_regclass('upcoach.users') IS NULL THEN
        RAISE EXCEPTION 'schema upcoach is not there yet: run `erpctl migrate` first';
    END IF;
    FOREACH name IN ARRAY ARRAY['users', 'subscriptions', 'transactions'] LOOP
        base := format('%I.%I', source, name);
        IF to_regclass(base) IS NULL THEN
            RAISE EXCEPTION 'UpCoach''s table % is not there; SET upcoach.source_schema to the schema that holds it', base;
        END IF;
        expressions := '{}';
        FOR col IN SELECT jsonb_array_elements(wanted -> name) LOOP
            SELECT a.attname, t.typname, t.typtype, information_schema._pg_numeric_scale(a.atttypid, a.atttypmod) AS scale
                INTO actual
                FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                WHERE a.attrelid = to_regclass(base) AND a.attnum > 0 AND NOT a.attisdropped
                    AND a.attname IN (col ->> 1, lower(regexp_replace(col ->> 1, '([A-Z])', '_\1', 'g')))
                ORDER BY a.attname <> (col ->> 1) LIMIT 1;
            IF actual IS NULL THEN
                IF col ->> 3 IS NULL THEN
                    RAISE EXCEPTION '% has no column "%"', base, col ->> 1;
                END IF;
                expression := format('NULL::%s', CASE col ->> 2
                    WHEN 'time' THEN 'timestamptz' WHEN 'amount' THEN 'bigint' ELSE col ->> 2 END);
                -- users without a column for it: the customer of their newest subscription
                IF name = 'users' THEN
                    expression := '(SELECT s.%1$s::text FROM %2$s s WHERE s.%3$s = t.id AND s.%1$s IS NOT NULL ORDER BY s.%4$s DESC, s.id LIMIT 1)';
                END IF;
            ELSE
                columns := jsonb_set(columns, ARRAY[name, col ->> 0], to_jsonb(quote_ident(actual.attname)));
                expression := format('t.%I', actual.attname);
                CASE col ->> 2
                WHEN 'uuid' THEN
                    IF actual.typname <> 'uuid' THEN
                        RAISE EXCEPTION '%.% is of type %, not uuid', base, actual.attname, actual.typname;
                    END IF;
                WHEN 'text' THEN
                    expression := expression || '::text';
                WHEN 'time' THEN
                    IF actual.typname = 'timestamp' THEN
                        expression := expression || ' AT TIME ZONE ''UTC''';
                    ELSIF actual.typname <> 'timestamptz' THEN
                        RAISE EXCEPTION '%.% is of type %, not a time', base, actual.attname, actual.typname;
                    END IF;
                WHEN 'amount' THEN
                    -- UpCoach divides Stripe's amount by 100, in every currency: times 100 it is Stripe's again.
                    IF actual.typname = 'numeric' AND actual.scale = 2 THEN
                        expression := format('(%s * 100)::bigint', expression);
                    ELSIF actual.typname IN ('int4', 'int8') THEN
                        expression := expression || '::bigint';
                    ELSE
                        RAISE EXCEPTION '%.% is neither numeric(.., 2), of hundredths, nor an integer, of Stripe''s units', base, actual.attname;
                    END IF;
                    IF name = 'transactions' AND col ->> 0 = 'refunded_amount' THEN
                        expression := format('coalesce(%s, 0)', expression);
                    END IF;
                END CASE;
            END IF;
            expressions := expressions || format('%s AS %I', expression, col ->> 0);
        END LOOP;
        -- beyond UpCoach's models
        expressions := expressions || '''{}''::jsonb AS stripe_facts'::text;
        IF name = 'transactions' THEN
            expressions := expressions || 'NULL::uuid AS original_id'::text;
        END IF;
        views := jsonb_set(views, ARRAY[name], to_jsonb(format('SELECT %s FROM %s t', array_to_string(expressions, ', '), base)));
    END LOOP;
    f := columns -> 'subscriptions';
    views := jsonb_set(views, '{users}', to_jsonb(
        CASE WHEN columns -> 'users' ? 'stripe_customer_id' THEN views ->> 'users'
            WHEN f ? 'stripe_customer_id' THEN format(views ->> 'users', f ->> 'stripe_customer_id',
                format('%I.subscriptions', source), f ->> 'user_id', f ->> 'created_at')
            ELSE regexp_replace(views ->> 'users', '\(SELECT s\..*LIMIT 1\)', 'NULL::text') END));

    -- our tables give way, if nothing is in them
    IF (SELECT relkind FROM pg_class WHERE oid = 'upcoach.users'::regclass) = 'r' THEN
        EXECUTE 'SELECT EXISTS (SELECT FROM upcoach.users) OR EXISTS (SELECT FROM upcoach.subscriptions)
            OR EXISTS (SELECT FROM upcoach.transactions) OR EXISTS (SELECT FROM upcoach.user_stripe_customers)' INTO filled;
        IF filled THEN
            RAISE EXCEPTION 'schema upcoach holds records of its own (UPCOACH_MODE=tables); views would hide them';
        END IF;
        ALTER TABLE upcoach.user_stripe_customers DROP CONSTRAINT user_stripe_customers_user_id_fkey;
        DROP TABLE upcoach.users, upcoach.subscriptions, upcoach.transactions;
    END IF;

    FOREACH name IN ARRAY ARRAY['users', 'subscriptions', 'transactions'] LOOP
        base := format('%I.%I', source, name);
        f := columns -> name;
        EXECUTE format('CREATE OR REPLACE VIEW upcoach.%I AS %s', name, views ->> name);
        EXECUTE format('ALTER VIEW upcoach.%I OWNER TO erp_owner', name);
        EXECUTE format('GRANT SELECT ON upcoach.%I TO erp_sync_worker, erp_config_api, erp_scheduler, erp_reconciler', name);
        EXECUTE format('GRANT SELECT (%s) ON %s TO erp_owner', (SELECT string_agg(value, ', ') FROM jsonb_each_text(f)), base);

        EXECUTE format('CREATE OR REPLACE TRIGGER erp_request_sync_insert AFTER INSERT ON %s
            FOR EACH ROW EXECUTE FUNCTION upcoach.request_sync(%L)', base, kinds ->> name);
        SELECT string_agg('OLD.' || (f ->> c), ', '), array_agg('NEW.' || (f ->> c)) INTO expression, expressions
            FROM jsonb_array_elements_text(mapped -> name) AS c WHERE f ? c;
        EXECUTE format('CREATE OR REPLACE TRIGGER erp_request_sync_update AFTER UPDATE ON %s
            FOR EACH ROW WHEN ((%s) IS DISTINCT FROM (%s)) EXECUTE FUNCTION upcoach.request_sync(%L)',
            base, expression, array_to_string(expressions, ', '), kinds ->> name);
        -- session_replication_role = replica must not pass them by
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER erp_request_sync_insert, ENABLE ALWAYS TRIGGER erp_request_sync_update', base);
    END LOOP;

    -- a user's Stripe customer that stands in the subscription
    f := columns -> 'subscriptions';
    IF NOT columns -> 'users' ? 'stripe_customer_id' AND f ? 'stripe_customer_id' THEN
        EXECUTE format($function$
            CREATE OR REPLACE FUNCTION upcoach.request_customer_sync() RETURNS trigger
                LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
                AS $body$
            BEGIN
                INSERT INTO sync.requests (entity_type, source_id, origin) VALUES ('customer', NEW.%s, 'change');
                RETURN NULL;
            END
            $body$ $function$, f ->> 'user_id');
        ALTER FUNCTION upcoach.request_customer_sync() OWNER TO erp_owner;
        REVOKE ALL ON FUNCTION upcoach.request_customer_sync() FROM PUBLIC;
        base := format('%I.subscriptions', source);
        EXECUTE format('CREATE OR REPLACE TRIGGER erp_request_customer_insert AFTER INSERT ON %s
            FOR EACH ROW WHEN (NEW.%s IS NOT NULL) EXECUTE FUNCTION upcoach.request_customer_sync()', base, f ->> 'stripe_customer_id');
        EXECUTE format('CREATE OR REPLACE TRIGGER erp_request_customer_update AFTER UPDATE ON %1$s
            FOR EACH ROW WHEN (OLD.%2$s IS DISTINCT FROM NEW.%2$s) EXECUTE FUNCTION upcoach.request_customer_sync()',
            base, f ->> 'stripe_customer_id');
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER erp_request_customer_insert, ENABLE ALWAYS TRIGGER erp_request_customer_update',
            base);
    END IF;

    -- FlashERP's changes: each waits for UpCoach's locks 200 ms at most, and changes nothing if the row is not as it was seen. They run as
    -- the owner of UpCoach's table, who alone may write it.
    f := columns -> 'users';
    base := format('%I.users', source);
    SELECT pg_get_userbyid(relowner) INTO owner FROM pg_class WHERE oid = to_regclass(base);
    EXECUTE format($function$
        CREATE OR REPLACE FUNCTION upcoach.write_customer(p_id uuid, p_name text, p_email text, p_seen_name text, p_seen_email text
        ) RETURNS boolean
            LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
            AS $body$
            WITH written AS (
                UPDATE %1$s SET %2$s = p_name, %3$s = p_email, %4$s = clock_timestamp()
                WHERE id = p_id AND %2$s IS NOT DISTINCT FROM p_seen_name AND %3$s IS NOT DISTINCT FROM p_seen_email
                RETURNING 1
            )
            SELECT EXISTS (SELECT FROM written)
            $body$ $function$, base, f ->> 'name', f ->> 'email', f ->> 'updated_at');
    EXECUTE format('ALTER FUNCTION upcoach.write_customer(uuid, text, text, text, text) OWNER TO %I', owner);
    REVOKE ALL ON FUNCTION upcoach.write_customer(uuid, text, text, text, text) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION upcoach.write_customer(uuid, text, text, text, text) TO erp_sync_worker;

    f := columns -> 'transactions';
    base := format('%I.transactions', source);
    SELECT pg_get_userbyid(relowner) INTO owner FROM pg_class WHERE oid = to_regclass(base);
    EXECUTE format($function$
        CREATE OR REPLACE FUNCTION upcoach.write_transaction(p_id uuid, p_status text, p_failure_reason text, p_seen_status text
        ) RETURNS boolean
            LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
            AS $body$
            WITH written AS (
                UPDATE %1$s SET %2$s = p_status::%3$s, %4$s = p_failure_reason, %5$s = clock_timestamp()
                WHERE id = p_id AND %2$s::text = p_seen_status
                RETURNING 1
            )
            SELECT EXISTS (SELECT FROM written)
            $body$ $function$, base, f ->> 'status',
        (SELECT format('%I.%I', n.nspname, t.typname)
            FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = t.typnamespace
            WHERE a.attrelid = to_regclass(base) AND quote_ident(a.attname) = f ->> 'status'),
        f ->> 'failure_reason', f ->> 'updated_at');
    EXECUTE format('ALTER FUNCTION upcoach.write_transaction(uuid, text, text, text) OWNER TO %I', owner);
    REVOKE ALL ON FUNCTION upcoach.write_transaction(uuid, text, text, text) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION upcoach.write_transaction(uuid, text, text, text) TO erp_sync_worker;
END
$views$;

-- There is nothing to import into.
CREATE OR REPLACE FUNCTION upcoach.import_batch(p_type sync.entity_type, p_rows jsonb
) RETURNS TABLE (id uuid, outcome text, holder uuid, taken_column text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE EXCEPTION 'UpCoach''s records are views over its own tables here: change them in UpCoach' USING ERRCODE = 'feature_not_supported';
END
$$;

COMMIT;
