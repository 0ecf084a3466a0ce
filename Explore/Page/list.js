// The runs in the folder: a table that can be sorted, whose rows can be chosen for a comparison, and that follows runs in training.

import { json } from "./api.js";
import * as state from "./state.js";
import { el, nats, say } from "./dom.js";

const refreshEvery = 2000;

const columns = [
  ["id", "run", run => run.id],
  ["model", "model", run => run.model ?? ""],
  ["data", "data", run => run.data ?? ""],
  ["epochs", "epochs", run => run.epochsDone, run => run.epochs ? `${run.epochsDone} of ${run.epochs}` : ""],
  ["evlb", "EVLB, nats", run => run.evlb ?? -Infinity, run => nats(run.evlb, 1)],
  ["information", "information, nats", run => run.information ?? -Infinity, run => nats(run.information)],
  ["influential", "influential factors", run => run.influential ?? -1, run => run.influential ?? "–"],
  ["started", "started", run => run.started ?? "", run => (run.started ?? "").slice(0, 16).replace("T", " ")],
  ["state", "state", run => run.state],
];

export async function showList(view, signal) {
  const chosen = new Set();
  let { folder, runs } = await json("runs", {}, signal);
  const compare = el("button.strong", { type: "button", disabled: true, onclick: () => state.go({ compare: [...chosen].join(",") }, true) }, "Compare the chosen runs");
  const body = el("tbody"), heads = el("tr", {}, el("td"));
  view.append(el("h1", {}, `Runs in ${folder}`), el("div.toolbar", {}, compare, el("span.hint", {}, "Open a run by its name; choose two or more to compare them.")),
    el("div.wide", {}, el("table.runs", {}, el("caption.hidden", {}, "Runs, with what was measured of them"), el("thead", {}, heads), body)));

  for (const [key, title] of columns) {
    heads.append(el("th", { scope: "col" }, el("button", { type: "button", onclick: () => {
      const descending = state.get("sort") === key && state.get("order") !== "down";
      state.set({ sort: key, order: descending ? "down" : null });
      fill();
    } }, title)));
  }

  function fill() {
    const key = state.get("sort", "started"), down = state.get("order", state.get("sort") ? "up" : "down") === "down";
    const value = columns.find(c => c[0] === key)?.[2] ?? columns[0][2];
    runs.sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (down ? -1 : 1));
    columns.forEach(([name], i) => heads.children[i + 1].setAttribute("aria-sort", name !== key ? "none" : down ? "descending" : "ascending"));
    const focused = document.activeElement?.dataset?.key;
    body.replaceChildren(...runs.map(row));
    if (focused) body.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    if (!runs.length) body.append(el("tr", {}, el("td", { colSpan: columns.length + 1 }, "There are no runs here yet; `vae train` makes one, and it appears by itself.")));
  }

  function row(run) {
    const usable = run.state !== "broken";
    const box = el("input", { type: "checkbox", checked: chosen.has(run.id), disabled: !usable, "aria-label": `choose ${run.id} for a comparison`, onchange: () => {
      if (box.checked) chosen.add(run.id);
      else chosen.delete(run.id);
      compare.disabled = chosen.size < 2;
    } });
    box.dataset.key = "box " + run.id;
    const name = usable ? el("a", { href: state.link({ run: run.id }) }, run.id) : run.id;
    if (usable) name.dataset.key = run.id;
    const cells = columns.slice(1, -1).map(([, , value, text]) => el("td", {}, String((text ?? value)(run))));
    const last = el("td", {}, el(`span.badge.${run.state}`, {}, run.state));
    if (run.problem) return el("tr.broken", {}, el("td", {}, box), el("th", { scope: "row" }, name), el("td", { colSpan: columns.length - 2 }, run.problem), last);
    return el("tr", {}, el("td", {}, box), el("th", { scope: "row" }, name), cells, last);
  }

  fill();
  let before = JSON.stringify(runs);
  const timer = setInterval(async () => {
    try {
      const found = (await json("runs", {}, signal)).runs;
      const now = JSON.stringify(found);
      if (now === before) return;
      before = now;
      runs = found;
      fill();
    } catch (error) {
      if (!signal.aborted) say(error.message, true);
    }
  }, refreshEvery);
  signal.addEventListener("abort", () => clearInterval(timer));
}
