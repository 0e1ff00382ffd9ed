/**
 * The npm package: `node build/dist.ts` writes JavaScript with declarations and a package.json to dist/;
 * `--pack` also makes an archive of it in this folder.
 *
 * Node does not strip types under node_modules, so the sources cannot be published as they are.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");

rmSync(dist, { recursive: true, force: true });
execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", join(root, "tsconfig.dist.json")], { stdio: "inherit" });

// Files other than modules are copied unchanged.
for (
  const top of ["core", "formats", "blocks", "plugins", "conformance", "runtimes"].filter((top) =>
    existsSync(join(root, top))
  )
) {
  for (const name of readdirSync(join(root, top), { recursive: true, encoding: "utf8" })) {
    const from = join(root, top, name);
    if (/\.(wasm|json|safetensors|html|css|md|jsonc)$/.test(name) && !name.startsWith("kernels/source")) {
      cpSync(from, join(dist, top, name));
    }
  }
}
for (const name of ["README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", "docs", "spec.schema.json"]) {
  cpSync(join(root, name), join(dist, name), { recursive: true });
}

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const script = (path: string): string => path.replace(/\.ts$/, ".js");
const exported = Object.fromEntries(
  Object.entries(manifest.exports as Record<string, string>).filter(([, path]) => existsSync(join(dist, script(path))))
    .map(([key, path]) => [key, { types: path.replace(/\.ts$/, ".d.ts"), default: script(path) }]),
);
const { name, version, description, keywords, repository, license, type, engines, sideEffects } = manifest;
const { dependencies, peerDependencies, peerDependenciesMeta } = manifest;
const published = {
  name,
  version,
  description,
  keywords,
  repository,
  license,
  type,
  engines,
  bin: { attune: "runtimes/cli.js" },
  sideEffects,
  exports: { ...exported, "./package.json": "./package.json", "./spec.schema.json": "./spec.schema.json" },
  dependencies,
  // A missing one is reported where it is needed, with the command that installs it.
  peerDependencies,
  peerDependenciesMeta,
};
writeFileSync(join(dist, "package.json"), JSON.stringify(published, null, 2) + "\n");
const cli = join(dist, "runtimes/cli.js");
writeFileSync(cli, `#!/usr/bin/env node\n${readFileSync(cli, "utf8")}`, { mode: 0o755 });
console.log(`${dirname(cli).replace(/runtimes$/, "")}: ${Object.keys(exported).length} entries`);
if (process.argv.includes("--pack")) {
  execFileSync("npm", ["pack", "--silent", "--pack-destination", root], { cwd: dist, stdio: "inherit" });
}
