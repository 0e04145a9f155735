/** The generated client of the whole API, with a token and with a session. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { adminClient } from "../src/index.js";
import { ADMIN_TOKEN, GATEWAY_URL, VIEWER_TOKEN } from "./gateway.js";

test("a token lets in, and what the description says is what comes", async () => {
  const client = adminClient({ baseUrl: GATEWAY_URL, access: { token: () => Promise.resolve(ADMIN_TOKEN) } });
  const { data, response } = await client.GET("/api/erp/batches", { params: { query: { kind: "import", limit: 1 } } });
  assert.equal(response.status, 200);
  assert.ok((data?.data.length ?? 0) <= 1);
});

test("an error has its shape", async () => {
  const client = adminClient({ baseUrl: GATEWAY_URL, access: { token: VIEWER_TOKEN } });
  const { error, response } = await client.POST("/api/erp/pause", { body: { reason: "a test" } });
  assert.deepEqual([response.status, error?.code], [403, "AUTH_FAILED"]);
});

test("a session reads with its cookie and changes with its CSRF token", async () => {
  const begun = await fetch(`${GATEWAY_URL}/api/auth/session`, { method: "POST", headers: { Authorization: `Bearer ${ADMIN_TOKEN}` } });
  const { csrfToken } = (await begun.json()) as { csrfToken: string };
  const cookie = begun.headers.get("set-cookie")?.split(";")[0] ?? "";
  const browser = (request: Request) => {
    request.headers.set("Cookie", cookie);
    return fetch(request);
  };
  const client = (csrf: string) => adminClient({ baseUrl: GATEWAY_URL, access: { csrfToken: () => csrf }, fetch: browser });
  assert.equal((await client("").GET("/api/erp/status")).response.status, 200);
  assert.equal((await client("of another").POST("/api/erp/resume")).response.status, 403);
  assert.equal((await client(csrfToken).POST("/api/erp/resume")).response.status, 200);
});
