// Where in a stream a snapshot of the screen may be taken: not in the middle of a letter or an escape sequence, of which the
// rest would come as text after a reload.

const ESC = 0x1b;

// How many bytes at the end of these belong to something that is not complete. Whatever begins before them is taken for
// complete.
export function unfinished(bytes: Uint8Array): number {
  const start = bytes.lastIndexOf(ESC);
  if (start >= 0 && !isComplete(bytes.subarray(start + 1))) {
    return bytes.length - start;
  }
  return halfLetter(bytes);
}

// Whether an escape sequence (ECMA-48, 5.3 to 5.6), without its ESC, has ended somewhere in these bytes.
function isComplete(rest: Uint8Array): boolean {
  const kind = rest[0];
  switch (kind) {
    case undefined:
      return false;
    case 0x5b: // CSI: parameters and intermediates until a final byte
      return rest.subarray(1).some((byte) => byte >= 0x40 || byte === 0x18 || byte === 0x1a);
    case 0x5d: // OSC, which xterm ends by BEL, too
      return rest.some((byte) => byte === 0x07 || byte === 0x18 || byte === 0x1a);
    case 0x50: // DCS
    case 0x58: // SOS
    case 0x5e: // PM
    case 0x5f: // APC; an ESC \ that ended one of these would be the last ESC
      return rest.some((byte) => byte === 0x18 || byte === 0x1a);
    default: // nF: intermediates until a final byte; all others are one byte
      return rest.some((byte) => byte < 0x20 || byte >= 0x30);
  }
}

// Bytes of a UTF-8 letter (RFC 3629) whose others are still to come.
function halfLetter(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) {
      return 0;
    }
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return back < length ? back : 0;
    }
  }
  return 0;
}

// The last bytes of a stream, as many as the longest sequence that one expects at its end.
export class Tail {
  static readonly MOST = 64 * 1024;
  #parts: Uint8Array[] = [];
  #length = 0;

  add(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    while (this.#length - (this.#parts[0]?.length ?? 0) >= Tail.MOST) {
      this.#length -= this.#parts.shift()?.length ?? 0;
    }
  }

  clear(): void {
    this.#parts = [];
    this.#length = 0;
  }

  // How many bytes at the end of it belong to something that is not complete.
  unfinished(): number {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return unfinished(all);
  }
}
