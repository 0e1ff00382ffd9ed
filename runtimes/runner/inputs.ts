/**
 * What a job needs on this machine: its references as paths, files and models fetched where they are missing.
 * @module
 */
import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { compose } from "../../core/compose.ts";
import { badValue, refused } from "../../core/errors.ts";
import { placed, referenceKind, referencesOf } from "../../core/jobs/references.ts";
import type { Catalog, Json, Named, RunSpec } from "../../core/types.ts";
import type { Lease, RunnerClient } from "./client.ts";

/** Where inputs are. */
export type InputOptions = Readonly<{
  client: RunnerClient;
  /** Where files and models are kept. */
  work: string;
  /** Models that are here already. */
  models?: string;
  /** The plugins that jobs may use. */
  catalog: Catalog;
}>;

/** A job's spec as this machine runs it, and what its paths are called in what is written. */
export type Local = Readonly<{ spec: Named<Json>; labels: Named<string> }>;

/** Makes it. Throws AttuneError where the job names what this runner may not load. */
export async function localSpec(lease: Lease, options: InputOptions): Promise<Local> {
  const paths = new Map<string, string>();
  for (const { name } of referencesOf(lease.spec)) paths.set(name, await pathOf(name, lease, options));
  const spec = { ...placed(lease.spec, (name) => paths.get(name) ?? name), loggers: loggersOf(lease.spec) };
  checkAllowed(spec, options.catalog);
  return { spec, labels: Object.fromEntries([...paths].map(([name, path]) => [path, name])) };
}

/** Fetches what an earlier lease has left: a checkpoint and the logs as they were then. */
export async function fetchCheckpoint(lease: Lease, client: RunnerClient, output: string): Promise<void> {
  if (!lease.checkpoint) return;
  const folder = lease.checkpoint.folder.replace(/^jobs\/[^/]+\//, "");
  for (const path of lease.checkpoint.files) await client.fetchTo(lease, `${folder}${path}`, join(output, path));
}

/** Files of a folder by relative path, in order. */
export async function filesBelow(folder: string): Promise<string[]> {
  const all = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = all.filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name).slice(folder.length + 1));
  return files.map((f) => f.replaceAll("\\", "/")).filter((f) => !f.split("/").some((p) => p.startsWith("."))).sort();
}

/** Whether a file is for others: checkpoints are for resuming alone, and the spec names paths of this machine. */
export function isResult(path: string): boolean {
  // What begins like this is in the making, or says who writes here.
  return !/^(checkpoints\/|spec\.json$)|(^|\/)\.~attune-/.test(path);
}

async function pathOf(name: string, lease: Lease, { client, work, models }: InputOptions): Promise<string> {
  if (name === "attune:base") return name;
  if (referenceKind(name) === "file") {
    const file = join(work, "files", `${name}.jsonl`);
    if (!existsSync(file)) await client.fetchTo(lease, `uploads/${name}?token=${lease.token}`, file);
    return file;
  }
  const here = models === undefined ? undefined : join(models, name);
  return here !== undefined && existsSync(join(here, "config.json"))
    ? here
    : await fetchedFolder(name, lease, client, work);
}

async function fetchedFolder(name: string, lease: Lease, client: RunnerClient, work: string): Promise<string> {
  const folder = join(work, "models", ...name.replaceAll(":", "_").split("/"));
  for (const { path, bytes } of await client.modelFiles(lease, name)) {
    const parts = path.split("/");
    if (parts.some((p) => p === "" || p === "." || p === ".." || /[\\:\0]/.test(p))) {
      throw badValue("runner", `model ${name}`, path, "a plain relative path");
    }
    const file = join(folder, ...parts);
    const known = await stat(file).catch(() => undefined);
    if (known?.size === bytes) continue;
    const query = `name=${encodeURIComponent(name)}&path=${encodeURIComponent(path)}&token=${lease.token}`;
    await client.fetchTo(lease, `models/file?${query}`, file);
  }
  return folder;
}

/** Every job writes log.jsonl and report.html; the console is the runner's own. */
function loggersOf({ loggers }: Named<Json>): Json[] {
  const given = Array.isArray(loggers) ? loggers as readonly Json[] : [];
  const nameOf = (one: Json): Json => (typeof one === "string" ? one : (one as Named<Json>).use ?? null);
  const ours: readonly Json[] = ["jsonl", "report", "console"];
  return [...given.filter((one) => !ours.includes(nameOf(one))), "jsonl", "report"];
}

/** Throws where a job names a plugin that this runner may not load. */
function checkAllowed(spec: Named<Json>, catalog: Catalog): void {
  try {
    compose(spec as unknown as RunSpec, catalog);
  } catch (error) {
    throw refused("runner", `This runner may not run it: ${error instanceof Error ? error.message : error}`);
  }
}
