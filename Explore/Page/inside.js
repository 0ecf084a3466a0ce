// The way of the chosen image through the network, for teachers: every layer's output, the posterior, the sample, the decoded mean.

import { json, postForJson, fromBase64, newestOnly } from "./api.js";
import { el, guard, nats, svg } from "./dom.js";
import { imageCanvas, draw } from "./picture.js";

const mostMaps = 64, mostGaussians = 24;

const kinds = {
  Conv2d: "convolution, then ReLU", ConvTranspose2d: "transposed convolution", Linear: "every input to every output (linear)",
  BatchNorm: "batch normalisation", Function: "the same numbers in another shape, or through an activation", MaxPool2d: "the largest of each window",
};

export function insideTab(panel, session, signal) {
  const { run } = session, path = el("ol.path");
  let drawCount = 0, isShown = false, seen = null;
  const again = el("button", { type: "button", onclick: () => {
    drawCount++;
    refresh();
  } }, "draw another z");
  panel.append(el("p", {}, "From the image to its code and back. Brightness goes from the smallest to the largest number of a layer."), el("div.toolbar", {}, again), path);

  const refresh = newestOnly(guard(async () => {
    const { image } = session;
    if (!image) {
      seen = null;
      return path.replaceChildren(el("li", {}, "This code comes from the prior: choose an image under “Start from” to follow it through the network."));
    }
    seen = image;
    const parameters = { run: run.id, draw: drawCount };
    const way = image.file ? await postForJson("inside", parameters, image.file) : await json("inside", { ...parameters, image: image.index }, signal);
    const mean = imageCanvas(run, "the decoded mean", "now"), input = imageCanvas(run, "the image that goes in");
    draw(mean, run, fromBase64(way.mean));
    draw(input, run, image.pixels);
    const shape = `${run.height} × ${run.width} × ${run.channels}`;
    path.replaceChildren(...[
      step("the image x", shape, `${image.name}; numbers from 0 to 1.`, input),
      ...way.encoder.map(layer),
      step("the posterior q(z|x): μ and log σ²", `2 × ${run.latents}`, "A Gaussian for each factor, beside the prior N(0, 1), dashed. Those that differ most from it come first; a factor whose Gaussian is the prior says nothing about this image.", gaussians(session, way), image.kl ? `Its term: KL = ${nats(image.klTerm)} nats, the sum over the factors.` : null),
      way.probabilities ? step("the category q(c|x)", String(run.categories), `Most probable: ${way.probabilities.indexOf(Math.max(...way.probabilities))}; drawn: ${way.category}.`, bars(way.probabilities)) : null,
      step("the sample z", String(run.latents), "z = μ + σ ε, with ε drawn from N(0, 1): what the decoder sees in training. The marks above show it."),
      ...way.decoder.map(layer),
      step("the decoded mean", shape, "What p(x|z) is centred on.", mean, `Its term: reconstruction −log p(x|z) = ${nats(way.nll)} nats, with noise ${way.noise}${way.variance === null ? "" : `, σ² = ${way.variance.toPrecision(3)}`}.`),
    ].filter(item => item));
  }));

  session.addEventListener("image", () => isShown && refresh());
  return {
    shown() {
      isShown = true;
      if (seen !== session.image || !session.image) return refresh();
    },
    hidden() {
      isShown = false;
    },
  };
}

function step(name, shape, text, picture = null, term = null) {
  return el("li", {}, el("h2", {}, name, el("span.shape", {}, shape)), el("p", {}, text), picture, term ? el("p.term", {}, term) : null);
}

