// The console's themes (`themes/*.toml`, whose README says what they may hold) as colours for a browser.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";

// xterm's own sixteen colours, which stand for "the terminal's own": a browser has none.
const OWN = [
  "#000000", "#cd0000", "#00cd00", "#cdcd00", "#5c5cff", "#cd00cd", "#00cdcd", "#e5e5e5",
  "#7f7f7f", "#ff5c5c", "#5cff5c", "#ffff5c", "#8f8fff", "#ff5cff", "#5cffff", "#ffffff",
];
const WORDS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const KEYS = [...WORDS, ...WORDS.map((word) => `bright${word[0].toUpperCase()}${word.slice(1)}`)];

// What a theme has that names no colours.
const PLAIN = {
  bg: "#000000", surface: "#121212", raised: "#262626", line: "#585858", selection: "#444444", dim: "#a8a8a8",
  fg: "#e5e5e5", strong: "#ffffff", accent: "#8f8fff", red: "#ff5c5c", orange: "#ffaf5f", yellow: "#ffff5c",
  green: "#5cff5c", cyan: "#5cffff", blue: "#8f8fff", magenta: "#ff5cff",
};

// Every theme in a folder, by name; `default-dark` first, since it is what one has without a choice.
export function readThemes(folder) {
  const sheets = new Map();
  for (const file of readdirSync(folder).filter((file) => file.endsWith(".toml")).sort()) {
    sheets.set(file.slice(0, -".toml".length), parse(readFileSync(join(folder, file), "utf8")));
  }
  const themes = [...sheets.keys()].map((name) => theme(name, sheets));
  return themes.sort((a, b) => (b.name === "default-dark") - (a.name === "default-dark"));
}

function theme(name, sheets) {
  const line = [];
  for (let at = name; at !== undefined; at = sheets.get(at).inherits) {
    if (!sheets.has(at) || line.includes(sheets.get(at))) {
      throw new Error(`theme ${name} inherits ${at}, which is none or inherits it`);
    }
    line.unshift(sheets.get(at));
  }
  const all = (part) => Object.assign({}, ...line.map((sheet) => sheet[part]));
  const [palette, styles, terminal] = [all("palette"), all("styles"), all("terminal")];
  const page = { ...PLAIN };
  for (const key of Object.keys(PLAIN)) {
    page[key] = colour(palette[key] ?? PLAIN[key], palette, PLAIN[key]);
  }
  const ansi = terminal.ansi ?? OWN;
  const made = {
    name,
    kind: line.map((sheet) => sheet.kind).findLast((kind) => kind !== undefined) ?? "dark",
    page,
    terminal: {
      foreground: colour(terminal.foreground ?? "default", palette, page.fg),
      background: colour(terminal.background ?? "default", palette, page.bg),
      ...Object.fromEntries(KEYS.map((key, at) => [key, colour(ansi[at], palette, OWN[at])])),
    },
  };
  const isColoured = Object.values(styles).some((style) => typeof style === "string" || style.fg || style.bg);
  return isColoured ? made : { ...made, page: greys(made.page), terminal: greys(made.terminal) };
}

// A colour as themes write it: #rrggbb, a number of xterm's palette, or a name.
function colour(written, palette, otherwise) {
  if (typeof written === "number") {
    return indexed(written);
  }
  if (/^#[0-9a-f]{6}$/i.test(written)) {
    return written.toLowerCase();
  }
  if (written === "default") {
    return otherwise;
  }
  if (palette[written] !== undefined && palette[written] !== written) {
    return colour(palette[written], palette, otherwise);
  }
  const at = WORDS.indexOf(written.replace(/^bright-/, ""));
  if (at < 0) {
    throw new Error(`${written} is no colour`);
  }
  return OWN[written.startsWith("bright-") ? at + 8 : at];
}

// xterm's palette of 256: sixteen, a cube of 6 × 6 × 6, and 24 greys.
function indexed(number) {
  const hex = (...channels) => `#${channels.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
  if (number < 16) {
    return OWN[number];
  }
  if (number >= 232) {
    const grey = 8 + (number - 232) * 10;
    return hex(grey, grey, grey);
  }
  const level = (value) => (value === 0 ? 0 : 55 + value * 40);
  const cube = number - 16;
  return hex(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

// The same as bright, without colour (the luma of ITU-R BT.709).
function greys(colours) {
  const grey = (colour) => {
    const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
    const value = Math.round(0.2126 * r + 0.7152 * g + 0.0722 * b).toString(16).padStart(2, "0");
    return `#${value}${value}${value}`;
  };
  return Object.fromEntries(Object.entries(colours).map(([key, value]) => [key, grey(value)]));
}
