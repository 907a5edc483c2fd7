// What the build makes of the files in `themes/`, by `themes.mjs`.
declare module "sistemo:themes" {
  type PageColour =
    | "bg" | "surface" | "raised" | "line" | "selection" | "dim" | "fg" | "strong" | "accent"
    | "red" | "orange" | "yellow" | "green" | "cyan" | "blue" | "magenta";
  type TerminalColour =
    | "foreground" | "background"
    | "black" | "red" | "green" | "yellow" | "blue" | "magenta" | "cyan" | "white"
    | "brightBlack" | "brightRed" | "brightGreen" | "brightYellow"
    | "brightBlue" | "brightMagenta" | "brightCyan" | "brightWhite";
  // Every colour as #rrggbb.
  export interface Theme {
    name: string;
    kind: "dark" | "light";
    page: Record<PageColour, string>;
    terminal: Record<TerminalColour, string>;
  }
  export const themes: Theme[];
}
