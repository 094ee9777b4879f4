/* Faces from frame to frame: a short form of kpcli/inference/propagation.py and identity.py.
   A face is looked for where its landmarks were; the detector looks when one is lost, twice a
   second for new ones, and as often as it can while there is none. */
class Follower {
  constructor(detector, landmarks) {
    Object.assign(this, { detector, landmarks, faces: [], ids: [], next: 0, looked: -Infinity });
  }

  async frame(image, seconds) {
    let faces = [];
    const due = !this.faces.length || seconds - this.looked >= S.LOOK_EVERY;
    if (!due) faces = await this.landmarks.faces(image, this.faces.map((face) => face.expected));
    if (due || this.lost(faces)) faces = await this.detected(image, seconds);
    faces = keptFaces(faces, false);
    this.number(faces, seconds);
    this.faces = faces.map((face) => ({ ...face, expected: this.expected(face) }));
    return faces;
  }

  lost(faces) {
    return faces.some((face, i) => {
      const least = Math.max(S.LEAST_CONFIDENCE, S.DROP * this.faces[i].confidence);
      const here = landmarkBox(face.points), before = this.faces[i].expected;
      const grown = sideOf(here) / sideOf(before);
      const far = distance(centreOf(here), centreOf(before)) > S.DRIFT * sideOf(here);
      return face.confidence < least || grown > S.GROWTH || grown < 1 / S.GROWTH || far;
    });
  }

  async detected(image, seconds) {
    const found = await this.detector.detect(image);
    this.looked = seconds;
    const boxes = found.map(({ box }) => {
      const known = this.faces.find((face) => iou(face.expected, box) >= S.TRUST);
      return known ? known.expected : box;
    });
    return this.landmarks.faces(image, boxes);
  }

  /** Where the face is looked for next; that of a still face stays, so that its points do. */
  expected(face) {
    const here = landmarkBox(face.points);
    const near = here.every((v, i) => Math.abs(v - face.box[i]) <= S.UNREST * sideOf(here));
    return near ? face.box : here;
  }

  /** Ids that stay with a face while its boxes overlap from sight to sight. */
  number(faces, seconds) {
    this.ids = this.ids.filter((one) => seconds - one.seen <= S.MEMORY);
    const pairs = faces.flatMap((face) => this.ids.map((one) => [iou(one.box, face.box), face, one]));
    const taken = new Set();
    pairs.sort((a, b) => b[0] - a[0]).forEach(([overlap, face, one]) => {
      if (overlap <= 0.2 || face.track !== undefined || taken.has(one)) return;
      taken.add(one);
      face.track = one.id;
    });
    for (const face of faces) {
      if (face.track === undefined) this.ids.push({ id: face.track = this.next++ });
      Object.assign(this.ids.find((one) => one.id === face.track), { box: face.box, seen: seconds });
    }
    faces.sort((a, b) => a.track - b.track);
  }
}
