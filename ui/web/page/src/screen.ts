// The terminal itself: xterm.js with its add-ons, as large as its place.

import { ClipboardAddon, type ClipboardSelectionType } from "@xterm/addon-clipboard";
import { FitAddon } from "@xterm/addon-fit";
import { SearchAddon } from "@xterm/addon-search";
import { SerializeAddon } from "@xterm/addon-serialize";
import { Unicode11Addon } from "@xterm/addon-unicode11";
import { WebLinksAddon } from "@xterm/addon-web-links";
import { WebglAddon } from "@xterm/addon-webgl";
import { Terminal } from "@xterm/xterm";
import { settings } from "./settings";
import { current, ofTerminal } from "./theme";
import { link } from "./words";

const FONTS = '"JetBrains Mono", "Cascadia Mono", "Fira Code", "DejaVu Sans Mono", Menlo, Consolas, "Liberation Mono", monospace';
// Lines that have scrolled off and are kept.
export const SCROLLBACK = 10_000;
// Milliseconds for which a window keeps its size before the guest is told.
const SETTLED = 100;
// Letters that a guest may put into the clipboard at once.
const MOST_COPIED = 1024 * 1024;

// Back to how a terminal begins, for the next program, whatever the last one left: main screen, soft reset (DECSTR), no
// mouse, no focus events, no bracketed paste, no synchronised output.
const FRESH = "\x1b[?1047;1000;1002;1003;1004;1006;2004;2026l\x1b[!p\x1b>\x1b[0m\x1b[?25h";

export interface Wishes {
  // Somebody wants to open an address that the guest has printed.
  open(url: URL): void;
  // The guest wants this in the clipboard.
  copy(text: string): void;
}

export class Screen {
  readonly terminal: Terminal;
  readonly search = new SearchAddon();
  readonly #fit = new FitAddon();
  readonly #serialize = new SerializeAddon();
  #settling: ReturnType<typeof setTimeout> | undefined;
  // What is to be drawn once the terminal is fresh.
  #held: [Uint8Array, () => void][] | null = null;

  constructor(
    private readonly place: HTMLElement,
    scrollback: number,
    wishes: Wishes,
  ) {
    const open = (_: MouseEvent, text: string) => {
      const url = link(text);
      if (url !== null) {
        wishes.open(url);
      }
    };
    this.terminal = new Terminal({
      allowProposedApi: true,
      cursorBlink: false,
      fontFamily: FONTS,
      fontSize: settings.fontSize,
      linkHandler: { activate: open },
      macOptionIsMeta: true,
      rescaleOverlappingGlyphs: true,
      screenReaderMode: settings.screenReader,
      scrollback,
      theme: ofTerminal(current()),
    });
    const { terminal } = this;
    terminal.loadAddon(this.#fit);
    terminal.loadAddon(this.search);
    terminal.loadAddon(this.#serialize);
    terminal.loadAddon(new Unicode11Addon());
    terminal.unicode.activeVersion = "11";
    terminal.loadAddon(new WebLinksAddon(open));
    terminal.loadAddon(new ClipboardAddon(undefined, clipboard(wishes)));
    // What a guest asks of the clipboard has no answer, not even an empty one.
    terminal.parser.registerOscHandler(52, (data) => data.endsWith(";?") || data.length > (MOST_COPIED * 4) / 3);
    terminal.open(place);
    this.#draw();
    this.fit();
    new ResizeObserver(() => {
      clearTimeout(this.#settling);
      this.#settling = setTimeout(() => this.fit(), SETTLED);
    }).observe(place);
  }

  // Takes over what has been chosen.
  apply(): void {
    const { options } = this.terminal;
    options.theme = ofTerminal(current());
    options.screenReaderMode = settings.screenReader;
    if (options.fontSize !== settings.fontSize) {
      options.fontSize = settings.fontSize;
      this.fit();
    }
  }

  // As many columns and rows as there is room for.
  fit(): void {
    const size = this.#fit.proposeDimensions();
    if (size !== undefined && size.cols >= 2 && size.rows >= 1) {
      this.terminal.resize(Math.min(size.cols, 1000), Math.min(size.rows, 500));
    }
  }

  // Draws what a program prints, and says so once it is drawn.
  write(bytes: Uint8Array, drawn: () => void): void {
    if (this.#held === null) {
      this.terminal.write(bytes, drawn);
    } else {
      this.#held.push([bytes, drawn]);
    }
  }

  // Another program begins, on a line of its own: where that is shows only when all before it is drawn.
  refresh(): void {
    this.#held ??= [];
    this.terminal.write(FRESH, () => {
      if (this.terminal.buffer.active.cursorX > 0) {
        this.terminal.write("\r\n");
      }
      const held = this.#held ?? [];
      this.#held = null;
      for (const [bytes, drawn] of held) {
        this.terminal.write(bytes, drawn);
      }
    });
  }

  // What a terminal would have to be told to look like this one, with so many lines of what has scrolled off.
  serialize(lines: number): string {
    return this.#serialize.serialize({ scrollback: lines });
  }

  // By WebGL where there is some, else by elements.
  #draw(): void {
    try {
      const webgl = new WebglAddon();
      webgl.onContextLoss(() => webgl.dispose());
      this.terminal.loadAddon(webgl);
    } catch {
      this.place.dataset.renderer = "dom";
    }
  }
}

function clipboard(wishes: Wishes) {
  return {
    readText: (_: ClipboardSelectionType) => "",
    writeText(selection: ClipboardSelectionType, text: string) {
      // Without a word it is the clipboard, too.
      if (["c", ""].includes(selection) && text !== "") {
        wishes.copy(text);
      }
    },
  };
}