function layer({ name, kind, shape, low, high, zero, values }) {
  // The numbers of the layer before it, whose picture is there already.
  if (kind === "Function" && shape.length === 1) return step("reshape", shape.join(" × "), "The same numbers in a row.");
  const canvas = el("canvas.maps", { role: "img", "aria-label": `output of ${name || kind}` });
  const bytes = fromBase64(values);
  if (shape.length === 3) drawMaps(canvas, bytes, shape);
  else drawVector(canvas, bytes, shape.reduce((a, b) => a * b, 1));
  const zeros = zero > 0.01 ? `, ${(100 * zero).toFixed(0)} % are 0` : "";
  return step(name || "reshape", shape.join(" × "), `${kinds[kind] ?? kind}: from ${nats(low)} to ${nats(high)}${zeros}.`, canvas);
}

// Each channel as a picture of its own.
function drawMaps(canvas, bytes, [height, width, channels]) {
  const shown = Math.min(channels, mostMaps), columns = Math.min(shown, Math.max(8, Math.floor(560 / (width + 1)) > 16 ? 16 : 8)), rows = Math.ceil(shown / columns);
  canvas.width = columns * (width + 1) - 1;
  canvas.height = rows * (height + 1) - 1;
  canvas.style.width = `${canvas.width * Math.max(1, Math.round((shown > 3 ? 480 : 150) / canvas.width))}px`;
  const context = canvas.getContext("2d");
  for (let c = 0; c < shown; c++) {
    const image = context.createImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      image.data.fill(bytes[i * channels + c], 4 * i, 4 * i + 3);
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, (c % columns) * (width + 1), Math.floor(c / columns) * (height + 1));
  }
}

function drawVector(canvas, bytes, length) {
  const columns = Math.min(length, 64), rows = Math.ceil(Math.min(length, bytes.length) / columns);
  canvas.width = columns;
  canvas.height = rows;
  canvas.style.width = `${Math.min(640, columns * 8)}px`;
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  for (let i = 0; i < Math.min(length, bytes.length); i++) {
    image.data.fill(bytes[i], 4 * i, 4 * i + 3);
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

// A small Gaussian a factor, with the sample as a mark.
function gaussians(session, { mu, logVar, z }) {
  const { design } = session.run, order = mu.map((m, factor) => ({ factor, kl: 0.5 * (m * m + Math.exp(logVar[factor]) - 1 - logVar[factor]) })).sort((a, b) => b.kl - a.kl).slice(0, mostGaussians);
  return el("div.gaussians", {}, order.map(({ factor, kl }) => {
    const reach = Math.max(4, Math.abs(mu[factor]) + 2), deviation = Math.exp(0.5 * logVar[factor]), toX = v => 45 + v / reach * 42;
    const bell = (mean, sd) => {
      let d = "";
      for (let i = 0; i <= 60; i++) {
        const v = -reach + 2 * reach * i / 60;
        d += `${i ? "L" : "M"}${toX(v).toFixed(1)} ${(46 - 40 * Math.exp(-0.5 * ((v - mean) / sd) ** 2)).toFixed(1)}`;
      }
      return d;
    };
    const text = `factor ${factor}: mean ${mu[factor].toFixed(2)}, deviation ${deviation.toFixed(3)}, z ${z[factor].toFixed(2)}`;
    return el("figure", {}, svg("svg", { viewBox: "0 0 90 50", width: 90, height: 50, role: "img", "aria-label": text }, svg("title", {}, text),
      design ? svg("g") : svg("path.prior", { d: bell(0, 1) }), svg("path.posterior", { d: bell(mu[factor], Math.max(deviation, reach / 40)) }), svg("line.draw", { x1: toX(z[factor]), x2: toX(z[factor]), y1: 4, y2: 48 })),
    el("figcaption", {}, `${factor}`, design ? "" : ` (${nats(kl)})`));
  }));
}

function bars(probabilities) {
  return el("div.probabilities", {}, probabilities.map((p, k) => {
    const bar = el("span.bar");
    bar.style.width = `${100 * p}%`;
    return el("div", {}, el("span", {}, `${k}`), el("span.track", {}, bar), el("span", {}, `${(100 * p).toFixed(1)} %`));
  }));
}
