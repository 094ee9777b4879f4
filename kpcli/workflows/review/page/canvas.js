// The picture with its faces: drawn, zoomed, and what lies under the pointer.
const NEAR = 12;
const DOUBT = 0.5;
const COLOURS = { line: "#7fe3ff", other: "#ffffff99", seen: "#ffffff", weak: "#ffa030",
                  chosen: "#ffe600", raw: "#ff5fd0", newer: "#b070ff", edge: "#000000" };

export class View {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.image = null;
    this.size = [1, 1];
    this.faces = [];
    this.face = null;
    this.chosen = new Set();
    this.draft = null; // a box that is being drawn, or an area of selection
    this.hidden = false;
    this.began = false;
    [this.zoom, this.x, this.y] = [1, 0, 0];
    new ResizeObserver(() => this.resized()).observe(canvas);
  }

  resized() {
    const ratio = devicePixelRatio || 1;
    const fresh = [Math.round(this.canvas.clientWidth * ratio), Math.round(this.canvas.clientHeight * ratio)];
    if (fresh[0] !== this.canvas.width || fresh[1] !== this.canvas.height) {
      [this.canvas.width, this.canvas.height] = fresh;
      if (this.fitted) this.fit(this.fitted);
    }
    this.draw();
  }

  // Screen place of a point of the picture, whose first pixel's centre is (0, 0); and back.
  toScreen([x, y]) { return [(x + 0.5) * this.zoom + this.x, (y + 0.5) * this.zoom + this.y]; }
  toPicture([x, y]) { return [(x - this.x) / this.zoom - 0.5, (y - this.y) / this.zoom - 0.5]; }

  // Show an area [left, top, right, bottom] with room around it; null: the whole picture.
  fit(area) {
    this.fitted = area || [0, 0, this.size[0] - 1, this.size[1] - 1];
    const room = area ? 1.5 : 1.02;
    const [left, top, right, bottom] = this.fitted;
    const [wide, high] = [this.canvas.clientWidth || 1, this.canvas.clientHeight || 1];
    const zoom = Math.min(wide / ((right - left + 1) * room), high / ((bottom - top + 1) * room));
    this.zoom = Math.min(Math.max(zoom, 0.02), 40);
    this.x = wide / 2 - ((left + right) / 2 + 0.5) * this.zoom;
    this.y = high / 2 - ((top + bottom) / 2 + 0.5) * this.zoom;
    this.draw();
  }

  zoomAt(place, factor) {
    const fixed = this.toPicture(place);
    this.fitted = null;
    this.zoom = Math.min(Math.max(this.zoom * factor, 0.02), 60);
    const now = this.toScreen(fixed);
    this.pan(place[0] - now[0], place[1] - now[1]);
  }

  pan(dx, dy) {
    this.fitted = null;
    this.x += dx;
    this.y += dy;
    this.draw();
  }

  // The nearest point of the face under a screen place, or -1.
  pointAt(place, face = this.face) {
    if (!face || this.hidden) return -1;
    let [best, least] = [-1, NEAR];
    face.points.forEach((p, i) => {
      if (!p) return;
      const [x, y] = this.toScreen(p);
      const far = Math.hypot(x - place[0], y - place[1]);
      if (far < least) [best, least] = [i, far];
    });
    return best;
  }

  faceAt(place) {
    const [x, y] = this.toPicture(place);
    const inside = (b) => b && x >= b[0] && x <= b[2] && y >= b[1] && y <= b[3];
    return this.faces.find((f) => f !== this.face && inside(f.bounds())) || null;
  }

  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.paint();
    });
  }

  paint() {
    const c = this.context;
    const ratio = devicePixelRatio || 1;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (this.image) {
      c.imageSmoothingEnabled = this.zoom < 24; // small faces are seen better so
      c.drawImage(this.image, this.x, this.y, this.size[0] * this.zoom, this.size[1] * this.zoom);
    }
    if (!this.hidden) {
      for (const face of this.faces) if (face !== this.face) this.paintOther(face);
      if (this.face) this.paintFace(this.face);
    }
    if (this.draft) this.frame(this.draft, COLOURS.chosen, [6, 4]);
  }

  paintOther(face) {
    const gone = face.status === "not_a_face";
    if (face.box) this.frame(face.box, COLOURS.other, gone ? [2, 6] : []);
    if (!gone) this.edges(face.points, face.scheme, COLOURS.other, 1);
  }

  paintFace(face) {
    const gone = face.status === "not_a_face";
    if (face.box) this.frame(face.box, gone ? COLOURS.weak : COLOURS.line, [4, 4]);
    if (gone) return this.cross(face.box || face.bounds());
    if (this.began && face.raw) this.edges(face.raw.points, face.scheme, COLOURS.raw, 1.5, [5, 4]);
    if (face.conflict) this.edges(face.conflict.points, face.scheme, COLOURS.newer, 2.5);
    this.edges(face.points, face.scheme, COLOURS.line, 1.2);
    const radius = Math.min(Math.max(this.zoom * 1.1, 2.6), 5);
    face.points.forEach((p, i) => p && this.dot(p, face, i, radius));
    if (this.chosen.size === 1) this.name(face, [...this.chosen][0]);
  }

  edges(points, scheme, colour, width, dash = []) {
    const c = this.context;
    c.strokeStyle = colour;
    c.lineWidth = width;
    c.setLineDash(dash);
    c.beginPath();
    for (const [a, b] of scheme.edges) {
      if (!points[a] || !points[b]) continue;
      c.moveTo(...this.toScreen(points[a]));
      c.lineTo(...this.toScreen(points[b]));
    }
    if (!scheme.edges.length) {
      for (const p of points) if (p) c.rect(...this.toScreen(p).map((v) => v - 1), 2, 2);
    }
    c.stroke();
    c.setLineDash([]);
  }

  dot(p, face, i, radius) {
    const c = this.context;
    const [x, y] = this.toScreen(p);
    const weak = face.confidences && face.confidences[i] < DOUBT && face.status === "open";
    const colour = this.chosen.has(i) ? COLOURS.chosen : weak ? COLOURS.weak : COLOURS.seen;
    c.beginPath();
    c.arc(x, y, this.chosen.has(i) ? radius + 2 : radius, 0, 7);
    c.lineWidth = face.occluded.has(i) ? 4 : 2;
    c.strokeStyle = COLOURS.edge;
    c.stroke();
    if (face.occluded.has(i)) {
      c.lineWidth = 2;
      c.strokeStyle = colour;
      c.stroke();
    } else {
      c.fillStyle = colour;
      c.fill();
    }
  }

  name(face, i) {
    if (!face.points[i]) return;
    const c = this.context;
    const [x, y] = this.toScreen(face.points[i]);
    c.font = "13px system-ui, sans-serif";
    c.lineWidth = 3;
    c.strokeStyle = COLOURS.edge;
    c.fillStyle = COLOURS.chosen;
    c.strokeText(face.scheme.names[i], x + 10, y - 8);
    c.fillText(face.scheme.names[i], x + 10, y - 8);
  }

  frame([left, top, right, bottom], colour, dash) {
    const c = this.context;
    const [x0, y0] = this.toScreen([left, top]);
    const [x1, y1] = this.toScreen([right, bottom]);
    c.setLineDash(dash);
    c.lineWidth = 1.4;
    c.strokeStyle = colour;
    c.strokeRect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
    c.setLineDash([]);
  }

  cross(area) {
    if (!area) return;
    const c = this.context;
    c.beginPath();
    c.moveTo(...this.toScreen([area[0], area[1]]));
    c.lineTo(...this.toScreen([area[2], area[3]]));
    c.moveTo(...this.toScreen([area[2], area[1]]));
    c.lineTo(...this.toScreen([area[0], area[3]]));
    c.lineWidth = 3;
    c.strokeStyle = COLOURS.weak;
    c.stroke();
  }
}
