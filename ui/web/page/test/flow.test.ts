import assert from "node:assert/strict";
import { test } from "node:test";
import { Outbox } from "../src/outbox";
import { Progress } from "../src/progress";
import { FakeSocket, Time } from "./stage";

const KIB = 1024;

function progress() {
  const [told, time]: [number[], Time] = [[], new Time()];
  return { told, time, progress: new Progress((offset) => told.push(offset), time) };
}

test("the server is told every 32 KiB that are drawn", () => {
  const { told, progress: of } = progress();
  of.begin(0);
  const drawn = [of.take(16 * KIB), of.take(16 * KIB), of.take(16 * KIB)];
  assert.deepEqual(told, [], "what has only arrived is not drawn");
  drawn[0]?.();
  drawn[1]?.();
  assert.deepEqual(told, [32 * KIB]);
  drawn[2]?.();
  assert.deepEqual(told, [32 * KIB]);
});

test("less than that is told after 50 ms, once", () => {
  const { told, time, progress: of } = progress();
  of.begin(100);
  of.take(1)();
  time.pass(49);
  of.take(2)();
  assert.deepEqual(told, []);
  time.pass(1);
  assert.deepEqual(told, [103]);
  time.pass(1000);
  assert.deepEqual(told, [103]);
});

test("another connection is told anew how far it is", () => {
  const { told, time, progress: of } = progress();
  of.begin(0);
  of.take(10)();
  time.pass(50);
  const late = of.take(5);
  of.resume(15);
  late();
  time.pass(50);
  assert.deepEqual(told, [10, 15]);
  assert.equal(of.arrived, 15);
});

test("what is gone in between counts as drawn", () => {
  const { told, time, progress: of } = progress();
  of.begin(0);
  of.take(10)();
  of.resume(1000);
  of.take(4)();
  time.pass(50);
  assert.deepEqual(told, [1004]);
});

test("what is drawn of an earlier stream says nothing of the next", () => {
  const { told, time, progress: of } = progress();
  of.begin(0);
  const late = of.take(100 * KIB);
  of.begin(0);
  late();
  time.pass(50);
  assert.deepEqual(told, []);
  assert.equal(of.drawn, 0);
});

function outbox() {
  const [time, socket] = [new Time(), new FakeSocket()];
  const of = new Outbox(time);
  of.through(socket);
  return { time, socket, of };
}

test("a key goes out at once", () => {
  const { socket, of } = outbox();
  assert.equal(of.push(Uint8Array.of(97)), true);
  assert.deepEqual(socket.sent, [[0, 97]]);
});

test("a paste is cut into frames of 32 KiB at most, and none of it is lost", () => {
  const { socket, of } = outbox();
  const paste = Uint8Array.from({ length: 70 * KIB }, (_, at) => at % 251);
  of.push(paste);
  assert.deepEqual(socket.sent.map((frame) => frame.length - 1), [32 * KIB, 32 * KIB, 6 * KIB]);
  assert.deepEqual(socket.sent.flatMap((frame) => frame.slice(1)), [...paste]);
});

test("while the connection is full it waits, in order", () => {
  const { time, socket, of } = outbox();
  socket.bufferedAmount = 1024 * KIB;
  of.push(Uint8Array.of(1));
  of.push(Uint8Array.of(2));
  time.pass(1000);
  assert.deepEqual(socket.sent, []);
  assert.equal(of.waiting, 2);
  socket.bufferedAmount = 0;
  time.pass(10);
  assert.deepEqual(socket.sent, [[0, 1], [0, 2]]);
});

test("what has not gone out by one connection does not go by the next", () => {
  const { time, socket, of } = outbox();
  socket.bufferedAmount = 1024 * KIB;
  of.push(Uint8Array.of(1));
  const next = new FakeSocket();
  of.through(next);
  time.pass(1000);
  assert.deepEqual([socket.sent, next.sent], [[], []]);
  of.through(null);
  assert.equal(of.push(Uint8Array.of(1)), false);
});
