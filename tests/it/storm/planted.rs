//! Whether the checker would find anything: a system at rest in which nothing is wrong, and then one thing planted at a time, at every place it looks
//! at, of every class that the place can have. What is planted in the database is rolled back; FlashERP keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use testkit::checker::Verdict;
use testkit::faults::Fault;
use testkit::sandbox::WebhookSettings;

use super::{Run, Size};

/// Lets a superuser do in a transaction what nobody may.
const UNLOCKED: &str = "SET LOCAL session_replication_role = replica;
    ALTER TABLE audit.erp_audit_logs DISABLE TRIGGER ALL;
    DO $$ DECLARE one record; BEGIN
        FOR one IN SELECT x.indrelid::regclass AS of, x.indexrelid::regclass AS index, c.conname AS rule FROM pg_index x
            LEFT JOIN pg_constraint c ON c.conindid = x.indexrelid AND c.contype = 'u'
            WHERE x.indisunique AND NOT x.indisprimary AND x.indrelid = ANY (ARRAY['ingress.webhook_events', 'upcoach.users',
                'upcoach.transactions', 'upcoach.invoices', 'sync.erp_syncs', 'reconciliation.runs']::regclass[])
        LOOP
            IF one.rule IS NULL THEN EXECUTE format('DROP INDEX %s', one.index);
            ELSE EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.of, one.rule);
            END IF;
        END LOOP;
    END $$;
    ALTER TABLE sync.erp_syncs ALTER COLUMN tried_at DROP EXPRESSION, ALTER COLUMN error_fingerprint DROP EXPRESSION";

/// A place in the database: how its table is called, which row is tampered with, and what the checker calls it.
struct Place {
    name: &'static str,
    table: &'static str,
    /// `x` is the row.
    row: &'static str,
    called: &'static str,
    /// The rows that are gone together, when one is lost.
    together: &'static str,
    /// Columns of a second row of the same thing, and of one of something else.
    second: &'static str,
    strange: &'static str,
    /// Columns with a value that nobody sent; empty where only its being there counts.
    different: &'static str,
}

const OURS: &str =
    "(SELECT coalesce(t.stripe_transaction_id, t.id::text) FROM upcoach.transactions t WHERE t.id = x.source_id)";
const AUDIT: &str = "audit.erp_audit_logs";

