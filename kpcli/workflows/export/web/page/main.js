/* The page: networks are unpacked, pictures, videos or the camera opened, results shown. */
const $ = (id) => document.getElementById(id);
const state = { table: new Table(), times: [], series: [], faces: [], run: 0, last: null };
const LINES = { eyes: ["--c0", "--c1"], mouth: ["--c0"], pose: ["--c0", "--c1", "--c2"],
  sure: ["--c0"] };
const RANGES = { eyes: [0, 0.4], mouth: [0, 0.6], pose: [-20, 20], sure: [0, 1] };

async function unpacked(id) {
  const text = atob($(id).textContent), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  $(id).remove();
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A function from pictures of one size to the outputs of a network, by name. */
async function network(ort, id) {
  const session = await ort.InferenceSession.create(await unpacked(id));
  const bytes = S.bytes[id];
  return async (pictures) => {
    const { width, height, channels, data } = pictures[0];
    const values = bytes ? data : Float32Array.from(data);
    const input = new ort.Tensor(bytes ? "uint8" : "float32", values, [1, height, width, channels]);
    const outputs = await session.run({ [session.inputNames[0]]: input });
    return Object.fromEntries(Object.entries(outputs).map(([name, { data: d }]) => [name, d]));
  };
}

async function start() {
  const glue = new Blob([await unpacked("glue")], { type: "text/javascript" });
  const ort = await import(URL.createObjectURL(glue));
  Object.assign(ort.env.wasm, { numThreads: 1, wasmBinary: (await unpacked("wasm")).buffer });
  ort.env.logLevel = "error";
  state.detector = new Detector(await network(ort, "detector"));
  state.landmarks = new Landmarks(await network(ort, "landmarks"));
}

/** Show what goes wrong instead of nothing. */
function guarded(work) {
  return async (...given) => {
    try {
      await work(...given);
    } catch (error) {
      say(`That did not work: ${error.message || error}`, true);
    }
  };
}

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", wrong);
}

const boxesOf = async (image) => ($("where").value === "whole"
  ? [[-0.5, -0.5, image.width - 0.5, image.height - 0.5]]
  : (await state.detector.detect(image)).map(({ box }) => box));

/** The faces of a picture, as `kpcli annotate` numbers them. */
async function facesOf(image) {
  const found = await state.landmarks.faces(image, await boxesOf(image));
  return keptFaces(found, $("where").value === "whole").map((f, i) => ({ ...f, track: i }));
}

function enriched(faces, image) {
  for (const face of faces) {
    face.pose = S.pose ? headPose(face.points, image.width, image.height) : null;
    face.measures = measured(face, image);
  }
  return faces;
}

/** The pixels of what is on the canvas. */
function grabbed(source, width, height) {
  const canvas = state.canvas = state.canvas || document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "#fff"; // behind what is transparent
  pen.fillRect(0, 0, width, height);
  pen.drawImage(source, 0, 0, width, height);
  return fromRgba(pen.getImageData(0, 0, width, height));
}

function show() {
  if (!state.canvas) return;
  const { width, height } = state.canvas, stage = $("stage"), pen = stage.getContext("2d");
  [stage.width, stage.height] = [width, height];
  stage.hidden = false;
  pen.drawImage(state.canvas, 0, 0);
  drawStickers(pen, state.faces);
  pen.setTransform(1, 0, 0, 1, 0.5, 0.5); // points count from the first pixel's centre
  const unit = width / (stage.clientWidth || width);
  for (const name of ["lines", "points", "box", "names"])
    if ($(name).checked) state.faces.forEach((face) => DRAW[name](pen, face, unit));
  $("hint").hidden = true;
}

const counted = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;

function record(file, frame, seconds, faces) {
  state.table.add(file, frame, seconds, faces);
  state.faces = faces;
  state.times.push(seconds);
  state.series.push(faces);
  $("save").disabled = false;
  $("rows").textContent = counted(state.table.rows.length, "row");
  show();
  numbers(faces);
}

