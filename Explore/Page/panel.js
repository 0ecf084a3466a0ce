// The chosen image, what the model makes of the code now, and how they differ; below them the terms of the image's EVLB.

import { el, nats } from "./dom.js";
import { imageCanvas, draw, drawDifference } from "./picture.js";

// Rows for the factors' parts of the KL; the last stands for all that have none of their own, so that the rows add up.
const mostFactors = 4;

export function picturePanel(session) {
  const { run } = session;
  const original = imageCanvas(run, "the chosen image"), decoded = imageCanvas(run, "decoded from the code", "now"), difference = imageCanvas(run, "decoded minus chosen");
  const originalCaption = el("figcaption", {}, "");
  const originalFigure = el("figure", {}, original, originalCaption);
  const differenceFigure = el("figure", {}, difference, el("figcaption", {}, "difference: ", el("span.brighter", {}, "brighter"), ", ", el("span.darker", {}, "darker")));
  const terms = el("div.terms");

  session.addEventListener("decoded", () => {
    draw(decoded, run, session.decoded);
    if (session.image) drawDifference(difference, run, session.decoded, session.image.pixels);
  });
  session.addEventListener("image", () => {
    const { image } = session;
    originalFigure.hidden = differenceFigure.hidden = !image;
    terms.replaceChildren();
    if (!image) return;
    draw(original, run, image.pixels);
    originalCaption.textContent = image.name;
    terms.append(evlb(session));
  });
  return el("div.panel", {}, el("div.figures", {}, originalFigure, el("figure", {}, decoded, el("figcaption", {}, "decoded now")), differenceFigure), terms);
}

// Each term of the EVLB of the chosen image, in nats.
function evlb({ image, run }) {
  const rows = [];
  const add = (name, value, title) => rows.push(el("tr", { title }, el("th", { scope: "row" }, name), el("td", {}, nats(value, 2))));
  add("reconstruction −log p(x|z)", image.nllTerm, "of one z drawn from q(z|x)");
  add("KL to the prior", image.klTerm, "of the whole code");
  if (image.klCategory !== undefined) add(run.design ? "… of the class" : "… of the category", image.klCategory, "its part of the KL");
  if (image.kl) {
    const ranked = image.kl.map((value, factor) => ({ value, factor })).sort((a, b) => b.value - a.value);
    const named = ranked.length <= mostFactors ? ranked.length : mostFactors - 1, others = ranked.slice(named);
    for (const { value, factor } of ranked.slice(0, named)) add(`… of factor ${factor}`, value, "its part of the KL");
    if (others.length) add(`… of the other ${others.length} factors`, others.reduce((sum, { value }) => sum + value, 0), "their part of the KL");
  }
  const table = el("table", {}, el("caption", {}, image.hasLikelihood ? `EVLB of this image: ${nats(-(image.nllTerm + image.klTerm), 2)} nats` : "Terms of this image, nats (its noise has no likelihood)"), el("tbody", {}, rows));
  return el("details", { open: matchMedia("(min-width: 60rem)").matches }, el("summary", {}, "Terms of the objective"), table,
    el("p.hint", {}, `Squared error of the mean: ${nats(image.squaredError, 2)}. EVLB = −(reconstruction + KL).`));
}
