// Questions over the page.

import { button, element } from "./dom";

// Asks whether to open an address that a guest has printed, and shows all of it.
export function askToOpen(url: URL, machine: string, then: () => void): void {
  const dialog = element("dialog", { class: "dialog", with: { "aria-label": "Open an address" } });
  const open = () => {
    dialog.close();
    window.open(url.href, "_blank", "noopener,noreferrer");
  };
  const yes = button("Open", "Open in a new tab", open);
  const no = button("Cancel", "Cancel", () => dialog.close());
  no.autofocus = true;
  const host = element("p", { class: "dim" }, "It leads to ", element("strong", { text: url.host }), ".");
  dialog.append(
    element("p", { text: `Open this address? It was printed in ${machine}.` }),
    element("code", { class: "address", text: url.href }),
    host,
    element("div", { class: "buttons" }, yes, no),
  );
  show(dialog, then);
}

// Shows a dialog until it is closed, and then gives the focus back.
export function show(dialog: HTMLDialogElement, then: () => void): void {
  dialog.addEventListener("close", () => {
    dialog.remove();
    then();
  });
  document.body.append(dialog);
  dialog.showModal();
}
