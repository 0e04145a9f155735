// Exchanges a token for the session's cookie, then goes to the panel.
"use strict";

const said = document.getElementById("said");
const form = document.getElementById("form");
const field = document.getElementById("token");

async function signIn(token) {
  said.textContent = "Signing in ...";
  try {
    const answer = await fetch("/api/auth/session", {
      method: "POST",
      headers: { Authorization: "Bearer " + token },
    });
    if (answer.ok) {
      location.replace("/");
      return;
    }
    const body = await answer.json();
    said.textContent = "You are not signed in: " + body.message + ".";
  } catch {
    said.textContent = "The server can't be reached. Try again.";
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(field.value.trim());
});

const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  // Out of the address bar and the history before anything else happens.
  history.replaceState(null, "", location.pathname);
  signIn(given);
}
