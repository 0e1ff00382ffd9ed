#!/usr/bin/env node
// Makes a package with one plugin for Attune: `npm create attune-plugin KIND NAME [FOLDER]`.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";

const { kinds, versions } = JSON.parse(readFileSync(new URL("./templates.json", import.meta.url), "utf8"));
const list = Object.keys(kinds).join(", ");
const usage = `Usage: npm create attune-plugin KIND NAME [FOLDER]

KIND    ${list}
NAME    what run specs call the plugin: lower-case words with dashes between
FOLDER  where the package is written (default: attune-plugin-NAME)
`;

/** Returns the files of a package, by name. */
function filesOf(kind, name) {
  const { about, name: example, plugin, test } = kinds[kind];
  const { attune, valibot, ...tools } = versions;
  const renamed = (text) => text.replaceAll(`"${example}"`, `"${name}"`);
  const manifest = {
    name: `attune-plugin-${name}`,
    version: "0.1.0",
    description: `The ${kind} "${name}" for Attune.`,
    keywords: ["attune-plugin"],
    type: "module",
    exports: { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } },
    files: ["dist"],
    scripts: { build: "tsc", test: "node --test", prepack: "tsc" },
    ...(plugin.includes('from "valibot"') ? { dependencies: { valibot } } : {}),
    peerDependencies: { attune },
    devDependencies: { attune, ...tools },
  };
  const compilerOptions = {
    target: "ES2023",
    lib: ["ES2023", "WebWorker", "WebWorker.AsyncIterable"],
    module: "nodenext",
    strict: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    rewriteRelativeImportExtensions: true,
    declaration: true,
    skipLibCheck: true,
    types: [],
    outDir: "dist",
  };
  const json = (value) => JSON.stringify(value, null, 2) + "\n";
  return {
    "package.json": json(manifest),
    "tsconfig.json": json({ compilerOptions, files: ["index.ts"] }),
    "index.ts": renamed(plugin),
    "index.test.ts": renamed(test),
    ".gitignore": "dist\nnode_modules\n",
    "README.md": readme(kind, name, about),
  };
}

/** Returns the text of the package's README. */
function readme(kind, name, about) {
  return `# attune-plugin-${name}

The ${kind} "${name}" for [Attune](https://www.npmjs.com/package/attune).

${about} \`index.ts\` is a working example: change it.

    npm install
    npm test                            # what every ${kind} must do (Node 24, Bun or Deno)
    npm run build                       # JavaScript and types in dist/
    npx attune plugins --check ./       # the same checks, and a short run with the plugin where its kind allows one

Run specs name the package under \`"plugins": ["attune-plugin-${name}"]\` and the plugin as "${name}"; servers and runners
take \`--plugins attune-plugin-${name}\`. In TypeScript, import it and pass what it returns.
`;
}

/** Writes the package, or prints what is wrong. */
function main([kind, name, folder = `attune-plugin-${name}`, ...rest]) {
  if (kind === undefined || ["-h", "--help"].includes(kind)) return done(usage, kind === undefined ? 2 : 0);
  if (!Object.hasOwn(kinds, kind)) {
    return done(`There is no kind of plugin ${JSON.stringify(kind)}. Kinds: ${list}\n`, 2);
  }
  if (name === undefined || rest.length > 0) return done(usage, 2);
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
    return done(
      `${JSON.stringify(name)} is not a plugin name: use lower-case words joined by dashes, such as "my-${kind}"\n`,
      2,
    );
  }
  const to = resolve(folder);
  if (existsSync(to) && readdirSync(to).length > 0) {
    return done(`${to} is not empty: name a folder that is, or one that is not there yet\n`, 2);
  }
  mkdirSync(to, { recursive: true });
  for (const [file, text] of Object.entries(filesOf(kind, name))) writeFileSync(join(to, file), text);
  done(`${to} has the ${kind} "${name}". Next:\n\n    cd ${folder}\n    npm install\n    npm test\n`, 0);
}

function done(text, code) {
  (code === 0 ? process.stdout : process.stderr).write(text);
  process.exitCode = code;
}

main(process.argv.slice(2));
