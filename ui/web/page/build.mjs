// Builds the pages: `node build.mjs [OUT [THEMES]]`. Into OUT go script, stylesheet and icon, with a hash of what they hold
// in their names, and a compressed copy beside each. Prints their names, for `build.rs`: SISTEMO_PAGE_JS=page-….js

import { rmSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { build } from "esbuild";
import { themesPlugin } from "./plugin.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = resolve(process.argv[2] ?? join(here, "build/pages"));
const themes = resolve(process.argv[3] ?? join(here, "../../../themes"));

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const result = await build({
  absWorkingDir: here,
  entryPoints: { page: "src/page.ts", style: "src/page.css", favicon: "src/favicon.svg" },
  entryNames: "[name]-[hash]",
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome120", "firefox121", "safari17"],
  loader: { ".svg": "copy" },
  legalComments: "linked",
  metafile: true,
  plugins: [themesPlugin(themes)],
  logLevel: "warning",
});

const manifest = {};
for (const [file, output] of Object.entries(result.metafile.outputs)) {
  const name = basename(file);
  const kind = name.endsWith(".LEGAL.txt") ? null : name.replace(/-[A-Z0-9]+\./u, ".");
  if (output.entryPoint !== undefined && kind !== null) {
    manifest[kind] = name;
  }
}
for (const wanted of ["page.js", "style.css", "favicon.svg"]) {
  if (manifest[wanted] === undefined) {
    throw new Error(`the build made no ${wanted}`);
  }
}
for (const file of readdirSync(out)) {
  const plain = readFileSync(join(out, file));
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length };
  writeFileSync(join(out, `${file}.br`), brotliCompressSync(plain, { params }));
}
for (const [kind, name] of Object.entries(manifest)) {
  console.log(`SISTEMO_${kind.replace(".", "_").toUpperCase()}=${name}`);
}
