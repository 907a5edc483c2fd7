// What the bar and the line over the terminal say, from what is known of connection and shell.

import type { Phase } from "./connection";
import type { Life, State } from "./protocol";

export type Act = "again" | "start" | "retry" | "take" | "login";

export interface Shown {
  // A sign and a word, so that none depends on colours.
  sign: string;
  word: string;
  tone: "good" | "busy" | "idle" | "bad";
  // Said over the terminal, and what helps.
  message: string | null;
  hint: string | null;
  act: { what: Act; label: string } | null;
}

const AGAIN: Shown["act"] = { what: "again", label: "Open again" };

export interface Known {
  loggedIn: boolean;
  phase: Phase;
  // What the server has said last.
  state: State | null;
  // Why the last connection has ended.
  reason: string;
  // The machine, `null` for the console.
  machine: string | null;
  // Whether the page knows that there is no such machine.
  gone: boolean;
}

export function shown(known: Known): Shown {
  const { state } = known;
  const name = known.machine ?? "the console";
  if (!known.loggedIn) {
    return show("○", "not logged in", "idle", null, { what: "login", label: "Log in" });
  }
  if (known.gone) {
    return show("∅", "gone", "bad", `there is no machine ${name}`, { what: "retry", label: "Look again" });
  }
  switch (known.phase) {
    case "connecting":
      return show("◌", "connecting", "busy", null, null);
    case "elsewhere":
      return show("⇄", "in another tab", "idle", "this terminal is open in another tab", {
        what: "take",
        label: "Take it back",
      });
    case "stopped":
      return state?.state === "gone"
        ? ofShell(state, name)
        : show("■", "ended", "idle", "the session is over; Enter opens a new one", AGAIN);
    case "away": {
      const why = known.reason === "" ? "" : ` (${known.reason})`;
      const message = `the connection is lost${why}; it is tried again until it is back`;
      return show("✕", "lost", "bad", message, { what: "retry", label: "Try now" });
    }
    case "open":
      return state === null ? show("◌", "connecting", "busy", null, null) : ofShell(state, name);
  }
}

function ofShell(state: State, name: string): Shown {
  const said = (otherwise: string) => state.message ?? otherwise;
  const looks: Record<Life, () => Shown> = {
    connecting: () => show("◌", "connecting", "busy", state.message, null),
    live: () => show("●", "live", "good", null, null),
    waiting: () => {
      const message = `${said(`${name} is stopped`)}; this terminal connects again when it is back`;
      // There is nothing to be done about one that starts.
      return show("◐", "waiting", "idle", message, state.hint === null ? null : { what: "start", label: "Start" });
    },
    lost: () => show("✕", "lost", "bad", `${said(`the connection to ${name} is lost`)}; it is tried again`, null),
    ended: () => show("■", "ended", "idle", `${said(ending(state))}; Enter opens a new one`, AGAIN),
    refused: () => show("⊘", "refused", "bad", said(`${name} refused`), { what: "again", label: "Try again" }),
    gone: () => show("∅", "gone", "bad", said(`${name} was deleted`), null),
  };
  return { ...looks[state.state](), hint: state.hint };
}

// How a shell has ended, as its user thinks of it.
function ending(state: State): string {
  if (state.signal !== null) {
    return `the shell was ended by ${state.signal}`;
  }
  return state.exit === null || state.exit === 0 ? "the shell has ended" : `the shell has ended with ${state.exit}`;
}

function show(sign: string, word: string, tone: Shown["tone"], message: string | null, act: Shown["act"]): Shown {
  return { sign, word, tone, message, hint: null, act };
}
