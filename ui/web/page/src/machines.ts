// The list of machines in the console's bar, each a link to its terminal.

import { listen, type Machine, machines } from "./api";
import { element } from "./dom";

// Milliseconds: after a change until the list is read, and after a failure until it is tried again.
const SETTLED = 150;
const AGAIN = 3_000;

const SIGNS: Record<string, string> = { running: "●", stopped: "○", failed: "✕" };

export class MachineList {
  readonly element: HTMLElement;
  readonly #summary = element("summary", { text: "Machines" });
  readonly #list = element("ul");
  #reading: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.element = element("details", { class: "menu machines" }, this.#summary, this.#list);
  }

  // Follows what happens as long as the page is seen.
  follow(): void {
    let watching: AbortController | null = null;
    const turn = () => {
      if (document.hidden) {
        watching?.abort();
        watching = null;
      } else if (watching === null) {
        watching = new AbortController();
        void this.#watch(watching.signal);
      }
    };
    document.addEventListener("visibilitychange", turn);
    turn();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#soon(signal);
      try {
        await listen(() => this.#soon(signal), signal);
      } catch {
        // The server is away, or this browser is not logged in: the terminal says so.
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  }

  #soon(signal: AbortSignal): void {
    this.#reading ??= setTimeout(() => {
      this.#reading = undefined;
      machines(signal).then(
        (all) => this.#show(all),
        () => undefined,
      );
    }, SETTLED);
  }

  #show(all: Machine[]): void {
    this.#summary.textContent = `Machines (${all.length})`;
    const rows = all.map((machine) => {
      const sign = element("span", { class: `sign ${machine.status}`, text: SIGNS[machine.status] ?? "◐" });
      const link = element(
        "a",
        { with: { href: `/terminals/vm/${encodeURIComponent(machine.name)}`, target: "_blank", rel: "noopener" } },
        sign,
        element("span", { class: "name", text: machine.name }),
        element("span", { class: "dim", text: machine.status }),
      );
      return element("li", {}, link);
    });
    this.#list.replaceChildren(...(rows.length > 0 ? rows : [element("li", { class: "dim", text: "none yet" })]));
  }
}
