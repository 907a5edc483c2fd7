// Lines over the terminal: what is said to the user. They are never a part of what the terminal shows.

import { button, element } from "./dom";

// Milliseconds after which what is only news goes away.
const NEWS = 6_000;

export interface Line {
  text: string;
  tone: "info" | "warn" | "error";
  // What helps; a command in it can be picked up by a click.
  hint?: string | null;
  buttons?: [label: string, onClick: () => void][];
  // Goes away by itself, or by a click.
  passing?: boolean;
}

export class Lines {
  readonly element = element("div", { class: "lines", with: { role: "status", "aria-live": "polite" } });
  readonly #shown = new Map<string, { key: string; line: HTMLElement }>();

  // Shows a line in the place of this name; `null`: nothing.
  set(place: string, line: Line | null): void {
    const key = line === null ? "" : JSON.stringify([line.text, line.tone, line.hint, line.buttons?.map(([label]) => label)]);
    const old = this.#shown.get(place);
    if (old?.key === key) {
      return;
    }
    old?.line.remove();
    this.#shown.delete(place);
    if (line !== null) {
      const made = this.#make(place, line);
      this.#shown.set(place, { key, line: made });
      this.element.append(made);
    }
  }

  #make(place: string, line: Line): HTMLElement {
    const made = element("div", { class: `line ${line.tone}` }, element("span", { text: line.text }));
    if (line.hint) {
      const [, words = "", command = ""] = /^(.*?)(sistemo .*)?$/su.exec(line.hint) ?? [];
      made.append(element("span", { class: "dim", text: words }));
      if (command !== "") {
        made.append(element("code", { text: command }));
      }
    }
    for (const [label, onClick] of line.buttons ?? []) {
      made.append(button(label, label, onClick));
    }
    if (line.passing) {
      const away = () => {
        if (this.#shown.get(place)?.line === made) {
          this.set(place, null);
        }
      };
      made.append(button("✕", "Dismiss", away));
      if (line.tone === "info") {
        setTimeout(away, NEWS);
      }
    }
    return made;
  }
}