const PLACES: [Place; 10] = [
    Place {
        name: "ingress.webhook_events",
        table: "ingress.webhook_events",
        row: "x.event_type = 'payment_intent.succeeded'",
        called: "x.event_id",
        together: "x.id = y.id",
        second: "'id', gen_random_uuid()",
        strange: "'id', gen_random_uuid(), 'event_id', 'evt_that_nobody_sent'",
        different: "status = 'received', due_at = clock_timestamp()",
    },
    Place {
        name: "webhooks in the audit log",
        table: AUDIT,
        row: "x.action = 'webhook_received' AND x.status = 'success' AND x.metadata ->> 'eventId' NOT LIKE 'pull:%'",
        called: "x.metadata ->> 'eventId'",
        together: "x.id = y.id",
        second: "'id', gen_random_uuid()",
        strange: "'id', gen_random_uuid(), 'metadata', x.metadata || '{\"eventId\": \"evt_that_nobody_sent\"}'",
        different: "metadata = x.metadata || '{\"status\": \"ignored\"}'",
    },
    Place {
        name: "upcoach.transactions",
        table: "upcoach.transactions",
        row: "x.stripe_transaction_id IS NOT NULL",
        called: "x.stripe_transaction_id",
        together: "x.id = y.id",
        second: "'id', gen_random_uuid()",
        strange: "'id', gen_random_uuid(), 'stripe_transaction_id', 'pi_that_nobody_paid'",
        different: "amount = x.amount + 1",
    },
    Place {
        name: "upcoach.users",
        table: "upcoach.users",
        row: "x.stripe_customer_id IS NOT NULL",
        called: "x.stripe_customer_id",
        together: "x.id = y.id",
        second: "'id', gen_random_uuid()",
        strange: "'id', gen_random_uuid(), 'stripe_customer_id', 'cus_that_is_nobody'",
        different: "email = 'somebody.else@example.com'",
    },
    Place {
        name: "upcoach.invoices",
        table: "upcoach.invoices",
        row: "x.flasherp_invoice_id IS NOT NULL",
        called: "x.flasherp_invoice_id",
        together: "x.id = y.id",
        second: "'id', gen_random_uuid()",
        strange: "'id', gen_random_uuid(), 'flasherp_invoice_id', 'fin_that_nobody_made'",
        different: "user_id = gen_random_uuid()",
    },
    Place {
        name: "sync.erp_syncs",
        table: "sync.erp_syncs",
        row: "x.source_type = 'transaction'",
        called: OURS,
        together: "x.id = y.id",
        second: "'id', gen_random_uuid()",
        strange: "'id', gen_random_uuid(), 'source_id', '01234567-89ab-cdef-0123-456789abcdef'",
        different: "target_id = 'ftx_nowhere'",
    },
    Place {
        name: "sync.erp_syncs of invoices",
        table: "sync.erp_syncs",
        row: "x.source_type = 'invoice'",
        called: "x.target_id",
        together: "x.id = y.id",
        second: "'id', gen_random_uuid()",
        strange: "'id', gen_random_uuid(), 'target_id', 'fin_that_nobody_made'",
        different: "source_id = gen_random_uuid()",
    },
    Place {
        name: "writes in the audit log",
        table: AUDIT,
        row: "x.action = 'sync' AND x.metadata ->> 'targetId' IS NOT NULL AND x.entity_type = 'transaction'",
        called: "(SELECT coalesce(t.stripe_transaction_id, t.id::text) FROM upcoach.transactions t WHERE t.id::text = x.entity_id)",
        together: "x.entity_id = y.entity_id",
        second: "'id', gen_random_uuid(), 'metadata', x.metadata || '{\"targetId\": \"ftx_written_besides\"}'",
        strange: "'id', gen_random_uuid(), 'entity_id', '01234567-89ab-cdef-0123-456789abcdef'",
        different: "metadata = x.metadata || '{\"targetId\": \"ftx_nowhere\"}'",
    },
    Place {
        name: "conflicts in the audit log",
        table: AUDIT,
        row: "x.metadata ->> 'operation' = 'conflict' AND x.entity_type = 'transaction'",
        called: "x.metadata ->> 'eventId'",
        together: "x.id = y.id",
        second: "'id', gen_random_uuid()",
        strange: "'id', gen_random_uuid(), 'metadata', x.metadata || '{\"eventId\": \"evt_that_nobody_sent\"}'",
        different: "",
    },
    Place {
        name: "reconciliation.runs",
        table: "reconciliation.runs",
        row: "x.requested_by = 'flasherp'",
        called: "substr(x.idempotency_key, length('flasherp:') + 1)",
        together: "x.id = y.id",
        second: "'id', gen_random_uuid()",
        strange: "'id', gen_random_uuid(), 'idempotency_key', 'flasherp:evt_that_nobody_sent'",
        different: "finished_at = NULL, status = 'running'",
    },
];

impl Place {
    /// Class and statement of each thing that can be planted here; the statement says what the checker calls it.
    fn plantings(&self) -> Vec<(&'static str, String)> {
        let Self { table, row, called, together, second, strange, different, .. } = self;
        let first = format!("(SELECT x.* FROM {table} x WHERE {row} ORDER BY x.id LIMIT 1)");
        let copy = |columns: &str| {
            format!(
                "INSERT INTO {table} SELECT (jsonb_populate_record(c.x, jsonb_build_object({columns}))).*
                 FROM (SELECT x FROM {table} x WHERE {row} ORDER BY x.id LIMIT 1) AS c (x)"
            )
        };
        let columns = |columns: &str| columns.replace("x.metadata", "(c.x).metadata");
        let word = |statement: String| format!("WITH planted AS ({statement}) SELECT {called} FROM {first} AS x");
        let strange_word = strange.rsplit('\'').nth(1).unwrap_or_default().to_owned();
        let strange_word = strange_word.rsplit('"').nth(1).map_or(strange_word.clone(), str::to_owned);
        let strange_word = strange_word.strip_prefix("flasherp:").unwrap_or(&strange_word).to_owned();
        let mut all = vec![
            ("lost", word(format!("DELETE FROM {table} x USING {first} AS y WHERE {together}"))),
            ("duplicated", word(copy(&columns(second)))),
            ("unexpected", format!("WITH planted AS ({}) SELECT '{strange_word}'", copy(&columns(strange)))),
        ];
        if !different.is_empty() {
            all.push((
                "different",
                word(format!("UPDATE {table} x SET {different} FROM {first} AS y WHERE {together}")),
            ));
        }
        all
    }
}

