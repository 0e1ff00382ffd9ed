/**
 * What core and one recipe load at once stays small: what a run may do without is imported where it is needed.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { bundleSizes } from "../../bench/bundle_sizes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Bytes behind gzip: what was reached, and 3 % for what comes. A number goes down with what it holds. */
const CEILINGS = { atOnce: 68_200, untilStepOne: 123_600, split: 83_800 };

const sized = bundleSizes();

it("core and one recipe are no larger than they were", async () => {
  const sizes = await sized;
  for (const [name, ceiling] of Object.entries(CEILINGS)) {
    const { gzipped } = sizes[name as keyof typeof CEILINGS];
    const advice = "import what only some runs need where they need it (`node bench/bundle.ts --modules`)";
    assert.ok(gzipped <= ceiling, `${name}: ${gzipped} bytes behind gzip, at most ${ceiling}: ${advice}`);
    assert.ok(gzipped > ceiling * 0.9, `${name}: ${gzipped} bytes behind gzip: lower the ceiling of ${ceiling}`);
  }
});

it("the first step loads no more than is weighed", {
  skip: "Bun" in globalThis || "Deno" in globalThis ? "Node tells what it loads" : false,
}, async () => {
  const { firstStep } = await sized;
  const printed = execFileSync(process.execPath, [join(root, "bench/loaded_files.ts")], { encoding: "utf8" });
  assert.deepEqual((JSON.parse(printed) as string[]).filter((file) => !firstStep.includes(file)), []);
});

it("docs/architecture.md says of each part of core that is loaded later when that is", () => {
  const later = new Set<string>();
  for (const name of readdirSync(join(root, "core"), { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".ts")) continue;
    const file = join("core", name);
    const text = readFileSync(join(root, file), "utf8");
    for (const [, of, path] of text.matchAll(/(typeof )?import\("(\.[^"]+)"\)/g)) {
      if (of === undefined && path !== undefined) later.add(join(dirname(file), path).replaceAll("\\", "/"));
    }
  }
  const [, section = ""] = readFileSync(join(root, "docs/architecture.md"), "utf8").split("## What is loaded later");
  const [table = ""] = section.split("\n## ");
  const told = [...table.matchAll(/`(core\/[\w/]+\.ts)`/g)].map(([, path]) => path ?? "");
  assert.deepEqual(told.toSorted(), [...later].toSorted());
});
