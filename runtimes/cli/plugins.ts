/** `attune plugins`: lists the plugins, or checks those of a package. */
import { toJsonSchema } from "@valibot/to-json-schema";
import process from "node:process";
import type * as v from "valibot";
import { badPackage } from "../../core/spec/packages.ts";
import type { Entry } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { loadPackages } from "../host/plugin_packages.ts";
import { hostHere } from "../host/train.ts";
import { exitCodes } from "./exit.ts";

/** Prints every plugin; with --json, also the JSON Schema of its options; with --check, the results of its checks. */
export async function pluginsCommand(options: Readonly<{ json?: boolean; check?: string }>): Promise<number> {
  if (options.check !== undefined) return await checkPackage(options.check);
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

/** Runs the conformance checks of a package's plugins. */
async function checkPackage(name: string): Promise<number> {
  const [added] = await loadPackages([name], process.cwd());
  if (!added) throw badPackage(name, "is no package");
  const { checksOfPackage } = await import("../host/plugin_checks.ts");
  const checks = checksOfPackage(added, { catalog, host: await hostHere(1) });
  const counts = { ok: 0, skip: 0, FAIL: 0 };
  const report = (what: keyof typeof counts, name: string, why = ""): void => {
    counts[what]++;
    process.stdout.write(`${what.padEnd(4)}  ${name}\n${why.replace(/^(?=.)/gm, "      ")}`);
  };
  // An unhandled rejection in a plugin would end this process.
  const stray: unknown[] = [];
  const note = (error: unknown): void => void stray.push(error);
  process.on("unhandledRejection", note);
  for (const check of checks) {
    const { name } = check;
    try {
      await check.run();
      await new Promise((resolve) => setTimeout(resolve));
      if (stray.length > 0) throw new Error(`it starts what rejects, and nobody waits for: ${messageOf(stray[0])}`);
      const { skipped } = check;
      const isSaid = skipped === undefined || name.includes(skipped);
      report(skipped === undefined ? "ok" : "skip", isSaid ? name : `${name} (not looked at: ${skipped})`);
    } catch (error) {
      report("FAIL", name, `${messageOf(error)}\n`);
    }
    stray.length = 0;
  }
  process.off("unhandledRejection", note);
  process.stdout.write(`${counts.ok} passed, ${counts.FAIL} failed, ${counts.skip} not looked at\n`);
  return counts.FAIL === 0 ? exitCodes.done : exitCodes.failed;
}

function schemaOf(schema: Entry["schema"]): object {
  // What JSON cannot say (checks, plugins as options) is left out of the schema; the factory still checks it.
  return toJsonSchema(schema as unknown as v.GenericSchema, { errorMode: "ignore", typeMode: "input" });
}

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error);
