// The page: what is shown, what a key or a button does. Drawing is in canvas.js, a face in face.js,
// saving in store.js, the pointer in pointer.js, lists and dialogs in panels.js.
import { View } from "./canvas.js";
import { Face } from "./face.js";
import { Panels, element } from "./panels.js";
import { Pointer } from "./pointer.js";
import { Saver, get, pictureUrl, post } from "./store.js";

const view = new View(element("canvas"));
const held = new Map(); // faces by file and frame: what was done to them can still be undone
const app = { queue: null, items: [], at: 0, file: 0, frame: 0, before: null, after: null, mode: "" };
const panels = new Panels(app, view, { go, choose, point });
const saver = new Saver(panels.saved, (face, newer) => {
  panels.conflict(face, newer);
  view.draw();
});
saver.done = (face, got) => {
  panels.counts(got.counts);
  const item = app.items.find((i) => i.file === face.place.file && i.frame === face.place.frame
    && (i.face === face.face || i.face === ""));
  if (item) item.status = face.status;
  panels.items();
};

async function go(index) {
  app.at = Math.min(Math.max(index, 0), app.items.length - 1);
  history.replaceState(null, "", `#${app.at + 1}`);
  const item = app.items[app.at];
  panels.items();
  await show(item.file, item.frame, item.face);
}

async function show(file, frame, wanted) {
  [app.file, app.frame, app.mode] = [file, frame, ""];
  panels.mode("");
  panels.trouble("");
  const token = (app.token = {});
  try {
    const image = new Image();
    image.src = pictureUrl(file, frame);
    const [values] = await Promise.all([get("frame", { file, frame }), image.decode()]);
    if (token !== app.token) return; // another frame was asked for meanwhile
    view.image = image;
    view.size = [values.width, values.height];
    [app.before, app.after] = [values.before, values.after];
    take(values, wanted);
    view.fit(view.face ? view.face.bounds() : null);
  } catch (problem) {
    if (token !== app.token) return;
    [view.image, view.faces, view.face] = [null, [], null];
    const asked = await get("frame", { file, frame }).then(() => problem.message, (p) => p.message);
    panels.trouble(`This picture cannot be shown: ${asked}`);
    panels.all();
    view.draw();
  }
}

function take(values, wanted) {
  const place = { file: values.file, frame: values.frame };
  const key = `${place.file}/${place.frame}`;
  const before = held.get(key) || [];
  const faces = values.faces.map((given) => {
    const old = before.find((f) => f.face === given.face);
    if (old && (old.dirty || old.sending || old.conflict || old.version === given.version)) return old;
    return new Face(given, place, app.queue.scheme);
  });
  const unsent = before.filter((f) => !faces.includes(f) && (f.dirty || f.sending || f.conflict));
  held.set(key, [...faces, ...unsent]);
  view.faces = [...faces, ...unsent].filter((f) => f.face !== "none");
  app.none = faces.find((f) => f.face === "none");
  choose(view.faces.find((f) => f.face === wanted) || (wanted === "" ? null : view.faces[0]) || null);
}

function choose(face) {
  view.face = face;
  view.chosen = new Set();
  if (face && face.conflict) panels.conflict(face, face.conflict);
  panels.all();
  view.draw();
}

function point(index) {
  view.chosen = new Set(index === null ? [] : [index]);
  panels.points();
  view.draw();
}

// Do something to the face at hand: kept for undo, saved, drawn.
export function change(what, act) {
  const face = view.face;
  if (!face) return;
  const was = face.state();
  if (act(face) === false) return;
  face.keep(was);
  sent(face, what);
}

export function sent(face, what) {
  saver.change(face, what);
  panels.all();
  view.draw();
}

function newFace() {
  const names = app.queue.scheme.names;
  const face = `n${Date.now().toString(36)}${Math.floor(Math.random() * 1e6).toString(36)}`;
  const values = { face, raw: null, confidence: null, confidences: null, version: 0,
                   status: "open", points: names.map(() => null), occluded: [], box: null };
  return new Face(values, { file: app.file, frame: app.frame }, app.queue.scheme);
}

