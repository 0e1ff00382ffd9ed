/**
 * Claims of folders, so that only one process writes to each. A claim names its process, for others' messages. Claims
 * that crashes leave behind have no effect: whoever finds one checks whether its process is alive.
 *
 * Each process puts a file of its own into the folder and then reads all of them, so that of two that start together at
 * least one sees the other. Of those that have not settled yet, the first by name may proceed.
 */
import { readdir, readFile, readlink, rename, rm, rmdir, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { AttuneError, refused } from "../../core/base/errors.ts";
import { makeFolder, notWritable } from "./make_folder.ts";

/** Prefix of the names of claims, which are not files of a run. */
const CLAIM = ".~attune-claim-";

/** How often a claim is renewed, and when one from another machine, whose processes cannot be seen, has expired. */
const [RENEWED_MS, LOST_MS] = [30_000, 600_000];

/** The holder of a folder. `settled`: it is certain that no other process has it. */
type Holder = Readonly<
  { name: string; pid: number; host: string; place: string; started: string | null; since: string; settled: boolean }
>;

/** Whether a name in a folder is that of a claim. */
export function isClaim(name: string): boolean {
  return name.startsWith(CLAIM);
}

/**
 * Claims a folder, which is created if there is none. Returns a function that releases it and removes folders that were
 * created here and are still empty.
 *
 * @throws AttuneError: `NOT_WRITABLE` if the folder is not writable, `REFUSED` if another process has it.
 */
export async function claimFolder(folder: string): Promise<() => Promise<void>> {
  const holder: Holder = {
    name: `${CLAIM}${crypto.randomUUID()}`,
    pid: process.pid,
    host: hostname(),
    place: await placeHere(),
    started: await startOf(process.pid),
    since: new Date().toISOString(),
    settled: false,
  };
  const path = join(folder, holder.name);
  let made: string | undefined;
  const letGo = async (): Promise<void> => {
    clearInterval(renewing);
    await rm(path, { force: true }).catch(() => {});
    for (let at = folder; made !== undefined && at.length >= made.length; at = dirname(at)) {
      if (await rmdir(at).then(() => false, () => true)) break;
    }
  };
  const renewing = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, RENEWED_MS);
  renewing.unref?.();
  try {
    made = await makeFolder(folder);
    await writeWhole(path, holder);
    await settle(folder, holder);
    await writeWhole(path, { ...holder, settled: true });
  } catch (error) {
    await letGo();
    if (error instanceof AttuneError) throw error;
    throw notWritable(folder, error);
  }
  return letGo;
}

/**
 * Checks that a folder is writable, and leaves everything as it was.
 *
 * @throws AttuneError (`NOT_WRITABLE`) if it is not.
 */
export async function checkWritable(folder: string): Promise<void> {
  let made: string | undefined;
  const path = join(folder, `${CLAIM}${crypto.randomUUID()}.part`);
  try {
    made = await makeFolder(folder);
    await writeFile(path, "x");
  } catch (error) {
    throw notWritable(folder, error);
  } finally {
    await rm(path, { force: true }).catch(() => {});
    for (let at = folder; made !== undefined && at.length >= made.length; at = dirname(at)) {
      if (await rmdir(at).then(() => false, () => true)) break;
    }
  }
}

/** Waits until no other process is claiming the folder. Throws AttuneError if another has it. */
async function settle(folder: string, holder: Holder): Promise<void> {
  for (;;) {
    const others = await holdersBeside(folder, holder);
    const first = others.find((other) => other.settled || other.name < holder.name);
    if (first) {
      throw refused(
        "run",
        `${folder} is in use: process ${first.pid} on ${first.host} has been writing to it since ${first.since}`,
      );
    }
    if (others.length === 0) return;
    await sleep(10);
  }
}

/** Returns the claims of other living processes, and removes those of dead ones. */
async function holdersBeside(folder: string, holder: Holder): Promise<Holder[]> {
  const holders: Holder[] = [];
  const now = (await stat(join(folder, holder.name))).mtimeMs;
  for (const name of await readdir(folder)) {
    if (!isClaim(name) || name === holder.name || name.endsWith(".part")) continue;
    const path = join(folder, name);
    const [text, info] = [await readFile(path, "utf8").catch(() => ""), await stat(path).catch(() => undefined)];
    if (!info) continue;
    const other = holderIn(name, text);
    if (other && await isAlive(other, holder, now - info.mtimeMs)) holders.push(other);
    else await rm(path, { force: true });
  }
  return holders;
}

function holderIn(name: string, text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Holder;
    return holder.name === name && typeof holder.pid === "number" ? holder : undefined;
  } catch {
    return undefined;
  }
}

async function isAlive({ pid, place, started }: Holder, me: Holder, age: number): Promise<boolean> {
  if (place !== me.place) return age < LOST_MS;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  // Process ids are reused.
  return started === null || await startOf(pid) === started;
}

/** Returns the scope in which process ids are unique: a machine, and in it a container. */
async function placeHere(): Promise<string> {
  return `${hostname()} ${await readlink("/proc/self/ns/pid").catch(() => "")}`;
}

/** Returns when a process started, if the system tells. */
async function startOf(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The name in parentheses may contain anything. Field 22 is the start time, in clock ticks since the machine started.
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? null;
}

/** Writes a claim atomically, so that nobody reads half of it. */
async function writeWhole(path: string, value: Holder): Promise<void> {
  await writeFile(`${path}.part`, JSON.stringify(value));
  await rename(`${path}.part`, path);
}
