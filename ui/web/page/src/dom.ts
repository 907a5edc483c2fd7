// Making elements. Text is only ever text: there is no way here for a string to become markup.

interface Given {
  class?: string;
  text?: string;
  title?: string;
  // Attributes by name.
  with?: Record<string, string>;
  onClick?: (event: MouseEvent) => void;
}

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  given: Given = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (given.class !== undefined) {
    made.className = given.class;
  }
  if (given.text !== undefined) {
    made.textContent = given.text;
  }
  if (given.title !== undefined) {
    made.title = given.title;
  }
  for (const [name, value] of Object.entries(given.with ?? {})) {
    made.setAttribute(name, value);
  }
  if (given.onClick !== undefined) {
    made.addEventListener("click", given.onClick as EventListener);
  }
  made.append(...children);
  return made;
}

// A button that says what it does, and its key if it has one.
export function button(label: string, what: string, onClick: (event: MouseEvent) => void): HTMLButtonElement {
  return element("button", { text: label, title: what, with: { type: "button", "aria-label": what }, onClick });
}
