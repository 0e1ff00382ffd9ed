import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { exportMap } from "../../build/exports.ts";
import { limitsOf, serveLimits, serveRates, shownLimit } from "../../runtimes/cli/limits.ts";
import { edgeLimitsOf, ratesOf, workLimitsOf } from "../../runtimes/cli/serve_limits.ts";
import { UPLOAD_BYTES, UPLOAD_SECONDS } from "../../runtimes/jobs/files.ts";
import { defaultLimits } from "../../runtimes/serve/options.ts";
import { HEADERS_SECONDS } from "../../runtimes/host/servers/options.ts";
import { defaultWorkLimits } from "../../runtimes/work/pool.ts";
import { commands } from "../faults/killed_runs.ts";
import { adaptersText } from "../interchange/table.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const tracked = execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" }).trim().split("\n");
const documents = tracked.filter((file) => file.endsWith(".md"));

describe("the documents", () => {
  it("docs/adapters.md is what the plugins and the recorded runs make of it", async () => {
    assert.equal(readFileSync(`${root}docs/adapters.md`, "utf8"), await adaptersText());
  });
  it("docs/imports.md says of each path of the package what it has, but for those of plugins", () => {
    const listed = [...readFileSync(`${root}docs/imports.md`, "utf8").matchAll(/^\| `attune([^`]*)` +\| [^|]+ \|$/gm)];
    const paths = Object.entries(exportMap()).filter(([, file]) =>
      !/^export const \w+: Factory</m.test(readFileSync(`${root}${file}`, "utf8"))
    ).map(([path]) => path.slice(1));
    assert.deepEqual(listed.map(([, path]) => path ?? "").sort(), paths.sort());
  });
  for (const file of ["docs/run_a_server.md", "SECURITY.md"]) {
    it(`${file} has every limit with its default, and no other`, () => {
      const rows = readFileSync(root + file, "utf8").split("\n").filter((line) => line.startsWith("| `--"))
        .map((line) => line.replace(/ +/g, " "));
      assert.deepEqual(rows, [
        ...Object.values(serveLimits).map((limit) => `| \`${limit.option}\` | ${shownLimit(limit)} | ${limit.help} |`),
        ...Object.entries(serveRates).map(([name, { perSecond, burst, help }]) =>
          `| \`--rate ${name}=N/B\` | ${perSecond}/${burst} | ${help} |`
        ),
      ]);
    });
  }
  it("serve --help has them too", () => {
    const [program = "", ...args] = commands.node ?? [];
    const text = execFileSync(program, [...args, "serve", "--help"], { encoding: "utf8" }).replace(/\s+/g, " ");
    for (const limit of Object.values(serveLimits)) {
      assert.ok(
        text.includes(`${limit.option} <${limit.counts}> limit on ${limit.help} (default: ${shownLimit(limit)})`),
        limit.option,
      );
    }
    for (const [name, { perSecond, burst }] of Object.entries(serveRates)) {
      assert.ok(text.includes(`${name}=${perSecond}/${burst}`), name);
    }
  });
  it("the limits of serve are those of the parts", () => {
    const limits = limitsOf({});
    for (const name of ["bodyBytes", "linesBytes", "bodySeconds", "inputs", "resultBytes"] as const) {
      assert.equal(limits[name], defaultLimits[name], name);
    }
    assert.deepEqual(workLimitsOf(limits), defaultWorkLimits);
    assert.deepEqual(edgeLimitsOf(limits, 8, ratesOf(["light=2/3"])).rates.light, { perSecond: 2, burst: 3 });
    for (const rate of ["light=0/1", "other=1/1", "light"]) assert.throws(() => ratesOf([rate]), /--rate/);
    assert.deepEqual([limits.uploadBytes, limits.uploadSeconds, limits.headersSeconds], [
      UPLOAD_BYTES,
      UPLOAD_SECONDS,
      HEADERS_SECONDS,
    ]);
    const rates = Object.entries(serveRates).map(([name, { perSecond, burst }]) => [name, { perSecond, burst }]);
    assert.deepEqual(Object.fromEntries(rates), defaultLimits.rates);
  });
  it("have rows in every table", () => {
    const empty = documents.flatMap((file) => {
      const lines = readFileSync(root + file, "utf8").split("\n");
      return lines.flatMap((line, i) =>
        /^\s*\|(\s*:?-+:?\s*\|)+\s*$/.test(line) && !/^\s*\|/.test(lines[i + 1] ?? "") ? [`${file}:${i + 1}`] : []
      );
    });
    assert.deepEqual(empty, []);
  });
  it("name files that are there", () => {
    const lost = documents.flatMap((file) =>
      [...readFileSync(root + file, "utf8").matchAll(/\]\((?!https?:)([^)#\s]+)/g)].map(([, to = ""]) => to)
        .filter((to) => {
          const path = new URL(to, new URL(file, `file://${root}`)).pathname;
          return !exists(path);
        }).map((to) => `${file} → ${to}`)
    );
    assert.deepEqual(lost, []);
  });
  it("docs/architecture.md names files that are there, and every folder of core, formats and runtimes", () => {
    const text = readFileSync(`${root}docs/architecture.md`, "utf8");
    const top = new Set(tracked.map((file) => file.split("/")[0]));
    const base = new Set(tracked.map((file) => file.split("/").at(-1)));
    const paths = [...text.matchAll(/`([\w./-]+)`/g)].map(([, path = ""]) => path);
    const lost = paths.filter((path) => {
      if (/^\w+\.ts$/.test(path)) return !base.has(path);
      return path.includes("/") && top.has(path.split("/")[0]) && !tracked.some((file) => file.startsWith(path));
    });
    assert.deepEqual(lost, []);
    const folders = [...new Set(tracked.flatMap((file) => /^(core|formats|runtimes)\/\w+\//.exec(file)?.[0] ?? []))];
    assert.deepEqual(
      folders.filter((folder) => !paths.includes(folder)),
      [],
      "its table lacks a line for these folders",
    );
  });
  it("README's tree has the folders of the repository, and no other", () => {
    const [, tree = ""] = readFileSync(`${root}README.md`, "utf8").split("## The tree\n");
    let parent = "";
    const named = tree.split("\n").flatMap((line) => {
      const [, indent = "", name = ""] = /^( {4}| {6})([\w.]+\/?) +/.exec(line) ?? [];
      if (name === "") return [];
      if (indent.length === 4) parent = name;
      return [indent.length === 4 ? name : parent + name];
    });
    assert.ok(named.length > 10);
    assert.deepEqual(named.filter((name) => !tracked.some((file) => file.startsWith(name))), []);
    const folders = [
      ...new Set(tracked.flatMap((file) => /^(?:(?:core|formats|runtimes)\/)?\w+\//.exec(file)?.[0] ?? [])),
    ];
    assert.deepEqual(
      folders.filter((folder) => !named.includes(folder)),
      [],
      "the tree lacks a line for these folders",
    );
  });
  it("doc comments of core/types explain fields that are there", () => {
    const lost = tracked.filter((file) => /^core\/types\/.*\.ts$/.test(file)).flatMap((file) => {
      const text = readFileSync(root + file, "utf8");
      const declarations =
        /^\/\*\*([\s\S]*?)\*\/\n((?:export )?(?:type|interface|function|const)[\s\S]*?)(?=\n\n\S|\n\/\*\*|$(?![\s\S]))/gm;
      return [...text.matchAll(declarations)].flatMap(([, comment = "", declaration = ""]) =>
        [...comment.matchAll(/`([A-Za-z]\w*)`(?:, `[A-Za-z]\w*`)*:/g)]
          .filter(([, name = ""]) => !new RegExp(`\\b${name}\\b`).test(declaration))
          .map(([, name = ""]) => `${file}: ${name}`)
      );
    });
    assert.deepEqual(lost, []);
  });
});

function exists(path: string): boolean {
  try {
    return execFileSync("git", ["ls-files", path.slice(root.length)], { cwd: root, encoding: "utf8" }) !== "";
  } catch {
    return false;
  }
}
