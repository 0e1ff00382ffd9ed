/**
 * The JSON Schema of run specs is what the catalog and the sources say, and a server serves it.
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { specSchemaText } from "../../build/schema.ts";
import { edgeRig } from "../edge.ts";

const file = readFileSync(new URL("../../spec.schema.json", import.meta.url), "utf8");

it("spec.schema.json is up to date (npm run build:catalog)", () => assert.ok(file === specSchemaText()));

it("describes training arguments, plugins and their options", () => {
  const { properties, definitions } = JSON.parse(file);
  assert.match(properties.training.properties.maxGradNorm.description, /global norm/);
  const lora = definitions.adapter.anyOf.find((one: { properties?: { use: { const: string } } }) =>
    one.properties?.use.const === "lora"
  );
  assert.ok(lora.properties.with.properties.loraAlpha);
  assert.ok(definitions.task.anyOf[0].enum.includes("sequence-classification"));
});

it("is served, where it is given", async () => {
  const answer = await edgeRig({ specSchema: file }).app.request("/spec.schema.json");
  assert.equal(answer.status, 200);
  assert.equal(await answer.text(), file);
  assert.equal((await edgeRig().app.request("/spec.schema.json")).status, 404);
});
