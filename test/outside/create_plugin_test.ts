/** What create-plugin makes of each kind compiles, and conforms. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { pluginPages, templatesText } from "../../build/templates.ts";
import { VERSION } from "../../core/base/version.ts";
import { catalog } from "../../plugins/catalog.ts";
import { commands, here } from "../faults/killed_runs.ts";
import { checkTypes, programs, runIn, userProject } from "./project.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const main = join(root, "create-plugin/main.js");
const project = userProject("create");
const create = (...args: readonly string[]) => runIn(project, [...programs.run, main, ...args]);
const kinds = Object.keys(pluginPages());
// All of them on Node; elsewhere one that computes nothing with a model, and one that does.
const tested = here === "node" ? kinds : ["metric", "adapter"];
const folderOf = (kind: string): string => join(project, `attune-plugin-my-${kind}`);
for (const kind of tested) assert.equal(create(kind, `my-${kind}`).status, 0, kind);

describe("create-plugin", () => {
  it("has a template for every kind, which is that of its page", () => {
    assert.deepEqual(kinds, Object.keys(catalog).sort());
    assert.equal(readFileSync(join(root, "create-plugin/templates.json"), "utf8"), templatesText());
    assert.equal(JSON.parse(readFileSync(join(root, "create-plugin/package.json"), "utf8")).version, VERSION);
    for (const [kind, { name, plugin, about }] of Object.entries(pluginPages())) {
      assert.ok(name !== "" && about !== "", kind);
      const lines = plugin.trim().split("\n").length;
      assert.ok(lines <= 50, `the plugin of docs/plugins/${kind}.md has ${lines} lines`);
    }
  });
  it("says what is wrong", () => {
    const said = (...args: readonly string[]): string => {
      const { status, stderr } = create(...args);
      assert.equal(status, 2, stderr);
      return stderr;
    };
    assert.match(said("losss", "mine"), /no kind of plugin "losss"\. Kinds: accelerator, adapter, .*trainer/);
    assert.match(said("loss", "My_Loss"), /"My_Loss" is not a plugin name/);
    assert.match(said("loss"), /Usage/);
    assert.match(said(), /Usage/);
    mkdirSync(join(project, "full"));
    writeFileSync(join(project, "full/notes.txt"), "mine");
    assert.match(said("loss", "mine", "full"), /full is not empty/);
    assert.deepEqual(readdirSync(join(project, "full")), ["notes.txt"]);
  });
  it("makes packages that compile", { skip: here === "node" ? false : "tsc says the same on each runtime" }, () => {
    const { status, stdout } = checkTypes(project, tested.map((kind) => `attune-plugin-my-${kind}/*.ts`));
    assert.equal(status, 0, stdout);
  });
  for (const kind of tested.filter((one) => ["loss", "metric"].includes(one))) {
    it(`attune plugins --check runs what fits the checks' own task, and passes over the rest by name: ${kind}`, () => {
      const [, ...command] = commands[here] ?? [];
      const [program = ""] = programs.run;
      const { status, stdout } = runIn(folderOf(kind), [program, ...command, "plugins", "--check", "./index.ts"]);
      assert.equal(status, 0, stdout);
      assert.match(stdout, /skip .*a run with it trains.*not looked at without a task/);
    });
  }
  it("makes plugins that conform", () => {
    // Of one command: loading what checks them takes longer than the checks.
    const files = tested.map((kind) => `./attune-plugin-my-${kind}/index.test.ts`);
    const { status, stdout, stderr } = runIn(project, [...programs.testTogether, ...files]);
    assert.equal(status, 0, stdout + stderr);
  });
});
