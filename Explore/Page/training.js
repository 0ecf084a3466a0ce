// How a run was trained, or is being trained: its curves, and the latest reconstructions.

import { json, bytes } from "./api.js";
import { el, guard } from "./dom.js";
import { lineChart, legendOf } from "./curves.js";
import { drawGrid, scaleFor } from "./picture.js";

const refreshEvery = 2000, shownImages = 8;

export function trainingTab(panel, session, signal) {
  const { run } = session;
  const note = el("p", { role: "status" }), charts = el("div.charts"), canvas = el("canvas.grid", { role: "img", "aria-label": "test images above their reconstructions" });
  let rows = -1, stamp = null, timer = null;
  panel.append(note, legendOf(["training images", "test images"]), charts, el("h2", {}, "Latest reconstructions"), el("div.wide", {}, canvas),
    el("p.hint", {}, "The first test images, above what the newest checkpoint makes of them."));

  const refresh = guard(async () => {
    const metrics = await json("metrics", { run: run.id }, signal), { columns } = metrics, epochs = columns.epoch ?? [];
    note.textContent = metrics.state === "training" ? `In training: ${epochs.length} of ${metrics.epochs} epochs are done; this page follows.`
      : epochs.length ? `${epochs.length} of ${metrics.epochs} epochs.` : "There are no curves: no epoch has ended, or the weights were imported.";
    if (epochs.length !== rows) {
      rows = epochs.length;
      const all = metrics.terms.map(term => lineChart(term, [
        { name: "train", x: epochs, y: columns["train_" + term] },
        ...columns["test_" + term] ? [{ name: "test", x: epochs, y: columns["test_" + term] }] : [],
      ]));
      if (columns.sigma2?.some(v => v !== null)) all.push(lineChart("noise variance σ²", [{ name: "σ²", x: epochs, y: columns.sigma2 }], "epoch", "per pixel"));
      charts.replaceChildren(...(rows ? all : []));
    }
    const newest = (await json("runs", {}, signal)).runs.find(r => r.id === run.id);
    if (newest && newest.stamp !== stamp) {
      stamp = newest.stamp;
      drawGrid(canvas, run, await bytes("reconstructions", { run: run.id, count: shownImages }, signal), Math.min(shownImages, run.images), scaleFor(run, 64));
    }
    clearTimeout(timer);
    if (newest?.state === "training" && !panel.hidden) timer = setTimeout(refresh, refreshEvery);
  });
  signal.addEventListener("abort", () => clearTimeout(timer));
  return { shown: refresh, hidden: () => clearTimeout(timer) };
}
