// One face: its points, what can be done to it, and back again.
const round = (v) => Math.round(v * 1000) / 1000;

export class Face {
  constructor(values, place, scheme) {
    this.place = place; // {file, frame}
    this.scheme = scheme;
    this.face = values.face;
    this.raw = values.raw && { points: values.raw, box: values.rawBox, occluded: values.rawOccluded };
    this.confidence = values.confidence;
    this.confidences = values.confidences;
    this.dirty = this.sending = false;
    this.conflict = null;
    this.undone = [];
    this.redone = [];
    this.take(values);
  }

  take(values) {
    this.version = values.version;
    this.status = values.status;
    this.points = values.points.map((p) => p && [...p]);
    this.occluded = new Set(values.occluded || []);
    this.box = values.box && [...values.box];
  }

  toSend() {
    return {
      ...this.place, face: this.face, status: this.status, box: this.box,
      points: this.points.map((p) => p && p.map(round)), occluded: [...this.occluded],
    };
  }

  state() {
    return { version: this.version, status: this.status, points: this.points.map((p) => p && [...p]),
             occluded: [...this.occluded], box: this.box && [...this.box] };
  }

  // Remember how it is, before it changes.
  keep(state = this.state()) {
    this.undone.push(state);
    if (this.undone.length > 200) this.undone.shift();
    this.redone = [];
  }

  step(from, to) {
    if (!from.length) return false;
    to.push(this.state());
    const version = this.version;
    this.take(from.pop());
    this.version = version;
    return true;
  }

  undo() { return this.step(this.undone, this.redone); }
  redo() { return this.step(this.redone, this.undone); }

  known() { return this.points.map((p, i) => i).filter((i) => this.points[i]); }

  // The box follows points that leave it, and what moves it as a whole.
  touched() { this.status = "corrected"; }

  move(numbers, dx, dy) {
    for (const i of numbers) {
      if (this.points[i]) this.points[i] = [this.points[i][0] + dx, this.points[i][1] + dy];
    }
    if (this.box && numbers.size > 1 && this.known().every((i) => numbers.has(i))) {
      this.box = [this.box[0] + dx, this.box[1] + dy, this.box[2] + dx, this.box[3] + dy];
    }
    this.touched();
  }

  toggle(numbers, what) {
    const list = [...numbers].filter((i) => this.points[i]);
    if (what === "absent") {
      for (const i of list) {
        this.points[i] = null;
        this.occluded.delete(i);
      }
    } else {
      const on = list.some((i) => !this.occluded.has(i));
      for (const i of list) on ? this.occluded.add(i) : this.occluded.delete(i);
    }
    this.touched();
    return list.length > 0;
  }

  // Left and right names exchanged; with `middle`, places mirrored about it too.
  exchange(middle = null) {
    const flip = this.scheme.flip;
    if (!flip.length) return false;
    const points = this.points, hidden = this.occluded;
    const place = (p) => p && (middle === null ? [...p] : [2 * middle - p[0], p[1]]);
    this.points = flip.map((i) => place(points[i]));
    this.occluded = new Set(flip.map((i, to) => (hidden.has(i) ? to : -1)).filter((i) => i >= 0));
    this.touched();
    return true;
  }

  middle() {
    const xs = this.known().map((i) => this.points[i][0]);
    return (Math.min(...xs) + Math.max(...xs)) / 2;
  }

  reset() {
    if (!this.raw) return false;
    this.take({ ...this.raw, version: this.version, status: "open" });
    return true;
  }

  copy(other) {
    this.points = other.points.map((p) => p && [...p]);
    this.occluded = new Set(other.occluded);
    this.box = other.box && [...other.box];
    this.touched();
  }

  propose(found) {
    this.points = found.points.map((p) => p && [...p]);
    this.occluded = new Set();
    this.box = [...found.box];
    this.confidences = found.confidences;
    this.touched();
  }

  bounds() {
    const places = this.known().map((i) => this.points[i]);
    if (this.box) places.push([this.box[0], this.box[1]], [this.box[2], this.box[3]]);
    if (!places.length) return null;
    const xs = places.map((p) => p[0]), ys = places.map((p) => p[1]);
    return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  }
}
