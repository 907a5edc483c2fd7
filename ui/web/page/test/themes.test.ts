import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { Theme } from "sistemo:themes";
import { mix } from "../src/colours";
// @ts-expect-error: the build's own, which is JavaScript.
import { readThemes } from "../themes.mjs";

const folder = process.env.SISTEMO_THEMES ?? "";
const themes = readThemes(folder) as Theme[];
const named = (name: string) => themes.find((theme) => theme.name === name) as Theme;

// Contrast of two colours (WCAG 2.2, relative luminance).
function contrast(one: string, other: string): number {
  const light = (colour: string) => {
    const [r, g, b] = [1, 3, 5].map((at) => {
      const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    }) as [number, number, number];
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [a, b] = [light(one), light(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

test("every theme of the console is there, the default first", () => {
  const files = readdirSync(folder).filter((file) => file.endsWith(".toml"));
  assert.deepEqual(themes.map(({ name }) => `${name}.toml`).sort(), files.sort());
  assert.equal(themes[0]?.name, "default-dark");
});

test("every theme has every colour", () => {
  const { page, terminal } = named("default-dark");
  for (const theme of themes) {
    assert.deepEqual(Object.keys(theme.page), Object.keys(page));
    assert.deepEqual(Object.keys(theme.terminal), Object.keys(terminal));
    for (const [key, colour] of [...Object.entries(theme.page), ...Object.entries(theme.terminal)]) {
      assert.match(colour, /^#[0-9a-f]{6}$/, `${theme.name}: ${key}`);
    }
  }
});

test("text can be read in every theme", () => {
  for (const { name, page, terminal } of themes) {
    assert.ok(contrast(terminal.foreground, terminal.background) >= 4.5, name);
    for (const ground of [page.surface, page.raised]) {
      assert.ok(contrast(page.fg, ground) >= 4.5, name);
      assert.ok(contrast(page.dim, ground) >= 3, `${name}: dim`);
    }
  }
});

test("colours are those of the theme's file", () => {
  const gruvbox = named("gruvbox-dark");
  assert.equal(gruvbox.kind, "dark");
  assert.equal(gruvbox.page.accent, "#fabd2f");
  assert.equal(gruvbox.terminal.background, "#282828");
  assert.equal(gruvbox.terminal.brightRed, "#fb4934");
  assert.equal(named("default-light").kind, "light");
});

test("a theme without colours is grey, and one of the terminal's own is not", () => {
  const { page, terminal } = named("monochrome");
  for (const colour of [...Object.values(page), ...Object.values(terminal)]) {
    assert.equal(new Set([1, 3, 5].map((at) => colour.slice(at, at + 2))).size, 1, colour);
  }
  assert.equal(named("ansi").terminal.red, "#cd0000");
});

test("colours mix", () => {
  assert.equal(mix("#000000", "#ffffff", 0.5), "#808080");
  assert.equal(mix("#102030", "#ffffff", 0), "#102030");
});

test("no text ever becomes markup", () => {
  const ways = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|setHTML|\beval\(|srcdoc/;
  const sources = new URL("../../src/", import.meta.url);
  const files = readdirSync(sources).filter((file) => file.endsWith(".ts"));
  assert.ok(files.includes("page.ts"));
  for (const file of files) {
    assert.doesNotMatch(readFileSync(new URL(file, sources), "utf8"), ways, file);
  }
});
