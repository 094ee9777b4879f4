/* Pictures as {width, height, channels, data: Uint8Array}; pixel centres lie at whole numbers.
   What kpcli does with OpenCV in kpcli/letterbox.py, kpcli/images.py and kpcli/geometry.py. */
const blank = (width, height, channels = 3) =>
  ({ width, height, channels, data: new Uint8Array(width * height * channels) });

/** Half to even, as Python rounds. */
function roundEven(x) {
  const near = Math.round(x);
  return Math.abs(x % 1) === 0.5 && near % 2 ? near - 1 : near;
}

/** RGB of a canvas' RGBA (opaque). */
function fromRgba({ width, height, data }) {
  const out = blank(width, height);
  for (let i = 0, o = 0; i < data.length; i += 4) {
    out.data[o++] = data[i];
    out.data[o++] = data[i + 1];
    out.data[o++] = data[i + 2];
  }
  return out;
}

/** BT.601 luma, with the fixed point of OpenCV. */
function toGray({ width, height, data }) {
  const out = blank(width, height, 1);
  for (let i = 0, o = 0; o < out.data.length; i += 3)
    out.data[o++] = (data[i] * 9798 + data[i + 1] * 19235 + data[i + 2] * 3735 + 16384) >> 15;
  return out;
}

function part(picture, left, top, right, bottom) {
  const { width, channels, data } = picture, out = blank(right - left, bottom - top, channels);
  for (let y = top; y < bottom; y++) {
    const row = data.subarray((y * width + left) * channels, (y * width + right) * channels);
    out.data.set(row, (y - top) * out.width * channels);
  }
  return out;
}

/** Turned by quarters against the clock, as np.rot90. */
function quarterTurned(picture, quarters) {
  const { width, height, data } = picture;
  const out = quarters % 2 ? blank(height, width) : blank(width, height);
  for (let y = 0, o = 0; y < out.height; y++)
    for (let x = 0; x < out.width; x++, o += 3) {
      const [sx, sy] = quarters === 1 ? [width - 1 - y, x]
        : quarters === 2 ? [width - 1 - x, height - 1 - y] : [y, height - 1 - x];
      const i = (sy * width + sx) * 3;
      out.data[o] = data[i];
      out.data[o + 1] = data[i + 1];
      out.data[o + 2] = data[i + 2];
    }
  return out;
}

/** For each of `count` pixels: the first of the `length` ones that it is made of, their weights. */
function areaTaps(length, count) {
  const scale = length / count, least = 1e-3; // OpenCV leaves smaller shares out
  return Array.from({ length: count }, (_, i) => {
    const from = i * scale, to = from + scale, whole = Math.min(scale, length - from);
    const first = Math.ceil(from), last = Math.min(Math.floor(to), length - 1);
    const start = Math.min(first, last), weights = [];
    if (start - from > least) weights.push((start - from) / whole);
    for (let k = start; k < last; k++) weights.push(1 / whole);
    if (to - last > least) weights.push(Math.min(to - last, 1, whole) / whole);
    return [start - from > least ? start - 1 : start, Float32Array.from(weights)];
  });
}

/** For each pixel its place between two neighbours: the first, and the shares of both in 2048ths. */
function linearTaps(length, count) {
  const scale = 1 / (count / length);
  return Array.from({ length: count }, (_, i) => {
    const at = Math.fround((i + 0.5) * scale - 0.5), first = Math.floor(at), share = at - first;
    return [first, roundEven((1 - share) * 2048), roundEven(share * 2048)];
  });
}

/** As cv2.resize by INTER_LINEAR, which rounds each pixel to integers on its way. */
function linear(picture, width, height) {
  const { channels, data } = picture, out = blank(width, height, channels);
  const across = linearTaps(picture.width, width), last = picture.width - 1;
  const row = (y) => {
    const values = new Int32Array(width * channels);
    const start = Math.min(Math.max(y, 0), picture.height - 1) * picture.width * channels;
    across.forEach(([left, near, far], x) => {
      const i = start + Math.min(Math.max(left, 0), last) * channels;
      const beside = left >= 0 && left < last ? channels : 0;
      for (let c = 0; c < channels; c++)
        values[x * channels + c] = (data[i + c] * near + data[i + beside + c] * far) >> 4;
    });
    return values;
  };
  let [below, under] = [null, null];
  linearTaps(picture.height, height).forEach(([top, near, far], y) => {
    const above = top === under ? below : row(top);
    [below, under] = [row(top + 1), top + 1];
    for (let i = 0, o = y * width * channels; i < above.length; i++, o++)
      out.data[o] = Math.min(255, (((above[i] * near) >> 16) + ((below[i] * far) >> 16) + 2) >> 2);
  });
  return out;
}

