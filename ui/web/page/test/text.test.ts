import assert from "node:assert/strict";
import { test } from "node:test";
import { place } from "../src/place";
import { Tail, unfinished } from "../src/unfinished";
import { bytes, link, title, windowTitle } from "../src/words";

const utf8 = (text: string) => new TextEncoder().encode(text);

test("a title is one line of what can be seen", () => {
  assert.equal(title("vi: a\x1b[31m\nb"), "vi: a [31m b");
  assert.equal(title("\u202Egnp.exe\u200B"), "gnp.exe");
  assert.equal(title("  "), "");
  assert.equal(Array.from(title("🦀".repeat(500))).length, 128);
});

test("the window tells machine, title and bell", () => {
  assert.equal(windowTitle("web", "", false), "web");
  assert.equal(windowTitle("web", "vi", true), "🔔 web — vi");
});

test("only addresses of the web are links", () => {
  assert.equal(link("https://example.org/a?b#c")?.href, "https://example.org/a?b#c");
  for (const no of ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "vscode://x", "//x", ""]) {
    assert.equal(link(no), null, no);
  }
});

test("numbers of bytes are for people", () => {
  assert.deepEqual([bytes(17), bytes(2048), bytes(1.5 * 1024 * 1024)], ["17 bytes", "2.0 KiB", "1.5 MiB"]);
});

test("a page knows what it is by its path", () => {
  assert.deepEqual(place("/"), { kind: "console", socket: "/api/v1/console" });
  const socket = "/api/v1/machines/web/terminal";
  assert.deepEqual(place("/terminals/vm/web"), { kind: "machine", name: "web", socket });
  assert.deepEqual(place("/terminals/machine/web/"), { kind: "machine", name: "web", socket });
  for (const no of ["/terminals", "/terminals/vm/", "/terminals/vm/a/b", "/terminals/vm/%ff", "/x"]) {
    assert.equal(place(no), null, no);
  }
  const hostile = place("/terminals/vm/..%2f..%2fx%3f");
  assert.equal(hostile?.socket, "/api/v1/machines/..%2F..%2Fx%3F/terminal");
});

test("what is complete is complete", () => {
  const complete = [
    "", "text", "\x1b[31m", "\x1b[?2004h$ ", "\x1b]0;title\x07", "\x1b]0;title\x1b\\", "\x1b(B", "\x1bM", "é", "🦀",
    "\x1bPq\x1b\\x", "\x1b]0;cancelled\x18",
  ];
  for (const text of complete) {
    assert.equal(unfinished(utf8(text)), 0, JSON.stringify(text));
  }
});

test("what is not complete is cut off whole", () => {
  const half: [string, string][] = [
    ["text", "\x1b"], ["text", "\x1b["], ["text\x1b[0m", "\x1b[38;5;1"], ["a", "\x1b]0;ti"], ["a", "\x1b]52;c;QUJD"],
    ["a", "\x1b("], ["a", "\x1bPq#0"], ["a", "\x1b_x"],
  ];
  for (const [whole, rest] of half) {
    assert.equal(unfinished(utf8(whole + rest)), rest.length, JSON.stringify(rest));
  }
  const crab = utf8("x🦀");
  for (const cut of [1, 2, 3]) {
    assert.equal(unfinished(crab.subarray(0, crab.length - cut)), 4 - cut);
  }
});

test("the tail of a stream is seen over the borders of its parts, and stays small", () => {
  const tail = new Tail();
  for (let count = 0; count < 100; count += 1) {
    tail.add(new Uint8Array(16 * 1024).fill(0x61));
  }
  tail.add(utf8("\x1b]0;ti"));
  tail.add(utf8("tle"));
  assert.equal(tail.unfinished(), "\x1b]0;title".length);
  tail.add(utf8("\x07"));
  assert.equal(tail.unfinished(), 0);
});
