// A page: a terminal into a machine, or the console.

import { isLoggedIn, logOut, Problem, request, startMachine } from "./api";
import { Bar } from "./bar";
import { Client } from "./client";
import { Clipboard } from "./clipboard";
import { askToOpen } from "./dialog";
import { element } from "./dom";
import { Find } from "./find";
import { keys } from "./keys";
import { Lines } from "./lines";
import { enter, Login, takeTicket } from "./login";
import { MachineList } from "./machines";
import { allowStyles } from "./nonce";
import { type Place, place } from "./place";
import { SCROLLBACK, Screen } from "./screen";
import { onSettings } from "./settings";
import { type Act, shown } from "./status";
import { current, onPreference, paint } from "./theme";
import { title, windowTitle } from "./words";

// How often in a row a connection may be refused for no reason that the API tells, until the key is taken for worthless.
const REFUSALS = 3;

class Page {
  readonly #lines = new Lines();
  readonly #screen: Screen;
  readonly #client: Client;
  readonly #clipboard: Clipboard;
  readonly #bar: Bar;
  readonly #login = new Login();
  readonly #list: MachineList | null;
  #name: string;
  #id: string;
  #loggedIn = true;
  #gone = false;
  #refusals = 0;
  #guestTitle = "";
  #bell = false;

