/* Stickers on faces: kpcli/drawing/fitting.py and warp.py, by the canvas' own drawing. */
const wanted = new Set(); // names of the stickers that are drawn
const pictures = {}; // by name, once they were wanted

async function fetchSticker(name) {
  const bytes = await unpacked(`sticker-${name}`);
  pictures[name] = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
}

/** All of one face before those of the next; near faces cover far ones. */
function drawStickers(pen, faces) {
  const farFirst = [...faces].sort((a, b) => sideOf(a.box) - sideOf(b.box) || a.track - b.track);
  for (const face of farFirst)
    for (const sticker of S.stickers)
      if (wanted.has(sticker.name) && pictures[sticker.name])
        drawSticker(pen, face, sticker, pictures[sticker.name]);
}

function drawSticker(pen, face, sticker, picture) {
  const yaw = yawOf(face), least = Math.min(1, (sticker.hide_beyond - Math.abs(yaw)) / S.FADE);
  const targets = sticker.to.map((places) =>
    meanOf(places.map((numbers) => meanOf(numbers.map((i) => face.points[i])))));
  const spread = Math.max(...[0, 1].map((axis) => spanOf(targets.map((p) => p[axis]))));
  if (!(least > 0) || !(spread > 0) || !Number.isFinite(spread)) return;
  pen.save();
  pen.globalAlpha = least;
  pen.imageSmoothingQuality = "high";
  if (sticker.triangles) drawBent(pen, sticker, targets, picture);
  else drawMoved(pen, fitted(sticker, targets, yaw), sticker.corners, picture);
  pen.restore();
}

const spanOf = (values) => Math.max(...values) - Math.min(...values);

/** Degrees by which the head is turned to the right of the picture. */
function yawOf(face) {
  if (face.pose && Number.isFinite(face.pose[0])) return face.pose[0];
  const five = fivePoints(face.points);
  if (!five) return 0;
  const [left, right, nose] = five, line = [right[0] - left[0], right[1] - left[1]];
  const off = dot([0, 1].map((k) => nose[k] - (left[k] + right[k]) / 2), line);
  const square = dot(line, line);
  if (!Number.isFinite(off) || square + Math.abs(off) === 0) return 0;
  return degrees(Math.atan2(off / S.NOSE_BEFORE_EYES, square));
}

/** The map [a, b, c, d, e, f] from the sticker's pixels to the picture's, as CropTransform has it. */
function fitted(sticker, targets, yaw) {
  const middle = meanOf(sticker.at);
  const narrow = Math.max(Math.cos(yaw * Math.PI / 180), S.NARROWEST);
  const source = sticker.at.map(([x, y]) => [(x - middle[0]) * narrow, y - middle[1]]);
  const [a, b, x, y] = similarity(source, targets), n = sticker.turn === "flat" ? narrow : 1;
  return [a * n, -b, x - a * n * middle[0] + b * middle[1],
    b * n, a, y - b * n * middle[0] - a * middle[1]];
}

const moved = ([a, b, c, d, e, f], [x, y]) => [a * x + b * y + c, d * x + e * y + f];

/** A canvas counts from the corner of its first pixel, we from that pixel's centre. */
function drawMoved(pen, matrix, corners, picture) {
  const places = corners.map((corner) => moved(matrix, corner)), { width, height } = pen.canvas;
  const largest = Math.max(...[0, 1].map((axis) => spanOf(places.map((p) => p[axis]))));
  if (!(largest <= S.FAR * Math.max(width, height))) return;
  const [a, b, c, d, e, f] = matrix;
  pen.setTransform(a, d, b, e, c + 0.5 - (a + b) / 2, f + 0.5 - (d + e) / 2);
  pen.drawImage(picture, 0, 0);
}

/** Each triangle of the anchors and the picture's corners goes where its own corners go. */
function drawBent(pen, sticker, targets, picture) {
  const rows = sticker.at.map(([x, y]) => [x, y, 1]);
  const normal = [0, 1, 2].map((i) => [0, 1, 2].map((j) => dot(column(rows, i), column(rows, j))));
  const affine = [0, 1].flatMap((axis) => // which fits the anchors best; the corners go by it
    solved(normal, [0, 1, 2].map((i) => dot(column(rows, i), column(targets, axis)))));
  const source = [...sticker.at, ...sticker.corners];
  const target = [...targets, ...sticker.corners.map((corner) => moved(affine, corner))];
  const before = sticker.triangles.map((three) => twiceArea(three.map((i) => source[i])));
  const after = sticker.triangles.map((three) => twiceArea(three.map((i) => target[i])));
  const sum = (values) => values.reduce((all, v) => all + Math.abs(v), 0);
  const mean = sum(after) / Math.max(sum(before), 1e-12);
  sticker.triangles.forEach((three, i) => {
    if (!(after[i] * Math.sign(before[i]) > S.THIN * mean * Math.abs(before[i]))) return;
    const from = three.map((k) => source[k]), to = three.map((k) => target[k]);
    pen.save();
    clipTo(pen, to);
    drawMoved(pen, triangleMap(from, to), sticker.corners, picture);
    pen.restore();
  });
}

const column = (rows, i) => rows.map((row) => row[i]);

function twiceArea([a, b, c]) {
  return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

function triangleMap(from, to) {
  const rows = from.map(([x, y]) => [x, y, 1]);
  return [0, 1].flatMap((axis) => solved(rows, column(to, axis)));
}

/** A little beyond the triangle, or the soft edges of two leave a line between them. */
function clipTo(pen, triangle) {
  const middle = meanOf(triangle);
  pen.setTransform(1, 0, 0, 1, 0.5, 0.5);
  pen.beginPath();
  for (const p of triangle) {
    const far = Math.max(distance(p, middle), 1e-6);
    pen.lineTo(...[0, 1].map((k) => p[k] + 0.7 * (p[k] - middle[k]) / far));
  }
  pen.clip();
}

/** A box to tick for every sticker; hidden where the model's points carry none. */
function offerStickers() {
  const boxes = S.stickers.map(({ name }) => {
    const label = document.createElement("label"), box = document.createElement("input");
    box.type = "checkbox";
    box.id = `wear-${name}`;
    box.addEventListener("change", guarded(async () => {
      if (!box.checked) wanted.delete(name);
      else wanted.add(name);
      if (box.checked && !pictures[name]) await fetchSticker(name);
      show();
    }));
    label.append(box, ` ${name}`);
    return label;
  });
  $("stickers").append(...boxes);
  $("stickers").hidden = !boxes.length;
}
