/** The running gateway, as `./justw env` names it. */

function variable(name: string): string {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: run this by \`./justw client-test\`, or after \`export $(./justw env)\``);
  }
  return value;
}

export const GATEWAY_URL = variable("GATEWAY_URL");
export const ADMIN_TOKEN = variable("ADMIN_TOKEN");
export const VIEWER_TOKEN = variable("VIEWER_TOKEN");

/** A customer with a payment and a subscription, by the import; gives their ids. */
export async function customer(): Promise<{ user: string; transaction: string; subscription: string }> {
  const [user, transaction, subscription] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()];
  const lines = [
    { entityType: "customer", id: user, email: `${user}@example.com`, name: "Ada Lovelace" },
    {
      entityType: "subscription", id: subscription, userId: user, plan: "pro", status: "active", billingInterval: "monthly",
      amount: 1900, currency: "usd", currentPeriodStart: "2026-11-01T00:00:00Z", currentPeriodEnd: "2026-12-01T00:00:00Z",
    },
    { entityType: "transaction", id: transaction, userId: user, type: "payment", status: "completed", amount: 1900, currency: "usd" },
  ];
  const answer = await fetch(`${GATEWAY_URL}/api/erp/import`, {
    method: "POST",
    headers: { Authorization: `Bearer ${ADMIN_TOKEN}`, "Content-Type": "application/x-ndjson" },
    body: lines.map((line) => JSON.stringify(line)).join("\n"),
  });
  const imported = (await answer.json()) as { created?: number };
  if (answer.status !== 200 || imported.created !== 3) {
    throw new Error(`the import answered ${answer.status}: ${JSON.stringify(imported)}`);
  }
  return { user, transaction, subscription };
}
