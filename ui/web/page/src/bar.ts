// The bar at the top: what terminal this is, how it is, and what can be done with it.

import { button, element } from "./dom";
import { onSettings, settings } from "./settings";
import type { Shown } from "./status";
import { names } from "./theme";

export interface Actions {
  // `null`: there is nothing to search.
  find: (() => void) | null;
  copy(): void;
  paste(): void;
  fullScreen(): void;
  end(): void;
  logOut(): void;
  focus(): void;
}

export class Bar {
  readonly element: HTMLElement;
  // Shows the bar again.
  readonly handle: HTMLElement;
  readonly #name = element("span", { class: "machine" });
  readonly #sign = element("span", { class: "sign", with: { "aria-hidden": "true" } });
  readonly #word = element("span", { class: "word" });
  readonly #delay = element("span", { class: "delay dim", title: "Time to the server and back" });

  // `name`: the machine's, or of the console; `more`: what this page has beside.
  constructor(name: string, isConsole: boolean, actions: Actions, more: HTMLElement | null) {
    this.name(name);
    const theme = chooser();
    const size = (by: number) => () => {
      settings.fontSize += by;
    };
    const reader = element("button", { text: "Screen reader", with: { type: "button" } });
    reader.addEventListener("click", () => {
      settings.screenReader = !settings.screenReader;
    });
    const menu = element(
      "details",
      { class: "menu" },
      element("summary", { text: "Menu", title: "More" }),
      element(
        "ul",
        {},
        element("li", {}, reader),
        element("li", {}, button("Hide this bar", "Hide this bar", () => this.#hide(actions))),
        element("li", {}, button("End this session", "End what runs here, and close the session", () => actions.end())),
        element("li", {}, button("Log out", "Log this browser out", () => actions.logOut())),
      ),
    );
    const home = element("a", { class: "home", text: "Sistemo", title: "The console", with: { href: "/" } });
    if (!isConsole) {
      home.target = "_blank";
      home.rel = "noopener";
    }
    const state = element("span", { class: "state", with: { role: "status" } }, this.#sign, this.#word);
    this.element = element(
      "header",
      { class: "bar", with: { role: "toolbar", "aria-label": "Terminal" } },
      home,
      this.#name,
      state,
      this.#delay,
      element("span", { class: "space" }),
    );
    if (more !== null) {
      this.element.append(more);
    }
    if (!isConsole) {
      const again = () => window.open(location.pathname, "_blank", "noopener");
      this.element.append(button("New", "Another terminal in this machine, in a new tab", again));
    }
    if (actions.find !== null) {
      this.element.append(button("Find", "Find (Ctrl-Shift-F)", actions.find));
    }
    this.element.append(
      button("A−", "Smaller (Ctrl -)", size(-1)),
      button("A+", "Larger (Ctrl +)", size(1)),
      theme,
      button("Copy", "Copy what is selected (Ctrl-Shift-C)", () => actions.copy()),
      button("Paste", "Paste (Ctrl-Shift-V)", () => actions.paste()),
      button("Full", "Full screen", () => actions.fullScreen()),
      menu,
    );
    this.handle = button("▾", "Show the bar", () => {
      settings.bar = true;
      actions.focus();
    });
    this.handle.className = "handle";
    const apply = () => {
      this.element.hidden = !settings.bar;
      this.handle.hidden = settings.bar;
      reader.ariaPressed = String(settings.screenReader);
      theme.value = settings.theme;
    };
    onSettings(apply);
    apply();
    closeMenus(this.element, actions);
  }

  name(name: string): void {
    this.#name.textContent = name;
  }

  show(shown: Shown): void {
    this.#sign.textContent = shown.sign;
    this.#sign.className = `sign ${shown.tone}`;
    this.#word.textContent = shown.word;
    if (shown.word !== "live") {
      this.#delay.textContent = "";
    }
  }

  delay(milliseconds: number): void {
    this.#delay.textContent = milliseconds < 1 ? "< 1 ms" : `${Math.round(milliseconds)} ms`;
  }

  #hide(actions: Actions): void {
    settings.bar = false;
    actions.focus();
  }
}

function chooser(): HTMLSelectElement {
  const theme = element("select", { title: "Theme", with: { "aria-label": "Theme" } });
  for (const name of ["auto", ...names]) {
    theme.append(element("option", { text: name === "auto" ? "theme: auto" : name, with: { value: name } }));
  }
  theme.addEventListener("change", () => {
    settings.theme = theme.value;
  });
  return theme;
}

// Menus close by Escape, by a click elsewhere, and when something in them was chosen.
function closeMenus(bar: HTMLElement, actions: Actions): void {
  const open = () => Array.from(bar.querySelectorAll<HTMLDetailsElement>("details[open]"));
  document.addEventListener("click", (event) => {
    for (const menu of open()) {
      const inside = event.target instanceof Node && menu.contains(event.target);
      if (!inside || (event.target instanceof Element && event.target.closest("ul button, ul a") !== null)) {
        menu.open = false;
      }
    }
  });
  bar.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && open().length > 0) {
      for (const menu of open()) {
        menu.open = false;
      }
      actions.focus();
    }
  });
}
