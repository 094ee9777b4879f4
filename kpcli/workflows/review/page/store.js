// What is asked of the server and told to it. Every change of a face is sent at once, in order;
// what cannot be sent is sent again until it can.
const AGAIN = 2000;
const base = new URL(".", location.href);

export class Problem extends Error {
  constructor(status, values) {
    super(values.error || `the server answers ${status}`);
    this.status = status;
    this.values = values;
  }
}

async function answer(response) {
  const values = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(response.status, values);
  return values;
}

export function get(name, values = {}) {
  const url = new URL(`api/${name}`, base);
  url.search = new URLSearchParams(values);
  return fetch(url).then(answer);
}

export function post(name, values) {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify(values);
  return fetch(new URL(`api/${name}`, base), { method: "POST", headers, body }).then(answer);
}

export function pictureUrl(file, frame) {
  return new URL(`api/picture?file=${file}&frame=${frame}`, base).href;
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

export class Saver {
  // `told(state, words)`: state is "saved", "busy" or "bad"; `conflict(face, newer)`.
  constructor(told, conflict) {
    this.told = told;
    this.conflict = conflict;
    this.unsaved = new Set();
    this.done = () => {};
    addEventListener("beforeunload", (event) => {
      if (this.unsaved.size) event.preventDefault();
    });
  }

  // Send the face as it is now; `what` says in a word what was done.
  change(face, what) {
    face.what = face.dirty && face.what !== what ? `${face.what}, ${what}`.slice(-200) : what;
    face.dirty = true;
    this.unsaved.add(face);
    if (!face.sending && !face.conflict) this.pump(face);
  }

  async pump(face) {
    face.sending = true;
    while (face.dirty && !face.conflict) {
      face.dirty = false;
      const what = face.what;
      const body = { ...face.toSend(), base: face.version, what };
      this.told("busy", "saving …");
      try {
        const got = await post("save", body);
        face.version = got.version;
        this.done(face, got);
      } catch (problem) {
        face.dirty = true;
        face.what = what;
        if (!(await this.failed(face, body, problem))) break;
      }
    }
    face.sending = false;
    if (!face.dirty) this.unsaved.delete(face);
    if (!this.unsaved.size) this.told("saved", "all changes saved");
  }

  // Whether it is worth trying again at once.
  async failed(face, body, problem) {
    if (!(problem instanceof Problem)) {
      this.told("bad", "NOT SAVED: the server does not answer; start `kpcli review` again, this page goes on by itself");
      await new Promise((resume) => setTimeout(resume, AGAIN));
      return true;
    }
    if (problem.status === 409) {
      const newer = problem.values.newer;
      const version = newer ? newer.version : 0;
      const mine = newer && same(newer.points, body.points) && newer.status === body.status;
      if (mine || !newer) {  // the answer to an earlier try was lost; or the journal is gone
        face.version = version;
        if (mine) face.dirty = false;
        return true;
      }
      face.conflict = newer;
      this.told("bad", "NOT SAVED: changed in another tab");
      this.conflict(face, newer);
      return false;
    }
    this.told("bad", `NOT SAVED: ${problem.message}`);
    if (problem.status >= 500 || problem.status === 422) {
      await new Promise((resume) => setTimeout(resume, AGAIN));
      return true;
    }
    return false;
  }

  settle(face, mine) {
    face.version = face.conflict.version;
    if (!mine) face.take(face.conflict);
    face.conflict = null;
    face.dirty = mine;
    if (mine) this.pump(face);
    else {
      this.unsaved.delete(face);
      this.told("saved", "all changes saved");
    }
  }
}
