-- A schema per owner (design section 2). Nobody but the owner may create anything, and a function is nobody's until
-- it is granted.
CREATE SCHEMA audit;
CREATE SCHEMA config;
CREATE SCHEMA ingress;
CREATE SCHEMA upcoach;
CREATE SCHEMA sync;
CREATE SCHEMA scheduling;
CREATE SCHEMA reconciliation;

ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- What a service waits for at its start.
CREATE VIEW public.schema_version AS
    SELECT coalesce(max(version), 0) AS version FROM public._sqlx_migrations WHERE success;

GRANT USAGE ON SCHEMA public TO erp_config_api, erp_ingress, erp_sync_worker, erp_scheduler, erp_reconciler;
GRANT SELECT ON public.schema_version TO erp_config_api, erp_ingress, erp_sync_worker, erp_scheduler, erp_reconciler;

GRANT USAGE ON SCHEMA audit TO erp_config_api, erp_ingress, erp_sync_worker, erp_scheduler, erp_reconciler;
GRANT USAGE ON SCHEMA config TO erp_config_api, erp_ingress, erp_sync_worker, erp_scheduler, erp_reconciler;
GRANT USAGE ON SCHEMA ingress TO erp_config_api, erp_ingress, erp_sync_worker, erp_scheduler;
GRANT USAGE ON SCHEMA upcoach TO erp_config_api, erp_sync_worker, erp_scheduler, erp_reconciler;
GRANT USAGE ON SCHEMA sync TO erp_config_api, erp_sync_worker, erp_scheduler, erp_reconciler;
GRANT USAGE ON SCHEMA scheduling TO erp_config_api, erp_sync_worker, erp_scheduler, erp_reconciler;
GRANT USAGE ON SCHEMA reconciliation TO erp_config_api, erp_sync_worker, erp_scheduler, erp_reconciler;
