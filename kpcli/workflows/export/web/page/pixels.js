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
  const scale = length / count, taps = [];
  for (let i = 0; i < count; i++) {
    const from = i * scale, to = Math.min(from + scale, length), first = Math.floor(from + 1e-9);
    const weights = [];
    for (let k = first; k < Math.ceil(to - 1e-9); k++)
      weights.push((Math.min(k + 1, to) - Math.max(k, from)) / (to - from));
    taps.push([first, weights]);
  }
  return taps;
}

/** For each pixel the first of two neighbours and the second's share, in 2048ths as OpenCV has it. */
function linearTaps(length, count) {
  return Array.from({ length: count }, (_, i) => {
    const at = Math.min(Math.max((i + 0.5) * length / count - 0.5, 0), length - 1);
    const first = Math.min(Math.floor(at), Math.max(length - 2, 0));
    return [first, roundEven(Math.fround(at - first) * 2048)];
  });
}

/** As cv2.resize by INTER_LINEAR, to the last bit but for one pixel in a thousand. */
function linear(picture, width, height) {
  const { channels, data } = picture, out = blank(width, height, channels);
  const across = linearTaps(picture.width, width), step = picture.width > 1 ? channels : 0;
  const row = (y) => {
    const values = new Int32Array(width * channels), start = y * picture.width * channels;
    across.forEach(([left, share], x) => {
      for (let c = 0, i = start + left * channels; c < channels; c++, i++)
        values[x * channels + c] = (data[i] * (2048 - share) + data[i + step] * share) >> 4;
    });
    return values;
  };
  linearTaps(picture.height, height).forEach(([top, share], y) => {
    const above = row(top), below = picture.height > 1 ? row(top + 1) : above;
    for (let i = 0, o = y * width * channels; i < above.length; i++, o++) {
      const sum = ((above[i] * (2048 - share)) >> 16) + ((below[i] * share) >> 16);
      out.data[o] = Math.min(255, (sum + 2) >> 2);
    }
  });
  return out;
}

/** As cv2.resize by INTER_AREA, which shrinks. */
function averaged(picture, width, height) {
  const { channels, data } = picture, out = blank(width, height, channels);
  const across = areaTaps(picture.width, width), down = areaTaps(picture.height, height);
  const sums = new Float32Array(width * channels);
  down.forEach(([top, rows], y) => {
    sums.fill(0);
    rows.forEach((rowWeight, r) => {
      const start = (top + r) * picture.width * channels;
      for (let x = 0, o = 0; x < width; x++, o += channels) {
        const [left, weights] = across[x];
        for (let k = 0, i = start + left * channels; k < weights.length; k++, i += channels) {
          const weight = rowWeight * weights[k];
          for (let c = 0; c < channels; c++) sums[o + c] += weight * data[i + c];
        }
      }
    });
    const start = y * width * channels;
    for (let i = 0; i < sums.length; i++) out.data[start + i] = Math.min(255, sums[i] + 0.5);
  });
  return out;
}

/** kpcli.letterbox._scaled: halves first, then an average over areas. */
function scaled(picture, width, height) {
  while (picture.width >= 2 * width && picture.height >= 2 * height)
    picture = linear(picture, picture.width >> 1, picture.height >> 1);
  if (picture.width === width && picture.height === height) return picture;
  return (width < picture.width ? averaged : linear)(picture, width, height);
}

/** kpcli.letterbox.Letterbox: the long side at a length, black up to whole multiples. */
class Letterbox {
  constructor(picture, longSide, multiple, scale = [1, 1]) {
    const factor = longSide / Math.max(picture.width, picture.height);
    const width = Math.max(1, roundEven(picture.width * factor));
    const height = Math.max(1, roundEven(picture.height * factor));
    const shown = scaled(picture, width, height);
    this.filled = [width, height];
    this.scale = [scale[0] * width / picture.width, scale[1] * height / picture.height];
    this.pixels = blank(Math.ceil(width / multiple) * multiple,
      Math.ceil(height / multiple) * multiple);
    for (let y = 0; y < height; y++)
      this.pixels.data.set(shown.data.subarray(y * width * 3, (y + 1) * width * 3),
        y * this.pixels.width * 3);
  }

  smaller(share, multiple) {
    const long = Math.max(1, roundEven(share * Math.max(...this.filled)));
    return new Letterbox(part(this.pixels, 0, 0, ...this.filled), long, multiple, this.scale);
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
