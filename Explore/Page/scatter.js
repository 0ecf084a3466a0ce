// Points in a plane on a canvas: scales, drawing, and which points lie inside a shape. It knows nothing of runs.

export const colours = ["#4477cc", "#e07b1a", "#2f9e56", "#c4423f", "#8a63c2", "#8c6239", "#d45fa8", "#7d8089", "#a8a21f", "#1fa5b8"];

export function colourOf(k) {
  return colours[k % colours.length];
}

// From values to pixels of a canvas with a margin, and back; a unit is as long on both axes where `same` says so.
export function makeScale(points, circles, width, height, same) {
  let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
  const include = (x, y, r) => {
    left = Math.min(left, x - r);
    right = Math.max(right, x + r);
    bottom = Math.min(bottom, y - r);
    top = Math.max(top, y + r);
  };
  for (let i = 0; i < points.length; i += 2) include(points[i], points[i + 1], 0);
  for (const circle of circles) include(circle.x, circle.y, circle.radius);
  if (!(right > left)) [left, right] = [left - 1 || -1, left + 1 || 1];
  if (!(top > bottom)) [bottom, top] = [bottom - 1 || -1, bottom + 1 || 1];
  const margin = 28;
  let perX = (width - 2 * margin) / (right - left), perY = (height - 2 * margin) / (top - bottom);
  if (same) perX = perY = Math.min(perX, perY);
  const midX = (left + right) / 2, midY = (bottom + top) / 2;
  return {
    perX, perY,
    toX: x => width / 2 + (x - midX) * perX,
    toY: y => height / 2 - (y - midY) * perY,
    fromX: px => midX + (px - width / 2) / perX,
    fromY: py => midY - (py - height / 2) / perY,
  };
}

export function drawPoints(context, points, scale, groups, highlighted, radius) {
  for (let i = 0; 2 * i < points.length; i++) {
    const group = groups ? groups[i] : 0;
    context.globalAlpha = highlighted === null || highlighted === group ? 0.65 : 0.06;
    context.fillStyle = colourOf(group);
    context.fillRect(scale.toX(points[2 * i]) - radius, scale.toY(points[2 * i + 1]) - radius, 2 * radius, 2 * radius);
  }
  context.globalAlpha = 1;
}

// Where the middle of each group's points is: [{ x, y, name }].
export function middles(points, groups) {
  const sums = new Map();
  for (let i = 0; 2 * i < points.length; i++) {
    const sum = sums.get(groups[i]) ?? [0, 0, 0];
    sums.set(groups[i], [sum[0] + points[2 * i], sum[1] + points[2 * i + 1], sum[2] + 1]);
  }
  return [...sums].map(([group, [x, y, count]]) => ({ x: x / count, y: y / count, name: String(group) }));
}

// Names in the plane, so that nobody has to tell colours apart.
export function drawNames(context, names, scale, ink, paper) {
  context.font = "bold 15px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineWidth = 4;
  context.strokeStyle = paper;
  context.fillStyle = ink;
  for (const { x, y, name } of names) {
    context.strokeText(name, scale.toX(x), scale.toY(y));
    context.fillText(name, scale.toX(x), scale.toY(y));
  }
}

export function drawAxes(context, scale, width, height, nameX, nameY, muted) {
  context.fillStyle = context.strokeStyle = muted;
  context.lineWidth = 1;
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "bottom";
  const ticks = (from, to) => {
    const step = 10 ** Math.floor(Math.log10((to - from) / 2)), nice = (to - from) / step > 8 ? 2 * step : step, all = [];
    for (let i = Math.ceil(from / nice); i * nice <= to; i++) all.push(Number((i * nice).toPrecision(6)));
    return all;
  };
  for (const t of ticks(scale.fromX(20), scale.fromX(width - 20))) context.fillText(String(t), scale.toX(t), height - 2);
  context.textAlign = "left";
  context.textBaseline = "middle";
  for (const t of ticks(scale.fromY(height - 30), scale.fromY(20))) context.fillText(String(t), 2, scale.toY(t));
  context.globalAlpha = 0.35;
  context.beginPath();
  context.moveTo(scale.toX(0), 0);
  context.lineTo(scale.toX(0), height);
  context.moveTo(0, scale.toY(0));
  context.lineTo(width, scale.toY(0));
  context.stroke();
  context.globalAlpha = 1;
  context.textAlign = "right";
  context.fillText(`${nameX} →`, width - 6, height - 22);
  context.textAlign = "left";
  context.fillText(`↑ ${nameY}`, 24, 10);
}

// The points inside a polygon [[x, y], ...] in values: a ray to the right crosses its sides an odd number of times.
export function inside(points, polygon) {
  const found = [];
  for (let i = 0; 2 * i < points.length; i++) {
    const x = points[2 * i], y = points[2 * i + 1];
    let odd = false;
    for (let j = 0, k = polygon.length - 1; j < polygon.length; k = j++) {
      const [ax, ay] = polygon[j], [bx, by] = polygon[k];
      if (ay > y !== by > y && x < (bx - ax) * (y - ay) / (by - ay) + ax) odd = !odd;
    }
    if (odd) found.push(i);
  }
  return found;
}

export function nearest(points, scale, px, py) {
  let best = -1, least = Infinity;
  for (let i = 0; 2 * i < points.length; i++) {
    const distance = (scale.toX(points[2 * i]) - px) ** 2 + (scale.toY(points[2 * i + 1]) - py) ** 2;
    if (distance < least) [best, least] = [i, distance];
  }
  return best;
}
