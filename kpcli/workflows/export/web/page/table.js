/* The rows of kpcli/writers/landmark_csv.py. */
const fixed = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : "");
const quoted = (name) => (/[,"\r\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name);

class Table {
  constructor() {
    this.rows = [];
  }

  add(file, frame, seconds, faces) {
    const start = `${quoted(file)},${frame},${seconds.toFixed(6)}`;
    if (!faces.length) {
      const blanks = S.columns.length - 10;
      this.rows.push(`${start},,,,,,0.0000,0${",".repeat(blanks)}`);
    }
    for (const face of faces) this.rows.push(`${start},${this.face(face)}`);
  }

  face(face) {
    const numbers = (values, digits) => values.map((v) => fixed(v, digits));
    const parts = [face.track, ...numbers(face.box, 3), face.confidence.toFixed(4), 1,
      ...numbers(face.points.map((p) => p[0]), 3), ...numbers(face.points.map((p) => p[1]), 3),
      ...numbers(face.scores, 4)];
    if (S.pose) parts.push(...numbers(face.pose || [NaN, NaN, NaN], 2));
    parts.push(...numbers(face.measures, 4));
    return parts.join(",");
  }

  text() {
    return [S.columns.join(","), ...this.rows, ""].join("\n");
  }
}
