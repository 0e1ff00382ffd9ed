/**
 * Writing of a directory's keys: whole files that replace others atomically, and versions over a revision.
 */
import { constants } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { allBytes } from "../../core/base/bytes.ts";
import type { StoredObject } from "../../core/types.ts";
import { type Directory, isInside, pathOf, realPath, writablePath } from "./directory.ts";
import { revisionOf, statKey, storedOf } from "./directory_read.ts";
import { DELETED, TEMPORARY_PREFIX } from "./generations.ts";
import { absent, falseIfExists, isSystemError } from "./system_errors.ts";

/** The content of a file, also in pieces. */
type Content = Uint8Array | AsyncIterable<Uint8Array>;

/** Marks this machine's temporary files. */
const MACHINE = [...hostname()].reduce((hash, c) => (31 * hash + (c.codePointAt(0) ?? 0)) >>> 0, 7).toString(36);

/** Puts a key: unconditionally, or over the revision `wanted`, where `null` means that there is no such key. */
export async function putKey(
  directory: Directory,
  key: string,
  bytes: Content,
  wanted?: string | null,
): Promise<StoredObject | "conflict"> {
  if (wanted !== undefined) return await supersede(directory, key, bytes, wanted);
  if (await directory.generations.newest(pathOf(directory, key)) === 0) return await replace(directory, key, bytes);
  // A key that was once put over a revision keeps having versions.
  const all = await allBytes(bytes);
  for (;;) {
    const done = await supersede(directory, key, all, (await statKey(directory, key))?.revision ?? null);
    if (done !== "conflict") return done;
  }
}

/** Writes a file under its key, replacing any. */
async function replace(directory: Directory, key: string, bytes: Content): Promise<StoredObject> {
  const { files: { rename, rm, stat }, durable: { syncFolder, writeFile } } = directory;
  const target = await writablePath(directory, key);
  await sweep(directory, dirname(target));
  const temporary = temporaryOf(target);
  try {
    await writeFile(temporary, bytes);
    await keepTimesDistinct(directory, target, temporary);
    const info = await stat(temporary);
    await rename(temporary, target);
    await syncFolder(dirname(target));
    return storedOf(key, info);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Writes a file under its key if there is none. */
async function create(directory: Directory, key: string, bytes: Content): Promise<StoredObject | "conflict"> {
  const { files: { link, rm, stat }, durable: { syncFolder, writeFile } } = directory;
  const target = await writablePath(directory, key);
  await sweep(directory, dirname(target));
  const temporary = temporaryOf(target);
  try {
    await writeFile(temporary, bytes);
    const info = await stat(temporary);
    if (!await link(temporary, target).then(() => true, falseIfExists)) return "conflict";
    await syncFolder(dirname(target));
    return storedOf(key, info);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Adds a version over a revision. */
async function supersede(
  directory: Directory,
  key: string,
  bytes: Content,
  wanted: string | null,
): Promise<StoredObject | "conflict"> {
  const { generations, durable: { writeFile } } = directory;
  const number = await generations.newest(pathOf(directory, key));
  const matches = async (): Promise<boolean> => ((await statKey(directory, key))?.revision ?? null) === wanted;
  if (!await matches()) return "conflict";
  if (wanted === null && number === 0) return await create(directory, key, bytes);
  const target = await writablePath(directory, key);
  let size = 0;
  const write = async (at: string): Promise<void> => void (size = await writeFile(at, bytes));
  const done = await generations.add(target, number, write, matches);
  return done ? { key, size, revision: revisionOf(number + 1) } : "conflict";
}

/** Appends to a key's file. `sync`: returns only once the bytes survive a loss of power. */
export async function appendKey(
  directory: Directory,
  key: string,
  bytes: Uint8Array,
  sync: boolean | undefined,
): Promise<StoredObject> {
  const { files: { open }, generations, durable: { syncFolder } } = directory;
  // A real path contains no links; the path of a new file may be a link to nothing, which is not followed.
  const flags = constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY | (constants.O_NOFOLLOW ?? 0);
  const newer = generations.at(pathOf(directory, key), await generations.newest(pathOf(directory, key)));
  const target = await realPath(directory, key, newer) ?? await writablePath(directory, key);
  const file = await open(target, flags);
  try {
    await file.writeFile(bytes);
    if (sync) {
      await file.sync();
      await syncFolder(dirname(target));
    }
    return storedOf(key, await file.stat());
  } finally {
    await file.close();
  }
}

/** Deletes a key: unconditionally, or only if its revision is `wanted`. */
export async function deleteKey(
  directory: Directory,
  key: string,
  wanted?: string | null,
): Promise<"done" | "conflict"> {
  const { root, files: { rm, rmdir }, generations } = directory;
  const target = pathOf(directory, key);
  if (await statKey(directory, key) === undefined) {
    return wanted === undefined || wanted === null ? "done" : "conflict";
  }
  if (wanted !== undefined) {
    return await supersede(directory, key, DELETED, wanted) === "conflict" ? "conflict" : "done";
  }
  await writablePath(directory, key);
  while (await generations.newest(target) > 0) {
    const revision = (await statKey(directory, key))?.revision;
    if (revision === undefined || await supersede(directory, key, DELETED, revision) !== "conflict") return "done";
  }
  await rm(target, { force: true });
  // Folders are not keys, so empty ones are removed.
  for (let folder = dirname(target); isInside(root, folder); folder = dirname(folder)) {
    if (await rmdir(folder).then(() => false, () => true)) break;
  }
  return "done";
}

/** Makes the writes to a key's folder durable. */
export async function syncKey(directory: Directory, key: string): Promise<void> {
  const { files: { stat }, generations, durable: { makeFolder, syncFolder } } = directory;
  const target = pathOf(directory, key);
  const folder = dirname(generations.at(target, await generations.newest(target)));
  await syncFolder(folder);
  // Another process may be creating the folders above.
  if (await stat(folder).catch(absent)) await makeFolder(folder);
}

function temporaryOf(target: string): string {
  return join(dirname(target), `${TEMPORARY_PREFIX}put-${MACHINE}-${process.pid}-${crypto.randomUUID()}`);
}

/** Removes half-written files of dead processes of this machine. */
async function sweep({ files: { readdir, rm }, swept }: Directory, folder: string): Promise<void> {
  if (swept.has(folder)) return;
  swept.add(folder);
  for (const name of await readdir(folder)) {
    const pid = name.startsWith(`${TEMPORARY_PREFIX}put-${MACHINE}-`) ? Number(name.split("-")[3]) : undefined;
    if (pid !== undefined && !isAlive(pid)) await rm(join(folder, name), { force: true });
  }
}

/** Gives a write a later time than the previous one: inodes are reused, and the file system's clock may be coarse. */
async function keepTimesDistinct(
  { files: { stat, utimes } }: Directory,
  target: string,
  temporary: string,
): Promise<void> {
  const [before, after] = [await stat(target).catch(absent), await stat(temporary)];
  if (before && after.mtimeMs <= before.mtimeMs) await utimes(temporary, after.atime, new Date(before.mtimeMs + 2));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(isSystemError(error) && error.code === "ESRCH");
  }
}
