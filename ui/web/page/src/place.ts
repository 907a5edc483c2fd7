// Which page this is, by its path.

export type Place =
  | { kind: "console"; socket: string }
  | { kind: "machine"; name: string; socket: string };

// `null`: none of ours.
export function place(path: string): Place | null {
  if (path === "/") {
    return { kind: "console", socket: "/api/v1/console" };
  }
  const [, encoded] = /^\/terminals\/(?:vm|machine)\/([^/]+)\/?$/u.exec(path) ?? [];
  if (encoded === undefined) {
    return null;
  }
  let name: string;
  try {
    name = decodeURIComponent(encoded);
  } catch {
    return null;
  }
  return { kind: "machine", name, socket: `/api/v1/machines/${encodeURIComponent(name)}/terminal` };
}
