/* Head pose and measures of a face: kpcli/inference/head_pose.py and measures.py. */
const degrees = (radians) => radians * 180 / Math.PI;
const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** [yaw, pitch, roll] of the 68 points, in degrees; null where they allow no fit. */
function headPose(points, width, height) {
  const image = S.RIGID.map((i) => points[i]);
  const extents = [0, 1].map((axis) => {
    const values = image.map((p) => p[axis]);
    return Math.max(...values) - Math.min(...values);
  });
  if (!image.flat().every(Number.isFinite) || Math.min(...extents) < 1e-3) return null;
  const extent = Math.max(...extents), focal = Math.max(width, height, 5 * extent);
  const middle = [(width - 1) / 2, (height - 1) / 2], mean = meanOf(image);
  const eyes = [meanOf(points.slice(36, 42)), meanOf(points.slice(42, 48))];
  const roll = Math.atan2(eyes[1][1] - eyes[0][1], eyes[1][0] - eyes[0][0]);
  const start = [0, 0, roll, (mean[0] - middle[0]) / extent, (mean[1] - middle[1]) / extent,
    focal / extent];
  const residuals = (p) => {
    const turn = rotationOf(p.slice(0, 3));
    return S.MEAN_FACE.flatMap((point, i) => {
      const [x, y, z] = turn.map((row, k) => p[3 + k] + dot(row, point));
      return [focal * x / z + middle[0] - image[i][0], focal * y / z + middle[1] - image[i][1]];
    });
  };
  const turn = rotationOf(leastSquares(residuals, start).slice(0, 3));
  const pose = [degrees(Math.atan2(turn[2][0], turn[2][2])),
    -degrees(Math.asin(Math.max(-1, Math.min(1, turn[2][1])))),
    degrees(Math.atan2(-turn[0][1], turn[1][1]))];
  return pose.every(Number.isFinite) ? pose : null;
}

const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);

/** The rotation of a vector along its axis, as long as its angle (Rodrigues). */
function rotationOf([x, y, z]) {
  const angle = Math.hypot(x, y, z);
  if (angle < 1e-12) return [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
  const [u, v, w] = [x / angle, y / angle, z / angle], c = Math.cos(angle), s = Math.sin(angle);
  const k = 1 - c;
  return [[c + u * u * k, u * v * k - w * s, u * w * k + v * s],
    [u * v * k + w * s, c + v * v * k, v * w * k - u * s],
    [u * w * k - v * s, v * w * k + u * s, c + w * w * k]];
}

/** Levenberg and Marquardt's descent, derivatives by differences. */
function leastSquares(residuals, start) {
  let p = start, values = residuals(p), damping = 1e-3;
  for (let step = 0; step < 60; step++) {
    const slopes = p.map((v, k) => {
      const h = 1e-6 * Math.max(1, Math.abs(v));
      const [more, less] = [h, -h].map((d) => residuals(p.map((w, i) => (i === k ? w + d : w))));
      return more.map((m, i) => (m - less[i]) / (2 * h));
    });
    const normal = slopes.map((a) => slopes.map((b) => dot(a, b)));
    const right = slopes.map((a) => -dot(a, values)), before = dot(values, values);
    let better = false;
    for (let tries = 0; tries < 12 && !better; tries++) {
      const damped = normal.map((row, i) => row.map((v, k) => (i === k ? v * (1 + damping) : v)));
      const change = solved(damped, right), next = p.map((v, i) => v + change[i]);
      const there = residuals(next);
      better = dot(there, there) < before;
      damping *= better ? 0.1 : 10;
      if (better) [p, values] = [next, there];
    }
    if (!better || before - dot(values, values) < 1e-12 * before) break;
  }
  return p;
}

/** The solution of a small system of equations (Gauss, with pivots). */
function solved(matrix, right) {
  const rows = matrix.map((row, i) => [...row, right[i]]), n = rows.length;
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++)
      if (Math.abs(rows[i][k]) > Math.abs(rows[pivot][k])) pivot = i;
    [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
    for (let i = 0; i < n; i++) {
      if (i === k) continue;
      const share = rows[i][k] / rows[k][k];
      for (let j = k; j <= n; j++) rows[i][j] -= share * rows[k][j];
    }
  }
  return rows.map((row, i) => row[n] / row[i]);
}

/** kpcli.types.Measures, in its order; NaN where there is none. */
function measured(face, picture) {
  const shape = S.inner ? shapeOf(S.inner.map((i) => face.points[i]), face.pose) : Array(7).fill(NaN);
  const five = fivePoints(face.points);
  const doubtful = face.scores.filter((score) => score < S.DOUBT).length / face.scores.length;
  return [...shape, five ? distance(five[0], five[1]) : NaN, Math.sqrt(areaOf(face.box)),
    ...appearance(picture, face.box), doubtful];
}

