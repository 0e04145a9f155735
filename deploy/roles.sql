-- The roles of the cluster, made once by a superuser (`erpctl roles`), outside the migrations, since roles belong to
-- the cluster and not to a database. Idempotent. It sets no password: `erpctl roles` does that from ERP_ROLE_PASSWORD.
--
-- erp_owner owns every object and runs the migrations; each service connects under a role of its own, which has just
-- the grants that the migrations give it.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY[
        'erp_owner', 'erp_config_api', 'erp_ingress', 'erp_sync_worker', 'erp_scheduler', 'erp_reconciler'
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            BEGIN
                EXECUTE format(
                    'CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS',
                    role_name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- another starter made it at the same moment
            END;
        END IF;
    END LOOP;
END
$$;
