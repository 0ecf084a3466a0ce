// Which view the address asks for: the list of runs, a run, or a comparison.

import * as state from "./state.js";
import { el, guard, say } from "./dom.js";
import { showList } from "./list.js";
import { showRun } from "./run.js";
import { showComparison } from "./compare.js";

const main = document.getElementById("main"), trail = document.getElementById("trail");
let leave = null, shown = null;

const render = guard(async () => {
  const run = state.get("run"), compared = state.get("compare");
  const wanted = run ? "run " + run : compared ? "compare " + compared : "list";
  // Within a run the tabs look after themselves.
  if (wanted === shown && leave?.navigated) return leave.navigated();
  leave?.stop();
  leave = null;
  shown = wanted;
  say("");
  trail.replaceChildren(run ? el("span", {}, run) : compared ? el("span", {}, "comparison") : "");
  document.title = (run || (compared ? "comparison" : "runs")) + " – vae explore";
  main.replaceChildren(el("p.waiting", {}, run ? `Opening ${run} ...` : "Loading ..."));
  const stopping = new AbortController();
  leave = { stop: () => stopping.abort() };
  const view = el("div");
  try {
    const handle = await (run ? showRun(view, run, stopping.signal) : compared ? showComparison(view, compared.split(","), stopping.signal) : showList(view, stopping.signal));
    if (stopping.signal.aborted) return;
    leave.navigated = handle?.navigated;
    main.replaceChildren(view);
  } catch (error) {
    if (stopping.signal.aborted) return;
    main.replaceChildren(el("h1", {}, "This cannot be shown"), el("p.problem", {}, error.message), el("p", {}, el("a", { href: "#" }, "All runs")));
    shown = null;
    if (error.constructor.name !== "ApiError") throw error;
  }
});

state.onNavigation(render);
addEventListener("click", event => {
  const link = event.target.closest?.("a[href^='#']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (link.id === "skip") return main.focus();
  state.go(Object.fromEntries(new URLSearchParams(link.getAttribute("href").slice(1))), true);
});
render();