  constructor(private readonly where: Place) {
    const isConsole = where.kind === "console";
    this.#name = where.kind === "machine" ? where.name : "console";
    this.#id = this.#name;
    const main = element("main", { class: "terminal" });
    // Laid out before xterm.js measures it.
    const body = element("div", { class: "page" }, main);
    document.body.replaceChildren(body);
    this.#screen = new Screen(main, isConsole ? 0 : SCROLLBACK, {
      open: (url) => askToOpen(url, this.#name, () => this.#focus()),
      copy: (text) => void this.#clipboard.guest(text),
    });
    this.#clipboard = new Clipboard(this.#screen, this.#lines, this.#name);
    this.#client = new Client(where.socket, this.#screen, {
      changed: () => this.#show(),
      hello: (hello) => {
        this.#refusals = 0;
        this.#id = hello.id ?? this.#id;
        this.#name = hello.machine ?? this.#name;
        this.#bar.name(this.#name);
        this.#retitle();
      },
      notice: (level, text) => this.#say(text, level),
      delay: (milliseconds) => this.#bar.delay(milliseconds),
      refused: () => this.#refused(),
      deaf: () => this.#say("nothing is connected: what you type goes nowhere", "info"),
    });
    const find = isConsole ? null : new Find(this.#screen);
    this.#list = isConsole ? new MachineList() : null;
    const actions = {
      find: find === null ? null : () => find.open(),
      copy: () => void this.#clipboard.copy(),
      paste: () => void this.#clipboard.paste(),
      fullScreen: () => fullScreen(() => this.#focus()),
      end: () => this.#client.end(),
      logOut: () => void logOut().finally(() => location.reload()),
      focus: () => this.#focus(),
    };
    this.#bar = new Bar(isConsole ? "console" : this.#name, isConsole, actions, this.#list?.element ?? null);
    body.prepend(this.#bar.element);
    main.append(this.#lines.element, this.#bar.handle);
    if (find !== null) {
      main.append(find.element);
    }
    keys(main, this.#screen, actions);
    this.#follow();
  }

  async begin(refusal: string | null): Promise<void> {
    if (refusal !== null) {
      await this.#askIn(refusal);
    }
    this.#focus();
    this.#list?.follow();
    await this.#client.begin();
  }

  // For tests, and for whoever looks from the browser's own tools.
  get inspected() {
    return { terminal: this.#screen.terminal, client: this.#client };
  }

  #follow(): void {
    const apply = () => {
      paint(current());
      this.#screen.apply();
    };
    onSettings(apply);
    onPreference(apply);
    const { terminal } = this.#screen;
    terminal.onTitleChange((text) => {
      this.#guestTitle = title(text);
      this.#retitle();
    });
    terminal.onBell(() => {
      this.#bell = document.hidden;
      this.#retitle();
    });
    document.addEventListener("visibilitychange", () => {
      this.#bell &&= document.hidden;
      this.#retitle();
    });
    this.#retitle();
    this.#show();
  }

  #focus(): void {
    this.#screen.terminal.focus();
  }

  #retitle(): void {
    const own = this.where.kind === "console" ? "Sistemo" : this.#name;
    document.title = windowTitle(own, this.#guestTitle, this.#bell);
  }

  #show(): void {
    const now = shown({
      loggedIn: this.#loggedIn,
      phase: this.#client.phase,
      state: this.#client.state,
      reason: this.#client.reason,
      machine: this.where.kind === "machine" ? this.#name : null,
      gone: this.#gone,
    });
    this.#bar.show(now);
    const { act, message } = now;
    const line = {
      text: message ?? "",
      tone: now.tone === "bad" ? ("error" as const) : ("info" as const),
      hint: now.hint,
      buttons: act === null ? [] : [[act.label, () => void this.#do(act.what)] as [string, () => void]],
    };
    this.#lines.set("status", message === null ? null : line);
  }

  async #do(act: Act): Promise<void> {
    switch (act) {
      case "again":
        this.#client.again();
        break;
      case "retry":
      case "take":
        this.#gone = false;
        this.#client.retry();
        break;
      case "login":
        await this.#askIn("");
        this.#client.retry();
        break;
      case "start":
        await this.#start();
        break;
    }
    this.#focus();
  }

  async #start(): Promise<void> {
    try {
      await startMachine(this.#id);
      this.#say(`${this.#name} starts`, "info");
    } catch (error) {
      if (error instanceof Problem && error.isStranger) {
        await this.#askIn("");
        return;
      }
      this.#say(error instanceof Error ? error.message : String(error), "error");
    }
  }

  async #askIn(reason: string): Promise<void> {
    this.#loggedIn = false;
    this.#show();
    const isConsole = this.where.kind === "console";
    await this.#login.ask(reason, isConsole ? "sistemo web" : `sistemo machine terminal ${this.#name}`);
    this.#loggedIn = true;
    this.#refusals = 0;
    this.#show();
  }

  // Why a connection was refused, which browsers do not tell; whether to go on trying.
  async #refused(): Promise<boolean> {
    try {
      this.#refusals += 1;
      if (!(await isLoggedIn()) || this.#refusals >= REFUSALS) {
        await this.#askIn(this.#refusals >= REFUSALS ? "the server does not know this browser any more" : "");
        return true;
      }
      if (this.where.kind === "machine") {
        await request("GET", `/api/v1/machines/${encodeURIComponent(this.where.name)}`);
      }
    } catch (error) {
      if (error instanceof Problem && error.status === 404) {
        this.#gone = true;
        this.#show();
        return false;
      }
      this.#refusals = 0;
    }
    return true;
  }

  #say(text: string, tone: "info" | "warn" | "error"): void {
    this.#lines.set("notice", { text, tone, passing: true });
  }
}

function fullScreen(then: () => void): void {
  const done = document.fullscreenElement === null ? document.documentElement.requestFullscreen() : document.exitFullscreen();
  done.then(then, then);
}

async function main(): Promise<void> {
  const ticket = takeTicket();
  allowStyles();
  paint(current());
  const where = place(location.pathname);
  if (where === null) {
    const home = element("a", { text: "the console", with: { href: "/" } });
    document.body.replaceChildren(element("p", { class: "nothing" }, "There is nothing here. Go to ", home, "."));
    return;
  }
  const refusal = await enter(ticket);
  const page = new Page(where);
  Object.assign(window, { sistemo: page.inspected });
  await page.begin(refusal);
}

void main();
