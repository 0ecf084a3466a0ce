// One run: on the left the picture and where it starts from, on the right a view of the latent space.

import * as state from "./state.js";
import { el, guard, nats } from "./dom.js";
import { Session } from "./session.js";
import { picturePanel } from "./panel.js";
import { startPanel } from "./start.js";
import { slidersTab } from "./sliders.js";
import { traverseTab } from "./traverse.js";
import { planeTab } from "./plane.js";
import { informationTab } from "./information.js";
import { insideTab } from "./inside.js";
import { trainingTab } from "./training.js";

const tabs = {
  sliders: ["Sliders", slidersTab],
  traverse: ["Traverse", traverseTab],
  plane: ["Plane", planeTab],
  information: ["Information", informationTab],
  inside: ["Inside", insideTab],
  training: ["Training", trainingTab],
};

export async function showRun(view, id, signal) {
  const session = await Session.open(id, signal), run = session.run;
  const epochs = run.epochs === 1 ? "1 epoch" : run.state === "training" ? `${run.epochsDone} of ${run.epochs} epochs` : `${run.epochs} epochs`;
  const facts = [`${run.title} on ${run.data}`, epochs, `${run.latents} factors`, run.beta === null ? null : `β = ${run.beta}`,
    run.evlb === null ? null : `EVLB ${nats(run.evlb, 1)} nats`, run.state === "training" ? "in training: these are the weights of its last checkpoint" : null];
  const buttons = {}, panels = {}, controllers = {};
  const tabList = el("div.tabs", { role: "tablist", "aria-label": "Views of the run" });
  const content = el("div.content");
  for (const [key, [title]] of Object.entries(tabs)) {
    buttons[key] = el("button", { type: "button", role: "tab", id: "tab-" + key, "aria-controls": "panel-" + key, onclick: () => state.go({ view: key }) }, title);
    tabList.append(buttons[key]);
  }
  tabList.addEventListener("keydown", event => {
    const keys = Object.keys(tabs), at = keys.indexOf(current()), step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = keys[(at + step + keys.length) % keys.length];
    state.go({ view: next });
    buttons[next].focus();
  });

  function current() {
    return tabs[state.get("view")] ? state.get("view") : "sliders";
  }

  // Makes a tab when it is first looked at, and stops the work of the one before.
  const showTab = guard(async () => {
    const now = current();
    for (const [key, button] of Object.entries(buttons)) {
      button.setAttribute("aria-selected", key === now);
      button.tabIndex = key === now ? 0 : -1;
      if (panels[key]) panels[key].hidden = key !== now;
      if (key !== now) controllers[key]?.hidden?.();
    }
    if (!panels[now]) {
      panels[now] = el("section", { role: "tabpanel", id: "panel-" + now, "aria-labelledby": "tab-" + now });
      content.append(panels[now]);
      controllers[now] = await tabs[now][1](panels[now], session, signal);
    }
    controllers[now]?.shown?.();
  });

  const start = startPanel(session, signal);
  view.append(el("h1", {}, id), el("p.facts", {}, facts.filter(f => f).join(" · ")),
    el("div.columns", {}, el("section.side", { "aria-label": "Picture" }, picturePanel(session), start.node), el("div", {}, tabList, content)));
  await guard(() => session.restore())();
  if (!session.decoded) await guard(() => session.fromPrior())();
  // The browser's own stopwatch shows when there was something to see.
  performance.mark("first view");
  showTab();
  start.fill();
  return { navigated: showTab };
}
