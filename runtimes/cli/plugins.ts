/**
 * `attune plugins`: what there is.
 * @module
 */
import { toJsonSchema } from "@valibot/to-json-schema";
import process from "node:process";
import type * as v from "valibot";
import type { Entry } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { exitCodes } from "./exit.ts";

/** Prints every plugin; with --json, with the JSON Schema of its options. */
export async function pluginsCommand(options: Readonly<{ json?: boolean }>): Promise<number> {
  const entries = Object.values(catalog).flatMap((kind) => Object.values(kind) as Entry[]);
  const described = entries.map(({ kind, use, schema }) => ({ kind, use, options: schemaOf(schema) }));
  if (options.json) process.stdout.write(JSON.stringify(described, null, 2) + "\n");
  else {
    for (const { kind, use, options } of described) {
      const names = Object.keys((options as { properties?: object }).properties ?? {});
      process.stdout.write(`${kind.padEnd(12)} ${use.padEnd(28)} ${names.join(" ")}\n`);
    }
  }
  return exitCodes.done;
}

function schemaOf(schema: Entry["schema"]): object {
  // What JSON cannot say (checks, plugins as options) is left out of the schema; the factory still checks it.
  return toJsonSchema(schema as unknown as v.GenericSchema, { errorMode: "ignore", typeMode: "input" });
}
