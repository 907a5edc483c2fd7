// What a tab remembers over a reload: its session, how much of the stream it has, and what was on its screen.
//
// A duplicated tab has a copy of all that. The session belongs to whoever holds the lock of its name; the other begins
// anew.

const KEPT = "sistemo.tab";
// Letters that a browser keeps for a tab: the quota is 5 million or more.
const MOST = 4_000_000;
// Milliseconds for which a page that is just being reloaded may still hold the lock.
const PATIENCE = 500;

export interface Kept {
  // The page's path.
  path: string;
  session: string;
  // How much of the stream is on the screen.
  offset: number;
  columns: number;
  rows: number;
  // The screen and what has scrolled off, as a terminal would have to be told; `null` when it was too large.
  screen: string | null;
}

export class Tab {
  #release: (() => void) | null = null;
  #held: string | null = null;

  constructor(private readonly path: string) {}

  // What this tab was at, if it is this tab's own.
  async resume(): Promise<Kept | null> {
    const kept = read();
    sessionStorage.removeItem(KEPT);
    if (kept === null || kept.path !== this.path || !(await this.hold(kept.session))) {
      return null;
    }
    return kept;
  }

  // Makes a session this tab's own. `false`: another tab has it.
  async hold(session: string): Promise<boolean> {
    if (session === this.#held || navigator.locks === undefined) {
      return true;
    }
    this.release();
    this.#held = session;
    return new Promise((resolve) => {
      const signal = AbortSignal.timeout(PATIENCE);
      const until = new Promise<void>((release) => {
        this.#release = release;
      });
      navigator.locks
        .request(`sistemo.session.${session}`, { signal }, () => {
          resolve(true);
          return until;
        })
        .catch(() => resolve(false));
    });
  }

  release(): void {
    this.#release?.();
    this.#release = null;
    this.#held = null;
  }

  // Keeps what `serialize` gives for so many lines of what has scrolled off, as many of them as there is room for.
  keep(kept: Omit<Kept, "path" | "screen">, scrollback: number, serialize: (lines: number) => string): void {
    for (const lines of [scrollback, 1000, 0]) {
      const screen = serialize(lines);
      if (screen.length <= MOST && write({ ...kept, path: this.path, screen })) {
        return;
      }
    }
    write({ ...kept, path: this.path, screen: null });
  }

  forget(): void {
    sessionStorage.removeItem(KEPT);
  }
}

function write(kept: Kept): boolean {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(kept));
    return true;
  } catch {
    return false;
  }
}

function read(): Kept | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "null") as Kept | null;
  } catch {
    return null;
  }
}
