/* Boxes [left, top, right, bottom], points [x, y] and crops: kpcli/boxes.py, kpcli/geometry.py. */
const sides = ([left, top, right, bottom]) => [right - left, bottom - top];
const sideOf = (box) => Math.max(...sides(box));
const centreOf = ([left, top, right, bottom]) => [(left + right) / 2, (top + bottom) / 2];
const areaOf = (box) => sides(box).reduce((a, b) => Math.max(a, 0) * Math.max(b, 0));
const meanOf = (points) =>
  [0, 1].map((axis) => points.reduce((sum, p) => sum + p[axis], 0) / points.length);
const squareAt = ([x, y], side) => [x - side / 2, y - side / 2, x + side / 2, y + side / 2];

function intersection(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  return Math.max(width, 0) * Math.max(height, 0);
}

function iou(a, b) {
  const common = intersection(a, b);
  return common / Math.max(areaOf(a) + areaOf(b) - common, 1e-9);
}

/** Places of the numbers, largest first; equal ones stay in order. */
const bestFirst = (numbers) => numbers.map((_, i) => i).sort((a, b) => numbers[b] - numbers[a]);

/** Places of the boxes to keep, best first. */
function suppress(boxes, scores, limit, nested = 1) {
  const kept = [];
  for (const i of bestFirst(scores).slice(0, S.MOST_BOXES)) {
    const free = kept.every((k) => {
      const common = intersection(boxes[i], boxes[k]), a = areaOf(boxes[i]), b = areaOf(boxes[k]);
      return common <= limit * (a + b - common) && common <= nested * Math.min(a, b);
    });
    if (free) kept.push(i);
  }
  return kept;
}

/** Boxes of a picture turned by quarters against the clock as boxes of the picture. */
function turnedBack([left, top, right, bottom], quarters, width, height) {
  const x = width - 1, y = height - 1;
  if (quarters === 1) return [x - bottom, left, x - top, right];
  if (quarters === 2) return [x - right, y - bottom, x - left, y - top];
  return [top, y - right, bottom, y - left];
}

/** Least-squares similarity [a, b, x, y]: (a u - b v + x, b u + a v + y). */
function similarity(source, target) {
  const from = meanOf(source), to = meanOf(target);
  let norm = 0, a = 0, b = 0;
  source.forEach((p, i) => {
    const [u, v] = [p[0] - from[0], p[1] - from[1]];
    const [s, t] = [target[i][0] - to[0], target[i][1] - to[1]];
    norm += u * u + v * v;
    a += u * s + v * t;
    b += u * t - v * s;
  });
  a /= norm;
  b /= norm;
  return [a, b, to[0] - a * from[0] + b * from[1], to[1] - b * from[0] - a * from[1]];
}

/** Eyes, nose tip, mouth corners, or null where the scheme does not tell. */
function fivePoints(points) {
  const groups = S.scheme.five;
  return groups.length ? groups.map((group) => meanOf(group.map((i) => points[i]))) : null;
}

function landmarkBox(points) {
  const five = S.scheme.tight_box ? null : fivePoints(points);
  if (five) {
    const [a, b, x, y] = similarity(S.REFERENCE_FIVE, five);
    return squareAt([x, y], Math.hypot(a, b));
  }
  const [x, y] = [0, 1].map((axis) => points.map((p) => p[axis]));
  return [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)];
}

/** A similarity between frame and square crop: x' = a x + b y + c, y' = d x + e y + f. */
class CropTransform {
  constructor(box, size, scale, turn = 0, shift = [0, 0]) {
    const k = size / (sideOf(box) * scale), angle = turn * Math.PI / 180;
    const [x, y] = centreOf(box).map((v, i) => v + shift[i] * sideOf(box));
    const cos = k * Math.cos(angle), sin = k * Math.sin(angle), middle = (size - 1) / 2;
    this.size = size;
    this.scale = k;
    this.matrix = [cos, -sin, middle - cos * x + sin * y, sin, cos, middle - sin * x - cos * y];
  }

