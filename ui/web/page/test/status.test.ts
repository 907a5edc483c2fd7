import assert from "node:assert/strict";
import { test } from "node:test";
import type { Life, State } from "../src/protocol";
import { type Known, shown } from "../src/status";

const LIVES: Life[] = ["connecting", "live", "waiting", "lost", "ended", "refused", "gone"];

function at(state: Life, more: Partial<State> = {}, machine: string | null = "web") {
  const of: State = { type: "state", state, message: null, hint: null, exit: null, signal: null, ...more };
  return shown({ loggedIn: true, phase: "open", state: of, reason: "", machine, gone: false });
}

test("no two states look alike without colours", () => {
  const words = LIVES.map((life) => at(life).word);
  assert.equal(new Set(words).size, LIVES.length);
  for (const life of LIVES) {
    assert.notEqual(at(life).sign, "");
  }
});

test("a shell that lives needs no word", () => {
  assert.equal(at("live").message, null);
});

test("a stopped machine says how it is started, and offers to", () => {
  const waiting = at("waiting", { message: "machine web is stopped", hint: "start it: sistemo machine start web" });
  assert.equal(waiting.message, "machine web is stopped; this terminal connects again when it is back");
  assert.equal(waiting.hint, "start it: sistemo machine start web");
  assert.deepEqual(waiting.act, { what: "start", label: "Start" });
  assert.equal(at("waiting", { message: "machine web is starting" }).act, null);
});

test("a shell that has ended says how, and offers another", () => {
  assert.match(at("ended", { exit: 3 }).message ?? "", /has ended with 3; Enter opens a new one/);
  assert.match(at("ended", { signal: "KILL" }).message ?? "", /ended by KILL/);
  assert.equal(at("ended").act?.what, "again");
});

test("what the server says goes before what the page would", () => {
  assert.equal(at("refused", { message: "no room", hint: "stop one" }).message, "no room");
  assert.equal(at("refused", { message: "no room", hint: "stop one" }).hint, "stop one");
});

test("the page's own troubles go before the shell's", () => {
  const usual: Known = { loggedIn: true, phase: "open", state: null, reason: "", machine: "web", gone: false };
  assert.equal(shown(usual).word, "connecting");
  assert.equal(shown({ ...usual, phase: "away", reason: "no answer" }).act?.what, "retry");
  assert.match(shown({ ...usual, phase: "away", reason: "no answer" }).message ?? "", /\(no answer\)/);
  assert.equal(shown({ ...usual, phase: "elsewhere" }).act?.what, "take");
  assert.equal(shown({ ...usual, phase: "stopped" }).act?.what, "again");
  assert.equal(shown({ ...usual, gone: true }).word, "gone");
  assert.equal(shown({ ...usual, loggedIn: false, gone: true }).act?.what, "login");
});
