// How each part is shown. Everything that comes from outside becomes text, never markup.

const COUNTED = 10000;
const FELL_SECONDS = 60;
const OLD_SECONDS = 30;
const LONGEST = 140;

export function el(tag, about = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(about)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") made.className = value;
    else if (name === "click") made.addEventListener("click", value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

export function clock(seconds, locale, milliseconds = false) {
  if (!seconds) return "";
  const at = new Date(seconds * 1000);
  const said = at.toLocaleTimeString(locale, { hour12: false });
  return milliseconds ? `${said}.${String(at.getMilliseconds()).padStart(3, "0")}` : said;
}

export function span(seconds) {
  const count = Math.max(0, seconds);
  if (count < 0.9995) return `${Math.round(count * 1000)} ms`;
  if (count < 60) return `${count.toFixed(1)} s`;
  if (count < 3600) return `${Math.floor(count / 60)} min ${Math.floor(count % 60)} s`;
  if (count < 86400) return `${Math.floor(count / 3600)} h ${Math.floor((count % 3600) / 60)} min`;
  return `${Math.floor(count / 86400)} d`;
}

// A time that goes on: the page counts it, the server need not say it again.
function since(began, now, before = "", after = "") {
  const shown = el("span", { "data-since": began, "data-before": before, "data-after": after });
  shown.textContent = `${before}${span(now - began)}${after}`;
  return shown;
}

function badge(kind, mark, text) {
  return el("span", { class: `badge ${kind}` }, el("span", { "aria-hidden": "true" }, mark), text);
}

function table(heads, rows, kind = "") {
  const head = el("tr", {}, heads.map(([text, kind]) => el("th", { scope: "col", class: kind }, text)));
  return el("div", { class: "table-wrap" }, el("table", { class: kind }, el("thead", {}, head), el("tbody", {}, rows)));
}

function cell(label, kind, ...children) {
  return el("td", { "data-label": label, class: kind }, ...children);
}

// --- services and releases
const PHASES = {
  Released: ["good", "✓"], Waiting: ["warn", "‖"], Failed: ["bad", "✕"], Blocked: ["bad", "✕"], Suspended: ["warn", "‖"],
};

export function services(view, part) {
  if (!part.value.length) return [el("p", { class: "calm" }, view.t("none"))];
  return [el("div", { class: "cards" }, part.value.map((one) => service(view, one)))];
}

function service(view, one) {
  if (one.trouble) {
    return el("article", { class: "card service" }, el("h3", {}, one.name), el("p", { class: "trouble" }, one.trouble));
  }
  const { t } = view;
  const [kind, mark] = PHASES[one.phase] || ["now", "●"];
  const failed = one.phase === "Failed" && one.release?.result === "Failed";
  const busy = failed || (one.release && !one.release.ended && one.release.kind !== "Install");
  const spare = one.sentence === one.phase ? "" : one.sentence;
  return el("article", { class: `card service${busy ? " busy" : ""}`, "data-service": one.name },
    el("header", {}, el("h3", {}, one.name), badge(kind, mark, t(`phase.${one.phase}`, {}, one.phase)),
      el("div", { class: "row" }, one.actions.map((action) => actionButton(view, action, one)))),
    facts(view, one),
    spare ? el("p", { class: "sentence", "data-sentence": true }, spare) : null,
    one.release ? release(view, one.release, { name: one.name, failed, said: spare }) : null,
    el("details", { "data-key": `versions-${one.name}` }, el("summary", {}, t("versions"), ` (${one.versions.length})`),
      el("ul", {}, one.versions.map((each) => el("li", {}, el("b", {}, each.name), " ", el("span", { class: "quiet" }, each.said))))));
}

function actionButton(view, action, one) {
  const asked = { action, service: one.name };
  const words = { service: one.name, version: one.previous };
  return el("button", { type: "button", class: action === "promote" ? "main small" : "small", "data-key": `${action}-${one.name}`, click: () => view.act(asked, words) }, view.t(action));
}

function facts(view, one) {
  const known = [["active", one.active], ["previous", one.previous], ["candidate", one.candidate], ["ready", one.readiness]];
  return el("dl", { class: "facts" }, known.filter(([, value]) => value).map(([name, value]) =>
    el("div", {}, el("dt", {}, view.t(name)), el("dd", {}, value))));
}

// One that goes on lies open, and one that failed until the next one begins; others are folded.
function release(view, one, { name, failed, said }) {
  const { t } = view;
  const kind = t(`kind.${one.kind}`, {}, one.kind);
  const title = one.ended
    ? t("release.past", { kind, version: one.version, at: view.clock(one.ended), result: t(`result.${one.result}`, {}, one.result), took: span(one.ended - one.began) })
    : t("release.now", { kind, version: one.version, at: view.clock(one.began) });
  const reason = one.reason && !said.includes(one.reason) ? el("p", { class: "sentence" }, one.reason) : null;
  const inside = [
    one.steps.length ? el("ol", { class: "steps" }, one.steps.map((step) => stepOf(view, step, one))) : null,
    saidOf(one),
    handover(view, one),
    one.gates.length ? el("ul", { class: "gates" }, one.gates.map((gate) => gateOf(view, gate))) : null,
  ];
  if (!one.ended || failed) return el("div", { class: "release" }, el("p", { class: "quiet" }, title), reason, inside);
  const folded = el("details", { "data-key": `release-${name}` }, el("summary", {}, title), el("div", { class: "release inner" }, inside));
  return el("div", { class: "release" }, reason, folded);
}

function stepOf(view, step, one) {
  const now = !step.ended && !one.ended;
  const [kind, mark] = now ? ["now", "●"] : step.failed ? ["failed", "✕"] : ["done", "✓"];
  const when = now ? since(step.began, view.now(), `${view.clock(step.began)}  `) : `${view.clock(step.began)}  ${span(step.ended - step.began)}`;
  return el("li", { class: kind, title: step.said, "aria-current": now ? "step" : undefined, "data-stage": step.stage },
    el("span", { class: "mark", "aria-hidden": "true" }, mark),
    el("span", { class: "stage" }, view.t(`stage.${step.stage}`, {}, step.stage)),
    el("span", { class: "when" }, when));
}

function saidOf(one) {
  const last = one.steps[one.steps.length - 1];
  return last && !one.ended && last.said ? el("p", { class: "quiet" }, last.said) : null;
}

function handover(view, one) {
  const pause = one.handover ? one.handover.pause : one.pause;
  if (pause !== null && pause !== undefined) return el("p", {}, view.t("handover.past", { pause: span(pause) }));
  if (!one.handover || one.ended) return null;
  return el("p", {}, view.t("handover.now", { at: view.clock(one.handover.began) }), " (", since(one.handover.began, view.now()), ")");
}

const GATES = { Passed: ["good", "✓"], Failed: ["bad", "✕"], Running: ["now", "●"] };

function gateOf(view, gate) {
  const [kind, mark] = GATES[gate.state] || ["warn", "?"];
  return el("li", {}, badge(kind, mark, view.t(`gate.${gate.state}`, {}, gate.state)), el("b", {}, gate.name), el("span", {}, gate.said));
}

// --- events in flow
export function flow(view, parts) {
  const streams = parts.streams?.value, boxes = parts.outboxes?.value;
  if (!streams && !boxes) return [];
  const rows = flowRows(view, streams || { topics: [], groups: [], letters: [] }, boxes || [], parts);
  const { t } = view;
  const heads = [[t("col.outbox")], [t("col.relay")], [t("col.topic")], [t("col.consumer")], [t("col.trouble")]];
  return [rows.length ? table(heads, rows) : el("p", { class: "calm" }, t("no.events"))];
}

function flowRows(view, streams, boxes, parts) {
  const rows = [], shown = new Set(), grouped = new Set();
  for (const [topic, events] of streams.topics) {
    const box = boxes.find((one) => one.service === producer(topic, parts));
    const readers = streams.groups.filter((group) => group.lags.some((lag) => lag.topic === topic));
    if (box) shown.add(box.service);
    const cells = [outbox(view, box, topic), relay(view, box, topic, parts), topicCell(view, topic, events)];
    if (!readers.length) rows.push(el("tr", {}, cells, cell(view.t("col.consumer"), "quiet", view.t("unread")), cell(view.t("col.trouble"), "quiet", view.t("none"))));
    readers.forEach((group, number) => {
      grouped.add(group.group);
      const first = number ? [el("td", { class: "again", colspan: 3, "aria-label": topic })] : cells;
      rows.push(el("tr", {}, first, consumer(view, group, topic), troubles(view, group, topic, streams, boxes)));
    });
  }
  for (const box of boxes.filter((one) => !shown.has(one.service))) {
    rows.push(el("tr", {}, outbox(view, box), el("td", { colspan: 4 })));
  }
  for (const group of streams.groups.filter((one) => !grouped.has(one.group))) {
    rows.push(el("tr", {}, el("td", { colspan: 3 }), consumer(view, group), cell(view.t("col.trouble"), "quiet", view.t("none"))));
  }
  return rows;
}

// Who publishes: counted by the processes themselves; before the first event the topic's first name says it.
function producer(topic, parts) {
  const counted = parts.gauges?.value?.traffic.find((one) => one.published[topic]);
  return (counted ? counted.process : topic).split(counted ? " " : ".")[0];
}

function outbox(view, box, topic) {
  if (!box) return cell(view.t("col.outbox"), "quiet", (topic || "").split(".")[0]);
  if (box.trouble) return cell(view.t("col.outbox"), "", el("b", {}, box.service), el("p", { class: "trouble" }, box.trouble));
  const old = box.pending ? el("span", { class: "sub" }, view.t("oldest", { age: span(box.oldest) })) : null;
  const count = box.pending >= COUNTED ? `≈ ${view.number(box.pending)}` : view.number(box.pending);
  return cell(view.t("col.outbox"), "", el("div", { class: "flow-cell" }, el("b", {}, box.service),
    el("span", { class: box.pending ? "big" : "quiet" }, view.t("pending", { n: count })), old));
}

function relay(view, box, topic, parts) {
  const label = view.t("col.relay");
  const name = box ? box.service : topic.split(".")[0];
  const process = (parts.processes?.value || []).find((one) => [`${name} relay`, `${name} worker`].includes(one.name));
  const counted = (parts.gauges?.value?.traffic || []).filter((one) => one.process.startsWith(`${name} `));
  const sent = counted.reduce((sum, one) => sum + (one.published[topic] || 0), 0);
  if (!process) return cell(label, "quiet", "–");
  return cell(label, "", el("div", { class: "flow-cell" }, stateBadge(view, process.state), el("span", { class: "sub" }, view.t("sent", { n: view.number(sent) }))));
}

function topicCell(view, topic, events) {
  return cell(view.t("col.topic"), "", el("div", { class: "flow-cell" }, el("span", { class: "mono" }, topic), el("span", { class: "sub" }, view.t("events", { n: view.number(events) }))));
}

function consumer(view, group, topic) {
  const label = view.t("col.consumer");
  if (group.trouble) return cell(label, "", el("b", {}, group.group), el("p", { class: "trouble" }, group.trouble));
  const lag = group.lags.find((one) => one.topic === topic);
  const members = group.members.length ? badge("good", "✓", view.t("members", { n: group.members.length })) : badge("bad", "✕", view.t("no.members"));
  const behind = lag ? el("span", { class: lag.behind ? "big" : "quiet" }, view.t("behind", { n: view.number(lag.behind) })) : null;
  return cell(label, "", el("div", { class: "flow-cell", title: group.members.join("\n") }, el("b", {}, group.group), behind, members,
    group.state === "Stable" ? null : el("span", { class: "sub" }, group.state)));
}

function troubles(view, group, topic, streams, boxes) {
  const label = view.t("col.trouble");
  const letters = streams.letters.find((one) => one.topic === topic && one.group === group.group);
  const box = boxes.find((one) => one.service === group.group);
  const parked = (box?.parked || []).filter((one) => one.topic === topic);
  if (!letters && !parked.length) return cell(label, "quiet", view.t("none"));
  const words = { topic, group: group.group };
  return cell(label, "", letters ? el("div", { class: "flow-cell" }, badge("bad", "✉", view.t("letters", { n: view.number(letters.count) })),
    el("button", { type: "button", class: "small", "data-key": `look-${topic}-${group.group}`, click: () => view.letters(words) }, view.t("look")),
    el("button", { type: "button", class: "small", "data-key": `replay-${topic}-${group.group}`, click: () => view.act({ action: "replay", ...words }, words) }, view.t("replay"))) : null,
    parked.length ? el("details", { "data-key": `parked-${topic}-${group.group}` }, el("summary", {}, view.t("parked", { n: parked.length })),
      el("ul", {}, parked.map((key) => el("li", { class: "mono" }, key.key, ` (${key.letters})`)))) : null);
}

export function lettersOf(view, found, words) {
  const { t } = view;
  const shut = el("button", { type: "button", class: "small", click: () => view.letters(null) }, t("close"));
  const title = el("div", { class: "row" }, el("h3", {}, t("letters.of", words)), shut);
  if (!found.letters.length) return [title, el("p", { class: "calm" }, t("letters.none"))];
  return [title, el("div", { class: "card" }, found.letters.map((one) => el("div", { class: "letter" },
    el("div", { class: "flow-cell" }, el("b", {}, one.type), badge("bad", "✉", one.reason || "?"), el("span", { class: "mono" }, one.key), el("span", { class: "sub" }, `${one.at}  ${one.time || ""}`)),
    one.exception ? el("p", {}, one.exception) : null,
    el("pre", { class: "mono" }, one.value ?? one.value_base64 ?? ""))))];
}

// --- processes
const STATES = { ready: ["good", "✓"], starting: ["now", "●"], ending: ["warn", "↓"], ended: ["bad", "✕"] };

function stateBadge(view, state) {
  const [kind, mark] = STATES[state] || ["warn", "?"];
  return badge(kind, mark, view.t(`state.${state}`, {}, state));
}

export function processes(view, part) {
  const { t } = view;
  const heads = [[t("col.process")], [t("col.version")], [t("col.state")], [t("col.pid"), "number"], [t("col.falls")]];
  return [table(heads, part.value.map((one) => el("tr", { "data-process": one.name }, el("th", { scope: "row" }, one.name), cell(t("col.version"), "", one.version || "–"),
    cell(t("col.state"), "", stateBadge(view, one.state)), cell(t("col.pid"), "number", String(one.pid)), cell(t("col.falls"), one.falls ? "" : "quiet", fell(view, one)))), "tight")];
}

function fell(view, one) {
  if (!one.falls) return "–";
  const [before, after] = view.t(one.falls > 1 ? "falls" : "fell.once", { n: one.falls, age: "\u0000" }).split("\u0000");
  return since(one.fell, view.now(), before, after);
}

export function breakers(view, part) {
  const { t } = view;
  const kinds = { closed: ["good", "✓"], "half-open": ["warn", "◐"], open: ["bad", "✕"] };
  const silent = part.value.silent.map(([process, why]) => el("p", { class: "trouble" }, t("silent", { process, why })));
  if (!part.value.breakers.length) return [...silent, el("p", { class: "calm" }, t("no.breakers"))];
  const heads = [[t("col.process")], [t("col.breaker")], [t("col.state")], [t("col.rejected"), "number"]];
  return [...silent, table(heads, part.value.breakers.map((one) => el("tr", {}, el("th", { scope: "row" }, one.process), cell(t("col.breaker"), "", one.name),
    cell(t("col.state"), "", badge(...kinds[one.state], t(`breaker.${one.state}`))), cell(t("col.rejected"), "number", view.number(one.rejected)))), "tight")];
}

export function happenings(view, part) {
  if (!part.value.length) return [el("p", { class: "calm" }, view.t("no.happenings"))];
  return [el("div", { class: "card told", tabindex: "0", role: "region", "aria-label": view.t("happenings"), "data-key": "told" }, part.value.map((one) => el("div", { class: "said-line" },
    el("span", { class: "quiet" }, view.clock(one.at, true)), el("b", {}, one.what), el("span", {}, one.said))))];
}

// --- what needs a look
// It is read aloud when it changes, so it has no ages and no counts that change by themselves.
export function attention(view, parts) {
  const found = [...fallen(view, parts), ...waiting(view, parts), ...stuck(view, parts), ...open(view, parts)];
  if (!found.length) return calm(parts) ? [el("p", { class: "alert good" }, el("b", { "aria-hidden": "true" }, "✓"), view.t("all.well"))] : [];
  return found.map(([kind, mark, text]) => el("p", { class: `alert ${kind}` }, el("b", { "aria-hidden": "true" }, mark), el("span", {}, text)));
}

// Said of what is known alone: every part was asked and answered, and nothing is on its way up.
function calm(parts) {
  const asked = ["services", "processes", "outboxes", "streams", "gauges"].every((name) => parts[name] && !parts[name].trouble);
  return asked && parts.processes.value.every((one) => one.state === "ready" || one.state === "ending");
}

function fallen(view, parts) {
  const all = parts.processes?.value || [];
  const fell = all.filter((one) => one.fell && view.now() - one.fell < FELL_SECONDS && one.state !== "ended");
  return [...all.filter((one) => one.state === "ended").map((one) => ["bad", "✕", view.t("alert.ended", { name: one.name })]),
    ...fell.map((one) => ["bad", "✕", view.t("alert.fell", { name: one.name, at: view.clock(one.fell) })])];
}

function waiting(view, parts) {
  const kinds = { Waiting: ["", "‖", "alert.waits"], Failed: ["bad", "✕", "alert.failed"], Blocked: ["bad", "✕", "alert.failed"], Suspended: ["", "‖", "alert.failed"] };
  return (parts.services?.value || []).filter((one) => one.trouble || kinds[one.phase] || said(one)).map((one) => {
    if (one.trouble) return ["bad", "✕", view.t("alert.broken", { name: one.name, sentence: one.trouble })];
    const [kind, mark, key] = kinds[one.phase] || ["", "!", "alert.failed"];
    return [kind, mark, view.t(key, { name: one.name, sentence: brief(one.sentence) })];
  });
}

// The whole sentence stands beside the service.
function brief(text) {
  return text.length > LONGEST ? `${text.slice(0, LONGEST).trimEnd()}…` : text;
}

// A service at rest that says more than that lacks something.
function said(one) {
  return one.phase === "Released" && one.sentence !== one.phase;
}

function stuck(view, parts) {
  const streams = parts.streams?.value, boxes = parts.outboxes?.value || [];
  const letters = (streams?.letters || []).map((one) => ["bad", "✉", view.t("alert.letters", { ...one, n: view.number(one.count) })]);
  const parked = boxes.filter((one) => one.parked_count).map((one) => ["", "‖", view.t("alert.parked", { service: one.service, n: one.parked_count })]);
  const old = boxes.filter((one) => one.oldest > OLD_SECONDS).map((one) => ["", "‖", view.t("alert.old", { service: one.service, age: span(Math.floor(one.oldest / OLD_SECONDS) * OLD_SECONDS) })]);
  const moving = (parts.services?.value || []).filter((one) => one.release?.handover && !one.release.handover.ended).map((one) => one.name);
  const nobody = (streams?.groups || []).filter((one) => !moving.includes(one.group) && !one.trouble && !one.members.length && one.lags.some((lag) => lag.behind))
    .map((one) => ["bad", "✕", view.t("alert.nobody", { group: one.group })]);
  return [...nobody, ...letters, ...parked, ...old];
}

function open(view, parts) {
  return (parts.gauges?.value?.breakers || []).filter((one) => one.state !== "closed")
    .map((one) => ["bad", "✕", view.t("alert.breaker", { ...one, state: view.t(`breaker.${one.state}`) })]);
}

// --- one order's way, and its lines
export function way(view, found) {
  const { t } = view;
  if (!found.spans.length) return [];
  const begin = found.spans[0].began;
  const whole = Math.max(0.001, Math.max(...found.spans.map((one) => one.ended)) - begin);
  const rows = found.spans.map((one) => spanRow(view, one, begin, whole));
  return [el("h3", {}, t("way")), found.events ? null : el("p", { class: "calm" }, t("levels.hint")), el("div", { class: "card waterfall", role: "list" }, rows)];
}

function spanRow(view, one, begin, whole) {
  const bar = el("span", { class: `bar ${one.kind}${one.failed ? " failed" : ""}` });
  const left = Math.min(99.5, ((one.began - begin) / whole) * 100);
  bar.style.left = `${left}%`;
  bar.style.width = `${Math.min(100 - left, ((one.ended - one.began) / whole) * 100)}%`;
  const took = one.kind === "line" ? `+${span(one.began - begin)}` : span(one.ended - one.began);
  return el("div", { class: "span", role: "listitem", title: `${view.clock(one.began, true)}  ${one.name}` },
    el("span", { class: "who" }, el("span", { class: "kind" }, view.t(`span.${one.kind}`)), " ", one.service, " ", el("span", { class: "quiet" }, one.process === one.service ? "" : one.process)),
    el("span", { class: "lane" }, el("span", { class: "what quiet" }, one.failed ? "✕ " : "", one.name), bar), el("span", { class: "number" }, took));
}

export function lines(view, found) {
  const { t } = view;
  if (!found.lines.length) return [el("p", { class: "calm" }, t("nothing.found"))];
  return [el("h3", {}, t("lines")), found.left_out ? el("p", { class: "calm" }, t("left.out", { n: found.left_out })) : null,
    el("div", { class: "card lines", tabindex: "0", role: "region", "aria-label": t("lines"), "data-key": "lines" }, found.lines.map((one) => el("div", { class: "said-line" },
      el("span", { class: "quiet" }, view.clock(one.at, true)), el("b", {}, who(one)), levelBadge(one.level), el("span", {}, one.said))))];
}

function who(one) {
  return [...new Set([one.service, one.process, one.version])].filter((word) => word && word !== "-").join(" ");
}

function levelBadge(level) {
  const bad = level === "error" || level === "critical";
  return el("span", {}, bad ? badge("bad", "✕", level) : level === "warning" ? badge("warn", "!", level) : el("span", { class: "quiet" }, level));
}
