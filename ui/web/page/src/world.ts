// Time and chance, so that tests can have their own.

export interface World {
  // Does something later; what it gives calls that off.
  after(milliseconds: number, what: () => void): () => void;
  // Milliseconds of a clock that never goes back.
  now(): number;
  // From 0 up to 1.
  chance(): number;
}

export const world: World = {
  after(milliseconds, what) {
    const timer = setTimeout(what, milliseconds);
    return () => clearTimeout(timer);
  },
  now: () => performance.now(),
  chance: () => Math.random(),
};