/** The measures of the faces in the picture as a small table. */
function numbers(faces) {
  const body = $("numbers").tBodies[0];
  const round = (v, digits) => (Number.isFinite(v) ? v.toFixed(digits) : "–");
  body.replaceChildren(...faces.slice(0, 20).map((face) => {
    const [left, right, mouth] = face.measures, row = document.createElement("tr");
    const cells = [face.track, round(face.confidence, 2), round(left, 2), round(right, 2),
      round(mouth, 2), ...(face.pose || [NaN, NaN, NaN]).map((v) => round(v, 0))];
    row.replaceChildren(...cells.map((text, i) => {
      const cell = document.createElement(i ? "td" : "th");
      cell.textContent = text;
      return cell;
    }));
    return row;
  }));
  $("numbers").hidden = !faces.length;
}

function plots() {
  $("plots").hidden = state.times.length < 2;
  if ($("plots").hidden) return;
  const ids = [...new Set(state.series.flatMap((faces) => faces.map((face) => face.track)))];
  const choice = $("face");
  if (choice.options.length !== ids.length) {
    const before = choice.value;
    choice.replaceChildren(...ids.sort((a, b) => a - b).map((id) => new Option(`face ${id}`, id)));
    if (ids.includes(+before) && before !== "") choice.value = before;
  }
  const chosen = state.series.map((faces) => faces.find((face) => face.track === +choice.value));
  const values = {
    eyes: [0, 1].map((k) => chosen.map((face) => (face ? face.measures[k] : NaN))),
    mouth: [chosen.map((face) => (face ? face.measures[2] : NaN))],
    pose: [0, 1, 2].map((k) => chosen.map((face) => (face && face.pose ? face.pose[k] : NaN))),
    sure: [chosen.map((face) => (face ? face.confidence : NaN))],
  };
  for (const [id, lines] of Object.entries(values)) {
    $(id).hidden = (id === "pose" && !S.pose) || ((id === "eyes" || id === "mouth") && !S.inner);
    if ($(id).hidden) continue;
    const named = lines.map((numbers, i) => ({ values: numbers, name: LINES[id][i] }));
    plot($(id).querySelector("canvas"), state.times, named, RANGES[id]);
  }
}

/** Stop what runs; what it found stays. */
function halt() {
  state.run += 1;
  const video = $("video");
  video.pause();
  (video.srcObject ? video.srcObject.getTracks() : []).forEach((track) => track.stop());
  video.srcObject = null;
  if (state.url) URL.revokeObjectURL(state.url);
  state.url = null;
  $("stop").hidden = true;
}

/** Stop what runs and begin a new table. */
function begin() {
  halt();
  Object.assign(state, { table: new Table(), times: [], series: [], faces: [] });
  $("plots").hidden = $("numbers").hidden = true;
  return state.run;
}

async function openFiles(files) {
  const run = begin(), unread = [], began = performance.now();
  const byName = [...files].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  await state.ready;
  let faces = 0;
  for (const file of byName) {
    if (run !== state.run) return;
    say(`Looking at ${file.name} …`);
    Object.assign(state, { times: [], series: [], missed: 0 });
    if (file.type.startsWith("video/")) {
      const wrong = await watchFile(file, run).then(() => "", (error) => error.message);
      if (wrong) unread.push(`${file.name} (${wrong})`);
      continue;
    }
    try {
      const picture = await createImageBitmap(file, { colorSpaceConversion: "none" });
      const image = grabbed(picture, picture.width, picture.height);
      const found = enriched(await facesOf(image), image);
      faces += found.length;
      record(file.name, 1, 0, found);
    } catch (error) {
      unread.push(`${file.name} (${error.message})`);
    }
  }
  if (run !== state.run) return;
  const took = ((performance.now() - began) / 1000).toFixed(1);
  const passed = state.missed ? `, ${state.missed} passed over` : "";
  const what = state.times.length > 1 ? `${state.times.length} frames${passed}`
    : `${counted(faces, "face")} in ${counted(byName.length - unread.length, "picture")}`;
  const failed = unread.length ? `; not read: ${unread.join(", ")}` : "";
  say(`${what}, ${took} s${failed}`, unread.length > 0);
}

