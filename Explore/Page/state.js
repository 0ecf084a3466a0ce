// What the page shows, kept in the address behind the #, so that a view can be bookmarked and shared:
// #run=NAME&view=traverse&image=7&z=12:1.5,3:-0.25

let state = read();
let pending = null;
const listeners = [];

function read() {
  return new URLSearchParams(location.hash.slice(1));
}

// Calls the listener whenever the user goes back, forward or edits the address.
export function onNavigation(listener) {
  listeners.push(listener);
}

addEventListener("popstate", () => {
  clearTimeout(pending);
  state = read();
  for (const listener of listeners) listener();
});

export function get(key, otherwise = "") {
  return state.get(key) ?? otherwise;
}

export function getNumber(key, otherwise) {
  const text = state.get(key);
  const number = text === null || text === "" ? NaN : Number(text);
  return Number.isFinite(number) ? number : otherwise;
}

// Changes some keys; null or "" removes one. The address follows a moment later: browsers limit how often it may change.
export function set(changes) {
  apply(changes);
  clearTimeout(pending);
  pending = setTimeout(() => history.replaceState(null, "", address()), 200);
}

// Goes to another view: the browser's back button returns from it.
export function go(changes, forgetOthers = false) {
  clearTimeout(pending);
  if (forgetOthers) state = new URLSearchParams();
  apply(changes);
  history.pushState(null, "", address());
  for (const listener of listeners) listener();
}

// The address of a view, for links.
export function link(values) {
  return "#" + new URLSearchParams(values);
}

function apply(changes) {
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === "") state.delete(key);
    else state.set(key, String(value));
  }
}

function address() {
  const text = state.toString();
  return location.pathname + location.search + (text ? "#" + text : "");
}
