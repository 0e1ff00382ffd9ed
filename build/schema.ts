/**
 * Writes spec.schema.json, the JSON Schema of run specs, from the catalog and the sources' comments on options:
 * `node build/schema.ts`.
 */
import { toJsonSchema } from "@valibot/to-json-schema";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type * as v from "valibot";
import type { Entry, Kind, Named, Role } from "../core/types.ts";
import { trainingSchemas } from "../core/spec/training_arguments.ts";
import { catalog } from "../plugins/catalog.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** A JSON Schema. */
export type Schema = { [key: string]: unknown; properties?: Record<string, Schema>; description?: string };

/** Returns the files below a folder, in the same order on every runtime. */
const filesBelow = (folder: string): string[] =>
  readdirSync(`${root}${folder}`, { recursive: true, encoding: "utf8" }).sort();

/** Returns the comment that ends right above a position, as one line of text. */
function commentAbove(text: string, at: number): string | undefined {
  const comment = /\/\*\*((?:(?!\*\/)[^])*)\*\/\s*$/.exec(text.slice(0, at))?.[1];
  const lines = comment?.split("\n").map((line) => line.replace(/^\s*\*\s?/, "").trim());
  const tags = lines?.findIndex((line) => line.startsWith("@")) ?? -1;
  return lines?.slice(0, tags < 0 ? undefined : tags).join(" ").replaceAll(/\{@link (\w+)\}/g, "$1").trim();
}

/** Returns the comments on the fields of a type that begins at a position in a text. */
function fieldsOf(text: string, from: number): Record<string, string> {
  const body = text.slice(from, text.indexOf("\n}", from) + 1);
  return Object.fromEntries([...body.matchAll(/^ {2}(?:readonly )?([\w$]+)\??:/gm)].flatMap((field) => {
    const said = commentAbove(body, field.index);
    return said ? [[field[1], said]] : [];
  }));
}

/** Source texts by the names of the options that they declare, since plugins may share options. */
const declarations: ReadonlyMap<string, string> = new Map(
  ["plugins", "core", "blocks"].flatMap((folder) => filesBelow(folder).map((file) => `${root}${folder}/${file}`))
    .filter((file) => file.endsWith(".ts")).flatMap((file) => {
      const text = readFileSync(file, "utf8");
      return [...text.matchAll(/^export (?:interface|type) (\w+(?:Options|Steps))\b/gm)].map(([, name = ""]) =>
        [name, text] as const
      );
    }),
);

/** Returns the comments on the fields of options, also inherited ones. `text`: where the declaration may be. */
function optionsOf(name: string, text: string): Record<string, string> {
  const declares = new RegExp(`^export (?:interface ${name}\\b([^{]*)|type ${name} = ([^{;]*))([{;])`, "m");
  const source = declares.test(text) ? text : declarations.get(name) ?? "";
  const [head = "", bases = "", other = ""] = declares.exec(source) ?? [];
  const inherited = `${bases}${other}`.match(/\b\w+(?:Options|Steps)\b/g)?.map((base) => optionsOf(base, source)) ?? [];
  return Object.assign(
    {},
    ...inherited,
    head.endsWith("{") ? fieldsOf(source, source.indexOf(head) + head.length) : {},
  );
}

