"use strict";
// Works without: the page is whole, this adds sorting, filtering, the large view and the cursor.
const all = (query, root = document) => [...root.querySelectorAll(query)];
const two = (value, digits) => (value === null || value === undefined ? "–" : value.toFixed(digits));

function sortable(table) {
  const body = table.tBodies[0];
  all("thead th", table).forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const words = row.cells[column].textContent.trim();
        const value = parseFloat(words);
        return Number.isNaN(value) ? words : value;
      };
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if (typeof x === typeof y) return typeof x === "number" ? x - y : x.localeCompare(y);
        return typeof x === "number" ? -1 : 1;
      });
      body.append(...(down ? rows.reverse() : rows));
    });
  });
}

function filters(tools) {
  const rows = all("tbody tr", document.getElementById(tools.dataset.table));
  const [words, status, said] = ["input", "select", "output"].map((n) => tools.querySelector(n));
  const apply = () => {
    let shown = 0;
    for (const row of rows) {
      const fits = row.textContent.toLowerCase().includes(words.value.toLowerCase());
      const kind = !status.value || row.cells[1].textContent.trim() === status.value;
      row.hidden = !(fits && kind);
      shown += !row.hidden;
    }
    said.textContent = `${shown} of ${rows.length} rows`;
  };
  words.addEventListener("input", apply);
  status.addEventListener("change", apply);
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      words.focus();
    }
  });
}

function largeView(dialog) {
  const buttons = all(".shots button");
  const image = dialog.querySelector("img");
  const words = dialog.querySelector("p");
  let at = 0;
  const show = (index) => {
    at = (index + buttons.length) % buttons.length;
    const small = buttons[at].querySelector("img");
    image.src = small.src;
    image.alt = small.alt;
    words.textContent = `${small.alt} (${at + 1} of ${buttons.length})`;
  };
  buttons.forEach((button, index) =>
    button.addEventListener("click", () => {
      show(index);
      dialog.showModal();
    })
  );
  const step = { previous: -1, next: 1 };
  all("button[data-step]", dialog).forEach((button) =>
    button.addEventListener("click", () => show(at + step[button.dataset.step]))
  );
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") show(at + 1);
    if (event.key === "ArrowLeft") show(at - 1);
  });
}

function timeLine(figure) {
  const values = JSON.parse(figure.querySelector("script.values").textContent);
  const tracks = figure.querySelector(".tracks");
  const said = figure.querySelector("output");
  const radios = all("input[type=radio]", figure);
  let at = -1;
  const person = () => (radios.find((r) => r.checked) || { value: figure.dataset.person }).value;
  const show = (index) => {
    const count = values.t.length - 1;
    at = Math.max(0, Math.min(count - 1, index));
    const [first, last] = [values.t[0], values.t[count]];
    const share = (values.t[at] - first) / (last - first || 1);
    for (const line of all(".cursor", figure)) {
      const x = values.left + share * (values.width - values.left - values.right);
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      line.removeAttribute("hidden");
    }
    const p = values.p[person()];
    let words = `${two(values.t[at], 2)} s, frame ${values.f[at]}: ${values.n[at]} % of frames with a face`;
    if (p) {
      words += ` · face ${person()}: `;
      const named = Object.entries(p).filter(([, v]) => v[at] !== null);
      words += named.length ? named.map(([k, v]) => `${k} ${two(v[at], k in values.degrees ? 0 : 2)}`).join(", ") : "not there";
    }
    said.textContent = words;
    tracks.setAttribute("aria-valuenow", at);
    tracks.setAttribute("aria-valuetext", words);
  };
  tracks.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10 };
    if (event.key in steps) show(at + steps[event.key]);
    else if (event.key === "Home") show(0);
    else if (event.key === "End") show(values.t.length);
    else return;
    const x = tracks.querySelector(".cursor").getAttribute("x1") / values.width;
    tracks.scrollLeft = x * tracks.scrollWidth - tracks.clientWidth / 2;
    event.preventDefault();
  });
  tracks.addEventListener("pointermove", (event) => {
    const box = tracks.querySelector("svg").getBoundingClientRect(); // wider than a narrow screen
    const x = ((event.clientX - box.left) / box.width) * values.width;
    const share = (x - values.left) / (values.width - values.left - values.right);
    const count = values.t.length - 1;
    const time = values.t[0] + share * (values.t[count] - values.t[0]);
    let index = 0;
    while (index < count - 1 && values.t[index + 1] <= time) index += 1;
    show(index);
  });
  radios.forEach((radio) =>
    radio.addEventListener("change", () => {
      for (const part of all("[data-face]", figure)) part.hidden = part.dataset.face !== radio.value;
      if (at >= 0) show(at);
    })
  );
}

all("table.sortable").forEach(sortable);
all("[data-table]").forEach(filters);
all("dialog").forEach(largeView);
all(".time").forEach(timeLine);
