// Requests to the server that this page came from, and to no other.

// An answer that says what is wrong, in a sentence for the user.
export class ApiError extends Error {}

export function url(path, parameters = {}) {
  return "/api/" + path + "?" + new URLSearchParams(parameters);
}

async function ask(path, parameters, options) {
  let answer;
  try {
    answer = await fetch(url(path, parameters), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server does not answer; is `vae explore` still running?");
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => null);
  throw new ApiError(problem?.error ?? `The server answers with ${answer.status}.`);
}

export async function json(path, parameters, signal) {
  return (await ask(path, parameters, { signal })).json();
}

export async function bytes(path, parameters, signal) {
  return new Uint8Array(await (await ask(path, parameters, { signal })).arrayBuffer());
}

// Sends an array or a file; gives the bytes of the answer.
export async function post(path, parameters, body, signal) {
  return new Uint8Array(await (await ask(path, parameters, { method: "POST", body, signal })).arrayBuffer());
}

export async function postForJson(path, parameters, body) {
  return (await ask(path, parameters, { method: "POST", body })).json();
}

export function fromBase64(text) {
  return Uint8Array.from(atob(text), c => c.charCodeAt(0));
}

// Makes a function that works on one argument at a time and, when it was called often meanwhile, goes on with the newest:
// a drag is followed as fast as the server can, and nothing piles up.
export function newestOnly(work) {
  let next = null, running = null;
  return argument => {
    next = { argument };
    running ??= (async () => {
      try {
        while (next) {
          const { argument } = next;
          next = null;
          await work(argument);
        }
      } finally {
        running = null;
      }
    })();
    return running;
  };
}
