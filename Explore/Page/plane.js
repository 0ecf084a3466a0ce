// The test images in the plane of two factors: hovering decodes a point, a lasso or a rectangle sums up what is inside.

import { bytes, json, post, newestOnly, fromBase64 } from "./api.js";
import { el, field, select, choice, guard, nats, say } from "./dom.js";
import { imageCanvas, draw } from "./picture.js";
import * as scatter from "./scatter.js";
import * as state from "./state.js";

export async function planeTab(panel, session, signal) {
  const { run } = session;
  const [bestA, bestB] = bestPlane(session);
  let a = state.getNumber("x", bestA), b = state.getNumber("y", bestB), colour = state.get("colour", session.labels ? "label" : run.known ? "0" : "none"), mode = "lasso";
  let points = new Float32Array(0), groups = null, groupCount = 0, highlighted = null, shape = [], dragging = false, cursor = null, scale = null, background = null;
  const names = session.factors.map(f => [f.factor, `factor ${f.factor} (${nats(f.information)} nats)`]);
  const canvas = el("canvas.plane", { tabIndex: 0, role: "application", "aria-label": "The plane of two factors. Arrow keys move a cross, Enter takes its place into the code, with Shift they draw a rectangle, Escape clears it." });
  const here = imageCanvas(run, "decoded at the pointer"), near = imageCanvas(run, "nearest test image"), mean = imageCanvas(run, "mean of the images inside");
  const hereText = el("figcaption", {}, "decoded here"), nearText = el("figcaption", {}, "nearest test image"), legend = el("div.legend"), shares = el("div.shares"), count = el("p", {}, "Draw around points to see their mean image and their labels.");

  const hover = newestOnly(guard(async ({ x, y }) => {
    const code = session.code.slice();
    code[a] = x;
    code[b] = y;
    draw(here, run, await session.decode(code, signal));
    hereText.textContent = `decoded at ${x.toFixed(2)}, ${y.toFixed(2)}`;
    const index = scatter.nearest(points, scale, scale.toX(x), scale.toY(y));
    if (index < 0) return;
    draw(near, run, await post("strip", { run: run.id }, Int32Array.of(index), signal));
    nearText.textContent = `nearest: image ${index}` + (session.labels ? `, label ${session.labels[index]}` : "");
  }));

  const load = guard(async () => {
    say("placing the test images ...");
    const loaded = await bytes("plane", { run: run.id, a, b }, signal);
    points = new Float32Array(loaded.buffer);
    await colourBy();
    say("");
    redraw();
  });

  async function colourBy() {
    groups = null;
    if (colour === "label" && session.labels) [groups, groupCount] = [session.labels, run.classes];
    else if (colour !== "none" && run.known) {
      const known = await json("known", { run: run.id, factor: Number(colour) || 0 }, signal);
      [groups, groupCount] = [fromBase64(known.labels), known.size];
    }
    highlighted = null;
    fillLegend();
  }

  function fillLegend() {
    legend.replaceChildren(...(groups && groupCount <= 24 ? Array.from({ length: groupCount }, (_, k) => {
      const button = el("button", { type: "button", "aria-pressed": "false", "aria-label": `show only ${k}`, onclick: () => {
        highlighted = highlighted === k ? null : k;
        [...legend.children].forEach((other, i) => other.setAttribute("aria-pressed", i === highlighted));
        redraw();
      } }, el("span.dot"), String(k));
      button.firstChild.style.background = scatter.colourOf(k);
      return button;
    }) : []));
  }

  // The points once, then what moves above them.
  function redraw() {
    const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = Math.min(width, 560);
    if (!width) return;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.style.height = `${height}px`;
    const context = canvas.getContext("2d"), style = getComputedStyle(canvas);
    const ink = style.color, paper = style.backgroundColor, muted = style.borderColor;
    context.scale(ratio, ratio);
    const rings = circles();
    scale = scatter.makeScale(points, rings, width, height, Boolean(run.design));
    scatter.drawAxes(context, scale, width, height, `factor ${a}`, `factor ${b}`, style.getPropertyValue("--muted") || muted);
    scatter.drawPoints(context, points, scale, groups, highlighted, points.length > 8000 ? 1.2 : 1.8);
    for (const { x, y, radius, k } of rings) {
      context.strokeStyle = scatter.colourOf(k);
      context.lineWidth = 2;
      context.beginPath();
      context.ellipse(scale.toX(x), scale.toY(y), radius * scale.perX, radius * scale.perY, 0, 0, 2 * Math.PI);
      context.stroke();
    }
    // A designed class has its name in its circle, any other group in the middle of its points.
    const names = rings.length ? rings.map(r => ({ x: r.x, y: r.y + 0.7 * r.radius, name: String(r.k) })) : groups && groupCount <= 24 ? scatter.middles(points, groups) : [];
    scatter.drawNames(context, names, scale, ink, paper);
    background = new OffscreenCanvas(canvas.width, canvas.height);
    background.getContext("2d").drawImage(canvas, 0, 0);
    overlay();
  }

  function overlay() {
    if (!background) return;
    const context = canvas.getContext("2d"), ink = getComputedStyle(canvas).color;
    context.save();
    context.resetTransform();
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.drawImage(background, 0, 0);
    context.restore();
    context.strokeStyle = ink;
    context.lineWidth = 1.5;
    if (shape.length > 1) {
      context.setLineDash([5, 4]);
      context.beginPath();
      shape.forEach(([x, y], i) => i ? context.lineTo(scale.toX(x), scale.toY(y)) : context.moveTo(scale.toX(x), scale.toY(y)));
      context.closePath();
      context.stroke();
      context.setLineDash([]);
    }
    for (const [x, y, size] of [[session.code[a], session.code[b], 6], ...cursor ? [[cursor.x, cursor.y, 11]] : []]) {
      context.beginPath();
      context.moveTo(scale.toX(x) - size, scale.toY(y));
      context.lineTo(scale.toX(x) + size, scale.toY(y));
      context.moveTo(scale.toX(x), scale.toY(y) - size);
      context.lineTo(scale.toX(x), scale.toY(y) + size);
      context.stroke();
    }
  }

  // The designed classes at two standard deviations.
  function circles() {
    return run.design ? run.design.centres.map((centre, k) => ({ x: centre[a], y: centre[b], radius: 2 * Math.sqrt(run.design.variances[k][a]), k })) : [];
  }

  // What is inside is fetched first and shown at once: a count never stands over the mean and the labels of another shape.
  const summarise = newestOnly(guard(async () => {
    const found = shape.length > 2 ? scatter.inside(points, shape) : [], table = found.length && groups ? [sharesOf(found)] : [];
    const text = found.length ? `${found.length} of ${points.length / 2} images are inside.` : "No image is inside.";
    if (found.length) draw(mean, run, await post("mean", { run: run.id }, Int32Array.from(found), signal));
    mean.hidden = !found.length;
    shares.replaceChildren(...table);
    count.textContent = text;
  }));

  function sharesOf(found) {
    const counts = new Map();
    for (const i of found) counts.set(groups[i], (counts.get(groups[i]) ?? 0) + 1);
    const rows = [...counts].sort((p, q) => q[1] - p[1]).slice(0, 12).map(([k, n]) => {
      const bar = el("span.bar");
      bar.style.width = `${100 * n / found.length}%`;
      return el("tr", {}, el("th", { scope: "row" }, String(k)), el("td", {}, bar), el("td", {}, `${(100 * n / found.length).toFixed(1)} %`));
    });
    return el("table", {}, el("caption", {}, colour === "label" ? "labels inside" : `${run.known[Number(colour) || 0]} inside`), el("tbody", {}, rows));
  }

  function at(event) {
    const box = canvas.getBoundingClientRect();
    return { x: scale.fromX(event.clientX - box.left), y: scale.fromY(event.clientY - box.top) };
  }
  canvas.addEventListener("pointerdown", event => {
    if (!scale) return;
    canvas.setPointerCapture(event.pointerId);
    dragging = true;
    const { x, y } = at(event);
    shape = [[x, y]];
  });
  canvas.addEventListener("pointermove", event => {
    if (!scale) return;
    const { x, y } = at(event);
    cursor = { x, y };
    if (dragging && mode === "lasso") shape.push([x, y]);
    if (dragging && mode === "box") shape = box(shape[0], [x, y]);
    overlay();
    if (!dragging) hover(cursor);
  });
  canvas.addEventListener("pointerup", event => {
    if (!dragging) return;
    dragging = false;
    if (shape.length > 2) return summarise();
    const { x, y } = at(event);
    take(x, y);
  });
  canvas.addEventListener("keydown", event => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (event.key === "Escape") {
      shape = [];
      overlay();
      return summarise();
    }
    if (event.key === "Enter" && cursor) return take(cursor.x, cursor.y);
    if (!step || !scale) return;
    event.preventDefault();
    const from = cursor ?? { x: session.code[a], y: session.code[b] };
    cursor = { x: from.x + step[0] * 8 / scale.perX, y: from.y + step[1] * 8 / scale.perY };
    if (event.shiftKey) {
      shape = box(shape[0] ?? [from.x, from.y], [cursor.x, cursor.y]);
      summarise();
    }
    overlay();
    hover(cursor);
    say(`${cursor.x.toFixed(2)}, ${cursor.y.toFixed(2)}`);
  });

  function box([x, y], [toX, toY]) {
    return [[x, y], [toX, y], [toX, toY], [x, toY]];
  }

  function take(x, y) {
    shape = [];
    session.code[a] = x;
    session.setFactor(b, y);
    say(`the code is at ${x.toFixed(2)}, ${y.toFixed(2)}`);
  }

  const swap = changes => {
    [a, b] = [changes.a ?? a, changes.b ?? b];
    state.set({ x: a, y: b });
    shape = [];
    load();
  };
  const colourings = [...session.labels ? [["label", "label"]] : [], ...(run.known ?? []).map((name, i) => [i, name]), ["none", "nothing"]];
  panel.append(
    el("div.toolbar", {}, field("Across", select(names, a, value => swap({ a: Number(value) }))), field("Up", select(names, b, value => swap({ b: Number(value) }))),
      field("Colour by", select(colourings, colour, guard(async value => {
        colour = value;
        state.set({ colour });
        await colourBy();
        redraw();
      }))),
      choice("Select with", [["lasso", "Lasso"], ["box", "Rectangle"]], mode, value => {
        mode = value;
      })),
    el("div.planeColumns", {}, el("div", {}, canvas, legend),
      el("div.found", {}, el("div.figures", {}, el("figure", {}, here, hereText), el("figure", {}, near, nearText)), count, mean, shares)),
    el("p.hint", {}, `Each point is the mean of q(z|x) of one of the first ${run.images} test images. A click takes its place into the code.`));
  mean.hidden = true;
  const resized = new ResizeObserver(() => redraw());
  resized.observe(panel);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", redraw);
  signal.addEventListener("abort", () => {
    resized.disconnect();
    dark.removeEventListener("change", redraw);
  });
  session.addEventListener("code", () => {
    if (!panel.hidden) overlay();
  });
  await load();
  return { shown: redraw };
}

// The two most informative factors, or those in which the designed classes lie furthest apart.
function bestPlane(session) {
  const { run } = session, order = session.factors.map(f => f.factor);
  if (run.design) {
    const spread = h => Math.max(...run.design.centres.map(c => c[h])) - Math.min(...run.design.centres.map(c => c[h]));
    order.sort((p, q) => spread(q) - spread(p));
    return [Math.min(order[0], order[1] ?? order[0]), Math.max(order[0], order[1] ?? order[0])];
  }
  return [order[0], order[1] ?? order[0]];
}