// A function that says whether the user is still where they are now: an answer may come late.
function here() {
  const { token } = app, { face } = view;
  return () => app.token === token && view.face === face;
}

// A face that the table lacks, as `fill` makes it.
function add(what, fill) {
  const face = newFace();
  face.keep();
  fill(face);
  held.get(`${app.file}/${app.frame}`).push(face);
  view.faces.push(face);
  choose(face);
  sent(face, what);
}

async function drawn(box) {
  const { file, frame } = app;
  const adding = app.mode === "add" || !view.face;
  const still = here();
  panels.mode("looking for the points …");
  app.mode = "";
  try {
    const found = await post("propose", { file, frame, box });
    if (!still()) return;
    if (adding) add("added", (f) => f.propose(found));
    else change("box", (f) => f.propose(found));
    panels.said(`points by ${found.how}`);
  } catch (problem) {
    if (!still()) return;
    panels.trouble(problem.message);
  }
  panels.mode("");
}

// The face at hand as it is in the frame beside it; where none is at hand, one that is lost here.
async function copyFrom(frame) {
  if (frame === null) return panels.said("there is no such frame");
  const { face } = view;
  const still = here();
  const { faces } = await get("faces", { file: app.file, frame });
  if (!still()) return null;
  const there = faces.filter((f) => f.status !== "not_a_face" && f.points.some((p) => p));
  const lost = there.filter((f) => !view.faces.some((g) => g.face === f.face));
  const other = face ? there.find((f) => f.face === face.face) || nearest(there, face.box) : lost[0];
  if (!other) return panels.said(`frame ${frame} has no face to copy`);
  const what = `copied from frame ${frame}`;
  return face ? change(what, (f) => f.copy(other)) : add(what, (f) => f.copy(other));
}

function nearest(faces, box) {
  const middle = (b) => (b ? [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2] : [1e9, 1e9]);
  const far = (f) => Math.hypot(...middle(f.box).map((v, i) => v - middle(box)[i]));
  return faces.sort((a, b) => far(a) - far(b))[0];
}

function accept() {
  const face = view.face;
  if (face && face.status === "open") change("accepted", (f) => { f.status = "accepted"; });
  else if (!view.faces.length) {
    const none = app.none || Object.assign(newFace(), { face: "none" });
    if (none.status !== "not_a_face") {
      none.status = "not_a_face";
      saver.change(none, "no face here");
    }
  }
  go(app.at + 1);
}

function absent() {
  if (!view.chosen.size) return panels.said("choose points first: click, [ ], or a for all");
  return change("absent", (f) => f.toggle(view.chosen, "absent"));
}

function occluded() {
  if (!view.chosen.size) return panels.said("choose points first: click, [ ], or a for all");
  return change("occluded", (f) => f.toggle(view.chosen, "occluded"));
}

function noFace() {
  change("not a face", (f) => {
    f.status = f.status === "not_a_face" ? (f.raw ? "open" : "corrected") : "not_a_face";
  });
}

function begin(mode) {
  app.mode = mode;
  panels.mode(mode === "add" ? "Draw a box around the face that was missed, brows to chin (Escape: no)"
    : "Draw the face's box anew, brows to chin (Escape: no)");
}

function nextPoint(step) {
  const n = app.queue.scheme.names.length;
  if (!view.face) return;
  const at = view.chosen.size ? [...view.chosen].pop() : step > 0 ? -1 : n;
  point((at + step + n) % n);
}

function nextFace() {
  if (!view.faces.length) return;
  choose(view.faces[(view.faces.indexOf(view.face) + 1) % view.faces.length]);
  view.fit(view.face.bounds());
}

function back(name) {
  if (view.face && view.face[name]()) sent(view.face, name);
}

