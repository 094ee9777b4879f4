/* The faces of a picture: kpcli/detectors/builtin.py, whose constants stand in S.detector. */
class Detector {
  constructor(network) {
    this.run = network;
    this.multiple = Math.max(...S.detector.strides);
  }

  /** [{box, score}], best first. */
  async detect(image) {
    const D = S.detector, long = Math.max(image.width, image.height);
    const fitted = this.coarse(image), coarse = await this.search(fitted, D.DOUBT);
    let found = only(coarse, (i) => coarse.scores[i] >= D.LEAST_SCORE);
    if (!settled(coarse, Math.max(...fitted.scale)) || D.SIZE < D.VANISHING * long)
      found = await this.look(image, 1, found);
    if (top(found) < D.UPRIGHT) {
      const turned = await this.turned(image);
      if (turned && surer(top(turned), top(found))) found = turned;
    }
    return bestFirst(found.scores).map((i) => ({ box: found.boxes[i], score: found.scores[i] }));
  }

  /** The long side of the full look, before it is rounded. */
  working(image, share) {
    const D = S.detector, long = Math.max(image.width, image.height);
    return share * Math.min(D.SIZE / long, D.LARGEST_ZOOM) * long;
  }

  /** The picture for the coarse look, or as it is where that is less. */
  coarse(image, share = 1) {
    const long = Math.max(image.width, image.height);
    const size = Math.min(S.detector.COARSE * this.working(image, share), long);
    return new Letterbox(image, Math.max(1, roundEven(size)), this.multiple);
  }

  /** The full look, at a share of the working size; too large faces by the coarse one (far). */
  async look(image, share = 1, far = null) {
    const D = S.detector, long = Math.max(image.width, image.height);
    const side = Math.max(1, roundEven(this.working(image, share)));
    const fitted = new Letterbox(image, side, this.multiple);
    const large = D.WHOLE / Math.max(...fitted.scale);
    const near = await this.search(fitted, D.LEAST_SCORE);
    far = far || await this.search(this.coarse(image, share), D.LEAST_SCORE);
    const found = joined(only(near, (i) => sizeOf(near, i) < large),
      only(far, (i) => sizeOf(far, i) >= 0.8 * large));
    return share === 1 && D.SIZE < D.VANISHING * long ? this.finer(image, found) : found;
  }

  /** With the small faces of a picture so large that they vanish at the working size. */
  async finer(image, found) {
    const D = S.detector, side = roundEven(D.SIZE / D.FINEST);
    const overlap = roundEven(D.SHARED / D.FINEST);
    for (const y of tileStarts(image.height, side, overlap))
      for (const x of tileStarts(image.width, side, overlap)) {
        const right = Math.min(x + side, image.width), bottom = Math.min(y + side, image.height);
        const tile = part(image, x, y, right, bottom);
        const long = roundEven(Math.max(tile.width, tile.height) * D.FINEST);
        const one = await this.search(new Letterbox(tile, long, this.multiple), D.LEAST_SCORE);
        found = joined(found, placed(one, x, y, tile, image));
      }
    return found;
  }

  /** The picture lying on either side or upside down, null if nothing looks like a face there. */
  async turned(image) {
    const D = S.detector, long = Math.max(image.width, image.height);
    const small = long > 4 * D.SIZE ? new Letterbox(image, 2 * D.SIZE, 1).pixels : image;
    let best = 0, score = -1;
    for (const quarters of [1, 2, 3]) {
      const probe = top(await this.look(quarterTurned(small, quarters), D.PROBE));
      if (probe > score) [best, score] = [quarters, probe];
    }
    if (score < D.PROMISING) return null;
    const found = await this.look(quarterTurned(image, best));
    found.boxes = found.boxes.map((box) => turnedBack(box, best, image.width, image.height));
    return found;
  }

