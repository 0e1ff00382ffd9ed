/** Preparation of a job's inputs on this machine: references become paths, missing files and models are downloaded. */
import { existsSync } from "node:fs";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compose } from "../../core/spec/compose.ts";
import { refused } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/sha256.ts";
import { plainPath } from "../../core/jobs/names.ts";
import { placeReferences, referenceKind, referencesOf } from "../../core/jobs/references.ts";
import type { Catalog, Json, Named, RunSpec } from "../../core/types.ts";
import type { Lease, RunnerClient } from "./client.ts";
import { isModelFolder } from "../host/model_folder.ts";
import { placeBelow } from "./places.ts";

/** Options of preparing inputs. */
export type InputOptions = Readonly<{
  client: RunnerClient;
  /** The server's address. */
  server: string;
  /** The folder for files and models. */
  work: string;
  /** A folder of models that are already here. */
  models?: string;
  /** Loads the plugins in a spec that jobs may use. */
  catalogFor(spec: Named<Json>): Promise<Catalog>;
}>;

/** A job's spec as it runs on this machine, and the names that replace its paths in output files. */
export type LocalSpec = Readonly<{ spec: Named<Json>; displayNames: Named<string> }>;

/** Prepares a job's spec. Throws AttuneError if the job names a plugin that this runner may not load. */
export async function localSpec(lease: Lease, options: InputOptions): Promise<LocalSpec> {
  const paths = new Map<string, string>();
  const local = { ...lease.spec, loggers: loggersOf(lease.spec) };
  const catalog = await options.catalogFor(local);
  for (const { name } of referencesOf(local, catalog)) paths.set(name, await pathOf(name, lease, options));
  const spec = placeReferences(local, catalog, (name) => paths.get(name) ?? name);
  checkAllowed(spec, catalog);
  return { spec, displayNames: Object.fromEntries([...paths].map(([name, path]) => [path, name])) };
}

/** Downloads what an earlier lease has left: a checkpoint, and the logs as they were then. */
export async function fetchCheckpoint(lease: Lease, client: RunnerClient, output: string): Promise<void> {
  if (!lease.checkpoint) return;
  const folder = lease.checkpoint.folder.replace(/^jobs\/[^/]+\//, "");
  for (const path of lease.checkpoint.files) {
    const file = await placeBelow(output, plainPath("runner", "checkpoint", path));
    await client.fetchTo(lease, `${folder}${path}`, file);
  }
}

/** Returns the files below a folder as relative paths, in order. */
export async function filesBelow(folder: string): Promise<string[]> {
  const all = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = all.filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name).slice(folder.length + 1));
  return files.map((f) => f.replaceAll("\\", "/")).filter((f) => !f.split("/").some((p) => p.startsWith("."))).sort();
}

/** Whether a file is part of a job's result: checkpoints are only for resuming, and the spec has local paths. */
export function isResult(path: string): boolean {
  // Names with this prefix are unfinished files or claims.
  return !/^(checkpoints\/|spec\.json$)|(^|\/)\.~attune-/.test(path);
}

async function pathOf(name: string, lease: Lease, options: InputOptions): Promise<string> {
  const { client, work, models, server } = options;
  if (name === "attune:base") return name;
  const kind = referenceKind(name);
  if (kind === "file") {
    // The same name may mean another file on another server.
    const file = await placeBelow(work, ["files", `${name}-${await shortHash(server)}.jsonl`]);
    if (!existsSync(file)) await client.fetchTo(lease, `uploads/${name}`, file);
    return file;
  }
  const here = models === undefined || kind !== "model" ? undefined : join(models, name);
  return here !== undefined && isModelFolder(here) ? here : await fetchedFolder(name, lease, options);
}

/** Downloads those files of a model that are missing or have another revision, whatever their size. */
async function fetchedFolder(name: string, lease: Lease, { client, work, server }: InputOptions): Promise<string> {
  // A hash cannot lead outside, whatever the name is.
  const local = ["models", await shortHash(`${server}\n${name}`)];
  const list = await placeBelow(work, [...local, "revisions.json"]);
  const folder = join(work, ...local, "files");
  const known: Named<string> = await readFile(list, "utf8").then(JSON.parse).catch(() => ({}));
  const wanted: Record<string, string> = {};
  for (const { path, bytes, revision } of await client.modelFiles(lease, name)) {
    const file = await placeBelow(folder, path);
    const key = path.join("/");
    wanted[key] = `${bytes} ${revision}`;
    const there = await stat(file).catch(() => undefined);
    if (there?.size === bytes && known[key] === wanted[key]) continue;
    const query = `name=${encodeURIComponent(name)}&path=${encodeURIComponent(key)}`;
    await client.fetchTo(lease, `models/file?${query}`, file, bytes);
  }
  // Files that the model no longer has would otherwise be read with the others.
  for (const key of Object.keys(known)) {
    if (wanted[key] === undefined) await rm(await placeBelow(folder, plainPath("runner", name, key)), { force: true });
  }
  await writeFile(list, JSON.stringify(wanted));
  return folder;
}

async function shortHash(text: string): Promise<string> {
  return (await sha256(text)).slice(0, 32);
}

/** Returns a job's loggers. Every job writes log.jsonl and report.html; the console is the runner's. */
function loggersOf({ loggers }: Named<Json>): Json[] {
  const listed = Array.isArray(loggers) ? loggers as readonly Json[] : [];
  const nameOf = (one: Json): Json => (typeof one === "string" ? one : (one as Named<Json>).use ?? null);
  const ours: readonly Json[] = ["jsonl", "report", "console"];
  return [...listed.filter((one) => !ours.includes(nameOf(one))), "jsonl", "report"];
}

/** Throws AttuneError if a job names a plugin that this runner may not load. */
function checkAllowed(spec: Named<Json>, catalog: Catalog): void {
  try {
    compose(spec as unknown as RunSpec, catalog);
  } catch (error) {
    throw refused("runner", `This runner may not run the job: ${error instanceof Error ? error.message : error}`);
  }
}
