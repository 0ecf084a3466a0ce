// Small helpers to make elements.

const svgSpace = "http://www.w3.org/2000/svg";

// el("button.big", { onclick, disabled: true, "aria-label": "..." }, "text", child)
export function el(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElement(name), classes, properties, children);
}

export function svg(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElementNS(svgSpace, name), classes, properties, children);
}

function fill(node, classes, properties, children) {
  if (classes.length) node.classList.add(...classes);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node && node.namespaceURI !== svgSpace) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children.flat().filter(child => child !== null && child !== undefined));
  return node;
}

// A label with its control, which may be any element that can have one.
export function field(text, control) {
  return el("label.field", {}, el("span", {}, text), control);
}

export function select(choices, value, onchange) {
  const node = el("select", { onchange: () => onchange(node.value) },
    choices.map(([key, text]) => el("option", { value: key, selected: String(key) === String(value) }, text)));
  return node;
}

export function numberInput(value, min, max, step, onchange) {
  const node = el("input", { type: "number", value, min, max, step, onchange: () => {
    const number = Math.min(max, Math.max(min, Number(node.value) || 0));
    node.value = number;
    onchange(number);
  } });
  return node;
}

// Buttons of which one is pressed.
export function choice(label, options, value, onchange) {
  const group = el("div.choice", { role: "group", "aria-label": label });
  const press = chosen => {
    for (const button of group.children) button.setAttribute("aria-pressed", button.value === String(chosen));
  };
  group.append(...options.map(([key, text]) => el("button", { type: "button", value: key, onclick: () => { press(key); onchange(key); } }, text)));
  press(value);
  group.press = press;
  return group;
}

export function nats(value, digits = 2) {
  return value === null || value === undefined || !Number.isFinite(value) ? "–" : value.toFixed(digits);
}

// Says something to everybody, to screen readers too.
export function say(text, isProblem = false) {
  const status = document.getElementById("status");
  status.textContent = text;
  status.classList.toggle("problem", isProblem);
}

// Shows what went wrong with work that the user asked for.
export function guard(work) {
  return async (...values) => {
    try {
      return await work(...values);
    } catch (error) {
      if (error.name !== "AbortError") say(error.message, true);
      if (error.name !== "AbortError" && error.constructor.name !== "ApiError") console.error(error);
    }
  };
}

export function saveFile(name, blob) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
