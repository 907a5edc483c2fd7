// How far a stream has come: what has arrived, what is drawn, and what the server has been told of that. The server keeps
// what it has not been told of and sends no more than 256 KiB ahead, so that neither side ever holds a flood.

import type { World } from "./world";

// Drawn bytes after which the server is told at once.
const OFTEN = 32 * 1024;
// Milliseconds after which it is told in any case.
const SOON = 50;

export class Progress {
  #arrived = 0;
  #drawn = 0;
  #told = 0;
  // Counts streams: what was drawn of an earlier one says nothing of this one.
  #stream = 0;
  #later: (() => void) | null = null;

  constructor(
    private readonly tell: (offset: number) => void,
    private readonly world: World,
  ) {}

  // Where the next data of the stream begins.
  get arrived(): number {
    return this.#arrived;
  }

  get drawn(): number {
    return this.#drawn;
  }

  // Another stream begins, of which all before `offset` is on the screen.
  begin(offset: number): void {
    this.#stream += 1;
    this.#arrived = offset;
    this.#drawn = offset;
    this.#told = offset;
    this.#forget();
  }

  // The same stream goes on at `offset`, over another connection.
  resume(offset: number): void {
    if (offset !== this.#arrived) {
      // Something is gone in between, and will never be drawn.
      this.#arrived = offset;
      this.#drawn = Math.max(this.#drawn, offset);
    }
    // Whatever the other end knew, it may have forgotten.
    this.#told = -1;
    this.#soon();
  }

  // Data have arrived; what is given back is to be called once they are drawn.
  take(length: number): () => void {
    const [end, stream] = [this.#arrived + length, this.#stream];
    this.#arrived = end;
    return () => {
      if (stream === this.#stream && end > this.#drawn) {
        this.#drawn = end;
        if (this.#drawn - this.#told >= OFTEN) {
          this.#say();
        } else {
          this.#soon();
        }
      }
    };
  }

  #soon(): void {
    this.#later ??= this.world.after(SOON, () => this.#say());
  }

  #say(): void {
    this.#forget();
    if (this.#drawn > this.#told) {
      this.#told = this.#drawn;
      this.tell(this.#drawn);
    }
  }

  #forget(): void {
    this.#later?.();
    this.#later = null;
  }
}