  async search(fitted, least) {
    const D = S.detector, outputs = await this.run([fitted.pixels]);
    const { width, height } = fitted.pixels, found = { wider: [], boxes: [], scores: [] };
    let cell = 0;
    for (const stride of D.strides)
      for (let y = 0; y < height / stride; y++)
        for (let x = 0; x < width / stride; x++, cell++) {
          const numbers = outputs.box.subarray(4 * cell, 4 * cell + 4);
          const octaves = Math.log2(stride) + (numbers[2] + numbers[3]) / 2 / Math.LN2;
          const logit = D.slope * outputs.score[cell] + D.offset
            + D.sizeSlope * Math.min(octaves - Math.log2(D.SIZELESS), 0);
          const score = 1 / (1 + Math.exp(-logit));
          if (!(score >= least)) continue;
          const at = [(x + 0.5) * stride - 0.5, (y + 0.5) * stride - 0.5];
          const wider = decoded(numbers, at, stride);
          const box = D.output === "landmark_box" && Math.sqrt(areaOf(wider)) < D.SMALL
            ? landmarkInWider(wider)
            : decoded(outputs[D.output].subarray(4 * cell, 4 * cell + 4), at, stride);
          found.wider.push(fitted.toPicture(wider));
          found.boxes.push(fitted.toPicture(box));
          found.scores.push(score);
        }
    return voted(found);
  }
}

function decoded([dx, dy, width, height], [x, y], stride) {
  const half = [width, height].map((v) => Math.exp(Math.min(Math.max(v, -6), 6)) * stride / 2);
  const at = [x + dx * stride, y + dy * stride];
  return [at[0] - half[0], at[1] - half[1], at[0] + half[0], at[1] + half[1]];
}

function landmarkInWider(box) {
  const size = sides(box);
  return S.detector.LANDMARK_IN_WIDER.map((v, i) => box[i % 2] + v * size[i % 2]);
}

const top = (found) => Math.max(0, ...found.scores);
const sizeOf = (found, i) => Math.sqrt(areaOf(found.wider[i]));

function only(found, wanted) {
  const chosen = found.scores.map((_, i) => i).filter(wanted);
  const of = (name) => chosen.map((i) => found[name][i]);
  return { wider: of("wider"), boxes: of("boxes"), scores: of("scores") };
}

/** One box a face: the mean of the boxes that agree on it, by score and overlap. */
function voted(found) {
  const best = suppress(found.wider, found.scores, S.detector.NMS_IOU);
  const mean = (boxes, weights) => {
    const sum = weights.reduce((a, b) => a + b, 0);
    return [0, 1, 2, 3].map((k) => boxes.reduce((s, b, i) => s + b[k] * weights[i], 0) / sum);
  };
  const weights = best.map((i) => found.wider.map((box, k) => {
    const overlap = iou(found.wider[i], box);
    return overlap >= S.detector.VOTE_IOU ? overlap * found.scores[k] : 0;
  }));
  return {
    wider: weights.map((w) => mean(found.wider, w)),
    boxes: weights.map((w) => mean(found.boxes, w)),
    scores: best.map((i) => found.scores[i]),
  };
}

function joined(a, b) {
  const all = {
    wider: [...a.wider, ...b.wider], boxes: [...a.boxes, ...b.boxes],
    scores: [...a.scores, ...b.scores],
  };
  const kept = suppress(all.wider, all.scores, S.detector.NMS_IOU);
  const of = (name) => kept.map((i) => all[name][i]);
  return { wider: of("wider"), boxes: of("boxes"), scores: of("scores") };
}

/** Whether the coarse look, of so many pixels a pixel of the picture, is enough. */
function settled(found, scale) {
  const D = S.detector;
  const clear = (score, i) => score >= D.CLEAR_SCORE && sizeOf(found, i) * scale >= D.CLEAR;
  return top(found) >= D.UPRIGHT && found.scores.every(clear);
}

/** Whether the best face of a turned picture counts, not that of the picture as it is. */
const surer = (turned, upright) => turned > S.detector.TURNED
  && turned * (1 - upright) > S.detector.TURNED_ODDS * upright * (1 - turned);

/** The small faces of a tile, placed in the picture, less those that its edge cuts. */
function placed(found, left, top, tile, image) {
  const D = S.detector, small = D.SHARED / D.FINEST;
  const reach = [left, top, image.width - left - tile.width, image.height - top - tile.height];
  const kept = only(found, (i) => {
    const [l, t, r, b] = found.wider[i];
    const gaps = [l, t, tile.width - 1 - r, tile.height - 1 - b];
    return gaps.every((gap, k) => !(reach[k] > 0) || gap >= 1) && sizeOf(found, i) < small;
  });
  const move = (box) => box.map((v, i) => v + (i % 2 ? top : left));
  return { ...kept, wider: kept.wider.map(move), boxes: kept.boxes.map(move) };
}
