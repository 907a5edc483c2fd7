// Text of strangers, made fit to be shown: guests choose titles, links and names.

// Most letters of a guest's title.
const LONGEST_TITLE = 128;

// Controls, and the marks that turn the direction of text or are not seen (Unicode's categories Cc and Cf, and separators
// of lines).
const UNSEEN = /[\p{Cc}\p{Cf}\u2028\u2029]+/gu;

// A guest's title on a line of its own, at most 128 letters of it.
export function title(text: string): string {
  const letters = Array.from(text.replace(UNSEEN, " ").replace(/\s+/gu, " ").trim());
  return letters.length > LONGEST_TITLE ? `${letters.slice(0, LONGEST_TITLE - 1).join("")}…` : letters.join("");
}

// The title of a window.
export function windowTitle(name: string, guest: string, bell: boolean): string {
  const of = guest === "" || guest === name ? name : `${name} — ${guest}`;
  return bell ? `🔔 ${of}` : of;
}

// An address that may be opened, and none that would do something else.
export function link(text: string): URL | null {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return null;
  }
  return url.protocol === "http:" || url.protocol === "https:" ? url : null;
}

// A number of bytes, for people.
export function bytes(count: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  let [value, unit] = [count, 0];
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
