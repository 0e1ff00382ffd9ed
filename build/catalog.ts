/** Writes plugins/catalog.ts, light_catalog.ts and imports.ts from the existing plugins: `node build/catalog.ts`. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Architecture } from "../core/types.ts";

const root = fileURLToPath(new URL("../plugins", import.meta.url));

type PluginFile = Readonly<{ kind: string; use: string; factory: string; file: string }>;

function plugins(): PluginFile[] {
  const entries: PluginFile[] = [];
  for (
    const folder of readdirSync(root, { withFileTypes: true }).filter((d) => d.isDirectory()).map((d) => d.name).sort()
  ) {
    for (const file of readdirSync(`${root}/${folder}`).filter((f) => f.endsWith(".ts")).sort()) {
      const text = readFileSync(`${root}/${folder}/${file}`, "utf8");
      for (
        const match of text.matchAll(/^export const (\w+): Factory<\s*"(\w+)"[\s\S]*?\bname: (?:"([\w-]+)"|(\w+))/gm)
      ) {
        const [, factory = "", kind = "", literal, variable] = match;
        const use = literal ?? new RegExp(`const ${variable} = "([\\w-]+)"`).exec(text)?.[1] ?? "";
        entries.push({ kind, use, factory, file: `./${folder}/${file}` });
      }
    }
  }
  return entries;
}

const kindsOf = (all: readonly PluginFile[]): string[] => [...new Set(all.map((f) => f.kind))].sort();
const entriesOf = (all: readonly PluginFile[], kind: string, value: (f: PluginFile) => string): string[] => [
  `  ${kind}: {`,
  ...all.filter((f) => f.kind === kind).sort((a, b) => (a.use < b.use ? -1 : 1)).map((f) => {
    const key = /^\w+$/.test(f.use) ? f.use : `"${f.use}"`;
    return `    ${key}: ${value(f)},`;
  }),
  "  },",
];

const isLight = ({ kind, use }: PluginFile): boolean => kind === "metric" || (kind === "tokenizer" && use === "hf");

/** Returns the text of plugins/catalog.ts for the current tree. */
export function catalogText(): string {
  return catalogOf(
    plugins(),
    "Every plugin of this package by kind and name.",
    "catalog",
    "The plugins that come with Attune.",
    "metric",
  );
}

/** Returns the text of plugins/light_catalog.ts: the plugins of servers that run no model. */
export function lightCatalogText(): string {
  return catalogOf(
    plugins().filter(isLight),
    "The plugins of a server that computes with no model: the tokenizers of models, and metrics.",
    "lightCatalog",
    "Hugging Face's tokenizers, and every metric.",
  );
}

const local = ({ kind, factory }: PluginFile): string => `${kind}${factory[0]?.toUpperCase()}${factory.slice(1)}`;

// Entries have explicit types, because declarations are made file by file. `shared`: a kind of the light catalog.
function catalogOf(plugins: readonly PluginFile[], about: string, name: string, doc: string, shared?: string): string {
  const entries = (kind: string): string[] => entriesOf(plugins, kind, (f) => `${local(f)} as typeof ${local(f)}`);
  const light = (kind: string): string => `  ${kind}: lightCatalog.${kind} as typeof lightCatalog.${kind},`;
  return [
    "/**",
    ` * ${about} Written by build/catalog.ts; hosts may hand in another catalog.`,
    " * @module",
    " */",
    ...plugins.filter(({ kind }) => kind !== shared)
      .map((f) => `import { ${f.factory} as ${local(f)} } from "${f.file}";`),
    ...shared ? ['import { lightCatalog } from "./light_catalog.ts";'] : [],
    "",
    `/** ${doc} */`,
    `export const ${name} = {`,
    ...kindsOf(plugins).flatMap((kind) => kind === shared ? light(kind) : entries(kind)),
    "} as const;",
    "",
  ].join("\n");
}

/** Returns the text of plugins/imports.ts. Architectures are imported to list the model types that they read. */
export async function importsText(): Promise<string> {
  const all = plugins();
  const types = new Map<string, string>();
  for (const { kind, use, factory, file } of all) {
    if (kind !== "architecture") continue;
    const module: Readonly<Record<string, () => Architecture>> = await import(`../plugins/${file}`);
    types.set(use, JSON.stringify(module[factory]?.().modelTypes));
  }
  const importOf = ({ kind, use, factory, file }: PluginFile): string => {
    const load = `() => import("${file}").then((m) => m.${factory})`;
    return kind === "architecture" ? `{ modelTypes: ${types.get(use)}, load: ${load} }` : load;
  };
  return [
    "/**",
    " * Where every plugin of this package is, by kind and name. Written by build/catalog.ts.",
    " * @module",
    " */",
    'import type { Imports } from "../core/spec/loader.ts";',
    "",
    "/** Imports the plugins that come with Attune, one by one. */",
    "export const imports: Imports = {",
    ...kindsOf(all).flatMap((kind) => entriesOf(all, kind, importOf)),
    "};",
    "",
  ].join("\n");
}

if (import.meta.main ?? process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(`${root}/catalog.ts`, catalogText());
  writeFileSync(`${root}/light_catalog.ts`, lightCatalogText());
  writeFileSync(`${root}/imports.ts`, await importsText());
}
