// Two runs or more: their curves over one another, and their settings side by side.

import { json } from "./api.js";
import { el, field, guard, nats, say, select } from "./dom.js";
import { lineChart, legendOf } from "./curves.js";
import * as state from "./state.js";

const refreshEvery = 2000;

export async function showComparison(view, ids, signal) {
  const settings = await Promise.all(ids.map(id => json("settings", { run: id }, signal)));
  const charts = el("div.charts"), measured = el("div.wide");
  let split = state.get("split", "test"), before = "", timer = null;

  const refresh = guard(async () => {
    const metrics = await Promise.all(ids.map(id => json("metrics", { run: id }, signal)));
    const rows = (await json("runs", {}, signal)).runs;
    const now = JSON.stringify([metrics, rows, split]);
    if (now !== before) {
      before = now;
      draw(metrics, ids.map(id => rows.find(row => row.id === id)));
    }
    clearTimeout(timer);
    if (metrics.some(m => m.state === "training")) timer = setTimeout(refresh, refreshEvery);
  });
  signal.addEventListener("abort", () => clearTimeout(timer));

  function draw(metrics, rows) {
    const terms = [...new Set(metrics.flatMap(m => m.terms))];
    charts.replaceChildren(...terms.map(term => lineChart(term, ids.map((id, i) => ({ name: id, x: metrics[i].columns.epoch ?? [], y: metrics[i].columns[`${split}_${term}`] ?? [] })))));
    const figures = [["EVLB, nats", "evlb", 1], ["information (I2), nats", "information", 2], ["influential factors", "influential", 0], ["epochs done", "epochsDone", 0]];
    measured.replaceChildren(el("table", {}, el("caption", {}, "What was measured"), head(), el("tbody", {}, figures.map(([name, key, digits]) =>
      el("tr", {}, el("th", { scope: "row" }, name), rows.map(row => el("td", {}, nats(row?.[key], digits))))))));
  }

  function head() {
    return el("thead", {}, el("tr", {}, el("td"), ids.map(id => el("th", { scope: "col" }, el("a", { href: state.link({ run: id }) }, id)))));
  }

  // Every key that one of them has; those that differ are marked.
  const keys = [...new Set(settings.flatMap(s => Object.keys(s)))];
  const facts = new Set(["started", "commit", "version", "changed"]);
  const body = el("tbody", {}, keys.map(key => {
    const values = settings.map(s => s[key] === undefined ? "–" : String(s[key]));
    const differs = values.some(v => v !== values[0]) && !facts.has(key);
    return el(differs ? "tr.differs" : "tr.same", {}, el("th", { scope: "row" }, differs ? "≠ " : "", key), values.map(v => el("td", {}, v)));
  }));
  const onlyDifferences = el("input", { type: "checkbox", checked: true, onchange: () => body.classList.toggle("onlyDifferences", onlyDifferences.checked) });
  body.classList.add("onlyDifferences");
  view.append(el("h1", {}, `Comparison of ${ids.length} runs`), legendOf(ids),
    el("div.toolbar", {}, field("Curves of the", select([["test", "test images"], ["train", "training images"]], split, value => {
      split = value;
      state.set({ split });
      refresh();
    }))), charts, measured, el("h2", {}, "Settings"), el("label.field", {}, onlyDifferences, el("span", {}, "only those that differ")),
    el("div.wide", {}, el("table.settings", {}, el("caption.hidden", {}, "Settings side by side; those that differ are marked with ≠"), head(), body)));
  await refresh();
  if (!body.querySelector(".differs")) say("These runs have the same settings.");
}
