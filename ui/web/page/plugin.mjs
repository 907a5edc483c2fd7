// Gives the module `sistemo:themes`: the console's themes as colours for a browser.

import { readThemes } from "./themes.mjs";

export function themesPlugin(folder) {
  return {
    name: "themes",
    setup(build) {
      build.onResolve({ filter: /^sistemo:themes$/ }, ({ path }) => ({ path, namespace: "themes" }));
      build.onLoad({ filter: /.*/, namespace: "themes" }, () => ({
        contents: JSON.stringify({ themes: readThemes(folder) }),
        loader: "json",
      }));
    },
  };
}
