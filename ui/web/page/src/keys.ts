// Keys and mouse that are the page's own. All others belong to whatever runs in the terminal.

import type { Screen } from "./screen";
import { settings } from "./settings";

interface Doings {
  find: (() => void) | null;
  copy(): void;
  paste(): void;
}

export function keys(place: HTMLElement, screen: Screen, doings: Doings): void {
  const act = (event: KeyboardEvent): boolean => {
    if (event.altKey || !(event.ctrlKey || event.metaKey)) {
      return false;
    }
    // By the key's place for those that no layout moves much, by what it gives for the others.
    switch (event.shiftKey ? `shift ${event.code}` : event.key) {
      case "shift KeyF":
        doings.find?.();
        return doings.find !== null;
      case "shift KeyC":
        doings.copy();
        return true;
      case "-":
        settings.fontSize -= 1;
        return true;
      case "+":
      case "=":
      case "shift Equal":
        settings.fontSize += 1;
        return true;
      case "0":
        settings.resetFontSize();
        return true;
      default:
        return false;
    }
  };
  // Before xterm.js has them.
  window.addEventListener(
    "keydown",
    (event) => {
      if (act(event)) {
        event.preventDefault();
        event.stopImmediatePropagation();
      }
    },
    { capture: true },
  );
  place.addEventListener("contextmenu", (event) => {
    event.preventDefault();
    const { terminal } = screen;
    // A program that follows the mouse has had it already.
    if (terminal.modes.mouseTrackingMode !== "none" && !event.shiftKey) {
      return;
    }
    if (terminal.hasSelection()) {
      doings.copy();
      terminal.clearSelection();
    } else {
      doings.paste();
    }
  });
}