/** As cv2.resize by INTER_AREA, which shrinks by a whole number of pixels in integers. */
function averaged(picture, width, height) {
  const whole = picture.width % width === 0 && picture.height % height === 0;
  return (whole ? blockMeans : areaMeans)(picture, width, height);
}

/** Means of blocks: of 2 x 2 half up, else by a float32 share, half to even. */
function blockMeans(picture, width, height) {
  const { channels, data } = picture, out = blank(width, height, channels);
  const [wide, high] = [picture.width / width, picture.height / height];
  const share = Math.fround(1 / (wide * high)), four = wide === 2 && high === 2;
  const step = picture.width * channels;
  for (let y = 0, o = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++, o++) {
        let sum = 0;
        for (let dy = 0; dy < high; dy++) {
          const start = (y * high + dy) * step + x * wide * channels + c;
          for (let dx = 0; dx < wide; dx++) sum += data[start + dx * channels];
        }
        out.data[o] = four ? (sum + 2) >> 2 : roundEven(Math.fround(sum * share));
      }
  return out;
}

/** Means of areas: in float32, row by row, half to even. */
function areaMeans(picture, width, height) {
  const { channels, data } = picture, out = blank(width, height, channels);
  const across = areaTaps(picture.width, width), down = areaTaps(picture.height, height);
  const row = new Float32Array(width * channels), sums = new Float32Array(width * channels);
  down.forEach(([top, rows], y) => {
    sums.fill(0);
    rows.forEach((rowWeight, r) => {
      row.fill(0);
      const start = (top + r) * picture.width * channels;
      for (let x = 0, o = 0; x < width; x++, o += channels) {
        const [left, weights] = across[x];
        for (let k = 0, i = start + left * channels; k < weights.length; k++, i += channels)
          for (let c = 0; c < channels; c++) row[o + c] += Math.fround(weights[k] * data[i + c]);
      }
      for (let i = 0; i < row.length; i++) sums[i] += Math.fround(rowWeight * row[i]);
    });
    for (let i = 0, o = y * width * channels; i < sums.length; i++, o++) {
      const up = Math.floor(sums[i] + 0.5);
      out.data[o] = Math.min(255, up === sums[i] + 0.5 && up & 1 ? up - 1 : up);
    }
  });
  return out;
}

/** The picture without an odd last row or column. */
function evenPart(picture) {
  const { width, height, channels, data } = picture;
  if (!(width & 1 || height & 1)) return picture;
  const even = blank(width & ~1, height & ~1, channels), row = even.width * channels;
  for (let y = 0; y < even.height; y++)
    even.data.set(data.subarray(y * width * channels, y * width * channels + row), y * row);
  return even;
}

/** kpcli.letterbox._halved: while it is twice as large or more, and how often. */
function halved(picture, width, height) {
  let times = 0;
  for (; picture.width >= 2 * width && picture.height >= 2 * height; times++)
    picture = linear(evenPart(picture), picture.width >> 1, picture.height >> 1);
  return [picture, times];
}

/** kpcli.letterbox._scaled: an average over areas where it shrinks by more. */
function scaled(picture, width, height) {
  if (picture.width === width && picture.height === height) return picture;
  return (width < S.NEARLY * picture.width ? averaged : linear)(picture, width, height);
}

/** kpcli.letterbox.Letterbox: the long side at a length, black up to whole multiples. */
class Letterbox {
  constructor(picture, longSide, multiple) {
    const factor = longSide / Math.max(picture.width, picture.height);
    const width = Math.max(1, roundEven(picture.width * factor));
    const height = Math.max(1, roundEven(picture.height * factor));
    const [half, times] = halved(picture, width, height), shown = scaled(half, width, height);
    this.filled = [width, height];
    this.scale = [width / (half.width * 2 ** times), height / (half.height * 2 ** times)];
    this.pixels = blank(Math.ceil(width / multiple) * multiple,
      Math.ceil(height / multiple) * multiple);
    for (let y = 0; y < height; y++)
      this.pixels.data.set(shown.data.subarray(y * width * 3, (y + 1) * width * 3),
        y * this.pixels.width * 3);
  }

  toPicture(box) {
    return box.map((v, i) => (v + 0.5) / this.scale[i % 2] - 0.5);
  }
}

/** Starts of tiles that share out a length evenly: kpcli.letterbox._starts. */
function tileStarts(length, side, overlap) {
  if (length <= side) return [0];
  const count = Math.ceil((length - overlap) / (side - overlap));
  return Array.from({ length: count }, (_, i) => roundEven(i * (length - side) / (count - 1)));
}
