/* Landmarks of faces in boxes: kpcli/inference/predictor.py, upright.py and finder.py. */
class Landmarks {
  constructor(network) {
    this.run = network;
  }

  /** Faces {box, points, scores, confidence} in boxes, by the look of which the model is surest. */
  async faces(image, boxes) {
    const looks = boxes.map((box) => ({ box, turn: 0, shift: [0, 0] }));
    const best = [...looks], seen = await this.see(image, looks);
    for (const [others, margin, least] of [[otherSides, S.SURER, S.SEEN], [lookByPoints, 0, 0]]) {
      const again = seen.flatMap((face, i) => others(best[i], face).map((look) => [i, look]));
      const needed = seen.map((face) => Math.max(face.confidence + margin, least));
      const found = await this.see(image, again.map(([, look]) => look));
      again.forEach(([i, look], k) => {
        if (found[k].confidence < Math.max(needed[i], seen[i].confidence)) return;
        [best[i], seen[i]] = [look, found[k]];
      });
    }
    return seen.map((face, i) => ({ ...face, box: looks[i].box }));
  }

  async see(image, looks) {
    const { input_size: size, crop_scale: scale, colour } = S.model, faces = [];
    for (const { box, turn, shift } of looks) { // one by one: a larger batch gains nothing here
      const transform = new CropTransform(box, size, scale, turn, shift);
      const crop = transform.toCrop(image);
      faces.push(interpreted(await this.run([colour === "gray" ? toGray(crop) : crop]), transform));
    }
    return faces;
  }
}

function interpreted(outputs, transform) {
  const { crop_scale: scale, calibration } = S.model, points = [];
  for (let i = 0; i < outputs.points.length; i += 2)
    points.push(transform.toFrame([outputs.points[i], outputs.points[i + 1]]));
  const side = 2 / scale, within = (near) => points.map((_, i) => {
    if (!outputs.log_scale) return 1;
    const ratio = near / Math.exp(outputs.log_scale[i] + (calibration.log_scale_shift || 0));
    return 1 - (1 + ratio) * Math.exp(-ratio);
  });
  const scores = within(S.NEAR * side);
  let near = S.NEAR * side;
  if (S.scheme.ocular) {
    const mean = (group) => [0, 1].map((axis) =>
      group.reduce((sum, i) => sum + outputs.points[2 * i + axis], 0) / group.length);
    const [[ax, ay], [bx, by]] = S.scheme.ocular.map(mean);
    near = Math.max(S.NEAREST * side, Math.min(near, S.NEAR_EYES * Math.hypot(ax - bx, ay - by)));
  }
  let confidence = within(near).reduce((a, b) => a + b, 0) / points.length;
  if (outputs.face_logit)
    confidence /= 1 + Math.exp(-outputs.face_logit[0] - (calibration.face_logit_shift || 0));
  return { points, scores, confidence };
}

/** An unsure face lying on either side and upside down. */
function otherSides(look, face) {
  if (face.confidence >= S.UNSURE || sideOf(look.box) < S.LEAST_TURNED) return [];
  return [90, 180, 270].map((quarter) => ({ ...look, turn: look.turn + quarter }));
}

/** A face that leans, or is not where its box is, cut by its points. */
function lookByPoints(look, face) {
  const again = uprightLook(look, face.points) || framedLook(look, face);
  return again ? [again] : [];
}

/** How a face with these points is cut upright; null where the look shows it so. */
function uprightLook(look, points) {
  const five = fivePoints(points);
  if (!five || !spansAnArea(five)) return null;
  const [a, b] = similarity(S.REFERENCE_FIVE, five), turn = -Math.atan2(b, a) * 180 / Math.PI;
  const lean = (((turn - look.turn + 180) % 360) + 360) % 360 - 180;
  return Math.abs(lean) <= S.TURNED ? null : lookAround(look, points, turn);
}

/** How a face is cut by the box of its points; null where the look's is like it. */
function framedLook(look, { points, confidence }) {
  const told = confidence >= S.SEEN && confidence < 1 && sideOf(look.box) >= S.LEAST_TURNED;
  if (!told || !spansAnArea(points)) return null;
  const again = lookAround(look, points, look.turn);
  return iou(squareOf(again), squareOf(look)) < S.FRAMED ? again : null;
}

/** The look turned so, its box that of the points where the model knows faces by it. */
function lookAround(look, points, turn) {
  if (S.model.face_box !== "landmarks") return { ...look, turn };
  const transform = new CropTransform(look.box, 256, 2, turn);
  const box = landmarkBox(points.map((p) => transform.toCropPixels(p)));
  const centre = transform.toFramePixels(centreOf(box)), side = sideOf(box) / transform.scale;
  const middle = centreOf(look.box);
  const shift = centre.map((v, i) => (v - middle[i]) / side);
  return { box: squareAt(middle, side), turn, shift };
}

const spansAnArea = (points) => [0, 1].every((axis) => new Set(points.map((p) => p[axis])).size > 1);

/** The box that is cut, before it is turned. */
const squareOf = ({ box, shift }) =>
  squareAt(centreOf(box).map((c, i) => c + shift[i] * sideOf(box)), sideOf(box));

/** Those that are sure enough; of two whose boxes lie within each other, the surer. */
function keptFaces(faces, given) {
  const sure = faces.filter((face) => face.confidence >= S.MIN_CONFIDENCE);
  if (given) return sure;
  const boxes = sure.map((face) => face.box), scores = sure.map((face) => face.confidence);
  return suppress(boxes, scores, 1, S.NESTED).sort((a, b) => a - b).map((i) => sure[i]);
}
