// Copying and pasting; and guests that want to copy, which only may once their user has said so.

import type { Lines } from "./lines";
import type { Screen } from "./screen";

export class Clipboard {
  // Where this tab keeps what its user has said about this machine.
  readonly #answer: string;

  constructor(
    private readonly screen: Screen,
    private readonly lines: Lines,
    private readonly name: string,
  ) {
    this.#answer = `sistemo.clipboard.${name}`;
  }

  // Copies what is selected.
  async copy(): Promise<void> {
    const text = this.screen.terminal.getSelection();
    if (text === "") {
      this.#say("nothing is selected", "info");
    } else {
      await this.#write(text);
    }
    this.screen.terminal.focus();
  }

  async paste(): Promise<void> {
    this.screen.terminal.focus();
    try {
      this.screen.terminal.paste(await navigator.clipboard.readText());
    } catch {
      this.#say("the browser does not let this page read the clipboard; paste by Ctrl-Shift-V", "warn");
    }
  }

  // The guest wants this in the clipboard.
  async guest(text: string): Promise<void> {
    const answer = sessionStorage.getItem(this.#answer);
    if (answer === "never") {
      return;
    }
    if (answer === "always" && (await this.#write(text))) {
      return;
    }
    const done = () => {
      this.lines.set("clipboard", null);
      this.screen.terminal.focus();
    };
    const remember = (answer: string) => sessionStorage.setItem(this.#answer, answer);
    this.lines.set("clipboard", {
      text: `${this.name} wants to put ${text.length} letters into your clipboard`,
      tone: "warn",
      buttons: [
        [
          "Allow here",
          () => {
            remember("always");
            void this.#write(text);
            done();
          },
        ],
        [
          "Never here",
          () => {
            remember("never");
            done();
          },
        ],
        ["Not now", done],
      ],
    });
  }

  async #write(text: string): Promise<boolean> {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      this.#say("the browser does not let this page write to the clipboard", "warn");
      return false;
    }
  }

  #say(text: string, tone: "info" | "warn"): void {
    this.lines.set("notice", { text, tone, passing: true });
  }
}
