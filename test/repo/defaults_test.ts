/** Options have Hugging Face's defaults, save those that docs/defaults.md lists. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { toJsonSchema } from "@valibot/to-json-schema";
import type { GenericSchema } from "valibot";
import { readTrainingArguments } from "../../core/spec/training_arguments.ts";
import type { Catalog } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";

type Defaults = Readonly<Record<string, unknown>>;
type Theirs = Readonly<
  { training: Defaults; adapter: Record<string, Defaults>; optimizer: Record<string, Defaults> }
>;

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");
const theirs = JSON.parse(read("../fixtures/defaults.json")) as Theirs;

function differences(where: string, ours: Defaults, others: Defaults): string[] {
  return Object.entries(ours).flatMap(([option, here]) => {
    const there = others[option];
    const same = there === undefined || JSON.stringify(here) === JSON.stringify(there);
    return same ? [] : [`${where} | \`${option}\` | \`${JSON.stringify(here)}\` | \`${JSON.stringify(there)}\``];
  });
}

it("the documentation lists every default that differs from Hugging Face's, and no other", () => {
  const unlike = differences("`training`", { ...readTrainingArguments({}).training }, theirs.training);
  for (const kind of ["adapter", "optimizer"] as const) {
    for (const [use, others] of Object.entries(theirs[kind])) {
      const schema = (catalog as Catalog)[kind]?.[use]?.schema as GenericSchema | undefined;
      assert.ok(schema, `${kind} ${use}`);
      const { properties = {} } = toJsonSchema(schema, { typeMode: "input", errorMode: "ignore" });
      const ours = Object.entries(properties).map(([name, property]) => [name, (property as Defaults).default]);
      unlike.push(...differences(`\`${kind}\` ${use}`, Object.fromEntries(ours), others));
    }
  }
  const [, table = ""] = read("../../docs/defaults.md").split("|---|---|---|---|---|\n");
  const rows = table.split("\n\n")[0]?.split("\n").map((row) => row.split(" | ").slice(0, 4).join(" | ").slice(2));
  assert.deepEqual(rows?.map((row) => row.replaceAll(/ +/g, " ")).sort(), unlike.sort());
});
