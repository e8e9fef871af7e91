"use strict";
// A store's page: it asks every two seconds what has changed, and draws that.
const facts = JSON.parse(document.getElementById("facts").textContent);
const at = (id) => document.getElementById(id);
const EVERY_MS = 2000, MOST_ROWS = 6, SVG = "http://www.w3.org/2000/svg";
const tags = new Map();  // an address to the state it was last drawn in
let state = null, shown = null, opened = new Set();

function make(name, properties = {}, ...inside) {
  const { data = {}, ...own } = properties;
  const element = Object.assign(document.createElement(name), own);
  Object.assign(element.dataset, data);
  element.append(...inside);
  return element;
}
function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds)), two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
async function ask(address, options = {}) {
  const headers = { ...options.headers };
  if (!options.method && tags.has(address)) headers["If-None-Match"] = tags.get(address);
  let reply;
  try { reply = await fetch(address, { ...options, headers }); } catch { throw new Error("the server does not answer: is rgx serve still running?"); }
  if (reply.status === 304) return null;
  let content;
  try { content = await reply.json(); } catch { throw new Error(`the server answered ${reply.status}`); }
  if (!reply.ok) throw new Error(content.error || `the server answered ${reply.status}`);
  if (!options.method) tags.set(address, reply.headers.get("etag"));
  return content;
}
function place(parent, ...inside) {
  // What had the focus has it again when all is drawn anew.
  const focused = parent.contains(document.activeElement) && document.activeElement.dataset.id;
  parent.replaceChildren(...inside);
  if (focused) parent.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
}
function bar(done, total, label) {
  return make("progress", { value: done, max: Math.max(total, 1), ariaLabel: label });
}
function card(each) {
  const name = `${each.stage} ${each.key.slice(0, 8)}`, id = `card ${each.stage} ${each.key}`;
  const open = make("button", { type: "button", textContent: "Look", data: { id }, ariaLabel: `Look at ${name}` });
  open.onclick = () => look(each.stage, each.key);
  const now = Date.now() / 1000, parts = [];
  if (each.held) {
    if (each.began) parts.push(`for ${clock(now - each.began)}`);
    if (each.ends) parts.push(`about ${clock(each.ends - now)} left`);
    parts.push(each.where);
  }
  const failed = !each.held;
  const more = each.rows.length > 1 ? ` and ${each.rows.length - 1} more` : "";
  return make("li", { className: `card${failed ? " failed" : ""}` },
    make("div", { className: "bar" }, make("strong", { textContent: name }), open),
    ...(each.total ? [bar(each.done, each.total, `${name}: ${each.done} of ${each.total}`)] : []),
    make("p", { textContent: [each.total ? `${each.done}/${each.total}` : "", ...parts].filter(Boolean).join(", ") }),
    ...(failed ? [make("p", { className: "why", textContent: each.state })] : []),
    make("p", { className: "quiet", textContent: (each.rows[0] || "") + more }));
}
function depths(stages) {
  const known = new Map(stages.filter((each) => each.after).map((each) => [each.stage, each])), depth = new Map();
  const walk = (name) => {
    if (!depth.has(name)) {
      depth.set(name, 0);
      const after = (known.get(name)?.after || []).filter((parent) => stages.some((each) => each.stage === parent));
      depth.set(name, Math.max(0, ...after.map((parent) => walk(parent) + 1)));
    }
    return depth.get(name);
  };
  stages.forEach((each) => walk(each.stage));
  // What a stage is made of is known once one of its kind is done; until then it stands last.
  const last = Math.max(0, ...depth.values());
  stages.filter((each) => !each.after).forEach((each) => depth.set(each.stage, last));
  return depth;
}
function graph(sweep) {
  const depth = depths(sweep.stages), nodes = new Map();
  const inner = make("div", { className: "inner" }), edges = document.createElementNS(SVG, "svg");
  edges.setAttribute("aria-hidden", "true");
  inner.append(edges);
  for (let column = 0; column <= Math.max(0, ...depth.values()); column += 1) {
    const own = sweep.stages.filter((each) => depth.get(each.stage) === column).map((each) => {
      const kind = each.failed ? "failed" : each.running ? "runs" : each.done === each.total ? "whole" : "";
      const said = `${each.done}/${each.total}${each.running ? `, ${each.running} run` : ""}${each.failed ? `, ${each.failed} failed` : ""}`;
      const node = make("button", { type: "button", className: `stage ${kind}`, data: { id: `${sweep.name} ${each.stage}` },
        ariaLabel: `${each.stage}: ${said}${each.after?.length ? `; after ${each.after.join(", ")}` : ""}` },
        each.stage, make("span", { className: "amount", textContent: said }));
      node.onclick = () => list(sweep.name, each.stage);
      nodes.set(each.stage, node);
      return node;
    });
    inner.append(make("div", { className: "column" }, ...own));
  }
  const box = make("div", { className: "graph", tabIndex: 0, role: "group", ariaLabel: `Stages of ${sweep.name}` }, inner);
  const draw = () => {
    const corner = inner.getBoundingClientRect(), drawn = [];
    const parents = new Map(sweep.stages.map((each) => [each.stage, (each.after || []).filter((parent) => nodes.has(parent))]));
    const above = (name) => new Set(parents.get(name).flatMap((parent) => [parent, ...above(parent)]));
    for (const each of sweep.stages) {
      // What another parent is made of is behind that one already.
      const after = parents.get(each.stage), further = new Set(after.flatMap((parent) => [...above(parent)]));
      for (const parent of after.filter((name) => !further.has(name))) {
        const a = nodes.get(parent).getBoundingClientRect(), b = nodes.get(each.stage).getBoundingClientRect();
        const [x, y, u, v] = [a.right - corner.left, (a.top + a.bottom) / 2 - corner.top, b.left - corner.left, (b.top + b.bottom) / 2 - corner.top];
        const path = document.createElementNS(SVG, "path"), half = (u - x) / 2;
        path.setAttribute("class", "edge");
        path.setAttribute("d", `M${x} ${y}C${x + half} ${y} ${u - half} ${v} ${u} ${v}`);
        drawn.push(path);
      }
    }
    edges.replaceChildren(...drawn);
  };
  return [box, draw];
}
function tablesOf(sweep) {
  const inside = make("div", { className: "tables" });
  const box = make("details", { open: opened.has(sweep.name) }, make("summary", { textContent: "Tables as they fill", data: { id: `tables ${sweep.name}` } }), inside);
  const fill = async () => {
    const address = `/tables/${encodeURIComponent(sweep.name)}`;
    tags.delete(address);
    try { inside.replaceChildren(...(await ask(address)).tables.map(table)); } catch (error) { inside.textContent = error.message; }
  };
  box.ontoggle = () => { if (box.open) { opened.add(sweep.name); fill(); } else opened.delete(sweep.name); };
  return box;
}
function table(each) {
  const row = (cells, name) => make("tr", {}, ...cells.map((text, n) => make(n && name === "td" ? "td" : "th", { textContent: text, scope: name === "td" ? "row" : "col" })));
  return make("div", {}, make("p", { textContent: each.caption }), make("div", { className: "scrolls", tabIndex: 0, role: "group", ariaLabel: each.name },
    make("table", { ariaLabel: each.caption }, make("thead", {}, row(each.heads, "th")),
      make("tbody", {}, ...each.lines.map((cells) => row(cells, "td"))))),
    make("details", {}, make("summary", { textContent: "Notes" }), ...each.notes.map((text) => make("p", { className: "quiet", textContent: text }))));
}
function draw() {
  document.title = at("store").textContent = state.store;
  const held = state.running.filter((each) => each.held), failed = state.running.filter((each) => !each.held);
  at("sum").textContent = `${held.length} running, ${failed.length} stopped or failed, ${state.sweeps.length} sweep${state.sweeps.length === 1 ? "" : "s"}`;
  place(at("running"), ...[...held, ...failed].map(card));
  at("idle").hidden = Boolean(held.length);
  const edges = [], boxes = state.sweeps.map((sweep) => {
    const [box, lines] = graph(sweep);
    edges.push(lines);
    const stages = sweep.stages.reduce(([done, total], each) => [done + each.done, total + each.total], [0, 0]);
    return make("section", { className: "sweep", ariaLabel: sweep.name }, make("h3", { textContent: sweep.name }),
      bar(...stages, `${sweep.name}: ${stages[0]} of ${stages[1]} stages`),
      make("p", { textContent: `${sweep.cells_done} of ${sweep.cells} cells, ${stages[0]} of ${stages[1]} stages` }),
      box, ...(facts.tables.includes(sweep.name) ? [tablesOf(sweep)] : []));
  });
  place(at("sweeps"), ...(boxes.length ? boxes : [make("p", { className: "quiet", textContent: "No sweep has run in this store." })]));
  edges.forEach((each) => each());
}
function drawCurve([name, points]) {
  const xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const spot = ([x, y]) => `${(100 * (x - left)) / (right - left || 1)} ${4 + 92 * (1 - (y - low) / (high - low || 1))}`;
  const svg = document.createElementNS(SVG, "svg"), path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 100 100");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const last = points[points.length - 1], said = `${name} ${last[1].toPrecision(4)} at step ${last[0]}`;
  svg.setAttribute("aria-label", `${said}, from ${points[0][1].toPrecision(4)}, between ${low.toPrecision(4)} and ${high.toPrecision(4)}`);
  path.setAttribute("class", "curve");
  path.setAttribute("d", `M${points.map(spot).join("L")}`);
  svg.append(path);
  return make("figure", {}, make("figcaption", { textContent: said }), svg);
}
async function list(sweep, stage) {
  shown = null;
  at("detail-name").textContent = `${stage} of ${sweep}`;
  for (const id of ["cancel", "rerun", "gin-part"]) at(id).hidden = true;
  for (const id of ["detail-facts", "detail-rows", "said", "log"]) at(id).textContent = "";
  at("curves").replaceChildren();
  const address = `/stages/${encodeURIComponent(sweep)}/${encodeURIComponent(stage)}`;
  tags.delete(address);
  const { artifacts } = await ask(address);
  const items = artifacts.map((each) => {
    const button = make("button", { type: "button", textContent: `${each.key.slice(0, 8)}: ${each.state}` });
    button.disabled = each.state === "missing";
    button.onclick = () => look(stage, each.key);
    return make("li", { className: "card" }, button, make("p", { className: "quiet", textContent: each.rows.join(", ") }));
  });
  at("curves").append(...items);
  if (!at("detail").open) at("detail").showModal();
}
async function look(stage, key) {
  if (shown?.stage !== stage || shown?.key !== key) at("said").textContent = "";
  shown = { stage, key };
  tags.delete(`/artifact/${stage}/${key}`);
  await refresh();
  if (!at("detail").open) at("detail").showModal();
}
async function refresh() {
  if (!shown) return;
  const { stage, key } = shown, known = await ask(`/artifact/${stage}/${key}`);
  const running = state.running.find((each) => each.stage === stage && each.key === key);
  at("cancel").hidden = !running?.held;
  at("rerun").hidden = Boolean(running?.held);
  if (!known) return;
  at("detail-name").textContent = `${stage} ${key}`;
  const scores = Object.entries(known.scores).map(([name, value]) => `${name} ${Number(value.toPrecision(5))}`);
  const took = known.seconds === null ? [] : [`${clock(known.seconds)} on ${known.host || "an unknown machine"}, ${clock(known.cpu_seconds ?? 0)} of processors`];
  at("detail-facts").textContent = [known.finished ? "finished" : running?.state || "", ...took,
    ...(known.seed === null ? [] : [`seed ${known.seed}`]), ...scores].filter(Boolean).join("; ");
  const more = known.rows.length > MOST_ROWS ? ` and ${known.rows.length - MOST_ROWS} more` : "";
  at("detail-rows").textContent = known.rows.length ? `for ${known.rows.slice(0, MOST_ROWS).join(", ")}${more}` : "";
  at("curves").replaceChildren(...Object.entries(known.curve).filter(([, points]) => points.length > 1).map(drawCurve));
  at("log").textContent = known.log.join("\n") || "empty";
  at("gin-part").hidden = !known.gin;
  at("gin").textContent = known.gin;
}
async function order(what) {
  const { stage, key } = shown;
  try { at("said").textContent = (await ask(`/${what}/${stage}/${key}`, { method: "POST", headers: { "x-token": facts.token } })).said; }
  catch (error) { at("said").textContent = error.message; }
}
at("cancel").onclick = () => { if (confirm(`End ${shown.stage} ${shown.key}? Its state is saved first.`)) order("cancel"); };
at("rerun").onclick = () => { if (confirm(`Make ${shown.stage} ${shown.key} anew? What rests on it goes to the trash, too.`)) order("rerun"); };
at("close").onclick = () => at("detail").close();
at("detail").onclose = () => { shown = null; };

async function watch() {
  try {
    if (!document.hidden || !state) {
      const news = await ask("/state");
      if (news) { state = news; draw(); }
      if (at("detail").open) await refresh();
    }
    at("error").hidden = true;
  } catch (error) {
    at("error").hidden = false;
    at("error").textContent = error.message;
  }
  setTimeout(watch, EVERY_MS);
}
addEventListener("resize", () => state && draw());
watch();
