/* Landmarks of faces in boxes: kpcli/inference/predictor.py, upright.py and finder.py. */
class Landmarks {
  constructor(network) {
    this.run = network;
  }

  /** Faces {box, points, scores, confidence} in boxes, by the look of which the model is surest. */
  async faces(image, boxes) {
    const looks = boxes.map((box) => ({ box, turn: 0, shift: [0, 0] }));
    const best = [...looks], seen = await this.see(image, looks);
    for (const [others, margin] of [[otherSides, S.SURER], [uprightLook, 0]]) {
      const again = seen.flatMap((face, i) => others(best[i], face).map((look) => [i, look]));
      const needed = seen.map((face) => face.confidence + margin);
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

/** A turned face, set upright by its points. */
function uprightLook(look, face) {
  const five = fivePoints(face.points);
  if (!five || [0, 1].some((axis) => new Set(five.map((p) => p[axis])).size === 1)) return [];
  const [a, b] = similarity(S.REFERENCE_FIVE, five), turn = -Math.atan2(b, a) * 180 / Math.PI;
  const lean = (((turn - look.turn + 180) % 360) + 360) % 360 - 180;
  if (Math.abs(lean) <= S.TURNED) return [];
  if (S.model.face_box !== "landmarks") return [{ ...look, turn }];
  const transform = new CropTransform(look.box, 256, 2, turn);
  const upright = landmarkBox(face.points.map((p) => transform.toCropPixels(p)));
  const centre = transform.toFramePixels(centreOf(upright)), side = sideOf(upright) / transform.scale;
  const middle = centreOf(look.box);
  const shift = centre.map((v, i) => (v - middle[i]) / side);
  return [{ box: squareAt(middle, side), turn, shift }];
}

/** Those that are sure enough; of two whose boxes lie within each other, the surer. */
function keptFaces(faces, given) {
  const sure = faces.filter((face) => face.confidence >= S.MIN_CONFIDENCE);
  if (given) return sure;
  const boxes = sure.map((face) => face.box), scores = sure.map((face) => face.confidence);
  return suppress(boxes, scores, 1, S.NESTED).sort((a, b) => a - b).map((i) => sure[i]);
}
