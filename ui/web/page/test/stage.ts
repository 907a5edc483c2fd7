// Time of a test's own, and WebSockets that it is the other end of.

import { type Listener, Connection, type Phase, type Socket } from "../src/connection";
import type { FromServer } from "../src/protocol";
import type { World } from "../src/world";

export class Time implements World {
  #now = 0;
  #due: { at: number; what: () => void }[] = [];
  luck = 1;

  after(milliseconds: number, what: () => void): () => void {
    const entry = { at: this.#now + milliseconds, what };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((other) => other !== entry);
    };
  }

  now(): number {
    return this.#now;
  }

  chance(): number {
    return this.luck;
  }

  pass(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) {
        break;
      }
      this.#due = this.#due.filter((other) => other !== next);
      this.#now = next.at;
      next.what();
    }
    this.#now = end;
  }
}

export class FakeSocket implements Socket {
  binaryType: BinaryType = "blob";
  bufferedAmount = 0;
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  sent: number[][] = [];
  closed: number | undefined;

  send(frame: Uint8Array): void {
    this.sent.push([...frame]);
  }

  close(code?: number): void {
    this.closed = code ?? 1005;
  }

  opens(): void {
    this.onopen?.({} as Event);
  }

  says(...bytes: number[]): void {
    this.onmessage?.({ data: Uint8Array.from(bytes).buffer } as MessageEvent);
  }

  text(data: string): void {
    this.onmessage?.({ data } as MessageEvent);
  }

  json(type: number, body: unknown): void {
    this.says(type, ...new TextEncoder().encode(JSON.stringify(body)));
  }

  ends(code = 1006, reason = ""): void {
    this.onclose?.({ code, reason } as CloseEvent);
  }

  // Answers the last ping.
  pongs(): void {
    const ping = this.sent.findLast(([type]) => type === 0x06) ?? [];
    this.says(0x07, ...ping.slice(1));
  }
}

// A connection, and all that it has done.
export class Stage implements Listener {
  readonly time = new Time();
  readonly sockets: FakeSocket[] = [];
  readonly phases: string[] = [];
  readonly frames: FromServer[] = [];
  readonly delays: number[] = [];
  answer: Promise<boolean> = Promise.resolve(true);
  readonly connection = new Connection(this, this.time);

  get socket(): FakeSocket {
    return this.sockets.at(-1) as FakeSocket;
  }

  connect(): Socket {
    this.sockets.push(new FakeSocket());
    return this.socket;
  }

  phase(phase: Phase, reason: string): void {
    this.phases.push(reason === "" ? phase : `${phase}: ${reason}`);
  }

  frame(frame: FromServer): void {
    this.frames.push(frame);
  }

  delay(milliseconds: number): void {
    this.delays.push(milliseconds);
  }

  refused(): Promise<boolean> {
    return this.answer;
  }

  greet(): void {
    const hello = { session: "s", offset: 0, resumed: false, lost: 0, kind: "console", machine: null, id: null };
    this.socket.json(0x03, hello);
  }
}
