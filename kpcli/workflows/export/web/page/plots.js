/* Lines over time, and what is drawn on the picture. */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Lines of numbers over seconds; a gap where there is none. */
function plot(canvas, times, lines, range) {
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d"), [left, right, foot] = [38, 8, 18];
  pen.scale(ratio, ratio);
  pen.font = "11px system-ui, sans-serif";
  const values = lines.flatMap((line) => line.values).filter(Number.isFinite);
  const low = Math.min(range[0], ...values.slice(-5000));
  const high = Math.max(range[1], ...values.slice(-5000));
  const first = times[0] || 0, last = Math.max(times.at(-1) || 0, first + 1);
  const x = (t) => left + (t - first) / (last - first) * (width - left - right);
  const y = (v) => 6 + (high - v) / (high - low) * (height - foot - 6);
  pen.fillStyle = colour("--dim");
  pen.strokeStyle = colour("--line");
  pen.textAlign = "right";
  for (const v of [low, (low + high) / 2, high]) {
    pen.beginPath();
    pen.moveTo(left, y(v));
    pen.lineTo(width - right, y(v));
    pen.stroke();
    pen.fillText(Math.abs(v) < 3 ? v.toFixed(2) : v.toFixed(0), left - 5, y(v) + 4);
  }
  pen.fillText(`${last.toFixed(1)} s`, width - right, height - 4);
  pen.textAlign = "left";
  pen.fillText(`${first.toFixed(1)} s`, left, height - 4);
  for (const { values: numbers, name } of lines) {
    pen.strokeStyle = colour(name);
    pen.lineWidth = 1.6;
    pen.beginPath();
    let joined = false;
    times.forEach((t, i) => {
      const seen = Number.isFinite(numbers[i]);
      if (seen) pen[joined ? "lineTo" : "moveTo"](x(t), y(numbers[i]));
      if (seen && !joined) pen.lineTo(x(t) + 1, y(numbers[i]));
      joined = seen;
    });
    pen.stroke();
  }
}

/** Ways to draw a face; `unit` is about a pixel of the screen, in pixels of the picture. */
const DRAW = {
  lines(pen, face, unit) {
    pen.lineWidth = 1.4 * unit;
    pen.strokeStyle = "#00e5ff";
    pen.beginPath();
    for (const [a, b] of S.scheme.edges) {
      pen.moveTo(...face.points[a]);
      pen.lineTo(...face.points[b]);
    }
    pen.stroke();
  },
  points(pen, face, unit) {
    face.points.forEach(([x, y], i) => {
      pen.fillStyle = face.scores[i] < S.DOUBT ? "#ff9e2c" : "#39ff88";
      pen.beginPath();
      pen.arc(x, y, 2 * unit, 0, 2 * Math.PI);
      pen.fill();
    });
  },
  box(pen, face, unit) {
    pen.lineWidth = 1.5 * unit;
    pen.strokeStyle = "#ffd23f";
    pen.strokeRect(face.box[0], face.box[1], ...sides(face.box));
  },
  names(pen, face, unit) {
    pen.font = `${13 * unit}px system-ui, sans-serif`;
    pen.lineWidth = 3 * unit;
    pen.strokeStyle = "#000";
    pen.fillStyle = "#fff";
    const text = `${face.track}: ${Math.round(100 * face.confidence)} %`;
    for (const way of ["strokeText", "fillText"])
      pen[way](text, face.box[0], face.box[1] - 5 * unit);
  },
};
