// What the control API tells, once a second, and a button for what it can be told.
"use strict";

let lastSend = null;
let refusal = "";

async function control(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers["content-type"] = "application/json";
    options.body = body;
  }
  const answer = await fetch("/control" + path, options);
  const text = await answer.text();
  const json = text === "" ? null : JSON.parse(text);
  if (!answer.ok) throw new Error(json && json.message ? json.message : answer.status);
  return json;
}

function show(id, text) {
  document.getElementById(id).textContent = text;
}

function rows(id, cells) {
  const made = cells.map((row) => {
    const tr = document.createElement("tr");
    for (const cell of row) tr.appendChild(document.createElement("td")).textContent = cell;
    return tr;
  });
  document.getElementById(id).replaceChildren(...made);
}

async function refresh() {
  const [counters, rate, outage, latency, faults, limits, webhooks] = await Promise.all(
    ["/counters", "/rate", "/outage", "/latency", "/faults", "/limits", "/webhooks"].map((path) => control("GET", path)),
  );
  rows("records", Object.keys(counters.records).map((of) => [of, counters.records[of], counters.duplicates[of]]));
  rows("operations", Object.entries(counters.calls));
  rows("answers", Object.entries(counters.answers));
  show("rate", rate.calls.slice(-11, -1).reduce((sum, calls) => sum + calls, 0));
  show("flight", counters.inFlight.now);
  show("cuts", counters.cuts);
  show("late", counters.pendingWrites);
  show("outage", outage.outage);
  show("latency", latency.maxMs === 0 ? "none" : `${latency.minMs} to ${latency.maxMs} ms, ${latency.when} the write`);
  show("faults", faults.faults.map((fault) => `${fault.action.kind} (${fault.applied})`).join(", ") || "none");
  const window = limits.perWindow === null ? [] : [`${limits.usedInWindow} of ${limits.perWindow} in ${limits.windowMs} ms`];
  const day = limits.perDay === null ? [] : [`${limits.usedToday} of ${limits.perDay} today`];
  show("limits", [...window, ...day].join(", ") || "none");
  show("webhooks", `tells ${webhooks.settings.tells}; ${webhooks.delivered} delivered, ${webhooks.waiting} waiting, ${webhooks.held} held, `
    + `${webhooks.retried} retried, ${webhooks.givenUp} given up${webhooks.lastError === null ? "" : "; " + webhooks.lastError}`);
  if (lastSend !== null) {
    const send = await control("GET", `/stripe/sends/${lastSend}`);
    show("send", `${send.accepted} of ${send.events} events accepted, ${send.retried} retried, ${send.state}`
      + (send.lastError === null ? "" : "; " + send.lastError));
  }
}

function state(text, isBad) {
  show("state", text);
  document.getElementById("state").className = isBad ? "bad" : "";
}

async function again() {
  try {
    await refresh();
    state(refusal === "" ? "listening" : refusal, refusal !== "");
  } catch (error) {
    state(`no answer: ${error.message}`, true);
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-path]");
  if (button === null) return;
  const { method, path, body, sure } = button.dataset;
  if (sure !== undefined && !window.confirm(sure)) return;
  try {
    const answer = await control(method, path, body);
    if (path === "/stripe/send") lastSend = answer.id;
    if (path === "/reset") lastSend = null;
    refusal = "";
  } catch (error) {
    refusal = error.message;
  }
  await again();
});

async function loop() {
  await again();
  window.setTimeout(loop, 1000);
}
loop();