function toFrame(frame) {
  if (frame === null) return panels.said("there is no such frame");
  return show(app.file, frame, view.face ? view.face.face : "0");
}

function nudge(dx, dy, event) {
  const by = (event.shiftKey ? 10 : 1) / view.zoom;
  if (view.chosen.size) change("moved by keys", (f) => f.move(view.chosen, dx * by, dy * by));
}

function escape() {
  view.draft = null;
  app.mode = "";
  panels.mode("");
  panels.trouble("");
  point(null);
}

const flipped = (done) => done || (panels.said("the scheme does not say what mirrors onto what"), false);
const zoom = (by) => view.zoomAt([view.canvas.clientWidth / 2, view.canvas.clientHeight / 2], by);
const actions = {
  accept, absent, occluded, escape, noface: noFace, nextface: nextFace,
  undo: () => back("undo"), redo: () => back("redo"),
  "item-": () => go(app.at - 1), "item+": () => go(app.at + 1),
  "frame-": () => toFrame(app.before), "frame+": () => toFrame(app.after),
  "batch-": () => go((Math.floor(app.at / panels.batch) - 1) * panels.batch),
  "batch+": () => go((Math.floor(app.at / panels.batch) + 1) * panels.batch),
  "copy-": () => copyFrom(app.before), "copy+": () => copyFrom(app.after),
  all: () => { if (view.face) view.chosen = new Set(view.face.known()); panels.points(); view.draw(); },
  mirror: () => change("mirrored", (f) => flipped(f.exchange(f.middle()))),
  swap: () => change("sides swapped", (f) => flipped(f.exchange())),
  reset: () => change("as it was", (f) => f.reset()),
  box: () => begin(view.face ? "box" : "add"), add: () => begin("add"),
  fit: () => view.fit(null), face: () => view.fit(view.face && view.face.bounds()),
  in: () => zoom(1.25), out: () => zoom(0.8),
  hide: () => { view.hidden = !view.hidden; view.draw(); },
  began: () => { view.began = !view.began; view.draw(); },
  "point-": () => nextPoint(-1), "point+": () => nextPoint(1),
  help: () => element("help").showModal(), steps: () => panels.steps(),
  theirs: () => panels.settle(saver, false), mine: () => panels.settle(saver, true),
};
const KEYS = {
  Enter: "accept", x: "absent", o: "occluded", Escape: "escape", d: "noface", f: "nextface", z: "undo",
  y: "redo", Z: "redo", k: "item-", j: "item+", ",": "frame-", ".": "frame+", c: "copy-", v: "copy+",
  a: "all", m: "mirror", s: "swap", r: "reset", b: "box", i: "add", 0: "fit", 1: "face", "+": "in",
  "=": "in", "-": "out", h: "hide", p: "began", "[": "point-", "]": "point+", "?": "help", g: "steps",
};
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || !app.queue || event.altKey) return;
  const command = event.ctrlKey || event.metaKey;
  if (command && !["z", "y", "Z"].includes(event.key)) return;
  const onButton = event.target.closest("button");
  if (onButton && ["Enter", " "].includes(event.key)) return; // presses the button
  if (event.key in ARROWS) nudge(...ARROWS[event.key], event);
  else if (event.key in KEYS) actions[KEYS[event.key]]();
  else return;
  event.preventDefault();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (!button) return;
  actions[button.dataset.do]();
  if (event.detail && !document.querySelector("dialog[open]")) view.canvas.focus(); // keys go on there
});
new Pointer(view, app, { choose, point, change, sent, drawn, said: panels.said });

get("queue").then((queue) => {
  app.queue = queue;
  app.items = queue.items;
  document.title = `kpcli review: ${queue.of}`;
  panels.counts(queue.counts);
  panels.saved("saved", "nothing to save yet");
  return go((parseInt(location.hash.slice(1), 10) || 1) - 1);
}).catch((problem) => panels.saved("bad", problem.message));
