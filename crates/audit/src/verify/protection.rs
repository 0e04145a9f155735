//! Whether what refuses changes is still in force. A log without it may be intact all the same; but somebody took it away.

use sqlx::PgConnection;

/// The body of `audit.refuse_change()`, as the migration has it.
const REFUSAL: &str = "
BEGIN
    RAISE EXCEPTION 'audit records are append-only: % on %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
";

/// What is missing, in words; nothing when all is in force.
pub(super) async fn missing(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "WITH guarded AS (
            SELECT c.oid, c.relname, c.relowner, c.relacl, c.relrowsecurity FROM pg_class c
            WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind IN ('r', 'p')
                AND (c.relname IN ('erp_audit_logs', 'seals', 'seal_leaves', 'archives', 'epochs') OR c.oid IN (
                    SELECT inhrelid FROM pg_inherits WHERE inhparent = 'audit.erp_audit_logs'::regclass))
         ), needed (name, type) AS (
            -- before update or delete, for each row; before truncate
            VALUES ('append_only', 27), ('append_only_truncate', 34)
         )
         SELECT format('table %s: trigger %s is gone, changed or not enabled always', g.relname, n.name)
         FROM guarded g, needed n
         WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = g.oid AND t.tgname = n.name AND t.tgenabled = 'A'
            AND t.tgtype = n.type AND t.tgqual IS NULL AND t.tgattr::text = ''
            AND t.tgfoid = to_regprocedure('audit.refuse_change()'))
         UNION ALL
         SELECT 'function audit.refuse_change is not the one that refuses'
         WHERE NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = to_regprocedure('audit.refuse_change()') AND p.prosrc = $1)
         UNION ALL
         SELECT format('table %s: a rule rewrites what is done with it', g.relname)
         FROM guarded g WHERE EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = g.oid)
         UNION ALL
         SELECT format('table %s: row security hides rows', g.relname) FROM guarded g WHERE g.relrowsecurity
         UNION ALL
         SELECT DISTINCT format('table %s: role %s may %s', g.relname, coalesce(r.rolname, 'public'), a.privilege_type)
         FROM guarded g, aclexplode(g.relacl) AS a LEFT JOIN pg_roles r ON r.oid = a.grantee
         WHERE a.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE') AND a.grantee <> g.relowner
         ORDER BY 1",
    )
    .bind(REFUSAL)
    .fetch_all(connection)
    .await
}
