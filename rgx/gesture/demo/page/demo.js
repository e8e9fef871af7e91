"use strict";
// One model's page: files go to the server once, a take comes back as a film, and spans of it are made anew.
const facts = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const FILES = ["speech", "portrait", "portrait_keypoints"], FRAME_S = 0.04;
const sent = new Map();  // a file to the name that the server gave it
let recording = null, recorder = null, takes = [], painting = null;

function choose(select, names) {
  select.append(...names.map((name) => new Option(name, name)));
}
function offer() {
  at("model").textContent = facts.model;
  choose(at("speaker"), facts.speakers);
  choose(at("part"), facts.parts);
  at("part-line").hidden = !facts.parts.length;
  for (const name of ["steps", "guidance"]) {
    at(`${name}-line`).hidden = facts[name] === null;
    at(name).value = facts[name] ?? "";
  }
  at("no-portrait").textContent = facts.no_portrait && `None moves here: ${facts.no_portrait}`;
  at("portrait-files").hidden = Boolean(facts.no_portrait);
  at("no-edit").textContent = facts.no_edit && `Spans cannot be made anew: ${facts.no_edit}`;
  at("span").hidden = Boolean(facts.no_edit);
}
async function ask(path, options = {}) {
  let reply;
  try { reply = await fetch(path, options); } catch { throw new Error("the server does not answer: is rgx demo still running?"); }
  let content;
  try { content = await reply.json(); } catch { throw new Error(`the server answered ${reply.status}`); }
  if (!reply.ok) throw new Error(content.error || `the server answered ${reply.status}`);
  return content;
}
async function bring(file) {
  if (!sent.has(file)) {
    const name = encodeURIComponent(file.name || "recording.webm");
    const reply = await ask(`/files/${name}`, { method: "POST", body: file });
    sent.set(file, reply.file);
  }
  return sent.get(file);
}
const chosen = (id) => (id === "speech" && recording) || at(id).files[0];
function number(id) {
  const text = at(id).value.trim();
  return text === "" ? null : Number(text);
}
function style() {
  const wish = { speaker: at("speaker").value, seed: number("seed") ?? 0 };
  for (const name of ["steps", "guidance"]) if (facts[name] !== null && number(name) !== null) wish[name] = number(name);
  return wish;
}
async function generate() {
  const wish = style();
  if (!chosen("speech")) throw new Error("no speech: choose a file, or record some");
  for (const id of FILES) {
    if (id !== "speech" && facts.no_portrait) continue;
    if (chosen(id)) wish[id] = await bring(chosen(id));
  }
  if (wish.portrait_keypoints && !wish.portrait) throw new Error("a keypoint file without a portrait: choose its picture, too");
  await make(wish);
}
async function again() {
  const wish = { ...style(), take: at("take").value, begin: Number(at("begin").value), end: Number(at("end").value) };
  if (at("part").value) wish.part = at("part").value;
  await make(wish);
}
async function make(wish) {
  await ask("/work", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(wish) });
  await follow();
}
async function follow() {
  for (;;) {
    const { work, takes: listed } = await ask("/work");
    working(work && work.running ? work : null);
    if (!work || !work.running) {
      show(listed, work && work.take);
      if (work && work.error === "stopped") at("state").textContent = "Stopped.";
      else if (work && work.error) throw new Error(work.error);
      else if (work) at("state").textContent = "Done.";
      return;
    }
    await new Promise((resume) => setTimeout(resume, 250));
  }
}
function working(work) {
  at("working").hidden = !work;
  for (const id of ["generate", "again"]) at(id).disabled = Boolean(work);
  if (!work) return;
  if (work.total) { at("progress").max = work.total; at("progress").value = work.done; }
  else at("progress").removeAttribute("value");
  at("doing").textContent = work.total ? `${work.doing}: ${work.done} of ${work.total} frames` : work.doing;
}
async function guarded(act) {
  at("error").textContent = at("state").textContent = "";
  for (const id of ["generate", "again"]) at(id).disabled = true;
  try { await act(); } catch (error) { at("error").textContent = error.message; } finally { working(null); }
}

