/**
 * A folder that one process writes to: who holds it is said to everybody else. Crashes leave claims behind, which bind nobody:
 * whoever finds one looks whether its process lives.
 *
 * Each process puts a file of its own into the folder and then looks at all of them, so that of two that start together at
 * least one sees the other. Of those that are still looking the first by name may go on.
 */
import { readdir, readFile, readlink, rename, rm, rmdir, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { AttuneError, refused } from "../../core/base/errors.ts";
import { makeFolder, notWritable } from "./make_folder.ts";

/** How the names of claims begin: they are no files of a run. */
const CLAIM = ".~attune-claim-";

/** How often a claim is renewed, and how old one of another machine may get, whose processes cannot be seen from here. */
const [RENEWED_MS, LOST_MS] = [30_000, 600_000];

/** Who has a folder. `settled`: it is sure that nobody else has. */
type Holder = Readonly<
  { name: string; pid: number; host: string; place: string; started: string | null; since: string; settled: boolean }
>;

/** Whether a name in a folder is that of a claim. */
export function isClaim(name: string): boolean {
  return name.startsWith(CLAIM);
}

/**
 * Claims a folder, which is made where there is none, and gives what lets it go again; a folder that was made for it and is
 * still empty goes then, too.
 *
 * @throws AttuneError: `NOT_WRITABLE` where nothing can be written there, `REFUSED` where another process has it.
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
 * Sees to it that something can be written to a folder, and leaves everything as it was.
 *
 * @throws AttuneError (`NOT_WRITABLE`) if it cannot.
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

/** Waits until nobody else is looking. Throws AttuneError if another has the folder. */
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

/** The claims of processes that live; those of others are removed. */
async function holdersBeside(folder: string, holder: Holder): Promise<Holder[]> {
  const holders: Holder[] = [];
  const now = (await stat(join(folder, holder.name))).mtimeMs;
  for (const name of await readdir(folder)) {
    if (!isClaim(name) || name === holder.name || name.endsWith(".part")) continue;
    const path = join(folder, name);
    const [text, info] = [await readFile(path, "utf8").catch(() => ""), await stat(path).catch(() => undefined)];
    if (!info) continue;
    const other = holderIn(name, text);
    if (other && await lives(other, holder, now - info.mtimeMs)) holders.push(other);
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

async function lives({ pid, place, started }: Holder, me: Holder, age: number): Promise<boolean> {
  if (place !== me.place) return age < LOST_MS;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  // Numbers of processes are used again.
  return started === null || await startOf(pid) === started;
}

/** Where numbers of processes mean the same: a machine, and in it a container. */
async function placeHere(): Promise<string> {
  return `${hostname()} ${await readlink("/proc/self/ns/pid").catch(() => "")}`;
}

/** When a process began, where the system tells. */
async function startOf(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The name in parentheses may hold anything; the 22nd field is the start, in ticks since the machine's.
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? null;
}

/** Nobody reads half of a claim. */
async function writeWhole(path: string, value: Holder): Promise<void> {
  await writeFile(`${path}.part`, JSON.stringify(value));
  await rename(`${path}.part`, path);
}
