import assert from "node:assert/strict";
import { test } from "node:test";
import { Stage } from "./stage";

function open(): Stage {
  const stage = new Stage();
  stage.connection.start();
  stage.socket.opens();
  stage.greet();
  return stage;
}

test("a connection opens, measures its delay and hands frames on", () => {
  const stage = open();
  stage.time.pass(30);
  stage.socket.pongs();
  assert.deepEqual(stage.delays, [30]);
  stage.socket.says(0x00, 104, 105);
  assert.deepEqual(stage.frames.at(-1), { type: "data", bytes: Uint8Array.of(104, 105) });
  assert.deepEqual(stage.phases, ["connecting", "open"]);
  assert.equal(stage.socket.binaryType, "arraybuffer");
});

test("one that is lost is tried again, from a quarter of a second to eight", () => {
  const stage = open();
  stage.socket.ends(1006, "cut");
  const waits: number[] = [];
  while (waits.length < 8) {
    const before = stage.sockets.length;
    let waited = 0;
    while (stage.sockets.length === before) {
      stage.time.pass(50);
      waited += 50;
    }
    waits.push(waited);
    stage.socket.opens();
    stage.socket.ends();
  }
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
  assert.equal(stage.phases[2], "away: cut");
});

test("once the server has greeted, the next tries are quick again", () => {
  const stage = open();
  for (let tries = 0; tries < 5; tries += 1) {
    stage.socket.ends();
    stage.time.pass(8000);
    stage.socket.opens();
  }
  stage.greet();
  stage.socket.ends();
  const before = stage.sockets.length;
  stage.time.pass(250);
  assert.equal(stage.sockets.length, before + 1);
});

test("chance halves the wait at most", () => {
  const stage = open();
  stage.time.luck = 0;
  stage.socket.ends();
  stage.time.pass(124);
  assert.equal(stage.sockets.length, 1);
  stage.time.pass(1);
  assert.equal(stage.sockets.length, 2);
});

test("a hurry tries at once, and disturbs nothing that is open", () => {
  const stage = open();
  stage.connection.hurry();
  assert.equal(stage.sockets.length, 1);
  stage.socket.ends();
  stage.connection.hurry();
  assert.equal(stage.sockets.length, 2);
});

test("two pings without an answer mean that it is dead", () => {
  const stage = open();
  stage.time.pass(1_000);
  stage.socket.pongs();
  stage.time.pass(10_000);
  assert.equal(stage.connection.phase, "open");
  const dead = stage.socket;
  stage.time.pass(10_000);
  assert.equal(dead.closed, 1000);
  assert.equal(stage.phases.at(-1), "away: no answer");
});

test("it lives as long as anything comes", () => {
  const stage = open();
  for (let count = 0; count < 20; count += 1) {
    stage.time.pass(9_000);
    stage.socket.says(0x00, 120);
  }
  assert.equal(stage.connection.phase, "open");
});

test("a guest that is busy with a large paste is given time", () => {
  const stage = open();
  stage.connection.sender().send(new Uint8Array(100 * 1024));
  stage.time.pass(100_000);
  assert.equal(stage.connection.phase, "open");
  stage.time.pass(20_000);
  assert.notEqual(stage.connection.phase, "open");
});

test("one that does not open in time is given up", () => {
  const stage = new Stage();
  stage.connection.start();
  stage.time.pass(10_000);
  assert.equal(stage.phases.at(-1), "away: no answer");
});

test("a page that has lost its session to another does not fight for it", () => {
  const stage = open();
  stage.socket.ends(4000, "taken over");
  stage.time.pass(600_000);
  assert.equal(stage.sockets.length, 1);
  assert.equal(stage.phases.at(-1), "elsewhere: taken over");
  stage.connection.hurry();
  assert.equal(stage.sockets.length, 1);
  stage.connection.start();
  assert.equal(stage.sockets.length, 2);
});

test("a session that is over is not opened again by itself", () => {
  const stage = open();
  stage.socket.ends(1000, "closed");
  stage.time.pass(600_000);
  assert.equal(stage.sockets.length, 1);
  assert.equal(stage.phases.at(-1), "stopped: closed");
});

test("one that is refused asks why before it goes on", async () => {
  const stage = new Stage();
  stage.connection.start();
  stage.socket.ends();
  await stage.answer;
  stage.time.pass(250);
  assert.equal(stage.sockets.length, 2);
  stage.answer = Promise.resolve(false);
  stage.socket.ends();
  await stage.answer;
  await Promise.resolve();
  stage.time.pass(600_000);
  assert.equal(stage.sockets.length, 2);
  assert.equal(stage.connection.phase, "stopped");
});

test("a server that talks nonsense is left", () => {
  for (const nonsense of [(stage: Stage) => stage.socket.says(0x7f), (stage: Stage) => stage.socket.text("hello")]) {
    const stage = open();
    const { socket } = stage;
    nonsense(stage);
    assert.equal(socket.closed, 1000);
    assert.match(stage.phases.at(-1) ?? "", /^away: the server sent/);
  }
});

test("nothing is heard of a socket that was left", () => {
  const stage = open();
  const old = stage.socket;
  stage.connection.start();
  assert.equal(old.onmessage, null);
  assert.equal(old.onclose, null);
});

test("what was for an older socket does not go out by a newer one", () => {
  const stage = open();
  const sender = stage.connection.sender();
  stage.socket.ends();
  stage.time.pass(250);
  stage.socket.opens();
  const before = stage.socket.sent.length;
  sender.send(Uint8Array.of(0, 1));
  assert.equal(stage.socket.sent.length, before);
});
