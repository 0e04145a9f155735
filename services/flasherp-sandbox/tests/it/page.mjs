// Runs the page's script against the sandbox at the URL given, with just as much of a DOM as it needs, and presses every button; calls carry
// what a browser adds to them. Ends with a status other than 0 and says why when something is not as it should be.
import vm from "node:vm";

const base = process.argv[2];
const get = async (path) => (await fetch(base + path)).text();
const [html, script] = [await get("/"), await get("/sandbox.js")];

function check(is, what) {
  if (!is) throw new Error(what);
}

class Element {
  constructor(dataset = {}) {
    this.dataset = dataset;
    this.children = [];
    this.textContent = "";
    this.className = "";
  }
  appendChild(child) {
    this.children.push(child);
    return child;
  }
  replaceChildren(...children) {
    this.children = children;
  }
  closest(selector) {
    check(selector === "button[data-path]", `unknown selector ${selector}`);
    return this.dataset.path === undefined ? null : this;
  }
}

const byId = new Map([...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => [id, new Element()]));
const buttons = [...html.matchAll(/<button ([^>]*)>/g)].map(([, attributes]) => {
  const pairs = [...attributes.matchAll(/data-([a-z]+)=(?:"([^"]*)"|'([^']*)')/g)];
  return new Element(Object.fromEntries(pairs.map(([, name, one, other]) => [name, one ?? other])));
});
const listeners = [];
const document = {
  getElementById: (id) => byId.get(id) ?? check(false, `the page has no #${id}`),
  createElement: () => new Element(),
  addEventListener: (kind, listener) => {
    check(kind === "click", `unknown event ${kind}`);
    listeners.push(listener);
  },
};
const asked = [];
const window = {
  confirm: (question) => asked.push(question) > 0,
  // The page looks again once a second; here it looks after every click, and the test must end.
  setTimeout: () => {},
};
const asABrowser = (path, options = {}) => {
  const site = { "sec-fetch-site": "same-origin" };
  const origin = (options.method ?? "GET") === "GET" ? {} : { origin: base };
  return fetch(base + path, { ...options, headers: { ...options.headers, ...site, ...origin } });
};
vm.runInNewContext(script, { document, window, fetch: asABrowser });

async function until(is, what) {
  const deadline = Date.now() + 20_000;
  while (!is()) {
    check(Date.now() < deadline, what());
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
const state = byId.get("state");
await until(() => state.textContent === "listening", () => `the page says: ${state.textContent}`);
check(listeners.length === 1 && buttons.length > 20, "no buttons, or nobody listens to them");

for (const button of buttons) {
  await listeners[0]({ target: button });
  check(state.textContent === "listening" && state.className === "", `${button.dataset.path}: ${state.textContent}`);
  const { path, body } = button.dataset;
  if (path === "/outage") {
    const { outage } = JSON.parse(body);
    check(byId.get("outage").textContent === outage, `the page shows ${byId.get("outage").textContent}, not ${outage}`);
  }
  if (path === "/stripe/send") {
    check(byId.get("send").textContent.includes("events accepted"), "the page does not show what is sent");
  }
}
check(asked.length === 1, "forgetting everything is asked for once");
await listeners[0]({ target: new Element() });
check(byId.get("records").children.length === 5, "a row for each type of record");
// What goes wrong is shown.
await listeners[0]({ target: new Element({ method: "PUT", path: "/outage", body: '{"outage":"?"}' }) });
check(state.className === "bad" && state.textContent.includes("expected"), `a refusal is shown as ${state.textContent}`);
