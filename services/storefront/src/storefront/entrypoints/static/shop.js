// Follows the state of an order. Without this the page shows the state it was made with.
"use strict";

const AGAIN_MS = 5000;

function follow(state) {
  const source = new EventSource(state.dataset.events);
  source.addEventListener("state", (event) => show(state, JSON.parse(event.data)));
  source.addEventListener("final", (event) => {
    source.close();
    show(state, JSON.parse(event.data));
  });
  source.addEventListener("error", () => {
    // A browser connects again by itself, but not after an answer such as 503.
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, AGAIN_MS, state);
  });
}

function show(state, order) {
  const status = state.querySelector("[data-status]");
  if (status.dataset.status === order.status) return;
  status.dataset.status = order.status;
  status.className = `state ${order.status}`;
  status.textContent = order.status;
  state.querySelector("#reason").textContent = order.reason;
  reloadForms(state.dataset.page).catch(() => {});
}

// What can be done with the order depends on its state: the server knows.
async function reloadForms(address) {
  const answer = await fetch(address);
  if (!answer.ok) return;
  const made = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.querySelector("#actions").replaceChildren(...made.querySelector("#actions").childNodes);
}

const state = document.querySelector("[data-events]");
if (state && "EventSource" in window) follow(state);