/// What older events said, put back.
const STALE: [(&str, &str); 2] = [
    (
        "upcoach.transactions",
        "UPDATE upcoach.transactions SET status = 'pending' WHERE id = (SELECT id FROM upcoach.transactions
            WHERE stripe_transaction_id IS NULL AND status IN ('failed', 'completed') ORDER BY id LIMIT 1) RETURNING id::text",
    ),
    (
        "upcoach.invoices",
        "UPDATE upcoach.invoices SET status = 'open' WHERE id = (SELECT id FROM upcoach.invoices
            WHERE flasherp_invoice_id IS NOT NULL AND status = 'paid' ORDER BY id LIMIT 1) RETURNING flasherp_invoice_id",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_checker_names_whatever_is_planted_at_any_place() {
    let size = Size {
        events: 90,
        per_second: 100,
        // None comes; they only say how much finance is to have to work on.
        faults: vec![Fault::StripeApiUnavailable; 3],
        longest_step: Duration::from_secs(10),
        keys: true,
        again: "./justw test-one the_checker_names_whatever_is_planted".to_owned(),
        patience: Duration::from_secs(240),
    };
    let mut run = Run::start(1, &size, None).await;
    run.open_books().await;
    run.send(0, size.stories()).await;
    // Every kind of act, and of each customer that it renames an older name.
    run.stage.finance.act(&run.stage.sandbox, 44).await;
    run.stage.spoil_and_ask().await;
    run.comes_to_rest().await;
    run.stage.stop_all().await;
    run.stage.sandbox.set_webhooks(&WebhookSettings::default()).await;

    let stage = &run.stage;
    let mut connection = PgConnection::connect(&stage.database.admin_url()).await.expect("the superuser gets in");
    let at_rest = stage.verdicts_by(&mut connection).await;
    assert!(at_rest.iter().all(Verdict::is_good), "{at_rest:#?}");
    assert!(
        at_rest.iter().all(|verdict| verdict.accepted > 0 && verdict.held > 0),
        "nothing to plant by: {at_rest:#?}"
    );
    let mut planted: BTreeSet<&str> = BTreeSet::new();
    let mut in_database: Vec<(&str, &str, String)> = Vec::new();
    for place in &PLACES {
        in_database.extend(place.plantings().into_iter().map(|(class, statement)| (place.name, class, statement)));
    }
    in_database.extend(STALE.map(|(place, statement)| (place, "stale", statement.to_owned())));
    let (customer, older) = stage.finance.renamed_twice();
    let older = older.replace('\'', "''");
    in_database.push((
        "upcoach.users",
        "stale",
        format!("UPDATE upcoach.users SET name = '{older}' WHERE stripe_customer_id = '{customer}' RETURNING stripe_customer_id"),
    ));
    for (place, class, statement) in &in_database {
        let mut transaction = connection.begin().await.expect("a transaction");
        transaction.execute(UNLOCKED).await.expect("the superuser may");
        let name: Option<String> = sqlx::query_scalar(AssertSqlSafe(statement.clone()))
            .fetch_optional(&mut *transaction)
            .await
            .unwrap_or_else(|error| panic!("{class} at {place}: {error}: {statement}"));
        let name = name.unwrap_or_else(|| panic!("nothing to plant by: {class} at {place}: {statement}"));
        let verdicts = stage.verdicts_by(&mut transaction).await;
        assert!(named(&verdicts, place, class, &name), "{class}: {name} at {place} is not named: {}", told(&verdicts));
        planted.insert(place);
        transaction.rollback().await.expect("rolled back");
    }
    let after = stage.verdicts_by(&mut connection).await;
    assert!(after.iter().all(Verdict::is_good), "rolled back: {}", told(&after));
    planted.extend(plant_in_flasherp(&run, &mut connection, &customer, &older).await);
    let places: BTreeSet<&str> = at_rest.iter().map(|verdict| verdict.place.as_str()).collect();
    assert_eq!(planted, places, "something was planted at every place");
}

