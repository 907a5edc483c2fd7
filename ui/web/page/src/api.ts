// The API as the pages use it.

// Where the session's key is kept. Unlike a cookie, it belongs to this port alone.
const KEY = "sistemo.key";
const KEY_HEADER = "Sistemo-Session-Key";

export const key = {
  get: () => localStorage.getItem(KEY),
  set: (value: string) => localStorage.setItem(KEY, value),
  forget: () => localStorage.removeItem(KEY),
  // Calls `what` when another tab has logged in.
  onChange(what: () => void): void {
    window.addEventListener("storage", (event) => {
      if (event.key === KEY && event.newValue !== null) {
        what();
      }
    });
  },
};

// An answer that is no success: an RFC 9457 problem, or what can be said without one. Status 0: no answer at all.
export class Problem extends Error {
  constructor(
    readonly status: number,
    detail: string,
    readonly hint: string | null,
  ) {
    super(detail);
  }

  // Whether logging in would help.
  get isStranger(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

// Sends a request with the session's key. `body` goes as JSON.
export async function request(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const headers = new Headers({ accept: "application/json, application/problem+json;q=0.9" });
  const own = key.get();
  if (own !== null) {
    headers.set(KEY_HEADER, own);
  }
  if (body !== undefined) {
    headers.set("content-type", "application/json");
  }
  const init: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store", redirect: "error" };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
  }
  if (signal !== undefined) {
    init.signal = signal;
  }
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    throw new Problem(0, error instanceof Error ? error.message : String(error), null);
  }
  if (!response.ok) {
    throw await problem(response);
  }
  return response;
}

async function problem(response: Response): Promise<Problem> {
  let said: Record<string, unknown> = {};
  try {
    said = Object(await response.json()) as Record<string, unknown>;
  } catch {
    // Not JSON: the status has to do.
  }
  const text = (key: string) => (typeof said[key] === "string" ? said[key] : null);
  const detail = text("detail") ?? text("title") ?? `the server answered ${response.status}`;
  return new Problem(response.status, detail, text("hint"));
}

// A machine as far as the pages show it.
export interface Machine {
  id: string;
  name: string;
  status: string;
}

export async function machines(signal?: AbortSignal): Promise<Machine[]> {
  const response = await request("GET", "/api/v1/machines?all=true", undefined, signal);
  return (await response.json()) as Machine[];
}

export async function startMachine(id: string): Promise<void> {
  await request("POST", `/api/v1/machines/${encodeURIComponent(id)}/start`, {});
}

// Calls `what` for whatever the server tells of, until the stream ends. What it tells does not matter here: whoever
// listens looks again.
export async function listen(what: () => void, signal: AbortSignal): Promise<void> {
  const response = await request("GET", "/api/v1/events", undefined, signal);
  const reader = response.body?.getReader();
  while (reader !== undefined && !(await reader.read()).done) {
    what();
  }
}

// Makes a session of a ticket or the token.
export async function logIn(proof: { ticket: string } | { token: string }): Promise<void> {
  const response = await request("POST", "/api/v1/session", proof);
  const said = Object(await response.json()) as Record<string, unknown>;
  if (typeof said.key !== "string") {
    throw new Problem(response.status, "the server gave no key", null);
  }
  key.set(said.key);
}

export async function logOut(): Promise<void> {
  await request("DELETE", "/api/v1/session");
  key.forget();
}

// Whether the server is there and knows this browser; a problem of status 0 when it is not there.
export async function isLoggedIn(): Promise<boolean> {
  if (key.get() === null) {
    return false;
  }
  try {
    await request("GET", "/api/v1/session");
    return true;
  } catch (error) {
    if (error instanceof Problem && error.isStranger) {
      return false;
    }
    throw error;
  }
}
