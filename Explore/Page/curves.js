// Line charts as SVG. Lines differ in colour, dashes and the shape of their marks, so that colour alone need not tell them apart.

import { el, svg } from "./dom.js";
import { colourOf } from "./scatter.js";

const width = 460, height = 250, left = 58, right = 12, top = 30, bottom = 34;
const dashes = ["", "7 4", "2 4", "10 4 2 4", "14 3"];

// lines: [{ name, x, y }]; values that are null break a line.
export function lineChart(title, lines, xName = "epoch", yName = "nats per image") {
  const xs = lines.flatMap(line => line.x), ys = lines.flatMap(line => line.y).filter(y => y !== null && Number.isFinite(y));
  const chart = svg("svg.chart", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": summary(title, lines) });
  if (!xs.length || !ys.length) {
    chart.append(svg("text", { x: left, y: height / 2 }, `${title}: nothing yet`));
    return chart;
  }
  const [x0, x1] = widened(Math.min(...xs), Math.max(...xs), 0), [y0, y1] = widened(Math.min(...ys), Math.max(...ys), 0.06);
  const toX = x => left + (x - x0) / (x1 - x0) * (width - left - right), toY = y => height - bottom - (y - y0) / (y1 - y0) * (height - top - bottom);
  chart.append(svg("text.title", { x: 8, y: 18 }, title), svg("text.tick", { x: width - right, y: height - 4, "text-anchor": "end" }, xName), svg("text.tick", { x: width - right, y: 18, "text-anchor": "end" }, yName));
  for (const tick of ticks(y0, y1, 5)) {
    chart.append(svg("line.rule", { x1: left, x2: width - right, y1: toY(tick), y2: toY(tick) }), svg("text.tick", { x: left - 6, y: toY(tick) + 4, "text-anchor": "end" }, short(tick)));
  }
  for (const tick of ticks(x0, x1, 6).filter(Number.isInteger)) chart.append(svg("text.tick", { x: toX(tick), y: height - bottom + 16, "text-anchor": "middle" }, short(tick)));
  lines.forEach(({ x, y }, i) => {
    let path = "", pen = false;
    x.forEach((value, j) => {
      const known = y[j] !== null && Number.isFinite(y[j]);
      if (known) path += `${pen ? "L" : "M"}${toX(value).toFixed(1)} ${toY(y[j]).toFixed(1)}`;
      pen = known;
    });
    chart.append(svg("path.line", { d: path, stroke: colourOf(i), "stroke-dasharray": dashes[i % dashes.length] }));
    if (x.length <= 40) x.forEach((value, j) => {
      if (y[j] !== null && Number.isFinite(y[j])) chart.append(mark(i, toX(value), toY(y[j])));
    });
  });
  return chart;
}

// What the dashes and marks stand for.
export function legendOf(names) {
  return el("ul.lines", {}, names.map((name, i) => el("li", {}, svg("svg", { viewBox: "0 0 40 12", width: 40, height: 12, "aria-hidden": "true" },
    svg("path.line", { d: "M2 6L38 6", stroke: colourOf(i), "stroke-dasharray": dashes[i % dashes.length] }), mark(i, 20, 6)), name)));
}

function mark(i, x, y) {
  const fill = colourOf(i), r = 3.2;
  switch (i % 4) {
    case 0: return svg("circle", { cx: x, cy: y, r, fill });
    case 1: return svg("rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r, fill });
    case 2: return svg("path", { d: `M${x} ${y - r - 1}L${x + r + 1} ${y + r}L${x - r - 1} ${y + r}Z`, fill });
    default: return svg("path", { d: `M${x} ${y - r - 1}L${x + r + 1} ${y}L${x} ${y + r + 1}L${x - r - 1} ${y}Z`, fill });
  }
}

function summary(title, lines) {
  return `${title}: ` + lines.map(({ name, y }) => {
    const known = y.filter(v => v !== null && Number.isFinite(v));
    return known.length ? `${name} from ${short(known[0])} to ${short(known.at(-1))}` : `${name} has no values`;
  }).join("; ");
}

function widened(low, high, share) {
  const room = high > low ? (high - low) * share : Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

function ticks(low, high, wanted) {
  const rough = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= rough), all = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + 1e-9 * step; tick += step) all.push(Number(tick.toPrecision(10)));
  return all;
}

function short(value) {
  return Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(1) : String(Number(value.toPrecision(4)));
}
