/** What docs/losses.md says: every loss is there, and the one of one's own is the loss that it says it is. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { exportMap } from "../../../build/exports.ts";
import { compose } from "../../../core/spec/compose.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { Factory, Named, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinySpec, tinyWeights } from "../../tiny.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const text = readFileSync(join(root, "docs/losses.md"), "utf8");
// Beside node_modules, where packages are found.
const folder = join(root, "runs", `losses-${process.pid}`);
after(() => rmSync(folder, { recursive: true, force: true }));

/** The module in the text, its packages as the files that they stand for. */
async function documented(): Promise<Readonly<{ withL2: Factory<"loss", { alpha: number }> }>> {
  const code = /```ts\n([^]*?)```/.exec(text)?.[1] ?? "";
  const exported = exportMap();
  const resolved = code.replaceAll(/from "attune(\/[\w/-]+)?"/g, (_, path?: string) => {
    const file = exported[path === undefined ? "." : `.${path}`] ?? "";
    return `from ${JSON.stringify(pathToFileURL(join(root, file)).href)}`;
  });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "with_l2.ts"), resolved);
  return await import(pathToFileURL(join(folder, "with_l2.ts")).href);
}

describe("docs/losses.md", () => {
  it("has every loss, with its options and their defaults", () => {
    for (const [name, loss] of Object.entries(catalog.loss ?? {})) {
      const line = text.split("\n").find((l) => l.startsWith("|") && l.includes(`\`${name}\``));
      assert.ok(line, name);
      const parsed = loss.parse({});
      if (parsed.issues) throw new Error(name);
      for (const [option, value] of Object.entries(parsed.value.options)) {
        assert.ok(line.includes(`\`${option}\` ${JSON.stringify(value)}`), `${name}: ${option} ${value}`);
      }
    }
  });

  it("has a loss of one's own: cross entropy and alpha times the squares of all that trains", async () => {
    const { withL2 } = await documented();
    const host = tinyHost(await hostHere(1));
    const losses = async (alpha: number, training: Named<number>, optimizer = "adamw"): Promise<number[]> => {
      const spec = { ...tinySpec({ training: { maxSteps: 3, ...training }, optimizer }), loss: withL2({ alpha }) };
      const losses: number[] = [];
      for await (const event of trainRun(compose(spec as unknown as RunSpec, catalog), host, {})) {
        if (event.type === "step") losses.push(event.loss);
      }
      return losses;
    };
    const squares = Object.values(tinyWeights()).reduce(
      (all, { data }) => all + data.reduce((s, x) => s + x * x, 0),
      0,
    );
    const [plain = NaN] = await losses(0, {});
    const [loss = NaN] = await losses(0.01, {});
    assert.ok(Math.abs(loss - plain - 0.01 * squares) < 1e-5 * loss, `${loss}, ${plain}, ${squares}`);
    // So large that it alone counts: each step of SGD leaves 1 - 2 · alpha · rate of every weight, those of unseen words too.
    const alpha = 1e4;
    const shrunk = await losses(alpha, { learningRate: 1e-5, maxGradNorm: 1e9 }, "sgd");
    [1, 0.8, 0.8 * (1 - 0.2 * 2 / 3)].forEach((factor, i) => {
      const wanted = alpha * squares * factor ** 2;
      assert.ok(Math.abs((shrunk[i] ?? NaN) - wanted) < 1e-4 * wanted, `${shrunk[i]} and ${wanted}`);
    });
  });
});
