// Styles under the page's Content-Security-Policy, which allows only style elements that carry the nonce of this answer.
// xterm.js makes some (`DomRenderer.ts`, `Viewport.ts`) and has no option for a nonce, and its rows have their colours
// written as attributes (`DomRendererRowFactory.ts`), which the policy forbids, too. Both ways are led over what it allows.

export function allowStyles(): void {
  const nonce = document.querySelector<HTMLScriptElement>("script[nonce]")?.nonce ?? "";
  const create = document.createElement;
  document.createElement = function (this: Document, tag: string, options?: ElementCreationOptions): HTMLElement {
    const made = create.call(this, tag, options) as HTMLElement;
    if (made instanceof HTMLStyleElement) {
      made.nonce = nonce;
    }
    return made;
  } as typeof document.createElement;

  const set = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function (this: Element, name: string, value: string): void {
    if (name === "style" && this instanceof HTMLElement) {
      this.style.cssText = value;
    } else {
      set.call(this, name, value);
    }
  };
}
