/** Imports go one way: no file and no folder is reached from itself, types included; no file by what it loads later. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";

type Graph = ReadonlyMap<string, ReadonlySet<string>>;

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Which files each file imports; `later`: also those that it requests when it needs them, or names a type of. */
function fileGraph(later = false): Graph {
  const names = ["core", "formats", "blocks", "plugins", "conformance", "runtimes", "recipes"].filter((folder) =>
    existsSync(join(root, folder))
  ).flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) => join(folder, file))
  ).filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts") && !file.startsWith("core/kernels/source"));
  const importsOf = (file: string): string[] => {
    const text = readFileSync(join(root, file), "utf8").replaceAll(/^ \*.*$/gm, "");
    const atOnce = text.matchAll(/^(?:import|export)[^;"]*?from "(\.[^"]+)"/gm);
    return [...atOnce, ...later ? text.matchAll(/\bimport\("(\.[^"]+)"\)/g) : []]
      .map(([, path = ""]) => relative(root, resolve(root, dirname(file), path)));
  };
  return new Map(names.map((file) => [file, new Set(importsOf(file))]));
}

function folderGraph(graph: Graph): Graph {
  const all = new Map<string, Set<string>>();
  for (const [from, imports] of graph) {
    const targets = all.get(dirname(from)) ?? new Set();
    all.set(dirname(from), targets);
    for (const to of imports) if (dirname(to) !== dirname(from)) targets.add(dirname(to));
  }
  return all;
}

/** A way from one back to itself, both ends included. */
function circle(graph: Graph, start: string): string[] | undefined {
  const before = new Map<string, string>();
  for (const queue = [start]; queue.length > 0;) {
    const at = queue.shift() ?? "";
    for (const next of graph.get(at) ?? []) {
      if (before.has(next)) continue;
      before.set(next, at);
      if (next !== start) queue.push(next);
      else {
        const way = [start];
        for (let step = at; step !== start; step = before.get(step) ?? start) way.unshift(step);
        return [start, ...way];
      }
    }
  }
  return undefined;
}

function checkCycles(graph: Graph): void {
  for (const name of graph.keys()) assert.equal(circle(graph, name)?.join(" → "), undefined, "a circle of imports");
}

it("no file imports what imports it, at once or later", () => checkCycles(fileGraph(true)));

it("no folder imports what imports it", () => checkCycles(folderGraph(fileGraph())));