/** Returns the comments on each plugin and its options, by kind and name. */
function descriptions(): ReadonlyMap<string, Readonly<{ about?: string; options: Record<string, string> }>> {
  const said = new Map<string, Readonly<{ about?: string; options: Record<string, string> }>>();
  for (const file of filesBelow("plugins")) {
    if (!/^[\w-]+[\\/]\w+\.ts$/.test(file)) continue;
    const text = readFileSync(`${root}plugins/${file}`, "utf8");
    const first = /^export (?:interface|type) (\w+Options)\b/m.exec(text)?.[1] ??
      /^ {2}create: \([^)]*: (\w+Options)\)/m.exec(text)?.[1] ?? "";
    const plugin = /^export const \w+: Factory<"(\w+)"(?:, ([^]*?))?> = [^]*?\bname: (?:"([\w-]+)"|NAME)/gm;
    for (const match of text.matchAll(plugin)) {
      const [, kind = "", input = "", name = /^const NAME = "([\w-]+)"/m.exec(text)?.[1]] = match;
      const about = commentAbove(text, match.index)?.split(/(?<=[.:]) (?=[A-Z`])/)[0];
      const options = optionsOf(/\b\w+Options\b/.exec(input)?.[0] ?? first, text);
      said.set(`${kind} ${name}`, { ...(about ? { about } : {}), options });
    }
  }
  return said;
}

/** Converts options that are plugins to references to their kind. */
function withParts(schema: Schema, roles: Named<Role>): Schema {
  for (const [pattern, role] of Object.entries(roles)) {
    const [name = "", ...rest] = pattern.split(".");
    if (role.role !== "plugin" || !schema.properties?.[name] || rest.length > 0) continue;
    const { description } = schema.properties[name];
    schema.properties[name] = {
      ...(description === undefined ? {} : { description }),
      anyOf: [reference(role.kind), { type: "array", items: reference(role.kind) }],
    };
  }
  return schema;
}

const reference = (kind: Kind): Schema => ({ $ref: `#/definitions/${kind}` });
const several = (kind: Kind): Schema => ({ type: "array", items: reference(kind) });

/** Returns the schema of run specs. */
export function specSchema(): Schema {
  const said = descriptions();
  const definitions: Record<string, Schema> = {};
  for (const [kind, entries] of Object.entries(catalog) as [Kind, Named<Entry>][]) {
    const names = Object.keys(entries);
    const each = Object.values(entries).map(({ use, schema, roles }): Schema => {
      // Checks that JSON Schema cannot express are left out; the plugin still makes them.
      const raw = toJsonSchema(schema as unknown as v.GenericSchema, {
        errorMode: "ignore",
        typeMode: "input",
        // Roles are for moving specs between machines, the schema is for editors.
        overrideAction: ({ valibotAction, jsonSchema }) => valibotAction.type === "metadata" ? jsonSchema : undefined,
      }) as Schema;
      const { $schema: _, ...options } = raw;
      const { about, options: fields = {} } = said.get(`${kind} ${use}`) ?? {};
      for (const [name, field] of Object.entries(options.properties ?? {})) {
        if (fields[name] !== undefined) field.description = fields[name];
      }
      const transforms: Record<string, Schema> = kind === "data" ? { transforms: several("transform") } : {};
      const properties = { use: { const: use }, with: withParts(options, roles), ...transforms };
      return {
        type: "object",
        ...(about ? { description: about } : {}),
        properties,
        required: ["use"],
        additionalProperties: false,
      };
    });
    // A plugin from a package has another name than these.
    const other = {
      type: "object",
      properties: { use: { type: "string", not: { enum: names } }, with: { type: "object" } },
      required: ["use"],
    };
    definitions[kind] = { anyOf: [{ enum: names }, { type: "string" }, ...each, other] };
  }
  const typesOf = (file: string): string => readFileSync(`${root}core/types/${file}.ts`, "utf8");
  const fieldsIn = (file: string, head: string): Record<string, string> =>
    fieldsOf(typesOf(file), typesOf(file).indexOf(head) + head.length);
  const top = fieldsIn("plugins", "export type RunSpec = Readonly<{");
  const data = {
    type: "object",
    properties: {
      train: reference("data"),
      eval: reference("data"),
      test: reference("data"),
      leakThreshold: { type: "number", minimum: 0, maximum: 1 },
    },
    additionalProperties: false,
  };
  const training = fieldsIn("training_arguments", "export type TrainingArguments = Readonly<{");
  const properties: Record<string, Schema> = {
    $schema: { type: "string" },
    version: { const: 1 },
    name: { type: "string" },
    model: reference("model"),
    tokenizer: reference("tokenizer"),
    task: reference("task"),
    data,
    collator: reference("collator"),
    head: reference("head"),
    loss: reference("loss"),
    adapter: { anyOf: [reference("adapter"), several("adapter")] },
    optimizer: reference("optimizer"),
    schedule: reference("schedule"),
    regularizers: several("regularizer"),
    accelerators: several("accelerator"),
    metrics: several("metric"),
    callbacks: several("callback"),
    loggers: several("logger"),
    exporters: several("exporter"),
    search: reference("search"),
    plugins: { type: "array", items: { type: "string" } },
    training: {
      type: "object",
      properties: Object.fromEntries(
        Object.entries(trainingSchemas()).map((
          [name, property],
        ) => [name, { description: training[name] ?? "", ...property }]),
      ),
    },
    versions: { type: "object" },
    fingerprints: { type: "object" },
  };
  for (const [name, schema] of Object.entries(properties)) {
    if (top[name] === undefined) continue;
    properties[name] = "$ref" in schema
      ? { description: top[name], allOf: [schema] }
      : { description: top[name], ...schema };
  }
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Attune run spec",
    description: "A fine-tuning run.",
    type: "object",
    properties,
    required: ["version", "model", "task"],
    additionalProperties: false,
    definitions,
  };
}

/** Returns the file's text. */
export const specSchemaText = (): string => JSON.stringify(specSchema(), null, 1) + "\n";

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(`${root}spec.schema.json`, specSchemaText());
