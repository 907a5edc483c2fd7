// Runs the tests of what needs no browser. They are TypeScript, which not every Node.js reads. The console's themes are in
// the folder `SISTEMO_THEMES`, by default where they are in the repository.

import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = join(here, "build/test");
rmSync(out, { recursive: true, force: true });
await build({
  absWorkingDir: here,
  entryPoints: readdirSync(join(here, "test")).map((file) => join("test", file)),
  outdir: out,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  format: "esm",
  platform: "node",
  packages: "external",
  logLevel: "warning",
});
const files = readdirSync(out).map((file) => join(out, file));
const environment = { ...process.env, SISTEMO_THEMES: process.env.SISTEMO_THEMES ?? join(here, "../../../themes") };
const { status } = spawnSync(process.execPath, ["--test", ...files], { cwd: here, env: environment, stdio: "inherit" });
process.exit(status ?? 1);
