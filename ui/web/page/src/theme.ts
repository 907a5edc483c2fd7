// The console's themes, drawn by a browser.

import type { ITheme } from "@xterm/xterm";
import { themes, type Theme } from "sistemo:themes";
import { mix } from "./colours";
import { settings } from "./settings";

const light = window.matchMedia("(prefers-color-scheme: light)");

export const names = themes.map((theme) => theme.name);

// The theme of now: the chosen one, or the one that fits what the user likes everywhere.
export function current(): Theme {
  const named = (name: string) => themes.find((theme) => theme.name === name);
  const usual = light.matches ? "default-light" : "default-dark";
  return (named(settings.theme) ?? named(usual) ?? themes[0]) as Theme;
}

export function onPreference(what: () => void): void {
  light.addEventListener("change", what);
}

// Colours for the terminal.
export function ofTerminal(theme: Theme): ITheme {
  const { page, terminal } = theme;
  return {
    ...terminal,
    cursor: terminal.foreground,
    cursorAccent: terminal.background,
    selectionBackground: page.selection,
    selectionInactiveBackground: mix(page.selection, terminal.background, 0.5),
    scrollbarSliderBackground: mix(page.dim, terminal.background, 0.6),
    scrollbarSliderHoverBackground: mix(page.dim, terminal.background, 0.4),
    scrollbarSliderActiveBackground: mix(page.dim, terminal.background, 0.2),
  };
}

// Colours for what a search has found.
export function ofSearch(theme: Theme) {
  const { page, terminal } = theme;
  return {
    matchBackground: mix(page.yellow, terminal.background, 0.7),
    matchOverviewRuler: page.yellow,
    activeMatchBackground: mix(page.orange, terminal.background, 0.4),
    activeMatchBorder: page.orange,
    activeMatchColorOverviewRuler: page.orange,
  };
}

// Colours for the rest of the page, by `var(--NAME)` in its stylesheet.
export function paint(theme: Theme): void {
  const root = document.documentElement;
  root.dataset.kind = theme.kind;
  root.style.colorScheme = theme.kind;
  root.style.setProperty("--terminal", theme.terminal.background);
  for (const [name, colour] of Object.entries(theme.page)) {
    root.style.setProperty(`--${name}`, colour);
  }
}
