// The stream, the language, the token, and what is asked. What each part looks like is in parts.js.

import * as shown from "/parts.js";

const RETRY_MILLISECONDS = 1500;
const state = { parts: {}, words: {}, language: "en", token: "", asked: null, found: null, letters: null, live: "connecting" };
const $ = (id) => document.getElementById(id);

const view = {
  t(key, values = {}, otherwise = key) {
    const text = state.words[state.language]?.[key] ?? otherwise;
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  },
  clock: (seconds, milliseconds) => shown.clock(seconds, state.language, milliseconds),
  number: (count) => Number(count).toLocaleString(state.language),
  now: () => Date.now() / 1000,
  act: confirmed,
  letters: showLetters,
};

// --- showing
const OWN = {
  services: ["services", (parts) => shown.services(view, parts.services)],
  processes: ["processes", (parts) => shown.processes(view, parts.processes)],
  gauges: ["breakers", (parts) => shown.breakers(view, parts.gauges)],
  happenings: ["happenings", (parts) => shown.happenings(view, parts.happenings)],
};
const NAMES = { outboxes: "col.outbox", streams: "flow", services: "services", processes: "processes", gauges: "breakers", happenings: "happenings" };

function draw(changed) {
  for (const [name, [place, render]] of Object.entries(OWN)) {
    if (changed.includes(name)) into(place, [trouble(name), ...valued(name, render)]);
  }
  if (changed.some((name) => ["outboxes", "streams", "gauges", "processes"].includes(name))) {
    const known = state.parts.streams || state.parts.outboxes;
    into("flow", [trouble("outboxes"), trouble("streams"), ...(known ? shown.flow(view, state.parts) : [loading()])]);
  }
  into("attention", [...Object.keys(NAMES).map(brief), ...shown.attention(view, state.parts)]);
}

function valued(name, render) {
  const part = state.parts[name];
  if (!part) return [loading()];
  return part.value === null ? [] : render(state.parts);
}

const loading = () => shown.el("p", { class: "calm" }, view.t("loading"));

// A part that can't be asked says so where its values would be; values of before stay, and say of when they are.
function trouble(name) {
  const part = state.parts[name];
  if (!part?.trouble) return null;
  const old = part.value !== null && part.at ? ` (${view.t("stale", { at: view.clock(part.at) })})` : "";
  return shown.el("p", { class: "trouble", "data-trouble": name }, part.trouble + old);
}

function brief(name) {
  const part = state.parts[name];
  if (!part?.trouble) return null;
  return shown.el("p", { class: "alert bad" }, shown.el("b", { "aria-hidden": "true" }, "✕"), shown.el("span", {}, `${view.t(NAMES[name])}: ${part.trouble}`));
}

// What has the focus, and what is unfolded, stays so when its part is drawn anew.
function into(place, children) {
  const body = $(place).querySelector(".body");
  const made = children.filter(Boolean);
  const next = made.map((child) => child.outerHTML).join("");
  if (body.dataset.drawn === next) return;
  const key = body.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const unfolded = [...body.querySelectorAll("details[open]")].map((each) => each.dataset.key);
  const scrolled = Object.fromEntries([...body.querySelectorAll("[data-key]")].map((each) => [each.dataset.key, each.scrollTop]));
  body.replaceChildren(...made);
  body.dataset.drawn = next;
  for (const each of body.querySelectorAll("[data-key]")) {
    if (unfolded.includes(each.dataset.key)) each.open = true;
    if (scrolled[each.dataset.key]) each.scrollTop = scrolled[each.dataset.key];
    if (key && each.dataset.key === key) each.focus({ preventScroll: true });
  }
}

function tick() {
  for (const each of document.querySelectorAll("[data-since]")) {
    each.textContent = `${each.dataset.before}${shown.span(Math.max(0, view.now() - Number(each.dataset.since)))}${each.dataset.after}`;
  }
  if (Object.keys(state.parts).length) into("attention", [...Object.keys(NAMES).map(brief), ...shown.attention(view, state.parts)]);
}

// --- the stream
function listen() {
  const stream = new EventSource("/api/events");
  stream.addEventListener("open", () => says("live"));
  stream.addEventListener("about", (event) => { $("place").textContent = JSON.parse(event.data).place; });
  stream.addEventListener("parts", (event) => {
    const parts = JSON.parse(event.data);
    Object.assign(state.parts, parts);
    draw(Object.keys(parts));
  });
  stream.addEventListener("error", () => {
    says("lost");
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, RETRY_MILLISECONDS); // refused: the browser gives up alone
  });
}

