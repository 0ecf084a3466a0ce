// What one factor or two do to the image, and the way from one image to another: a strip or a grid, which can be played and saved.

import { json, newestOnly } from "./api.js";
import { el, field, select, numberInput, choice, guard, saveFile, say } from "./dom.js";
import { drawGrid, imageCanvas, draw, scaleFor } from "./picture.js";
import { encodeGif } from "./gif.js";
import * as state from "./state.js";

export function traverseTab(panel, session, signal) {
  const { run } = session;
  const names = session.factors.map(f => [f.factor, `factor ${f.factor} (${(f.information ?? 0).toFixed(2)} nats)`]);
  const top = i => session.factors[Math.min(i, session.factors.length - 1)].factor;
  const options = {
    kind: state.get("kind", "one"), a: state.getNumber("a", top(0)), b: state.getNumber("b", top(1)),
    reach: state.getNumber("reach", session.range(top(0))), steps: state.getNumber("steps", 9), around: state.get("around", "zero"), to: state.getNumber("to", -1),
  };
  const canvas = el("canvas.grid", { role: "img" }), caption = el("p.hint");
  const player = imageCanvas(run, "the traverse as a moving picture", "player");
  let frames = null, frameCount = 0, playing = null, targets = new Map();

  const change = changes => {
    Object.assign(options, changes);
    state.set(options);
    arrange();
    redraw();
  };

  // The codes of the pictures, row by row, and how many are in a row.
  async function codes() {
    const { steps, reach, kind } = options, all = [];
    const at = i => steps === 1 ? 0 : reach * (2 * i / (steps - 1) - 1);
    const moved = (...moves) => {
      const code = session.code.slice();
      for (const [factor, value] of moves) code[factor] = options.around === "zero" ? value : session.code[factor] + value;
      all.push(code);
    };
    if (kind === "one") for (let i = 0; i < steps; i++) moved([options.a, at(i)]);
    if (kind === "two") for (let j = 0; j < steps; j++) for (let i = 0; i < steps; i++) moved([options.a, at(i)], [options.b, at(steps - 1 - j)]);
    if (kind === "line") {
      const target = await codeOf(options.to);
      for (let i = 0; i < steps; i++) all.push(session.code.map((from, h) => from + (target[h] - from) * i / Math.max(1, steps - 1)));
    }
    const flat = new Float32Array(all.length * session.code.length);
    all.forEach((code, i) => flat.set(code, i * code.length));
    return flat;
  }

  async function codeOf(index) {
    if (index < 0) return session.code;
    if (!targets.has(index)) targets.set(index, session.meanCode(await json("image", { run: run.id, image: index }, signal)));
    return targets.get(index);
  }

  const redraw = newestOnly(guard(async () => {
    const columns = options.steps;
    frames = await session.decode(await codes(), signal);
    frameCount = frames.length / (run.width * run.height * run.channels);
    drawGrid(canvas, run, frames, columns, scaleFor(run, options.kind === "two" ? 56 : 84));
    const text = describe();
    caption.textContent = text;
    canvas.setAttribute("aria-label", text);
    if (!playing) draw(player, run, frames, Math.floor(frameCount / 2));
  }));

  function describe() {
    const range = options.around === "zero" ? `from ${-options.reach} to ${options.reach}` : `${options.reach} to either side of its value now`;
    if (options.kind === "one") return `Factor ${options.a} goes ${range}, left to right; all else is the code as it is.`;
    if (options.kind === "two") return `Factor ${options.a} goes ${range} from left to right, factor ${options.b} from the bottom up.`;
    return options.to < 0 ? "Choose the image to go to." : `From the code as it is to test image ${options.to}, in equal steps.`;
  }

  function play() {
    if (playing) return stop();
    let at = 0, by = 1;
    playing = setInterval(() => {
      at += by;
      if (at <= 0 || at >= frameCount - 1) by = -by;
      draw(player, run, frames, Math.max(0, Math.min(frameCount - 1, at)));
    }, 120);
    playButton.textContent = "Stop";
    playButton.setAttribute("aria-pressed", "true");
  }

  function stop() {
    clearInterval(playing);
    playing = null;
    playButton.textContent = "Play";
    playButton.setAttribute("aria-pressed", "false");
  }
  signal.addEventListener("abort", stop);

  function saveGif() {
    const scale = scaleFor(run, 112), there = Array.from({ length: frameCount }, (_, i) => i);
    // There and back again, so that it never jumps.
    const order = there.concat(there.slice(1, -1).reverse());
    const gif = encodeGif(run, order.map(i => frames.subarray(i * run.width * run.height * run.channels)), scale, 10);
    saveFile(`${fileName()}.gif`, new Blob([gif], { type: "image/gif" }));
    say(`${order.length} pictures are in ${fileName()}.gif`);
  }

  function fileName() {
    const what = options.kind === "one" ? `factor-${options.a}` : options.kind === "two" ? `factors-${options.a}-${options.b}` : `to-${options.to}`;
    return `${run.id.replace(/[^\w.-]+/g, "-")}-${what}`;
  }

  const playButton = el("button", { type: "button", "aria-pressed": "false", onclick: play }, "Play");
  const factorA = field("Factor", select(names, options.a, value => change({ a: Number(value), reach: session.range(Number(value)) })));
  const factorB = field("and", select(names, options.b, value => change({ b: Number(value) })));
  const reach = numberInput(options.reach, 0.1, 100, 0.5, value => change({ reach: value }));
  const steps = numberInput(options.steps, 2, 16, 1, value => change({ steps: Math.round(value) }));
  const target = numberInput(Math.max(0, options.to), 0, run.images - 1, 1, value => change({ to: Math.round(value) }));
  const around = choice("Range", [["zero", "absolute"], ["value", "around the value now"]], options.around, value => change({ around: value }));
  const sameLabel = el("button", { type: "button", onclick: () => {
    const here = session.image?.index ?? 0, label = session.labels[here];
    const same = session.labels.reduce((all, l, i) => (l === label && i !== here ? [...all, i] : all), []);
    if (!same.length) return say(`there is no other test image with label ${label}`, true);
    const to = same[Math.floor(Math.random() * same.length)];
    target.value = to;
    change({ to });
  } }, "another of its class");
  const lineFields = [field("To test image", target), session.labels ? sameLabel : null].filter(f => f);
  const factorFields = [factorA, factorB, field("Range ±", reach), around];
  panel.append(
    el("div.toolbar", {}, choice("What to draw", [["one", "One factor"], ["two", "Two factors"], ["line", "Between two images"]], options.kind, value => change({ kind: value }))),
    el("div.toolbar", {}, factorFields, lineFields, field("Steps", steps)),
    el("div.wide", {}, canvas), caption,
    el("div.toolbar", {}, playButton,
      el("button", { type: "button", onclick: () => canvas.toBlob(blob => saveFile(`${fileName()}.png`, blob)) }, "Save as PNG"),
      el("button", { type: "button", onclick: guard(async () => saveGif()) }, "Save as animated GIF")), player);

  function arrange() {
    factorB.hidden = options.kind !== "two";
    for (const node of factorFields) if (node !== factorB) node.hidden = options.kind === "line";
    for (const node of lineFields) node.hidden = options.kind !== "line";
    reach.value = options.reach;
    if (options.kind === "line" && options.to < 0) options.to = run.images > 1 ? 1 : 0;
  }

  let isShown = true;
  session.addEventListener("code", () => isShown && redraw());
  arrange();
  return {
    hidden() {
      isShown = false;
      stop();
    },
    shown() {
      isShown = true;
      return redraw();
    },
  };
}
