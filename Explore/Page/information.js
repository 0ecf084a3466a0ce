// The spectrum of a run: what each factor says about the image, with the sentence behind each number.

import { el, svg, nats } from "./dom.js";
import { influentialAbove, isInfluential } from "./session.js";
import * as state from "./state.js";

const height = 260, left = 44, bottom = 40, top = 16, mostBars = 256;

export function informationTab(panel, session) {
  const { run } = session, factors = session.factors.slice(0, mostBars);
  const ceiling = run.mixturePoints ? Math.log(run.mixturePoints) : null;
  const most = Math.max(influentialAbove * 1.2, ...factors.map(f => Math.max(f.information ?? 0, f.mixture ?? 0)));
  const slot = Math.max(7, Math.min(46, 820 / factors.length)), width = left + slot * factors.length + 10;
  const toY = value => height - bottom - Math.max(0, value) / most * (height - top - bottom);
  const chart = svg("svg.spectrum", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": "Information spectrum: a bar for each factor, the most informative first" });
  const step = most > 4 ? 1 : 0.5;
  for (let value = 0; value <= most; value += step) {
    chart.append(svg("line.rule", { x1: left, x2: width, y1: toY(value), y2: toY(value) }), svg("text.tick", { x: left - 6, y: toY(value) + 4, "text-anchor": "end" }, String(value)));
  }
  chart.append(svg("text.tick", { x: width / 2, y: height - 4, "text-anchor": "middle" }, "factor, by falling information"));
  const every = Math.ceil(24 / slot);
  factors.forEach((factor, i) => {
    const x = left + i * slot, text = `factor ${factor.factor}: ${nats(factor.information, 3)} nats` + (factor.mixture === null ? "" : `, ${nats(factor.mixture, 3)} by the mixture`);
    const bar = svg("g.bar", { role: "button", tabindex: i === 0 ? 0 : -1, "aria-label": text, onclick: () => choose(factor.factor), onkeydown: event => {
      const next = { ArrowRight: bar.nextElementSibling, ArrowLeft: bar.previousElementSibling }[event.key];
      if (next?.classList.contains("bar")) {
        bar.setAttribute("tabindex", -1);
        next.setAttribute("tabindex", 0);
        next.focus();
        event.preventDefault();
      }
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        choose(factor.factor);
      }
    } },
    svg("title", {}, text),
    svg("rect.hit", { x, y: top, width: slot, height: height - top - bottom + 16 }),
    svg(isInfluential(factor) ? "rect.strong" : "rect.weak", { x: x + slot * 0.12, y: toY(factor.information ?? 0), width: slot * 0.76, height: Math.max(1, height - bottom - toY(factor.information ?? 0)) }));
    if (factor.mixture !== null) bar.append(svg("circle.mixture", { cx: x + slot / 2, cy: toY(factor.mixture), r: Math.min(4, slot / 3) }));
    if (i % every === 0) bar.append(svg("text.tick", { x: x + slot / 2, y: height - bottom + 15, "text-anchor": "middle" }, String(factor.factor)));
    chart.append(bar);
  });
  chart.append(svg("line.threshold", { x1: left, x2: width, y1: toY(influentialAbove), y2: toY(influentialAbove) }));

  function choose(factor) {
    state.go({ view: "sliders", factor });
  }

  const sentence = (name, value, text) => [el("dt", {}, name, value === null || value === undefined ? null : el("strong", {}, ` ${nats(value)} nats`)), el("dd", {}, text)];
  const total = run.information ?? factors.reduce((sum, f) => sum + (f.information ?? 0), 0);
  panel.append(el("div.wide", {}, chart),
    el("ul.lines", {}, el("li", {}, el("span.swatch.strong"), "(I2), influential: above 0.5 nats, the dashed line, by (I4) too"), el("li", {}, el("span.swatch.weak"), "(I2), less"), el("li", {}, el("span.swatch.mixture"), "(I6), by the mixture")),
    el("p.hint", {}, "A bar chooses its factor among the sliders; the arrow keys go from bar to bar."),
    el("dl.sentences", {},
      sentence("(I2), all factors together:", total, "What the code says about the image if each factor's values over all images were Gaussian: half the log of their variance, less the mean log variance of single posteriors. It is an upper bound."),
      sentence("(I6), the dots:", null, "A factor's information without the Gaussian assumption: its values over all images are the mixture of the posteriors of many test images."),
      sentence("(X1), the whole code by the mixture:", run.mixtureInformation, "The same of all factors at once, so that what they share counts once."),
      run.totalCorrelation === null || run.totalCorrelation === undefined ? [] : sentence("Total correlation:", run.totalCorrelation, "What the factors say about one another, which the sum over factors counts more than once."),
      ceiling === null ? [] : sentence("Ceiling:", ceiling, `A mixture of ${run.mixturePoints} posteriors cannot tell more than ${run.mixturePoints} images apart: log ${run.mixturePoints} nats. A value of (I6) or (X1) close to it says no more than "at least so much".`)),
    run.mixtureInformation === null ? el("p", {}, "This run has not been evaluated; `vae evaluate` adds (I6) and the totals.") : "", table(session));
}

function table({ factors }) {
  return el("details", {}, el("summary", {}, "The spectrum as a table"), el("div.wide", {}, el("table", {}, el("thead", {}, el("tr", {}, ["factor", "(I2), nats", "(I6), nats", "KL, nats", "mean variance", "aggregate variance"].map(t => el("th", { scope: "col" }, t)))),
    el("tbody", {}, factors.map(f => el("tr", {}, el("th", { scope: "row" }, String(f.factor)), [f.information, f.mixture, f.kl, f.meanVariance, f.aggregateVariance].map(v => el("td", {}, nats(v, 3)))))))));
}
