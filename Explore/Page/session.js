// One run that is open: its description, the code that the sliders hold, and the image that it started from.

import { json, post, postForJson, newestOnly, fromBase64 } from "./api.js";
import { guard } from "./dom.js";
import * as state from "./state.js";

export const influentialAbove = 0.5;

// (D8), by (I4), the smaller of two upper bounds: (I2) is large for a code that says nothing around a mean far from 0.
export const isInfluential = factor => (factor.centred ?? factor.information) > influentialAbove;

export class Session extends EventTarget {
  constructor(run) {
    super();
    this.run = run;
    this.factors = run.factors;
    this.labels = run.labels ? fromBase64(run.labels) : null;
    this.code = new Float32Array(run.latents + run.categories);
    this.start = this.code.slice();
    this.image = null;
    this.decoded = null;
    this.changedAt = 0;
    this.follow = newestOnly(guard(async () => {
      const since = this.changedAt, at = this.code.slice();
      this.decoded = await this.decode(at);
      this.dispatchEvent(new Event("decoded"));
      // From the user's input to the picture: the browser's own stopwatch shows it.
      if (since) performance.measure("drag", { start: since, end: performance.now() });
      if (performance.getEntriesByName("drag").length > 1000) performance.clearMeasures("drag");
    }));
  }

  static async open(id, signal) {
    const session = new Session(await json("run", { run: id }, signal));
    // A run that has not been evaluated is measured when it is opened.
    session.factors ??= await json("factors", { run: id }, signal);
    return session;
  }

  get id() {
    return this.run.id;
  }

  factor(index) {
    return this.factors.find(f => f.factor === index);
  }

  influential() {
    const found = this.factors.filter(isInfluential);
    return found.length ? found : this.factors.slice(0, 8);
  }

  // Three standard deviations of what the test images have in this factor, at least the prior's.
  range(index) {
    const factor = this.factor(index);
    return Math.max(3, Math.ceil(3 * Math.sqrt(factor?.aggregateVariance ?? 1)));
  }

  // Images of codes, one after another.
  decode(codes, signal) {
    return post("decode", { run: this.id }, codes, signal);
  }

  // Another value of one number of the code; `since` is when the user did something.
  setFactor(index, value, since = performance.now()) {
    this.code[index] = value;
    this.changed(since);
  }

  setCategory(category) {
    this.code.fill(0, this.run.latents);
    this.code[this.run.latents + category] = 1;
    this.changed(performance.now());
  }

  category() {
    return this.run.categories ? this.code.subarray(this.run.latents).indexOf(Math.max(...this.code.subarray(this.run.latents))) : -1;
  }

  changed(since = 0) {
    this.changedAt = since;
    state.set({ z: this.changesText() });
    this.dispatchEvent(new Event("code"));
    return this.follow();
  }

  // What differs from where the code started, as the address holds it: 12:1.5,3:-0.25
  changesText() {
    const changes = [];
    this.code.forEach((value, i) => {
      if (Math.abs(value - this.start[i]) > 1e-4) changes.push(`${i}:${Number(value.toFixed(3))}`);
    });
    return changes.join(",");
  }

  startFrom(code, image, origin, changes = "") {
    this.start = Float32Array.from(code);
    this.code = this.start.slice();
    for (const change of changes.split(",").filter(c => c)) {
      const [index, value] = change.split(":").map(Number);
      if (index >= 0 && index < this.code.length && Number.isFinite(value)) this.code[index] = value;
    }
    this.image = image;
    state.set({ image: null, sample: null, ...origin });
    this.dispatchEvent(new Event("image"));
    return this.changed();
  }

  // The mean of the prior, or the first class of a designed one.
  fromPrior(changes) {
    const code = new Float32Array(this.code.length);
    if (this.run.design) code.set(this.run.design.centres[0]);
    if (this.run.categories) code[this.run.latents] = 1;
    return this.startFrom(code, null, {}, changes);
  }

  async fromSample(draw, changes) {
    const { code } = await json("sample", { run: this.id, draw });
    return this.startFrom(code, null, { sample: draw }, changes);
  }

  async fromTestImage(index, changes) {
    const image = await json("image", { run: this.id, image: index });
    const label = this.labels ? `, label ${this.labels[index]}` : "";
    return this.startFrom(this.meanCode(image), { ...readImage(image), index, name: `test image ${index}${label}` }, { image: index }, changes);
  }

  // A picture of the user's: it is not kept in the address.
  async fromFile(file) {
    const image = await postForJson("image", { run: this.id }, file);
    return this.startFrom(this.meanCode(image), { ...readImage(image), file, name: file.name ?? "your picture" }, {});
  }

  // The means, and the most probable category.
  meanCode(image) {
    const code = new Float32Array(this.code.length);
    code.set(image.mu);
    if (image.probabilities) code[this.run.latents + image.probabilities.indexOf(Math.max(...image.probabilities))] = 1;
    return code;
  }

  // As the address says.
  restore() {
    const changes = state.get("z"), image = state.getNumber("image", -1), sample = state.getNumber("sample", -1);
    if (image >= 0 && image < this.run.images) return this.fromTestImage(image, changes);
    if (sample >= 0) return this.fromSample(sample, changes);
    return changes ? this.fromPrior(changes) : this.fromTestImage(0);
  }
}

function readImage(image) {
  return { ...image, pixels: fromBase64(image.pixels), reconstruction: fromBase64(image.reconstruction) };
}
