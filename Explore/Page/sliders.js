// A slider for each factor, the most informative first: its information as a bar, the posterior of the chosen image as a band.

import { el, nats, say } from "./dom.js";
import { influentialAbove } from "./session.js";
import * as state from "./state.js";

export function slidersTab(panel, session) {
  const { run } = session, rows = new Map();
  const first = session.influential(), others = session.factors.filter(f => !first.includes(f));
  const most = Math.max(influentialAbove, ...session.factors.map(f => f.information));
  const list = el("div.sliders");
  panel.append(el("div.toolbar", {},
    el("button", { type: "button", onclick: () => session.startFrom(session.start, session.image, origin()) }, "back to the start"),
    el("span.hint", {}, "The bar is the factor's information; the band is q(z|x) of the chosen image, one deviation to either side of its mean.")));
  if (run.categories) panel.append(categories(session));
  panel.append(list);
  for (const factor of first) list.append(row(factor));
  if (others.length) {
    const rest = el("div.sliders");
    const fold = el("details.others", { ontoggle: () => {
      if (fold.open && !rest.children.length) rest.append(...others.map(row));
      update();
    } }, el("summary", {}, `The other ${others.length} factors, of at most ${nats(Math.max(...others.map(f => f.information)), 3)} nats each`), rest);
    panel.append(fold);
  }

  function origin() {
    return { image: session.image?.index ?? null, sample: session.image ? null : state.get("sample") || null };
  }

  function row({ factor, information }) {
    const range = session.range(factor), name = `factor ${factor}`;
    const slider = el("input.slider", { type: "range", min: -range, max: range, step: range / 300, id: `factor-${factor}`, "aria-label": name, oninput: event => move(Number(slider.value), event.timeStamp) });
    const number = el("input.number", { type: "number", step: 0.1, "aria-label": `value of ${name}`, onchange: () => move(Math.max(-100, Math.min(100, Number(number.value) || 0))) });
    const band = el("span.band"), bar = el("span.bar");
    bar.style.width = `${100 * Math.max(0, information) / most}%`;
    function move(value, since) {
      session.setFactor(factor, value, since);
    }
    const node = el("div.factor", {}, el("label", { htmlFor: slider.id }, name),
      el("span.information", { title: `${nats(information, 3)} nats (I2)` }, bar, el("span.amount", {}, `${nats(information)} nats`)),
      el("span.track", {}, band, slider), number);
    rows.set(factor, { slider, number, band, range, node });
    set(factor);
    place(factor);
    return node;
  }

  function set(factor) {
    const { slider, number } = rows.get(factor), value = session.code[factor];
    slider.value = value;
    slider.setAttribute("aria-valuetext", value.toFixed(2));
    if (document.activeElement !== number) number.value = value.toFixed(2);
  }

  // The posterior's band on the slider's scale.
  function place(factor) {
    const { band, range } = rows.get(factor), { image } = session;
    band.hidden = !image;
    if (!image) return;
    const deviation = Math.exp(0.5 * image.logVar[factor]), at = value => 100 * Math.min(1, Math.max(0, (value + range) / (2 * range)));
    const left = at(image.mu[factor] - deviation), right = at(image.mu[factor] + deviation);
    band.style.left = `${left}%`;
    band.style.width = `${Math.max(0.5, right - left)}%`;
    band.title = `mean ${image.mu[factor].toFixed(2)}, deviation ${deviation.toFixed(3)}`;
  }

  function update() {
    for (const factor of rows.keys()) set(factor);
  }
  session.addEventListener("code", update);
  session.addEventListener("image", () => rows.forEach((_, factor) => place(factor)));
  return {
    shown() {
      // A factor that was chosen in the spectrum.
      const wanted = state.getNumber("factor", -1), found = rows.get(wanted);
      rows.forEach(({ node }, factor) => node.classList.toggle("chosen", factor === wanted));
      if (!found && session.factor(wanted)) panel.querySelector("details.others").open = true;
      setTimeout(() => {
        const now = rows.get(wanted);
        if (!now) return;
        now.node.classList.add("chosen");
        now.node.scrollIntoView({ block: "nearest" });
        say(`factor ${wanted} is chosen`);
      });
    },
  };
}

function categories(session) {
  const { run } = session;
  const buttons = Array.from({ length: run.categories }, (_, k) => el("button.category", { type: "button", onclick: () => session.setCategory(k) }));
  const group = el("div.categories", { role: "group", "aria-label": "Category" }, el("span", {}, "category"), buttons);
  const update = () => buttons.forEach((button, k) => {
    const probability = session.image?.probabilities?.[k];
    button.replaceChildren(el("span.hidden", {}, "category "), el("strong", {}, String(k)), el("small", {}, probability === undefined ? "" : `${(100 * probability).toFixed(0)} %`));
    button.setAttribute("aria-pressed", session.category() === k);
  });
  session.addEventListener("code", update);
  session.addEventListener("image", update);
  update();
  return group;
}
