// A connection that comes back: one WebSocket after the other, until it is told to stop.
//
//   connecting ─► open ─► away ─► connecting …
//        └──► refused: asks why, then away or stopped
//   open ─► elsewhere (another page has the session) or stopped (the session is over)

import { decode, encode, type FromServer, Malformed, OVER, TAKEN_OVER } from "./protocol";
import type { Sender } from "./outbox";
import type { World } from "./world";

// Milliseconds between pings; and until the second one, since the first one comes while the page is busy.
const PING_EVERY = 10_000;
const PING_SECOND = 1_000;
// Pings without an answer after which the connection is taken for dead.
const MISSED = 2;
// The same while much input is on its way, which a busy guest may not read for a while, and behind which pings wait.
const MISSED_WITH_INPUT = 12;
const MUCH_INPUT = 64 * 1024;
// Milliseconds within which a connection has to be open.
const OPEN_WITHIN = 10_000;
// Milliseconds until the first further try, and the most there are between two.
const FIRST = 250;
const MOST = 8_000;

// A WebSocket as far as it is used here.
export interface Socket extends Sender {
  binaryType: BinaryType;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  close(code?: number, reason?: string): void;
}

export type Phase = "connecting" | "open" | "away" | "elsewhere" | "stopped";

export interface Listener {
  // A WebSocket to the address, with the session and the key, of now.
  connect(): Socket;
  phase(phase: Phase, reason: string): void;
  frame(frame: FromServer): void;
  // Milliseconds that a ping took.
  delay(milliseconds: number): void;
  // It was closed before it was open: whether to go on trying.
  refused(): Promise<boolean>;
}

export class Connection {
  #phase: Phase = "connecting";
  #socket: Socket | null = null;
  #tries = 0;
  #retry: (() => void) | null = null;
  #watch: (() => void) | null = null;
  #pings = 0;
  #missed = 0;
  #pinged = 0;
  #input = 0;

  constructor(
    private readonly listener: Listener,
    private readonly world: World,
  ) {}

  get phase(): Phase {
    return this.#phase;
  }

  start(): void {
    this.#leave();
    this.#tries = 0;
    this.#open();
  }

  // Ends it, and the session stays for whoever comes back.
  stop(): void {
    this.#leave();
    this.#become("stopped", "");
  }

  // What it waits for may have come to pass.
  hurry(): void {
    if (this.#phase === "away") {
      this.start();
    } else if (this.#phase === "open") {
      // It may be dead, and nobody has noticed so far.
      this.#ping();
    }
  }

  // Sends a frame, unless nobody is there to have it.
  send(frame: Uint8Array<ArrayBuffer>): void {
    if (this.#phase === "open") {
      this.#socket?.send(frame);
    }
  }

  // The way for input.
  sender(): Sender {
    const socket = this.#socket;
    return {
      send: (frame) => {
        this.#input += frame.length;
        if (socket === this.#socket) {
          this.send(frame);
        }
      },
      get bufferedAmount() {
        return socket?.bufferedAmount ?? 0;
      },
    };
  }

  #open(): void {
    this.#become("connecting", "");
    const socket = this.listener.connect();
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    let opened = false;
    this.#watch = this.world.after(OPEN_WITHIN, () => this.#lose("no answer"));
    socket.onopen = () => {
      opened = true;
      this.#become("open", "");
      this.#missed = 0;
      this.#input = 0;
      this.#ping();
      this.#watchOver(PING_SECOND);
    };
    socket.onmessage = (event) => this.#take(event.data);
    socket.onclose = (event) => {
      this.#leave();
      if (event.code === TAKEN_OVER) {
        this.#become("elsewhere", event.reason);
      } else if (event.code === OVER) {
        this.#become("stopped", event.reason);
      } else if (opened) {
        this.#away(event.reason);
      } else {
        void this.#refused();
      }
    };
  }

  #take(data: unknown): void {
    let frame: FromServer;
    try {
      if (!(data instanceof ArrayBuffer)) {
        throw new Malformed("a frame of text");
      }
      frame = decode(data);
    } catch (error) {
      this.#lose(`the server sent ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    this.#missed = 0;
    if (frame.type === "hello") {
      this.#tries = 0;
    }
    if (frame.type !== "pong") {
      this.listener.frame(frame);
    } else if (frame.number === this.#pings) {
      this.#input = 0;
      this.listener.delay(this.world.now() - this.#pinged);
    }
  }

  // Gives the socket up and tries anew.
  #lose(reason: string): void {
    const socket = this.#socket;
    this.#leave();
    socket?.close(1000);
    this.#away(reason);
  }

  async #refused(): Promise<void> {
    this.#become("away", "");
    const again = await this.listener.refused();
    if (this.#phase !== "away" || this.#retry !== null) {
      return;
    }
    if (again) {
      this.#away("");
    } else {
      this.#become("stopped", "");
    }
  }

  #away(reason: string): void {
    this.#become("away", reason);
    const most = Math.min(MOST, FIRST * 2 ** this.#tries);
    this.#tries += 1;
    this.#retry = this.world.after(most * (0.5 + this.world.chance() / 2), () => this.#open());
  }

  #watchOver(milliseconds: number): void {
    this.#watch?.();
    this.#watch = this.world.after(milliseconds, () => {
      this.#missed += 1;
      if (this.#missed >= (this.#input > MUCH_INPUT ? MISSED_WITH_INPUT : MISSED)) {
        this.#lose("no answer");
      } else {
        this.#ping();
        this.#watchOver(PING_EVERY);
      }
    });
  }

  #ping(): void {
    this.#pings += 1;
    this.#pinged = this.world.now();
    this.send(encode.ping(this.#pings));
  }

  // Forgets the socket and all that is to happen.
  #leave(): void {
    this.#retry?.();
    this.#watch?.();
    this.#retry = null;
    this.#watch = null;
    if (this.#socket !== null) {
      const socket = this.#socket;
      this.#socket = null;
      socket.onopen = null;
      socket.onmessage = null;
      socket.onclose = null;
    }
  }

  #become(phase: Phase, reason: string): void {
    this.#phase = phase;
    this.listener.phase(phase, reason);
  }
}
