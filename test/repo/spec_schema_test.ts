/** The JSON Schema of run specs is what the catalog and the sources say, and a server serves it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { optionsText } from "../../build/options.ts";
import { specSchemaText } from "../../build/schema.ts";
import { readTrainingArguments } from "../../core/spec/training_arguments.ts";
import type { Json, Named } from "../../core/types.ts";
import { edgeRig } from "../edge.ts";

const file = readFileSync(new URL("../../spec.schema.json", import.meta.url), "utf8");

it("spec.schema.json is up to date (npm run build:catalog)", () => assert.ok(file === specSchemaText()));

it("docs/options.md has the same (npm run build:catalog)", () =>
  assert.ok(readFileSync(new URL("../../docs/options.md", import.meta.url), "utf8") === optionsText()));

it("describes training arguments, plugins and their options", () => {
  const { properties, definitions } = JSON.parse(file);
  assert.match(properties.training.properties.maxGradNorm.description, /global norm/);
  const lora = definitions.adapter.anyOf.find((one: { properties?: { use: { const: string } } }) =>
    one.properties?.use.const === "lora"
  );
  assert.ok(lora.properties.with.properties.loraAlpha);
  assert.ok(definitions.task.anyOf[0].enum.includes("sequence-classification"));
});

it("says of every option of every plugin what it is", () => {
  type Entry = { properties?: { use: { const?: string }; with?: { properties?: Named<{ description?: string }> } } };
  const silent = Object.entries(JSON.parse(file).definitions as Named<{ anyOf: readonly Entry[] }>).flatMap((
    [kind, { anyOf }],
  ) =>
    anyOf.flatMap(({ properties }) =>
      Object.entries(properties?.with?.properties ?? {}).filter(([, { description }]) => !description)
        .map(([name]) => `${kind} ${properties?.use.const} ${name}`)
    )
  );
  assert.deepEqual(silent, []);
});

/** Whether a value is as a schema wants it, by those of JSON Schema's keywords that training arguments are described with. */
function fits(schema: Named<Json>, value: Json): boolean {
  const keywords: Named<(own: never) => boolean> = {
    anyOf: (all: readonly Named<Json>[]) => all.some((one) => fits(one, value)),
    enum: (all: readonly Json[]) => all.includes(value),
    const: (own: Json) => own === value,
    type: (name: "integer" | "number" | "string" | "boolean" | "null") => {
      if (name === "null") return value === null;
      const kind: string = typeof value;
      return name === "integer" ? Number.isInteger(value) : kind === name;
    },
    minimum: (least: number) => typeof value !== "number" || value >= least,
    maximum: (largest: number) => typeof value !== "number" || value <= largest,
    exclusiveMinimum: (least: number) => typeof value !== "number" || value > least,
    exclusiveMaximum: (largest: number) => typeof value !== "number" || value < largest,
    pattern: (text: string) => typeof value !== "string" || new RegExp(text, "u").test(value),
    description: () => true,
    default: () => true,
  };
  return Object.entries(schema).every(([name, own]) => {
    const check = keywords[name];
    if (!check) throw new Error(`no such keyword: ${name}`);
    return check(own as never);
  });
}

it("allows of each training argument what a run accepts, and nothing else", () => {
  const { properties } = JSON.parse(file).properties.training as { properties: Named<Named<Json>> };
  const { training } = readTrainingArguments(undefined);
  assert.deepEqual(Object.keys(properties), Object.keys(training));
  const numbers = [-2, -1, 0, 1e-9, 0.25, 0.5, 0.999, 1, 1.5, 2, 8, 65_536, 65_537, 2 ** 20, 2 ** 24, 2 ** 25, 2 ** 53];
  const sizes = [
    "auto",
    "2GB",
    "2 GiB",
    "1.5MB",
    "12",
    "0GB",
    "0.0",
    "5 KiB",
    "5kiB",
    "5KB",
    "5kB",
    "7TiB",
    "-1",
    "1e3",
    "B",
  ];
  const words = [
    "no",
    "steps",
    "epoch",
    "best",
    "longest",
    "max_length",
    "random",
    "sequential",
    "group_by_length",
    "",
  ];
  const values: readonly Json[] = [...numbers, ...sizes, ...words, true, false, null, "true", "1", [], {}];
  for (const [name, schema] of Object.entries(properties)) {
    assert.deepEqual(schema.default, training[name as keyof typeof training], name);
    for (const value of values) {
      const accepted = readTrainingArguments({ [name]: value }).issues.length === 0;
      assert.equal(fits(schema, value), accepted, `${name}: ${JSON.stringify(value)}`);
    }
  }
});

it("is served, where it is given", async () => {
  const answer = await edgeRig({ specSchema: file }).app.request("/spec.schema.json");
  assert.equal(answer.status, 200);
  assert.equal(await answer.text(), file);
  assert.equal((await edgeRig().app.request("/spec.schema.json")).status, 404);
});
