/**
 * The templates of create-plugin, which are the plugins of docs/plugins: `node build/templates.ts` writes
 * create-plugin/templates.json.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** A kind's page: its first paragraph, its plugin, the plugin's name, and its test. */
export type PluginPage = Readonly<
  { about: string; name: string; plugin: string; test: string }
>;

/** The test of a plugin whose page has none of its own. */
const plainTest = `import { test } from "node:test";
import { conform } from "attune/conformance";
import * as lib from "onnxruntime-node";
import plugin from "./index.ts";

test("conforms", async () => await conform(plugin(), { lib }));
`;

/** Reads the pages of docs/plugins by kind. */
export function pluginPages(): Readonly<Record<string, PluginPage>> {
  const files = readdirSync(`${root}docs/plugins`).filter((file) => file.endsWith(".md")).sort();
  return Object.fromEntries(files.map((file) => {
    const text = readFileSync(`${root}docs/plugins/${file}`, "utf8");
    const [plugin = "", test = plainTest] = [...text.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code]) => code);
    const about = (text.split("\n\n")[1] ?? "").replaceAll("\n", " ");
    const name = /\bkind: "\w+",\s*name: "([^"]+)"/.exec(plugin)?.[1] ??
      /\bname: "([^"]+)"/.exec(plugin)?.[1] ?? "";
    return [file.replace(/\.md$/, ""), { about, name, plugin, test }];
  }));
}

/** Returns the text of create-plugin/templates.json, with the versions of the packages that a plugin needs. */
export function templatesText(): string {
  const { version, dependencies, devDependencies } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
  const packages = { ...dependencies, ...devDependencies, attune: `^${version}` };
  const versions = Object.fromEntries(
    ["attune", "valibot", "onnxruntime-node", "typescript", "@types/node"].map((name) => [name, packages[name]]),
  );
  return JSON.stringify({ versions, kinds: pluginPages() }, null, 2) + "\n";
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(`${root}create-plugin/templates.json`, templatesText());
}