function shapeOf(points, pose) {
  let turn = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
  if (S.pose) {
    if (!pose || Math.abs(pose[0]) > S.HONEST_YAW || Math.abs(pose[1]) > S.HONEST_PITCH)
      return Array(7).fill(NaN);
    const y = -pose[0] * Math.PI / 180, x = -pose[1] * Math.PI / 180;
    const [sx, cx, sy, cy] = [Math.sin(x), Math.cos(x), Math.sin(y), Math.cos(y)];
    turn = [[cy, 0, sy], [sx * sy, cx, -sx * cy], [-cx * sy, sx, cx * cy]];
  }
  const across = Math.hypot(turn[0][0], turn[1][0]), upright = Math.abs(turn[1][1]);
  const length = (a, b) => distance(points[a], points[b]);
  const ocular = length(19, 28) / across;
  if (!(ocular > 0)) return Array(7).fill(NaN);
  const gap = (length(44, 50) + length(45, 49) + length(46, 48)) / 3 / upright;
  const straight = !pose || Math.abs(pose[0]) <= S.SYMMETRIC_YAW;
  return [eyeAspect(points, 19, turn), eyeAspect(points, 25, turn),
    gap / (length(43, 47) / across), length(31, 37) / across / ocular,
    browHeight(points, 0, ocular, turn), browHeight(points, 1, ocular, turn),
    straight ? asymmetry(points) / ocular : NaN];
}

function eyeAspect(points, first, turn) {
  const at = (i) => points[first + i], mean = S.MEAN_FACE;
  const across = mean[first + 3].map((v, k) => v - mean[first][k]);
  const seen = Math.hypot(dot(turn[0], across), dot(turn[1], across));
  const width = distance(at(0), at(3)) * Math.hypot(across[0], across[1]) / seen;
  return (distance(at(1), at(5)) + distance(at(2), at(4))) / 2 / Math.abs(turn[1][1]) / width;
}

function browHeight(points, side, ocular, turn) {
  const brow = [5 * side, 5 * side + 5], eye = [19 + 6 * side, 25 + 6 * side];
  const across = [0, 1].map((k) => points[28][k] - points[19][k]), long = Math.hypot(...across);
  const [b, e] = [meanOf(points.slice(...brow)), meanOf(points.slice(...eye))];
  const seen = ((b[0] - e[0]) * across[1] - (b[1] - e[1]) * across[0]) / long / ocular;
  const deep = ([from, to]) =>
    S.MEAN_FACE.slice(from, to).reduce((sum, p) => sum + p[2], 0) / (to - from);
  return (seen + turn[1][2] * (deep(brow) - deep(eye))) / turn[1][1];
}

/** Mean distance between the points and their mirror image about the own midline. */
function asymmetry(points) {
  const middle = meanOf(points), here = points.map((p) => [p[0] - middle[0], p[1] - middle[1]]);
  const there = S.flip51.map((i) => here[i]);
  let a = 0, b = 0;
  here.forEach(([x, y], i) => {
    a += x * there[i][0] - y * there[i][1];
    b += x * there[i][1] + y * there[i][0];
  });
  const size = Math.hypot(a, b);
  const off = here.map(([x, y], i) => {
    const [u, v] = there[i];
    return Math.hypot(x - (a * u + b * v) / size, y - (b * u - a * v) / size);
  });
  return off.reduce((sum, v) => sum + v, 0) / off.length;
}

/** Sharpness (variance of the Laplacian) and brightness of what the box shows. */
function appearance(picture, box) {
  const edge = (v, length) => roundEven(Math.min(Math.max(v, 0), length));
  const [left, right] = [edge(box[0], picture.width), edge(box[2], picture.width)];
  const [top, bottom] = [edge(box[1], picture.height), edge(box[3], picture.height)];
  if (right - left < 2 || bottom - top < 2) return [NaN, NaN];
  const gray = toGray(part(picture, left, top, right, bottom)), n = S.LOOKED_AT;
  const { data } = (Math.min(gray.width, gray.height) > n ? averaged : linear)(gray, n, n);
  const at = (x, y) => data[mirrored(y, n) * n + mirrored(x, n)];
  let sum = 0, squares = 0, light = 0;
  for (let y = 0; y < n; y++)
    for (let x = 0; x < n; x++) {
      const bend = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1) - 4 * at(x, y);
      sum += bend;
      squares += bend * bend;
      light += at(x, y);
    }
  return [squares / n ** 2 - (sum / n ** 2) ** 2, light / n ** 2];
}

const mirrored = (i, n) => (i < 0 ? -i : i >= n ? 2 * n - 2 - i : i);
