// The pointer on the picture: points are dragged, the picture moved and zoomed, boxes drawn.

export class Pointer {
  constructor(view, app, on) {
    Object.assign(this, { view, app, on, held: null, fingers: new Map() });
    const canvas = view.canvas;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.up(event));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      view.zoomAt(this.place(event), Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)));
    }, { passive: false });
    canvas.addEventListener("dblclick", () => view.fit(view.face && view.face.bounds()));
  }

  place(event) {
    const box = this.view.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  down(event) {
    const { view, app } = this;
    const at = this.place(event);
    view.canvas.focus({ preventScroll: true });
    view.canvas.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, at);
    if (this.fingers.size === 2) {
      this.held = { kind: "pinch" };
      return;
    }
    const hit = app.mode ? -1 : view.pointAt(at);
    if (app.mode) this.held = { kind: "box" };
    else if (hit >= 0) this.grab(hit, event.shiftKey);
    else if (event.shiftKey) this.held = { kind: "area" };
    else this.held = { kind: "pan", moved: 0 };
    Object.assign(this.held, { from: at, last: at });
  }

  grab(hit, more) {
    const { view } = this;
    if (more) {
      if (view.chosen.has(hit)) view.chosen.delete(hit);
      else view.chosen.add(hit);
    } else if (!view.chosen.has(hit)) view.chosen = new Set([hit]);
    this.held = { kind: "points", was: view.face.state(), moved: 0 };
    view.draw();
  }

  move(event) {
    const { view, held } = this;
    const at = this.place(event);
    if (!held) {
      this.over(at);
      return;
    }
    if (held.kind === "pinch") {
      this.pinch(event.pointerId, at);
      return;
    }
    this.fingers.set(event.pointerId, at);
    const [dx, dy] = [at[0] - held.last[0], at[1] - held.last[1]];
    held.last = at;
    held.moved += Math.abs(dx) + Math.abs(dy);
    if (held.kind === "points") view.face.move(view.chosen, dx / view.zoom, dy / view.zoom);
    else if (held.kind === "pan") view.pan(dx, dy);
    else view.draft = this.area(held.from, at);
    view.draw();
  }

  over(at) {
    const { view } = this;
    const hit = view.pointAt(at);
    view.canvas.style.cursor = this.app.mode ? "crosshair" : hit >= 0 ? "pointer" : "grab";
    if (hit < 0) return;
    const [x, y] = view.face.points[hit];
    this.on.said(`${hit} ${view.face.scheme.names[hit]}: ${x.toFixed(1)}, ${y.toFixed(1)}`);
  }

  pinch(id, at) {
    const other = [...this.fingers].find(([key]) => key !== id);
    const old = this.fingers.get(id);
    this.fingers.set(id, at);
    if (!other || !old) return;
    const far = (p) => Math.hypot(p[0] - other[1][0], p[1] - other[1][1]) || 1;
    const middle = [(at[0] + other[1][0]) / 2, (at[1] + other[1][1]) / 2];
    this.view.zoomAt(middle, far(at) / far(old));
  }

  area(a, b) {
    const [p, q] = [this.view.toPicture(a), this.view.toPicture(b)];
    return [Math.min(p[0], q[0]), Math.min(p[1], q[1]), Math.max(p[0], q[0]), Math.max(p[1], q[1])];
  }

  up(event) {
    const { view, held, app } = this;
    this.fingers.delete(event.pointerId);
    if (!held) return;
    this.held = null;
    const at = this.place(event);
    const draft = view.draft;
    view.draft = null;
    if (held.kind === "points" && held.moved) this.dropped(held);
    else if (held.kind === "points") this.on.point(view.chosen.size === 1 ? [...view.chosen][0] : null);
    else if (held.kind === "box" && draft && app.mode) this.on.drawn(draft);
    else if (held.kind === "area" && draft) this.select(draft);
    else if (held.kind === "pan" && held.moved < 4) this.click(at);
    view.draw();
  }

  dropped(held) {
    this.view.face.keep(held.was);
    this.on.sent(this.view.face, this.view.chosen.size > 1 ? "points dragged" : "point dragged");
  }

  select([left, top, right, bottom]) {
    const { view } = this;
    if (!view.face) return;
    const inside = (p) => p[0] >= left && p[0] <= right && p[1] >= top && p[1] <= bottom;
    for (const i of view.face.known()) if (inside(view.face.points[i])) view.chosen.add(i);
  }

  // Where an absent point is; another face; or nothing, which ends the selection.
  click(at) {
    const { view } = this;
    const [only] = view.chosen;
    if (view.face && view.chosen.size === 1 && !view.face.points[only]) {
      const place = view.toPicture(at);
      this.on.change("placed", (f) => {
        f.points[only] = place;
        f.touched();
      });
      return;
    }
    const other = view.faceAt(at);
    if (other) this.on.choose(other);
    else this.on.point(null);
  }
}
