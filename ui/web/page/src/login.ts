// The way in: by the ticket in the address, or by a form.

import { isLoggedIn, key, logIn, Problem } from "./api";
import { button, element } from "./dom";

// Takes the ticket out of the address before anything else sees it, and gives it.
export function takeTicket(): string | null {
  const ticket = new URLSearchParams(location.hash.slice(1)).get("ticket");
  if (ticket !== null) {
    history.replaceState(history.state, "", location.pathname + location.search);
  }
  return ticket;
}

// Logs in by the ticket, if there is one, or says with whom it was before: `null` when that is good, else why not.
export async function enter(ticket: string | null): Promise<string | null> {
  try {
    if (ticket !== null) {
      await logIn({ ticket });
      return null;
    }
    return (await isLoggedIn()) ? null : "";
  } catch (error) {
    // A ticket that was used already is no harm to whoever is logged in.
    if (ticket !== null && (await isLoggedIn().catch(() => false))) {
      return null;
    }
    return error instanceof Problem ? error.message : String(error);
  }
}

export class Login {
  #open: Promise<void> | null = null;

  // Shows the form until somebody has logged in, here or in another tab. `command` prints a link to this page.
  ask(reason: string, command: string): Promise<void> {
    this.#open ??= this.#show(reason, command).finally(() => {
      this.#open = null;
    });
    return this.#open;
  }

  #show(reason: string, command: string): Promise<void> {
    return new Promise((resolve) => {
      const dialog = element("dialog", { class: "dialog login", with: { "aria-labelledby": "login-title" } });
      const done = () => {
        dialog.remove();
        resolve();
      };
      const token = element("input", {
        with: { type: "password", id: "token", autocomplete: "off", spellcheck: "false", required: "" },
      });
      const problem = element("p", { class: "problem", text: reason, with: { role: "alert" } });
      const enter = button("Log in", "Log in", () => undefined);
      enter.type = "submit";
      const form = element(
        "form",
        {},
        element("label", { text: "Token", with: { for: "token" } }),
        token,
        enter,
        problem,
      );
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        enter.disabled = true;
        logIn({ token: token.value.trim() })
          .then(done, (error: unknown) => {
            problem.textContent = error instanceof Error ? error.message : String(error);
            token.select();
          })
          .finally(() => {
            enter.disabled = false;
          });
      });
      dialog.append(
        element("h1", { text: "Sistemo", with: { id: "login-title" } }),
        element("p", {}, "This browser is not logged in. On the computer that runs Sistemo,"),
        element("code", { class: "address", text: command }),
        element(
          "p",
          {},
          "prints a link that logs it in. Or give the token: it is in the file ",
          element("code", { text: "web-token" }),
          " of the data directory.",
        ),
        form,
      );
      // Nothing else can be done here, so that Escape does not close it.
      dialog.addEventListener("cancel", (event) => event.preventDefault());
      key.onChange(() => {
        if (dialog.isConnected) {
          done();
        }
      });
      document.body.append(dialog);
      dialog.showModal();
      token.focus();
    });
  }
}