/// By whoever is behind everybody's back.
enum Do {
    Make(&'static str, Value),
    Edit(&'static str, String, Value),
    Remove(&'static str, String),
}

/// One thing after the other; each is named and was not before. Says where.
async fn plant_in_flasherp(
    run: &Run<'_>,
    connection: &mut PgConnection,
    customer: &str,
    older: &str,
) -> BTreeSet<&'static str> {
    let (stage, sandbox) = (&run.stage, &run.stage.sandbox);
    let names: BTreeMap<String, String> = sqlx::query_as::<_, (String, String)>(
        "SELECT id::text, coalesce(stripe_transaction_id, id::text) FROM upcoach.transactions
         UNION ALL SELECT id::text, stripe_customer_id FROM upcoach.users WHERE stripe_customer_id IS NOT NULL",
    )
    .fetch_all(&mut *connection)
    .await
    .expect("our names")
    .into_iter()
    .collect();
    let records = |of: &'static str| async move { sandbox.records(of).await };
    let (payments, customers, invoices) =
        (records("transactions").await, records("customers").await, records("invoices").await);
    let status = |wanted: &'static str| {
        move |record: &&testkit::sandbox::Record| record.text("status").as_deref() == Some(wanted)
    };
    let stripes: Vec<_> = payments.iter().filter(|record| names[&record.reference()].starts_with("pi_")).collect();
    let [one, two, three, ..] = stripes.as_slice() else { panic!("three payments of Stripe's") };
    let failed = payments.iter().find(status("failed")).expect("finance let one fail");
    let paid = invoices.iter().find(status("paid")).expect("finance got one paid");
    let other = invoices.iter().find(status("open")).expect("one is open");
    let owner = one.text("customerId").expect("an owner");
    let payment = |reference: &str| {
        json!({
            "customerId": owner, "amount": 7, "currency": "USD", "status": "completed", "type": "payment", "upcoachReference": reference,
        })
    };
    let user = |reference: &str| json!({"email": "ada@example.com", "name": "Ada", "upcoachReference": reference});
    let renamed = customers.iter().find(|record| names[&record.reference()] == customer).expect("it is there");
    let doubled = customers.iter().find(|record| record.id() != renamed.id()).expect("another one");
    // Whoever owns nothing that is looked at later.
    let lost = customers.iter().rev().find(|record| record.id() != renamed.id() && record.id() != doubled.id());
    let lost = lost.expect("a third");
    let bill = json!({
        "customerId": owner, "amount": 7, "currency": "USD", "dueDate": "2027-01-31T00:00:00.000Z", "upcoachReference": "FIN-unknown",
    });
    let (payments, customers, invoices) = ("transactions in FlashERP", "customers in FlashERP", "invoices in FlashERP");
    let name = |record: &testkit::sandbox::Record| names[&record.reference()].clone();
    let plantings: Vec<(&'static str, &str, String, Do)> = vec![
        (payments, "duplicated", name(one), Do::Make("transactions", payment(&one.reference()))),
        (payments, "unexpected", "r-unknown".to_owned(), Do::Make("transactions", payment("r-unknown"))),
        (payments, "different", name(two), Do::Edit("transactions", two.id(), json!({"amount": 7}))),
        (payments, "stale", name(failed), Do::Edit("transactions", failed.id(), json!({"status": "pending"}))),
        (payments, "lost", name(three), Do::Remove("transactions", three.id())),
        (invoices, "unexpected", "7.00 USD".to_owned(), Do::Make("invoices", bill)),
        (invoices, "stale", paid.id(), Do::Edit("invoices", paid.id(), json!({"status": "open"}))),
        (invoices, "lost", other.id(), Do::Remove("invoices", other.id())),
        (
            customers,
            "stale",
            name(renamed),
            Do::Edit("customers", renamed.id(), json!({"name": older.replace("''", "'")})),
        ),
        (customers, "duplicated", name(doubled), Do::Make("customers", user(&doubled.reference()))),
        (customers, "unexpected", "u-unknown".to_owned(), Do::Make("customers", user("u-unknown"))),
        (customers, "different", name(lost), Do::Edit("customers", lost.id(), json!({"email": "else@example.com"}))),
        (customers, "lost", name(lost), Do::Remove("customers", lost.id())),
    ];
    let mut before = stage.verdicts_by(connection).await;
    let mut planted = BTreeSet::new();
    for (place, class, name, what) in plantings {
        match what {
            Do::Make(of, fields) => drop(sandbox.create_record(of, fields).await),
            Do::Edit(of, id, fields) => drop(sandbox.edit_record(of, &id, fields).await),
            Do::Remove(of, id) => sandbox.remove_record(of, &id).await,
        }
        assert!(!named(&before, place, class, &name), "{class}: {name} at {place} is named before it is planted");
        let verdicts = stage.verdicts_by(connection).await;
        assert!(named(&verdicts, place, class, &name), "{class}: {name} at {place} is not named: {}", told(&verdicts));
        planted.insert(place);
        before = verdicts;
    }
    planted
}

/// Whether a verdict has a finding of this class and about this name.
fn named(verdicts: &[Verdict], place: &str, class: &str, name: &str) -> bool {
    let findings = verdicts.iter().filter(|verdict| verdict.place == place).flat_map(|verdict| &verdict.findings);
    findings.map(ToString::to_string).any(|words| words.starts_with(&format!("{class}: ")) && words.contains(name))
}

fn told(verdicts: &[Verdict]) -> String {
    let bad = verdicts.iter().filter(|verdict| !verdict.is_good());
    bad.map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
