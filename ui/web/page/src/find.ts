// Searching what the terminal shows and what has scrolled off.

import type { ISearchOptions } from "@xterm/addon-search";
import { button, element } from "./dom";
import type { Screen } from "./screen";
import { current, ofSearch } from "./theme";

export class Find {
  readonly element: HTMLElement;
  readonly #input = element("input", {
    with: { type: "search", "aria-label": "Find in this terminal", placeholder: "Find", spellcheck: "false" },
  });
  readonly #count = element("output", { with: { "aria-live": "polite" } });
  readonly #case: HTMLButtonElement;
  readonly #regex: HTMLButtonElement;

  constructor(private readonly screen: Screen) {
    const toggle = (label: string, what: string) => {
      const made = button(label, what, () => {
        made.ariaPressed = String(made.ariaPressed !== "true");
        this.#find("next", true);
      });
      made.ariaPressed = "false";
      return made;
    };
    this.#case = toggle("Aa", "Match case");
    this.#regex = toggle(".*", "Regular expression");
    this.element = element(
      "search",
      { class: "find" },
      this.#input,
      this.#count,
      button("↑", "Previous (Shift-Enter)", () => this.#find("previous", false)),
      button("↓", "Next (Enter)", () => this.#find("next", false)),
      this.#case,
      this.#regex,
      button("✕", "Close (Escape)", () => this.close()),
    );
    this.element.hidden = true;
    this.#input.addEventListener("input", () => this.#find("next", true));
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        this.close();
      } else if (event.key === "Enter" && event.target === this.#input) {
        this.#find(event.shiftKey ? "previous" : "next", false);
      } else {
        return;
      }
      event.preventDefault();
    });
    screen.search.onDidChangeResults(({ resultIndex, resultCount }) => {
      const at = resultIndex < 0 ? "" : `${resultIndex + 1} of `;
      this.#count.textContent = this.#input.value === "" ? "" : `${at}${resultCount}`;
    });
  }

  open(): void {
    this.element.hidden = false;
    const selected = this.screen.terminal.getSelection();
    if (selected !== "" && !selected.includes("\n")) {
      this.#input.value = selected;
    }
    this.#input.focus();
    this.#input.select();
    this.#find("next", true);
  }

  close(): void {
    this.element.hidden = true;
    this.screen.search.clearDecorations();
    this.screen.terminal.focus();
  }

  #find(where: "next" | "previous", incremental: boolean): void {
    const { search } = this.screen;
    const text = this.#input.value;
    this.#input.setCustomValidity("");
    if (text === "") {
      search.clearDecorations();
      this.#count.textContent = "";
      return;
    }
    const regex = this.#regex.ariaPressed === "true";
    if (regex && !isRegex(text)) {
      this.#count.textContent = "no regular expression";
      return;
    }
    const options: ISearchOptions = {
      caseSensitive: this.#case.ariaPressed === "true",
      regex,
      incremental: incremental && where === "next",
      decorations: ofSearch(current()),
    };
    if (where === "next") {
      search.findNext(text, options);
    } else {
      search.findPrevious(text, options);
    }
  }
}

function isRegex(text: string): boolean {
  try {
    new RegExp(text, "u");
    return true;
  } catch {
    return false;
  }
}