/** Go through a video to its end. */
async function watchFile(file, run) {
  const video = $("video");
  state.url = video.src = URL.createObjectURL(file);
  await new Promise((done, failed) => {
    video.onloadeddata = done;
    video.onerror = () => failed(new Error("this browser cannot play it"));
  });
  await watch(video, file.name, run, $("every").checked);
}

async function watchCamera() {
  const run = begin(), video = $("video");
  await state.ready;
  if (!navigator.mediaDevices) throw new Error("the browser gives this page no camera");
  video.removeAttribute("src");
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
  await watch(video, "camera", run, false);
}

/** So slow that no frame goes by before the one that is shown has stopped the video. */
const SLOW = 0.25;

/** Frames as the browser shows them, each looked at before the next where `every` asks for it. */
async function watch(video, name, run, every) {
  const follower = new Follower(state.detector, state.landmarks), began = performance.now();
  let frame = 0, seen = 0, missed = 0;
  $("stop").hidden = false;
  video.playbackRate = every ? SLOW : 1;
  let next = nextFrame(video);
  await video.play();
  for (;;) {
    const shown = await next;
    if (run !== state.run) return;
    if (!shown) break;
    if (every) video.pause();
    missed += Math.max(0, shown.number - frame - 1);
    state.missed = missed;
    frame = shown.number;
    const image = grabbed(video, video.videoWidth, video.videoHeight);
    const whole = $("where").value === "whole";
    const faces = whole ? await facesOf(image) : await follower.frame(image, shown.seconds);
    if (run !== state.run) return;
    record(name, frame, shown.seconds, enriched(faces, image));
    plots();
    seen += 1;
    const rate = seen / (performance.now() - began) * 1000;
    say(`${name}: frame ${frame}, ${shown.seconds.toFixed(2)} s; ${rate.toFixed(1)} frames a second`
      + (missed ? `; ${missed} frames shown between those looked at` : ""));
    next = nextFrame(video); // asked for before it plays on, so that none is missed
    if (every && !video.ended) await video.play(); // at its end it would begin anew
  }
  $("stop").hidden = true;
}

/** The next frame's number and time; null at the end. */
function nextFrame(video) {
  return new Promise((done) => {
    if (video.ended) return done(null);
    video.onended = () => done(null);
    if (video.requestVideoFrameCallback)
      return video.requestVideoFrameCallback((now, { presentedFrames, mediaTime }) =>
        done({ number: presentedFrames, seconds: mediaTime }));
    state.shown = (state.shown || 0) + 1; // without that call, only a frame of the screen is known
    return requestAnimationFrame(() => done({ number: state.shown, seconds: video.currentTime }));
  });
}

function saveTable() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([state.table.text()], { type: "text/csv" }));
  link.download = "landmarks.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

$("files").addEventListener("change", guarded(async (event) => {
  const files = [...event.target.files];
  event.target.value = ""; // the same file may be opened again
  if (files.length) await openFiles(files);
}));
$("camera").addEventListener("click", guarded(watchCamera));
$("stop").addEventListener("click", () => {
  halt();
  say("Stopped.");
});
$("save").addEventListener("click", saveTable);
$("face").addEventListener("change", plots);
for (const name of ["lines", "points", "box", "names"]) $(name).addEventListener("change", show);
addEventListener("resize", () => { show(); plots(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", plots);
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", guarded(async (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) await openFiles(event.dataTransfer.files);
}));
$("notices").addEventListener("toggle", async () => {
  if ($("third"))
    $("third-text").textContent = new TextDecoder().decode(await unpacked("third"));
}, { once: true });
$("where").value = S.where;
offerStickers();
state.ready = start();
state.ready.then(() => say("Ready: open pictures or a video, or start the camera."),
  (error) => say(`The model could not be started: ${error.message || error}`, true));
