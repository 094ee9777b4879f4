// Lists beside the picture, and what the page says.
export const element = (id) => document.getElementById(id);
const BATCH = 10;
const WORDS = { open: "", accepted: "right", corrected: "corrected", not_a_face: "no face" };

function make(name, words, more = {}) {
  const made = Object.assign(document.createElement(name), more);
  made.append(...(Array.isArray(words) ? words : [words]));
  return made;
}

function listed(words, current, action, name = "") {
  const button = make("button", words, { onclick: action, type: "button" });
  if (current) button.setAttribute("aria-current", "true");
  return make("li", button, { className: name });
}

const short = (name) => {
  const last = name.split("/").pop();
  return last.length > 30 ? `${last.slice(0, 12)}…${last.slice(-16)}` : last;
};

export class Panels {
  constructor(app, view, on) {
    Object.assign(this, { app, view, on, batch: BATCH });
    this.saved = (state, words) => {
      element("saved").className = state;
      element("saved").textContent = words;
    };
    this.said = (words) => { element("said").textContent = words; };
  }

  all() {
    const { app, view } = this;
    const file = app.queue ? app.queue.files[app.file] : "";
    element("where").textContent = `${file}${app.before || app.after ? `, frame ${app.frame}` : ""}`;
    element("where").title = file;
    const states = view.faces.map((face) => {
      const sure = face.confidence === null ? "" : ` ${face.confidence.toFixed(2)}`;
      const name = face.raw ? `face ${face.face}` : "added face";
      const state = make("span", WORDS[face.status], { className: "state" });
      return listed([`${name}${sure}`, state], face === view.face, () => this.on.choose(face), face.status);
    });
    element("faces").replaceChildren(...states);
    if (!states.length) element("faces").append(make("li", "none", { className: "dim" }));
    this.points();
  }

  points() {
    const { face, chosen } = this.view;
    const names = face ? face.scheme.names : [];
    const rows = names.map((name, i) => {
      const state = !face.points[i] ? "absent" : face.occluded.has(i) ? "occluded"
        : face.confidences ? face.confidences[i].toFixed(2) : "";
      const weak = face.confidences && face.confidences[i] < 0.5 ? "weak" : "";
      return listed([`${i} ${name}`, make("i", state)], chosen.has(i), () => this.on.point(i), weak);
    });
    element("points").replaceChildren(...rows);
    const now = element("points").querySelector("[aria-current]");
    if (now) now.scrollIntoView({ block: "nearest" });
    if (chosen.size === 1 && face) {
      const [i] = chosen;
      const p = face.points[i];
      this.said(`${i} ${names[i]}: ${p ? p.map((v) => v.toFixed(1)).join(", ") : "absent; click where it is"}`);
    } else this.said(chosen.size ? `${chosen.size} points selected` : "");
  }

  items() {
    const { app } = this;
    const number = Math.floor(app.at / BATCH);
    const first = number * BATCH;
    element("batch").textContent = `Batch ${number + 1} of ${Math.ceil(app.items.length / BATCH)}`;
    const rows = app.items.slice(first, first + BATCH).map((item, i) => {
      const at = item.moving ? ` · ${item.seconds.toFixed(2)} s` : "";
      const why = make("span", `${item.reasons.join(", ")}`, { className: "why" });
      const state = make("span", WORDS[item.status], { className: "state" });
      const words = [state, `${first + i + 1}. ${short(app.queue.files[item.file])}${at}`, why];
      const row = listed(words, first + i === app.at, () => this.on.go(first + i));
      row.firstChild.classList.add(item.status);
      row.firstChild.title = app.queue.files[item.file];
      return row;
    });
    element("items").replaceChildren(...rows);
  }

  counts(counts) {
    const told = Object.entries(counts).map(([status, n]) => `${n} ${WORDS[status]}`);
    element("counts").textContent = `So far: ${told.join(", ")}`;
  }

  mode(words) { this.show("mode", words); }
  trouble(words) { this.show("trouble", words); }

  show(id, words) {
    element(id).textContent = words;
    element(id).hidden = !words;
  }

  conflict(face, newer) {
    this.fought = face;
    element("conflict-words").textContent = `${newer.who || "Somebody"} saved version ${newer.version} of this face `
      + `(${newer.what || newer.status}) at ${new Date(newer.when).toLocaleString()}; yours began with ${face.version}.`;
    if (!element("conflict").open) element("conflict").showModal();
  }

  settle(saver, mine) {
    element("conflict").close();
    saver.settle(this.fought, mine);
    this.all();
    this.view.draw();
  }

  async steps() {
    const body = element("steps-body");
    body.replaceChildren("…");
    element("steps").showModal();
    const { get } = await import("./store.js");
    const found = await get("steps");
    const parts = found.advice.map((words) => make("p", words, { className: "dim" }));
    for (const step of found.steps) {
      const copy = make("button", "Copy", { type: "button",
        onclick: () => navigator.clipboard.writeText(step.command) });
      parts.push(make("div", [make("b", step.title), copy], { className: "row" }), make("pre", step.command));
    }
    body.replaceChildren(...parts, ...this.result(found.result));
  }

  result(result) {
    if (!result) return [make("p", "When these are done, the error before and after stands here.")];
    const value = (v) => (v === null || v === undefined ? "–" : `${v.toFixed(2)} %`);
    const row = (name, r) => make("tr", [make("th", name), make("td", value(r.nme_mean), { className: "n" }),
      make("td", value(r.failure_rate), { className: "n" }), make("td", `${r.faces}`, { className: "n" })]);
    const head = make("tr", ["model", "mean error", "failures", "faces"].map((w) => make("th", w)));
    const before = result.before ? [row(`before: ${result.old}`, result.before)] : [];
    const title = result.before ? "Before and after, on faces kept back" : "On faces kept back";
    return [make("h2", title),
      make("table", make("tbody", [head, ...before, row(`after: ${result.new}`, result.after)]))];
  }
}
