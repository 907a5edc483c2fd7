// What is typed and pasted, on its way out: cut into frames, and no faster than the connection takes it.

import { encode, MOST_INPUT } from "./protocol";
import type { World } from "./world";

// Bytes that may wait in the WebSocket itself.
const MOST_WAITING = 128 * 1024;
// Milliseconds until it is looked at again: WebSockets do not say when they have sent something.
const LOOK_AGAIN = 8;

export interface Sender {
  send(frame: Uint8Array<ArrayBuffer>): void;
  readonly bufferedAmount: number;
}

export class Outbox {
  #queue: Uint8Array[] = [];
  #later: (() => void) | null = null;
  #sender: Sender | null = null;

  constructor(private readonly world: World) {}

  // From here on it goes this way; what has not gone by the last one is dropped, since nobody knows what became of its
  // beginning.
  through(sender: Sender | null): void {
    this.#sender = sender;
    this.#queue = [];
    this.#later?.();
    this.#later = null;
  }

  // Bytes that wait here.
  get waiting(): number {
    return this.#queue.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  // Whether it is taken.
  push(bytes: Uint8Array): boolean {
    if (this.#sender === null) {
      return false;
    }
    for (let start = 0; start < bytes.length; start += MOST_INPUT) {
      this.#queue.push(bytes.subarray(start, start + MOST_INPUT));
    }
    if (this.#later === null) {
      this.#go();
    }
    return true;
  }

  #go(): void {
    this.#later = null;
    const sender = this.#sender;
    let sent = 0;
    while (sender !== null && sent < this.#queue.length) {
      if (sender.bufferedAmount > MOST_WAITING) {
        this.#later = this.world.after(LOOK_AGAIN, () => this.#go());
        break;
      }
      sender.send(encode.data(this.#queue[sent] as Uint8Array));
      sent += 1;
    }
    this.#queue.splice(0, sent);
  }
}
