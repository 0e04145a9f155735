/**
 * UpCoach's existing client works unchanged: a client that knows only what the specification's first table says
 * (proto-schemas/upcoach-client.json) does everything in it, and every answer has the promised status and shape.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import createClient from "openapi-fetch";

import { Answers } from "./answers.js";
import { ADMIN_TOKEN, GATEWAY_URL, VIEWER_TOKEN, customer } from "./gateway.js";
import type { components, paths } from "./upcoach.js";

const description = JSON.parse(readFileSync("../../proto-schemas/upcoach-client.json", "utf8")) as ConstructorParameters<typeof Answers>[0];
const answers = new Answers(description);
const NOBODY = "00000000-0000-4000-8000-000000000000";

function client(token: string) {
  const made = createClient<paths>({ baseUrl: GATEWAY_URL, headers: token ? { Authorization: `Bearer ${token}` } : {} });
  made.use(answers.middleware());
  return made;
}

const [admin, viewer, nobody] = [client(ADMIN_TOKEN), client(VIEWER_TOKEN), client("")];
let ids: Awaited<ReturnType<typeof customer>>;

before(async () => {
  ids = await customer();
});

test("the configuration is read, changed in part, guarded against a change by another, and shows no secret", async () => {
  const read = await admin.GET("/api/erp/config");
  assert.equal(read.response.status, 200);
  const tag = read.response.headers.get("etag") ?? "";
  const body = { syncInterval: 3601, syncScope: { customers: true } };
  const saved = await admin.PUT("/api/erp/config", { params: { header: { "If-Match": tag } }, body });
  assert.equal(saved.data?.syncInterval, 3601);
  assert.equal(saved.data.baseURL, read.data?.baseURL, "absent fields keep their value");
  const late = await admin.PUT("/api/erp/config", { params: { header: { "If-Match": tag } }, body });
  assert.equal(late.response.status, 412);
  const empty = await admin.PUT("/api/erp/config", { body: { apiKey: "", syncInterval: 1 } });
  assert.deepEqual(empty.error?.details?.map((detail) => detail.field).sort(), ["apiKey", "syncInterval"]);
  assert.match(read.data?.apiKeyMasked ?? "", /^.{4}\.\.\..{4}$/);
  assert.equal(read.data?.apiSecretMasked, "***********");
});

test("the connection is tried, also one that fails", async () => {
  const good = await admin.POST("/api/erp/config/test", { body: {} });
  assert.deepEqual([good.data?.success, good.data?.healthy], [true, true]);
  const bad = await admin.POST("/api/erp/config/test", { body: { apiKey: "of-nobody", apiSecret: "of-nobody" } });
  assert.deepEqual([bad.response.status, bad.data?.success], [200, false]);
});

test("a record of each type is synced by hand", async () => {
  const synced: (components["schemas"]["SyncResult"] | undefined)[] = [
    (await admin.POST("/api/erp/sync/customer/{userId}", { params: { path: { userId: ids.user }, query: { wait: 30 } } })).data,
    (await admin.POST("/api/erp/sync/transaction/{id}", { params: { path: { id: ids.transaction }, query: { wait: 30 } } })).data,
    (await admin.POST("/api/erp/sync/subscription/{id}", { params: { path: { id: ids.subscription }, query: { wait: 30 } } })).data,
  ];
  for (const result of synced) {
    assert.deepEqual([result?.success, result?.status], [true, "synced"], JSON.stringify(result));
    assert.ok(result?.targetId);
  }
  const unknown = await admin.POST("/api/erp/sync/customer/{userId}", { params: { path: { userId: NOBODY } } });
  assert.deepEqual([unknown.response.status, unknown.error?.code], [404, "RESOURCE_NOT_FOUND"]);
  const crooked = await admin.POST("/api/erp/sync/transaction/{id}", { params: { path: { id: "1" } } });
  assert.equal(crooked.response.status, 400);
});

test("a full sync is started once for a key", async () => {
  const key = crypto.randomUUID();
  const ask = () => admin.POST("/api/erp/sync/full", { params: { header: { "Idempotency-Key": key } }, body: { entityTypes: ["customer"] } });
  const [first, second] = [await ask(), await ask()];
  assert.deepEqual([first.response.status, first.data?.status], [202, "processing"]);
  assert.equal(second.data?.batchId, first.data?.batchId);
});

test("both sides are held against each other, waited for or followed", async () => {
  const key = crypto.randomUUID();
  const ask = (wait: number) =>
    admin.POST("/api/erp/sync/reconcile", {
      params: { header: { "Idempotency-Key": key }, query: { wait } },
      body: { entityTypes: ["customer", "transaction"], cutoffSeconds: 0 },
    });
  const begun = await ask(0);
  assert.equal(begun.response.status, 202, JSON.stringify(begun.data));
  const runId = begun.data?.runId ?? "";
  assert.equal(begun.response.headers.get("location"), `/api/erp/reconciliations/${runId}`);
  const done = await ask(30);
  assert.deepEqual([done.response.status, done.data?.runId], [200, runId]);
  const report = done.data as components["schemas"]["ReconciliationReport"];
  assert.deepEqual(report.details.map((detail) => detail.entityType).sort(), ["customer", "transaction"]);
  assert.ok(report.matched >= 2, `the customer and the payment that were synced: ${JSON.stringify(report)}`);
  const counted = report.details.reduce((sum, detail) => sum + detail.matched, 0);
  assert.equal(report.matched, counted);
});

test("history, audit log, metrics and status say what happened", async () => {
  const history = await viewer.GET("/api/erp/sync-history", { params: { query: { sourceId: ids.user, page: 1, limit: 100 } } });
  assert.deepEqual(history.data?.data.map((sync) => sync.sourceId), [ids.user]);
  const syncId = history.data.data[0]?.id ?? "";
  const settled = await admin.POST("/api/erp/retry/{syncId}", { params: { path: { syncId } } });
  assert.equal(settled.response.status, 409, "it has not failed");
  const done = await admin.POST("/api/erp/skip/{syncId}", { params: { path: { syncId } }, body: { reason: "a test" } });
  assert.equal(done.response.status, 409, "it is synced");
  const audited = await viewer.GET("/api/erp/audit-logs", { params: { query: { action: "manual_sync", limit: 1 } } });
  assert.equal(audited.data?.data.length, 1);
  assert.equal((await viewer.GET("/api/erp/metrics")).response.status, 200);
  const status = await viewer.GET("/api/erp/status");
  assert.deepEqual([status.data?.enabled, status.data?.configuration.syncScope.includes("transactions")], [true, true]);
  assert.equal(status.data?.scheduler.running, true);
  for (const job of ["sync-transactions", "health-check", "pull-missed-events", "prune"]) {
    assert.ok(status.data.scheduler.jobs.includes(job), `${job} in ${JSON.stringify(status.data.scheduler)}`);
  }
  const next = Date.parse(status.data.nextScheduledSync ?? "");
  assert.ok(next > Date.now() - 60_000 && next <= Date.now() + status.data.syncInterval * 1000, `${status.data.nextScheduledSync}`);
  const unknown = await admin.POST("/api/erp/retry/{syncId}", { params: { path: { syncId: NOBODY } } });
  assert.equal(unknown.response.status, 404);
  assert.equal((await admin.POST("/api/erp/skip/{syncId}", { params: { path: { syncId: NOBODY } } })).response.status, 404);
});

test("what fails is retried and skipped by hand", async () => {
  // Nobody can be synced without an e-mail.
  const user = crypto.randomUUID();
  const imported = await fetch(`${GATEWAY_URL}/api/erp/import`, {
    method: "POST",
    headers: { Authorization: `Bearer ${ADMIN_TOKEN}`, "Content-Type": "application/x-ndjson" },
    body: JSON.stringify({ entityType: "customer", id: user }),
  });
  assert.equal(imported.status, 200);
  const failed = await admin.POST("/api/erp/sync/customer/{userId}", { params: { path: { userId: user }, query: { wait: 30 } } });
  assert.deepEqual([failed.response.status, failed.data?.success, failed.data?.error?.code], [200, false, "MISSING_REQUIRED_FIELD"]);
  const syncId = failed.data?.syncId ?? "";
  const retried = await admin.POST("/api/erp/retry/{syncId}", { params: { path: { syncId } } });
  assert.deepEqual([retried.response.status, retried.data?.sync.id, retried.data?.sync.retryCount], [200, syncId, 0]);
  const again = await admin.POST("/api/erp/sync/customer/{userId}", { params: { path: { userId: user }, query: { wait: 30 } } });
  assert.equal(again.data?.success, false);
  const skipped = await admin.POST("/api/erp/skip/{syncId}", { params: { path: { syncId } }, body: { reason: "has no e-mail" } });
  assert.deepEqual([skipped.response.status, skipped.data?.sync.syncStatus], [200, "skipped"]);
});

test("nobody sees and a viewer changes nothing", async () => {
  for (const path of ["/api/erp/config", "/api/erp/status", "/api/erp/sync-history", "/api/erp/audit-logs", "/api/erp/metrics"] as const) {
    assert.equal((await nobody.GET(path)).response.status, 401);
  }
  assert.equal((await viewer.PUT("/api/erp/config", { body: { isEnabled: false } })).response.status, 403);
  assert.equal((await viewer.DELETE("/api/erp/config")).response.status, 403);
  assert.equal((await viewer.POST("/api/erp/sync/full", { body: {} })).response.status, 403);
});

test("a deleted configuration is gone, says so everywhere, and is made anew with its credentials", async () => {
  const { data: before } = await admin.GET("/api/erp/config");
  assert.equal((await admin.DELETE("/api/erp/config")).response.status, 200);
  assert.equal((await admin.DELETE("/api/erp/config")).response.status, 404);
  const gone = await admin.GET("/api/erp/config");
  assert.deepEqual([gone.response.status, gone.error?.code], [404, "CONFIG_NOT_FOUND"]);
  assert.equal((await admin.GET("/api/erp/status")).response.status, 503);
  const refused = await admin.POST("/api/erp/sync/customer/{userId}", { params: { path: { userId: ids.user } } });
  assert.deepEqual([refused.response.status, refused.error?.code], [503, "CONFIG_NOT_FOUND"]);
  const half = await admin.PUT("/api/erp/config", { body: { isEnabled: true } });
  assert.deepEqual(half.error?.details?.map((detail) => detail.field).sort(), ["apiKey", "apiSecret"]);
  const { SANDBOX_API_KEY: apiKey = "", SANDBOX_API_SECRET: apiSecret = "" } = process.env;
  const made = await admin.PUT("/api/erp/config", { body: { apiKey, apiSecret, baseURL: before?.baseURL ?? "", isEnabled: true } });
  assert.equal(made.response.status, 200);
});

after(() => {
  const all = Object.entries(description.paths).flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`));
  const missed = all.filter((call) => ![...answers.seen].some((seen) => seen.startsWith(`${call} 20`)));
  assert.deepEqual(missed, [], "every call was answered well once");
});
