// Where a code starts: the prior, a sample of it, a test image, a picture of the user's.

import { post } from "./api.js";
import { el, field, select, guard, say } from "./dom.js";
import { imageCanvas, draw } from "./picture.js";
import * as state from "./state.js";

const largestFile = 8 * 1024 * 1024, perPage = 24;

export function startPanel(session, signal) {
  const { run, labels } = session;
  let draws = state.getNumber("sample", 0), found = [], page = 0, label = "";
  const strip = el("div.strip", { role: "group", "aria-label": "Test images" }), position = el("span.hint");
  const goTo = el("input", { type: "number", min: 0, max: run.images - 1, "aria-label": "number of the test image", onchange: guard(async () => {
    if (goTo.value === "") return;
    await session.fromTestImage(Math.min(run.images - 1, Math.max(0, Math.round(Number(goTo.value)))));
  }) });

  const fill = guard(async () => {
    found = [];
    for (let i = 0; i < run.images; i++) if (label === "" || labels[i] === Number(label)) found.push(i);
    const pages = Math.max(1, Math.ceil(found.length / perPage));
    page = (page + pages) % pages;
    const indices = found.slice(page * perPage, (page + 1) * perPage);
    position.textContent = `${found.length ? page * perPage + 1 : 0} to ${page * perPage + indices.length} of ${found.length}`;
    if (!indices.length) return strip.replaceChildren();
    const pixels = await post("strip", { run: run.id }, Int32Array.from(indices), signal);
    strip.replaceChildren(...indices.map((index, i) => {
      const canvas = imageCanvas(run, "");
      canvas.removeAttribute("role");
      canvas.setAttribute("aria-hidden", "true");
      draw(canvas, run, pixels, i);
      return el("button.thumb", { type: "button", "aria-label": `test image ${index}` + (labels ? `, label ${labels[index]}` : ""), title: labels ? `${index}: label ${labels[index]}` : `${index}`,
        onclick: guard(() => session.fromTestImage(index)) }, canvas);
    }));
    mark();
  });

  function mark() {
    [...strip.children].forEach((button, i) => button.setAttribute("aria-pressed", found[page * perPage + i] === session.image?.index));
  }
  session.addEventListener("image", mark);

  const take = guard(async file => {
    if (!file) return;
    if (file.size > largestFile) return say(`${file.name} has ${file.size} bytes; expected at most ${largestFile}`, true);
    await session.fromFile(file);
    say(`${file.name}: its middle, scaled to ${run.height} x ${run.width}`);
  });
  const file = el("input", { type: "file", accept: "image/png,image/jpeg,.pgm", id: "picture-file", onchange: async () => {
    await take(file.files[0]);
    file.value = "";
  } });
  const drop = el("label.drop", { htmlFor: "picture-file" }, "A picture of yours (PNG, JPEG, PGM): choose it, or drop it here", file);
  drop.addEventListener("dragover", event => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", event => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });

  const turn = by => guard(async () => {
    page += by;
    await fill();
  });
  const kinds = [["", "any"], ...Array.from({ length: run.classes }, (_, k) => [k, String(k)])];
  const node = el("details.start", { open: matchMedia("(min-width: 60rem)").matches }, el("summary", {}, "Start from"),
    el("div.toolbar", {},
      el("button", { type: "button", onclick: guard(() => session.fromPrior()) }, run.design ? "centre of class 0" : "mean of the prior"),
      el("button", { type: "button", onclick: guard(() => session.fromSample(draws++)) }, "a sample"),
      el("button", { type: "button", onclick: guard(() => session.fromTestImage(Math.floor(Math.random() * run.images))) }, "a random image")),
    el("div.toolbar", {}, field("Image", goTo),
      labels ? field("Label", select(kinds, "", value => {
        label = value;
        page = 0;
        fill();
      })) : null),
    el("div.toolbar", {}, el("button", { type: "button", "aria-label": "earlier test images", onclick: turn(-1) }, "‹"), el("button", { type: "button", "aria-label": "later test images", onclick: turn(1) }, "›"), position),
    strip, drop);
  return { node, fill };
}
