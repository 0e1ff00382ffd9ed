/** Imports go one way: no file and no folder is reached from itself, types included. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";

/** Imports between files that still close a circle, "from → to". This list may only shrink. */
const files: readonly string[] = [];

/** The same between folders. */
const folders: readonly string[] = [
  "core → core/types",
];

type Graph = ReadonlyMap<string, ReadonlySet<string>>;

const root = fileURLToPath(new URL("../..", import.meta.url));

function fileGraph(): Graph {
  const names = ["core", "formats", "blocks", "plugins", "conformance", "runtimes", "recipes"].filter((folder) =>
    existsSync(join(root, folder))
  ).flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) => join(folder, file))
  ).filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts") && !file.startsWith("core/kernels/source"));
  const importsOf = (file: string): string[] => {
    const text = readFileSync(join(root, file), "utf8").replaceAll(/^ \*.*$/gm, "");
    return [...text.matchAll(/^(?:import|export)[^;"]*?from "(\.[^"]+)"/gm)]
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

/** A way from one to another, both ends included. */
function wayFrom(graph: Graph, from: string, to: string, left: ReadonlySet<string>): string[] | undefined {
  const before = new Map<string, string>();
  for (const queue = [from]; queue.length > 0;) {
    const at = queue.shift() ?? "";
    for (const next of graph.get(at) ?? []) {
      if (before.has(next) || left.has(`${at} → ${next}`)) continue;
      before.set(next, at);
      if (next !== to) queue.push(next);
      else {
        const way = [to];
        for (let step = before.get(to) ?? from;; step = before.get(step) ?? from) {
          way.unshift(step);
          if (step === from) return way;
        }
      }
    }
  }
  return undefined;
}

function checkCycles(graph: Graph, known: readonly string[]): void {
  for (const name of graph.keys()) {
    const way = wayFrom(graph, name, name, new Set(known));
    assert.equal(way?.join(" → "), undefined, "a circle of imports");
  }
  for (const [i, edge] of known.entries()) {
    const [from = "", to = ""] = edge.split(" → ");
    const others = new Set(known.toSpliced(i, 1));
    const closes = graph.get(from)?.has(to) && wayFrom(graph, to, from, others) !== undefined;
    assert.ok(closes, `${edge} closes no circle any more: take it from the list`);
  }
}

it("no file imports what imports it", () => checkCycles(fileGraph(), files));

it("no folder imports what imports it", () => checkCycles(folderGraph(fileGraph()), folders));
