"use strict";
// One rater's session: a video plays to its end before it can be answered; every answer is kept here at once.
const data = JSON.parse(document.getElementById("data").textContent);
const shelf = `study:${data.token}`;
const state = Object.assign({ answers: {}, sent: {}, language: null, agreed: null }, stored());
const screen_ = document.getElementById("screen");
const status_ = document.getElementById("state");
const opened = Date.now();
let log = [], leave = () => {};

function stored() {
  try { return JSON.parse(localStorage.getItem(shelf)) || {}; } catch { return {}; }
}
function keep() {
  try { localStorage.setItem(shelf, JSON.stringify(state)); } catch { /* private browsing: kept in memory */ }
}
for (const [item, answer] of Object.entries(data.given)) { state.answers[item] ||= answer; state.sent[item] = true; }

const known = navigator.languages.map((name) => name.split("-")[0]).find((name) => data.languages.includes(name));
let language = data.languages.includes(state.language) ? state.language : known || data.languages[0];
const say = (name, values = {}) =>
  data.words[language][name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element) element[name] = value; else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
};
const note = (what, more = {}) => log.push({ at_ms: Math.round(performance.now()), what, ...more });
document.addEventListener("visibilitychange", () => note(document.hidden ? "hidden" : "visible"));

function frame() {
  document.documentElement.lang = language;
  document.getElementById("title").textContent = data.title[language];
  document.getElementById("language-label").textContent = say("language");
  const select = document.getElementById("language");
  select.replaceChildren(...data.languages.map((name) => make("option", {
    value: name, textContent: data.names[name] || name, selected: name === language,
  })));
  select.onchange = () => { language = state.language = select.value; keep(); show(); };
}
function show() {
  leave(); leave = () => {};
  frame();
  const done = data.items.filter((item) => item.id in state.answers).length;
  const line = document.getElementById("progress-line");
  line.hidden = !state.agreed;
  const bar = document.getElementById("progress");
  bar.max = data.items.length; bar.value = done;
  const said = say("progress", { done, all: data.items.length });
  bar.setAttribute("aria-label", said);
  document.getElementById("progress-text").textContent = said;
  const item = data.items.find((one) => !(one.id in state.answers));
  if (!state.agreed) consent(); else if (item) ask(item); else finish();
  send();
}
function consent() {
  const begin = make("button", { className: "main", id: "begin", textContent: say("begin") });
  begin.onclick = () => { state.agreed = new Date().toISOString(); keep(); show(); };
  const paragraphs = data.consent[language].split(/\n\s*\n/).map((text) => make("p", { textContent: text }));
  screen_.replaceChildren(make("h1", { textContent: say("consent") }), ...paragraphs,
    make("p", { textContent: say("device") }), make("p", { textContent: say("instruction") }), begin);
}
function ask(item) {
  log = []; note("shown");
  const question = data.questions[item.question];
  const heading = make("h1", { tabIndex: -1, id: "question", textContent: question.text[language] });
  const words = question.asks === "rating" ? question.labels[language] : say_list("pair");
  const values = question.asks === "rating" ? [1, 2, 3, 4, 5] : ["first", "second", "same"];
  const ended = item.videos.map(() => false);
  const next = make("button", { className: "main", id: "next", disabled: true, textContent: say("next") });
  const choices = make("fieldset", { disabled: true, id: "choices", "aria-labelledby": "question" },
    ...words.map((word, place) => {
      const radio = make("input", { type: "radio", name: "answer", value: String(place) });
      radio.onchange = () => { note("chosen", { value: values[place] }); next.disabled = false; };
      return make("label", {}, radio, word);
    }));
  const players = item.videos.map((address, place) => player(address, place, item.videos.length, () => {
    ended[place] = true;
    if (ended.every(Boolean)) { choices.disabled = false; status_.textContent = say("answer_now"); }
  }));
  next.onclick = () => {
    const picked = choices.querySelector("input:checked");
    if (!picked || choices.disabled) return;
    note("next");
    state.answers[item.id] = { item: item.id, value: values[Number(picked.value)], language, events: log,
      opened_ms: opened, at: new Date().toISOString(), screen: [innerWidth, innerHeight] };
    keep(); status_.textContent = ""; show();
    document.getElementById("question")?.focus();
  };
  const hints = [say("watch"), ...(item.training ? [say("training")] : []), ...(question.muted ? [say("muted")] : [])];
  status_.textContent = "";
  screen_.replaceChildren(heading, make("p", { className: "quiet", textContent: hints.join(" ") }),
    make("div", { className: "videos" }, ...players), choices, next);
  leave = () => screen_.querySelectorAll("video").forEach((video) => { video.pause(); video.removeAttribute("src"); });
}
const say_list = (name) => data.words[language][name];
function player(address, place, count, whenEnded) {
  const name = count > 1 ? say(place ? "second" : "first") : "";
  const start = count > 1 ? say(place ? "play_second" : "play_first") : say("play");
  const video = make("video", { src: address, playsInline: true, preload: "auto", disablePictureInPicture: true,
    "aria-label": name || start, "controlslist": "nodownload" });
  const button = make("button", { className: "play", textContent: start });
  let reached = 0, whole = false;
  video.addEventListener("timeupdate", () => { if (!video.seeking) reached = Math.max(reached, video.currentTime); });
  // Nobody gets to the end but by watching.
  video.addEventListener("seeking", () => {
    if (!whole && video.currentTime > reached + 0.3) { note("seek", { video: place }); video.currentTime = reached; }
  });
  video.addEventListener("ratechange", () => { if (video.playbackRate !== 1) { note("rate"); video.playbackRate = 1; } });
  video.addEventListener("contextmenu", (event) => event.preventDefault());
  video.addEventListener("play", () => {
    note("play", { video: place });
    screen_.querySelectorAll("video").forEach((other) => { if (other !== video) other.pause(); });
    button.textContent = say("stop");
  });
  video.addEventListener("pause", () => {
    if (!video.ended) { note("pause", { video: place }); button.textContent = say("back_from_pause"); }
  });
  video.addEventListener("ended", () => {
    note("end", { video: place }); whole = true; button.textContent = say("again"); whenEnded();
  });
  video.addEventListener("error", () => {
    if (!video.getAttribute("src")) return;
    note("error", { video: place }); status_.textContent = say("broken");
  });
  button.onclick = () => { if (video.paused) video.play().catch(() => {}); else video.pause(); };
  return make("figure", {}, ...(name ? [make("figcaption", { textContent: name })] : []), video, button);
}
function finish() {
  status_.textContent = "";
  const parts = [make("h1", { tabIndex: -1, id: "question", textContent: say("done") })];
  if (data.post) parts.push(make("p", { id: "sent", role: "status" }));
  else {
    const save = make("button", { className: "main", id: "save", textContent: say("save") });
    save.onclick = download;
    parts.push(make("p", { textContent: say("return") }), save);
  }
  screen_.replaceChildren(...parts);
}
async function sealed(body) {
  if (!globalThis.crypto?.subtle) return "";
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(data.secret + body));
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
async function download() {
  const body = JSON.stringify({ study: data.name, token: data.token, agreed: state.agreed,
    answers: Object.values(state.answers) });
  const text = JSON.stringify({ body, seal: await sealed(body) });
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })),
    download: `answers-${data.token.slice(0, 8)}.json` });
  document.body.append(link); link.click(); link.remove();
}
let sending = false;
async function send() {
  if (!data.post || !state.agreed || sending) return;
  sending = true;
  const waiting = () => Object.values(state.answers).filter((answer) => !state.sent[answer.item]);
  let pause_ms = 500;
  for (let own = waiting(); own.length; own = waiting()) {
    try {
      const reply = await fetch(data.post, { method: "POST", headers: { "content-type": "application/json" },
        body: JSON.stringify({ agreed: state.agreed, answers: own }) });
      if (reply.ok) {
        for (const item of (await reply.json()).kept) state.sent[item] = true;
        keep(); pause_ms = 500;
        continue;
      }
      if (reply.status < 500) { status_.textContent = say("refused", { why: (await reply.text()).slice(0, 200) }); break; }
    } catch { /* no network: sent again */ }
    tell(); await new Promise((go) => setTimeout(go, pause_ms)); pause_ms = Math.min(2 * pause_ms, 8000);
  }
  sending = false;
  tell();
}
function tell() {
  const count = Object.values(state.answers).filter((answer) => !state.sent[answer.item]).length;
  const line = document.getElementById("sent");
  if (line) line.textContent = count ? say("waiting", { count }) : say("sent");
}
show();