function show(listed, newest) {
  takes = listed;
  const before = at("take").value;
  at("take").replaceChildren(...takes.map((take, place) => new Option(`${place + 1}: ${take.label}`, take.name)));
  at("result").hidden = !takes.length;
  const wanted = newest || before;
  if (takes.some((take) => take.name === wanted)) at("take").value = wanted;
  if (takes.length && at("take").value !== at("film").dataset.take) look();
}
function look() {
  const take = takes.find((some) => some.name === at("take").value);
  const film = at("film"), address = `/takes/${take.name}.mp4`;
  film.dataset.take = take.name;
  film.src = at("save").href = address;
  film.setAttribute("aria-label", take.label);
  const same = Number(at("end").max) === take.seconds && Number(at("end").value) > 0;
  at("begin").max = take.seconds - FRAME_S;
  at("end").min = FRAME_S;
  at("end").max = take.seconds;
  if (!same) { at("begin").value = take.seconds / 3; at("end").value = 2 * take.seconds / 3; }
  mark();
}
function mark() {
  const length = Number(at("end").max) || 1, begin = Number(at("begin").value), end = Number(at("end").value);
  for (const id of ["begin", "end"]) {
    at(`${id}-text`).textContent = `${Number(at(id).value).toFixed(2)} s`;
    at(id).setAttribute("aria-valuetext", at(`${id}-text`).textContent);
  }
  at("painted").style.left = `${100 * begin / length}%`;
  at("painted").style.width = `${Math.max(0, 100 * (end - begin) / length)}%`;
}
function paint(event) {
  const box = at("timeline").getBoundingClientRect(), length = Number(at("end").max);
  const time = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * length;
  painting ??= time;
  at("begin").value = Math.min(painting, time);
  at("end").value = Math.max(painting, time);
  mark();
}
// A handle that is moved past the other takes it along, so that the span always has a length.
at("begin").oninput = () => { at("end").value = Math.max(Number(at("end").value), Number(at("begin").value) + FRAME_S); mark(); };
at("end").oninput = () => { at("begin").value = Math.min(Number(at("begin").value), Number(at("end").value) - FRAME_S); mark(); };
at("timeline").onpointerdown = (event) => { at("timeline").setPointerCapture(event.pointerId); painting = null; paint(event); };
at("timeline").onpointermove = (event) => { if (painting !== null) paint(event); };
at("timeline").onpointerup = at("timeline").onpointercancel = () => { painting = null; };
at("film").ontimeupdate = () => { at("now").style.left = `${100 * at("film").currentTime / (Number(at("end").max) || 1)}%`; };

function hear(blob) {
  if (at("heard").src) URL.revokeObjectURL(at("heard").src);
  at("heard").hidden = false;
  at("heard").src = URL.createObjectURL(blob);
}
async function record() {
  if (recorder) { recorder.stop(); return; }
  let stream;
  try { stream = await navigator.mediaDevices.getUserMedia({ audio: true }); }
  catch (error) { throw new Error(`no microphone to record with: ${error.message}`); }
  const pieces = [];
  recorder = new MediaRecorder(stream);
  recorder.ondataavailable = (event) => pieces.push(event.data);
  recorder.onstop = () => {
    stream.getTracks().forEach((track) => track.stop());
    recording = new Blob(pieces, { type: recorder.mimeType });
    recorder = null;
    at("speech").value = "";
    at("record").textContent = "Record anew";
    at("record").setAttribute("aria-pressed", "false");
    at("recorded").textContent = "Recorded: this is the speech.";
    hear(recording);
  };
  recorder.start();
  at("record").textContent = "Stop recording";
  at("record").setAttribute("aria-pressed", "true");
  at("recorded").textContent = "Recording…";
}
at("speech").onchange = () => {
  if (!at("speech").files.length) return;
  recording = null;
  at("recorded").textContent = "";
  hear(at("speech").files[0]);
};
at("record").onclick = async () => {
  at("error").textContent = "";
  try { await record(); } catch (error) { at("error").textContent = error.message; }
};
at("choices").onsubmit = (event) => { event.preventDefault(); guarded(generate); };
at("edit").onsubmit = (event) => { event.preventDefault(); guarded(again); };
at("stop").onclick = () => { ask("/stop", { method: "POST" }).catch((error) => { at("error").textContent = error.message; }); };
at("take").onchange = look;
offer();
guarded(async () => { const { work } = await ask("/work"); if (work) await follow(); });
