// Frames of the WebSocket subprotocol `sistemo.terminal.v1`: the first byte is the type, integers are big-endian, and
// stream offsets are 64 bits wide. `ui/web/terminal/frame.rs` is the other side.

export const SUBPROTOCOL = "sistemo.terminal.v1";

// Most bytes of input in a frame, so that whatever is typed after a paste is not held up in the server's buffers.
export const MOST_INPUT = 32 * 1024;

// Codes of closed connections: the session is over, or another page has it now.
export const OVER = 1000;
export const TAKEN_OVER = 4000;

const DATA = 0x00;
const RESIZE = 0x01;
const ACK = 0x02;
const HELLO = 0x03;
const STATE = 0x04;
const AGAIN = 0x05;
const PING = 0x06;
const PONG = 0x07;
const CLOSE = 0x08;

// How a connection begins.
export interface Hello {
  type: "hello";
  session: string;
  // Where in the stream the next data begins.
  offset: number;
  // Whether it is the session that was asked for.
  resumed: boolean;
  // Bytes that were asked for and are gone.
  lost: number;
  kind: "machine" | "console";
  machine: string | null;
  id: string | null;
}

const LIVES = ["connecting", "live", "waiting", "lost", "ended", "refused", "gone"] as const;

// What the shell behind a session is at.
export type Life = (typeof LIVES)[number];

export interface State {
  type: "state";
  state: Life;
  message: string | null;
  hint: string | null;
  exit: number | null;
  signal: string | null;
}

export type FromServer =
  | { type: "data"; bytes: Uint8Array }
  | { type: "pong"; number: number }
  | Hello
  | State;

// A frame that no server of ours sends.
export class Malformed extends Error {}

export function decode(frame: ArrayBuffer): FromServer {
  const bytes = new Uint8Array(frame);
  switch (bytes[0]) {
    case DATA:
      return { type: "data", bytes: bytes.subarray(1) };
    case HELLO:
      return hello(object(bytes));
    case STATE:
      return state(object(bytes));
    case PONG:
      if (bytes.length !== 9) {
        throw new Malformed(`a pong of ${bytes.length} bytes`);
      }
      return { type: "pong", number: Number(new DataView(frame).getBigUint64(1)) };
    default:
      throw new Malformed(bytes.length === 0 ? "an empty frame" : `a frame of type ${bytes[0]}`);
  }
}

export const encode = {
  data(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const frame = new Uint8Array(1 + bytes.length);
    frame[0] = DATA;
    frame.set(bytes, 1);
    return frame;
  },
  resize(columns: number, rows: number): Uint8Array<ArrayBuffer> {
    const frame = new Uint8Array(5);
    const view = new DataView(frame.buffer);
    view.setUint8(0, RESIZE);
    view.setUint16(1, columns);
    view.setUint16(3, rows);
    return frame;
  },
  // Up to where in the stream everything has been drawn.
  ack: (offset: number) => number(ACK, offset),
  ping: (count: number) => number(PING, count),
  // Open a shell anew.
  again: () => Uint8Array.of(AGAIN),
  // End the session for good.
  close: () => Uint8Array.of(CLOSE),
};

function number(type: number, value: number): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(9);
  const view = new DataView(frame.buffer);
  view.setUint8(0, type);
  view.setBigUint64(1, BigInt(value));
  return frame;
}

type Fields = Record<string, unknown>;

function object(bytes: Uint8Array): Fields {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(1)));
  } catch {
    throw new Malformed(`a frame of type ${bytes[0]} that is not JSON`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Malformed(`a frame of type ${bytes[0]} that is no JSON object`);
  }
  return value as Fields;
}

function hello(said: Fields): Hello {
  return {
    type: "hello",
    session: text(said, "session"),
    offset: count(said, "offset"),
    resumed: said.resumed === true,
    lost: count(said, "lost"),
    kind: one(said, "kind", ["machine", "console"] as const),
    machine: maybe(said, "machine", text),
    id: maybe(said, "id", text),
  };
}

function state(said: Fields): State {
  return {
    type: "state",
    state: one(said, "state", LIVES),
    message: maybe(said, "message", text),
    hint: maybe(said, "hint", text),
    exit: maybe(said, "exit", whole),
    signal: maybe(said, "signal", text),
  };
}

function maybe<T>(said: Fields, key: string, read: (said: Fields, key: string) => T): T | null {
  return said[key] === null || said[key] === undefined ? null : read(said, key);
}

function text(said: Fields, key: string): string {
  const value = said[key];
  if (typeof value !== "string") {
    throw new Malformed(`${key} is no text`);
  }
  return value;
}

function whole(said: Fields, key: string): number {
  const value = said[key];
  if (typeof value !== "number" || !Number.isSafeInteger(value)) {
    throw new Malformed(`${key} is no whole number`);
  }
  return value;
}

function count(said: Fields, key: string): number {
  const value = whole(said, key);
  if (value < 0) {
    throw new Malformed(`${key} is negative`);
  }
  return value;
}

function one<T extends string>(said: Fields, key: string, words: readonly T[]): T {
  const word = words.find((word) => word === said[key]);
  if (word === undefined) {
    throw new Malformed(`${key} is none of ${words.join(", ")}`);
  }
  return word;
}
