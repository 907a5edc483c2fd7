// What a user has chosen, for all tabs of this browser.

const THEME = "sistemo.theme";
const FONT_SIZE = "sistemo.font-size";
const READER = "sistemo.screen-reader";
const BAR = "sistemo.bar";

const USUAL_FONT_SIZE = 14;

export const settings = {
  // A theme's name, or `auto`.
  get theme(): string {
    return localStorage.getItem(THEME) ?? "auto";
  },
  set theme(name: string) {
    set(THEME, name);
  },
  // In pixels.
  get fontSize(): number {
    const size = Number(localStorage.getItem(FONT_SIZE) ?? USUAL_FONT_SIZE);
    return Number.isFinite(size) ? Math.min(48, Math.max(6, Math.round(size))) : USUAL_FONT_SIZE;
  },
  set fontSize(size: number) {
    set(FONT_SIZE, String(size));
  },
  get screenReader(): boolean {
    return localStorage.getItem(READER) === "on";
  },
  set screenReader(on: boolean) {
    set(READER, on ? "on" : "off");
  },
  get bar(): boolean {
    return localStorage.getItem(BAR) !== "off";
  },
  set bar(on: boolean) {
    set(BAR, on ? "on" : "off");
  },
  resetFontSize(): void {
    settings.fontSize = USUAL_FONT_SIZE;
  },
};

const listeners: (() => void)[] = [];

// Calls `what` whenever one was changed, in whichever tab.
export function onSettings(what: () => void): void {
  listeners.push(what);
}

window.addEventListener("storage", changed);

function set(key: string, value: string): void {
  localStorage.setItem(key, value);
  changed();
}

function changed(): void {
  for (const listener of listeners) {
    listener();
  }
}
