// Colours as #rrggbb.

// One colour with so much of another in it, from 0 to 1.
export function mix(one: string, other: string, much: number): string {
  const [a, b] = [channels(one), channels(other)];
  const hex = a.map((value, at) => {
    const mixed = Math.round(value * (1 - much) + (b[at] ?? 0) * much);
    return mixed.toString(16).padStart(2, "0");
  });
  return `#${hex.join("")}`;
}

function channels(colour: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
}
