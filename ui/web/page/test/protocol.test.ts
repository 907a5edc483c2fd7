import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode, Malformed } from "../src/protocol";

function frame(type: number, body: string | number[] = []): ArrayBuffer {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : Uint8Array.from(body);
  return Uint8Array.of(type, ...bytes).buffer;
}

test("frames are laid out as the protocol says", () => {
  assert.deepEqual([...encode.data(Uint8Array.of(5, 0, 255))], [0x00, 5, 0, 255]);
  assert.deepEqual([...encode.resize(300, 24)], [0x01, 1, 44, 0, 24]);
  assert.deepEqual([...encode.ack(2 ** 33 + 7)], [0x02, 0, 0, 0, 2, 0, 0, 0, 7]);
  assert.deepEqual([...encode.again()], [0x05]);
  assert.deepEqual([...encode.ping(258)], [0x06, 0, 0, 0, 0, 0, 0, 1, 2]);
  assert.deepEqual([...encode.close()], [0x08]);
});

test("what the server sends is read", () => {
  assert.deepEqual(decode(frame(0x00, [1, 2])), { type: "data", bytes: Uint8Array.of(1, 2) });
  assert.deepEqual(decode(frame(0x07, [0, 0, 0, 0, 0, 0, 1, 2])), { type: "pong", number: 258 });
  const hello = { session: "s", offset: 9, resumed: true, lost: 0, kind: "machine", machine: "web", id: "1" };
  assert.deepEqual(decode(frame(0x03, JSON.stringify(hello))), { type: "hello", ...hello });
  const state = { state: "ended", message: null, hint: null, exit: 130, signal: null };
  assert.deepEqual(decode(frame(0x04, JSON.stringify(state))), { type: "state", ...state });
});

test("absent parts of a state are nothing, and parts nobody knows are left alone", () => {
  const read = decode(frame(0x04, '{"state":"live","later":1}'));
  assert.deepEqual(read, { type: "state", state: "live", message: null, hint: null, exit: null, signal: null });
});

test("what no server of ours sends is refused", () => {
  const refused: [string, ArrayBuffer][] = [
    ["empty", new ArrayBuffer(0)],
    ["a type of the other way", frame(0x01, [0, 80, 0, 24])],
    ["an unknown type", frame(0x7f)],
    ["a short pong", frame(0x07, [1])],
    ["no JSON", frame(0x03, "{")],
    ["no UTF-8", frame(0x04, [0xff])],
    ["a list", frame(0x04, "[]")],
    ["an unknown state", frame(0x04, '{"state":"asleep"}')],
    ["a state that every object has", frame(0x04, '{"state":"constructor"}')],
    ["a negative offset", frame(0x03, '{"session":"s","offset":-1,"lost":0,"kind":"console"}')],
    ["an offset beyond what numbers hold", frame(0x03, '{"session":"s","offset":1e300,"lost":0,"kind":"console"}')],
    ["no session", frame(0x03, '{"offset":0,"lost":0,"kind":"console"}')],
  ];
  for (const [what, bytes] of refused) {
    assert.throws(() => decode(bytes), Malformed, what);
  }
});
