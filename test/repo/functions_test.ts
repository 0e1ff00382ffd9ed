/**
 * How long functions are, by what V8 knows of them: no function of core over 80 lines, none elsewhere over 120.
 *
 * A file's text is run as a script that can reach nothing, so that entry points start nothing, and fails where it would
 * use what it imports: V8 has listed its functions by then, but for those within functions that were not called.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";

const CORE = 80;
const ELSEWHERE = 120;

/** Functions that are longer: none. */
const long: readonly string[] = [];

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The text of a module as a script with every character at its place. */
function scriptOf(text: string): string {
  const blank = (part: string): string => part.replaceAll(/[^\n]/g, " ");
  return text.replaceAll(/^(?:import|export)\b[^;"(=]*?(?:from )?"[^"]+";/gm, blank)
    .replaceAll(/^export \{[^}]*\};/gm, blank).replaceAll(/^export (?:default )?/gm, blank)
    .replaceAll("import.meta", "importMeta ");
}

type Covered = {
  url: string;
  functions: { functionName: string; ranges: { startOffset: number; endOffset: number }[] }[];
};

/** Every outer function of some files, as "file name", with the most lines that one of that name has. */
async function functionLines(files: readonly string[]): Promise<Map<string, number>> {
  const [{ Session }, { stripTypeScriptTypes }, vm] = await Promise.all(
    [import("node:inspector/promises"), import("node:module"), import("node:vm")],
  );
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.startPreciseCoverage", { callCount: false, detailed: false });
  const texts = new Map<string, string>();
  const nothing = vm.createContext({});
  for (const file of files) {
    const text = `(async () => {${scriptOf(stripTypeScriptTypes(readFileSync(join(root, file), "utf8")))}\n})()`;
    texts.set(`lines:${file}`, text);
    await vm.runInContext(text, nothing, { filename: `lines:${file}` }).catch(() => {});
  }
  const { result } = await session.post("Profiler.takePreciseCoverage") as { result: Covered[] };
  session.disconnect();
  const lines = new Map<string, number>();
  for (const { url, functions } of result) {
    const text = texts.get(url);
    // The first two are the script and the function around it.
    for (const { functionName, ranges: [range] } of text ? functions.slice(2) : []) {
      const name = `${url.slice("lines:".length)} ${functionName}`;
      const count = text?.slice(range?.startOffset, range?.endOffset).split("\n").length ?? 0;
      lines.set(name, Math.max(count, lines.get(name) ?? 0));
    }
  }
  return lines;
}

const otherRuntime = "Bun" in globalThis || "Deno" in globalThis;

it("no function of core has more than 80 lines, none elsewhere more than 120", {
  skip: otherRuntime && "the lengths of functions are V8's inspector's, which Node has",
}, async () => {
  const files = ["core", "blocks", "plugins", "conformance", "runtimes", "recipes"].filter((folder) =>
    existsSync(join(root, folder))
  ).flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) => `${folder}/${file}`)
  ).filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts") && !file.startsWith("core/kernels/source"));
  const lines = await functionLines(files);
  const most = (name: string): number => (name.startsWith("core/") ? CORE : ELSEWHERE);
  const listed = new Set([...lines.keys()].map((name) => name.slice(0, name.indexOf(" "))));
  // Files of types and tables have no function; all others were listed.
  assert.ok(listed.size > 0.8 * files.length, `${listed.size} of ${files.length} files were looked into`);
  const over = [...lines].filter(([name, count]) => count > most(name));
  const news = over.filter(([name]) => !long.includes(name)).map(([name, count]) => `${name}: ${count} lines`);
  assert.deepEqual(news.sort(), [], "too long: cut them");
  const still = new Set(over.map(([name]) => name));
  assert.deepEqual(long.filter((name) => !still.has(name)), [], "short enough: take them from the list");
});