function says(what) {
  state.live = what;
  const mark = { live: "●", connecting: "○", lost: "✕" }[what];
  const kind = { live: "good", connecting: "", lost: "bad" }[what];
  $("live").replaceChildren(shown.el("span", { class: `badge ${kind}` }, shown.el("span", { "aria-hidden": "true" }, mark), view.t(what)));
  document.body.dataset.live = what;
}

// --- asking
async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error(view.t("unreachable"));
  }
  const found = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(found.error), { status: answer.status });
  return found;
}

async function find(event) {
  event.preventDefault();
  const about = $("about").value.trim();
  if (!about) return;
  state.found = null;
  $("found").replaceChildren(shown.el("p", { class: "calm" }, view.t("finding")));
  const query = new URLSearchParams({ about });
  try {
    const [way, lines] = [await ask(`/api/way?${query}`), await ask(`/api/logs?${query}`)];
    state.found = { way, lines };
    drawFound();
  } catch (error) {
    $("found").replaceChildren(shown.el("p", { class: "trouble" }, error.message));
  }
}

function drawFound() {
  if (state.found) $("found").replaceChildren(...[...shown.way(view, state.found.way), ...shown.lines(view, state.found.lines)].filter(Boolean));
}

async function showLetters(words) {
  state.letters = words;
  if (!words) return $("letters").replaceChildren();
  try {
    const found = await ask(`/api/letters?${new URLSearchParams(words)}`);
    $("letters").replaceChildren(...shown.lettersOf(view, found, words));
  } catch (error) {
    $("letters").replaceChildren(shown.el("p", { class: "trouble" }, error.message));
  }
}

// --- doing: asked first, with the token where there is none yet
function confirmed(asked, words) {
  open({ title: view.t(`ask.${asked.action}`, words), text: view.t("ask.text"), button: view.t(asked.action), token: !state.token, done: () => act(asked) });
}

async function act(asked) {
  const headers = { "Content-Type": "application/json", "X-Slipway-Token": state.token };
  try {
    await ask("/api/actions", { method: "POST", headers, body: JSON.stringify(asked) });
  } catch (error) {
    if (error.status === 401) keep("");
    throw error;
  }
}

function open({ title, text, button, token, done }) {
  const dialog = $("dialog");
  $("dialog-title").textContent = title;
  $("dialog-text").textContent = text;
  $("confirm").textContent = button;
  $("dialog-error").hidden = true;
  $("token").value = state.token;
  $("token").hidden = $("token-label").hidden = !token;
  dialog.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    if (token) keep($("token").value.trim());
    try {
      await done();
      dialog.close();
    } catch (error) {
      $("dialog-error").textContent = view.t("error", { why: error.message });
      $("dialog-error").hidden = false;
      if (!state.token) { token = true; $("token").hidden = $("token-label").hidden = false; }
    }
  };
  dialog.showModal();
}

function keep(token) {
  state.token = token;
  if (token) sessionStorage.setItem("token", token);
  else sessionStorage.removeItem("token");
  $("token-button").textContent = view.t(token ? "token.set" : "token.none");
}

// --- language
function speak(language) {
  state.language = language;
  localStorage.setItem("language", language);
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const each of document.querySelectorAll("[data-t]")) each.textContent = view.t(each.dataset.t);
  for (const each of document.querySelectorAll("[data-t-label]")) each.setAttribute("aria-label", view.t(each.dataset.tLabel));
  $("language").textContent = view.t("language");
  $("language").lang = language === "zh" ? "en" : "zh-CN";
  keep(state.token);
  says(state.live);
  draw([...Object.keys(OWN), "outboxes", "streams"]);
  drawFound();
  if (state.letters) showLetters(state.letters);
}

async function begin() {
  state.words = await (await fetch("/words.json")).json();
  state.token = sessionStorage.getItem("token") || "";
  const wanted = localStorage.getItem("language") || (navigator.language.startsWith("zh") ? "zh" : "en");
  speak(wanted in state.words ? wanted : "en");
  $("language").addEventListener("click", () => speak(state.language === "zh" ? "en" : "zh"));
  $("token-button").addEventListener("click", () => open({ title: view.t("token.title"), text: view.t("token.text"), button: view.t("token.keep"), token: true, done: () => {} }));
  $("cancel").addEventListener("click", () => $("dialog").close());
  $("find").addEventListener("submit", find);
  listen();
  setInterval(tick, 1000);
}

begin();
