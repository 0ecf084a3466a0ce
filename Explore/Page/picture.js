// Draws images that come as bytes, [height, width, channels] each.

import { el } from "./dom.js";

// A canvas of one image in its own pixels; the style sheet makes it larger without smoothing.
export function imageCanvas(run, label, className = "") {
  const canvas = el("canvas.pixels", { width: run.width, height: run.height, role: "img", "aria-label": label });
  if (className) canvas.classList.add(...className.split(" "));
  return canvas;
}

export function draw(canvas, run, pixels, at = 0) {
  const context = canvas.getContext("2d");
  context.putImageData(toImageData(run, pixels, at), 0, 0);
}

export function clear(canvas) {
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

// Image number `at` of several.
export function toImageData(run, pixels, at = 0) {
  const size = run.width * run.height, image = new ImageData(run.width, run.height);
  const start = at * size * run.channels;
  for (let i = 0; i < size; i++) {
    for (let c = 0; c < 3; c++) {
      image.data[4 * i + c] = pixels[start + (run.channels === 1 ? i : 3 * i + c)];
    }
    image.data[4 * i + 3] = 255;
  }
  return image;
}

// Where one image is brighter than another it is orange, where it is darker blue: grey means no difference.
export function drawDifference(canvas, run, first, second) {
  const size = run.width * run.height, image = new ImageData(run.width, run.height);
  for (let i = 0; i < size; i++) {
    let difference = 0;
    for (let c = 0; c < run.channels; c++) difference += first[i * run.channels + c] - second[i * run.channels + c];
    const strength = Math.max(-1, Math.min(1, difference / run.channels / 128));
    const towards = strength > 0 ? [255, 150, 20] : [30, 110, 235];
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = 128 + (towards[c] - 128) * Math.abs(strength);
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// Images in rows of `columns`, each `scale` times as large, with a gap; gives the canvas.
export function drawGrid(canvas, run, pixels, columns, scale, gap = 2) {
  const count = pixels.length / (run.width * run.height * run.channels);
  const rows = Math.ceil(count / columns);
  canvas.width = columns * (run.width * scale + gap) - gap;
  canvas.height = rows * (run.height * scale + gap) - gap;
  const context = canvas.getContext("2d"), one = new OffscreenCanvas(run.width, run.height);
  context.imageSmoothingEnabled = false;
  for (let i = 0; i < count; i++) {
    one.getContext("2d").putImageData(toImageData(run, pixels, i), 0, 0);
    context.drawImage(one, (i % columns) * (run.width * scale + gap), Math.floor(i / columns) * (run.height * scale + gap),
      run.width * scale, run.height * scale);
  }
  return canvas;
}

// How many times larger an image of the run is to be drawn to be about so many pixels wide.
export function scaleFor(run, wanted) {
  return Math.max(1, Math.round(wanted / Math.max(run.width, run.height)));
}