  toCropPixels([x, y]) {
    const [a, b, c, d, e, f] = this.matrix;
    return [a * x + b * y + c, d * x + e * y + f];
  }

  toFramePixels([x, y], matrix = this.matrix) {
    const [a, b, c, d, e, f] = matrix, area = a * e - b * d;
    return [(e * (x - c) - b * (y - f)) / area, (a * (y - f) - d * (x - c)) / area];
  }

  /** Unit coordinates of the crop to frame pixels. */
  toFrame(unit) {
    return this.toFramePixels(unit.map((u) => ((u + 1) * this.size - 1) / 2));
  }

  /** The crop; outside the frame it is black. Shrinking averages blocks of pixels first. */
  toCrop(picture) {
    let matrix = this.matrix;
    const factor = Math.trunc(0.75 / Math.max(this.scale, 1e-9));
    if (factor >= 2) [picture, matrix] = this.shrunk(picture, factor);
    return warped(picture, matrix, this.size);
  }

  shrunk(picture, factor) {
    const low = -0.5, high = this.size - 0.5;
    const corners = [[low, low], [high, low], [low, high], [high, high]]
      .map((corner) => this.toFramePixels(corner));
    const range = [picture.width, picture.height].map((length, axis) => {
      const values = corners.map((corner) => corner[axis]);
      const first = Math.min(Math.max(Math.floor(Math.min(...values)), 0), length - 1);
      const last = Math.min(Math.max(Math.ceil(Math.max(...values)) + 1, 1), length);
      return [first, Math.max(last, first + 1)];
    });
    const [[left, end], [top, bottom]] = range;
    const shown = part(picture, left, top, end, bottom);
    const columns = Math.max(Math.trunc(shown.width / factor), 1);
    const rows = Math.max(Math.trunc(shown.height / factor), 1);
    const fx = shown.width / columns, fy = shown.height / rows;
    const [a, b, c, d, e, f] = this.matrix;
    const x = fx / 2 - 0.5 + left, y = fy / 2 - 0.5 + top;
    return [averaged(shown, columns, rows),
      [a * fx, b * fy, a * x + b * y + c, d * fx, e * fy, d * x + e * y + f]];
  }
}

/** As cv2.warpAffine by INTER_LINEAR: places in 32nds of a pixel, black outside the picture. */
function warped(picture, [a, b, c, d, e, f], size) {
  const out = blank(size, size), area = a * e - b * d, whole = (v) => roundEven(v * 1024);
  const back = [e / area, -b / area, -d / area, a / area];
  const [left, top] = [-(back[0] * c + back[1] * f), -(back[2] * c + back[3] * f)];
  for (let y = 0, o = 0; y < size; y++) {
    const [rowX, rowY] = [whole(back[1] * y + left) + 16, whole(back[3] * y + top) + 16];
    for (let x = 0; x < size; x++, o += 3)
      sample(picture, (rowX + whole(back[0] * x)) >> 5, (rowY + whole(back[2] * x)) >> 5,
        out.data, o);
  }
  return out;
}

/** The mean of the four pixels around a place in 32nds. */
function sample({ width, height, data }, x, y, out, o) {
  const left = x >> 5, top = y >> 5, fx = x & 31, fy = y & 31;
  let red = 512, green = 512, blue = 512;
  for (let dy = 0; dy < 2; dy++) {
    if (top + dy < 0 || top + dy >= height) continue;
    for (let dx = 0; dx < 2; dx++) {
      if (left + dx < 0 || left + dx >= width) continue;
      const weight = (dx ? fx : 32 - fx) * (dy ? fy : 32 - fy);
      const i = ((top + dy) * width + left + dx) * 3;
      red += weight * data[i];
      green += weight * data[i + 1];
      blue += weight * data[i + 2];
    }
  }
  out[o] = red >> 10;
  out[o + 1] = green >> 10;
  out[o + 2] = blue >> 10;
}
