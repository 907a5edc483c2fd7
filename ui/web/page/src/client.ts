// A session on the screen: what comes over the connection is drawn, and what is typed goes back.

import { key } from "./api";
import { Connection, type Phase, type Socket } from "./connection";
import { Outbox } from "./outbox";
import { Progress } from "./progress";
import { encode, type FromServer, type Hello, type State, SUBPROTOCOL } from "./protocol";
import { SCROLLBACK, type Screen } from "./screen";
import { Tab } from "./tab";
import { Tail } from "./unfinished";
import { bytes as amount } from "./words";
import { world } from "./world";

export interface Watcher {
  // Something of what the status is made of has changed.
  changed(): void;
  hello(hello: Hello): void;
  notice(level: "info" | "warn", text: string): void;
  delay(milliseconds: number): void;
  // It was refused before it was open: whether to go on trying.
  refused(): Promise<boolean>;
  // What was typed goes nowhere.
  deaf(): void;
}

export class Client {
  // What the server has said last of the shell.
  state: State | null = null;
  // Why the last connection has ended.
  reason = "";
  readonly #connection: Connection;
  readonly #outbox = new Outbox(world);
  readonly #progress: Progress;
  readonly #tail = new Tail();
  readonly #tab = new Tab(location.pathname);
  #session: string | null = null;
  // Up to where in the stream the screen answers nothing: it did so before the page was loaded anew.
  #answered = 0;
  #begun = false;
  // The last shell is over: the next one begins on a terminal that it has left in whatever state.
  #over = false;

  constructor(
    // The WebSocket's path.
    private readonly path: string,
    private readonly screen: Screen,
    private readonly watcher: Watcher,
  ) {
    this.#connection = new Connection(
      {
        connect: () => this.#connect(),
        phase: (phase, reason) => this.#phase(phase, reason),
        frame: (frame) => this.#take(frame),
        delay: (milliseconds) => watcher.delay(milliseconds),
        refused: () => watcher.refused(),
      },
      world,
    );
    this.#progress = new Progress((offset) => this.#connection.send(encode.ack(offset)), world);
    const { terminal } = screen;
    const utf8 = new TextEncoder();
    terminal.onData((text) => this.#type(utf8.encode(text)));
    terminal.onBinary((text) => this.#type(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
    terminal.onResize(({ cols, rows }) => this.#connection.send(encode.resize(cols, rows)));
    window.addEventListener("online", () => this.#connection.hurry());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) {
        this.#connection.hurry();
      }
    });
    window.addEventListener("pagehide", () => this.#leave());
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) {
        void this.begin();
      }
    });
  }

  get phase(): Phase {
    return this.#connection.phase;
  }

  // How much of the stream is on the screen.
  get drawn(): number {
    return this.#progress.drawn;
  }

  // Goes on with what this tab was at before it was loaded anew, or begins.
  async begin(): Promise<void> {
    const kept = await this.#tab.resume();
    if (this.#begun) {
      // Back from where the browser keeps whole pages; another tab may have taken the session meanwhile.
      this.#session = kept?.session ?? null;
    } else if (kept !== null) {
      this.#session = kept.session;
      await this.#restore(kept.screen, kept.offset, kept.columns, kept.rows);
    }
    this.#begun = true;
    this.#connection.start();
  }

  // Connects now, whatever it waits for.
  retry(): void {
    this.#connection.start();
  }

  // Opens a shell anew, in a session anew when this one is over.
  again(): void {
    if (this.phase === "stopped") {
      this.#session = null;
      this.#over = true;
      this.#connection.start();
    } else {
      this.#connection.send(encode.again());
    }
  }

  // Ends the session for good.
  end(): void {
    this.#connection.send(encode.close());
  }

  async #restore(screen: string | null, offset: number, columns: number, rows: number): Promise<void> {
    if (screen === null) {
      // The server has to say again what it still has.
      this.#answered = offset;
      return;
    }
    const { terminal } = this.screen;
    terminal.resize(columns, rows);
    await new Promise<void>((done) => terminal.write(screen, done));
    this.screen.fit();
    this.#progress.begin(offset);
  }

  #connect(): Socket {
    const { cols, rows } = this.screen.terminal;
    const url = new URL(this.path, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("cols", String(cols));
    url.searchParams.set("rows", String(rows));
    if (this.#session !== null) {
      url.searchParams.set("session", this.#session);
      url.searchParams.set("offset", String(this.#progress.arrived));
    }
    return new WebSocket(url, [SUBPROTOCOL, `sistemo.key.${key.get() ?? ""}`]);
  }

  #phase(phase: Phase, reason: string): void {
    this.#outbox.through(phase === "open" ? this.#connection.sender() : null);
    if (phase !== "connecting") {
      this.reason = reason;
    }
    if (phase === "open") {
      // The window may have another size by now than it had when this was asked for.
      const { cols, rows } = this.screen.terminal;
      this.#connection.send(encode.resize(cols, rows));
      this.state = null;
    }
    this.watcher.changed();
  }

  #take(frame: FromServer): void {
    switch (frame.type) {
      case "data": {
        const { bytes } = frame;
        const drawn = this.#progress.take(bytes.length);
        this.screen.write(bytes, () => {
          this.#tail.add(bytes);
          drawn();
        });
        break;
      }
      case "hello":
        this.#greet(frame);
        break;
      case "state": {
        if (frame.state !== "live" && frame.state !== "connecting") {
          this.#over = true;
        } else if (frame.state === "live" && this.#over) {
          this.#over = false;
          this.screen.refresh();
        }
        this.state = frame;
        this.watcher.changed();
        break;
      }
    }
  }

  #greet(hello: Hello): void {
    const had = this.#session;
    this.#session = hello.session;
    if (hello.resumed && hello.session === had) {
      this.#progress.resume(hello.offset);
      if (hello.lost > 0 && this.#answered === 0) {
        this.watcher.notice("warn", `${amount(hello.lost)} of output are gone`);
      }
    } else {
      this.#progress.begin(hello.offset);
      this.#tail.clear();
      this.#answered = 0;
      if (had !== null) {
        this.screen.refresh();
        this.watcher.notice("info", "the former session is gone; this is a new one");
      }
      void this.#tab.hold(hello.session);
    }
    this.watcher.hello(hello);
  }

  #type(bytes: Uint8Array): void {
    if (this.#progress.drawn < this.#answered) {
      return;
    }
    const enter = bytes.length === 1 && bytes[0] === 0x0d;
    const state = this.state?.state;
    if (this.phase === "open" && (state === "live" || state === "connecting")) {
      this.#outbox.push(bytes);
    } else if (enter && (this.phase === "stopped" || (this.phase === "open" && (state === "ended" || state === "refused")))) {
      this.again();
    } else if (enter && this.phase === "away") {
      this.retry();
    } else {
      this.watcher.deaf();
    }
  }

  #leave(): void {
    const over = this.phase === "stopped";
    this.#connection.stop();
    if (this.#session !== null && !over) {
      const { cols: columns, rows } = this.screen.terminal;
      const offset = Math.max(0, this.#progress.drawn - this.#tail.unfinished());
      const kept = { session: this.#session, offset, columns, rows };
      this.#tab.keep(kept, SCROLLBACK, (lines) => this.screen.serialize(lines));
    }
    this.#tab.release();
  }
}
