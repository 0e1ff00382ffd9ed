/**
 * A disk in memory that remembers every operation, so that what a crash or a loss of power leaves at any moment can be
 * built: what node:fs/promises does, as far as the directory store uses it.
 */
import { dirname } from "node:path";
import type { Files } from "../../runtimes/host/files.ts";

/** One thing that was done to the disk. */
export type Operation =
  | Readonly<{ op: "mkdir" | "unlink" | "rmdir" | "syncFolder"; path: string }>
  | Readonly<{ op: "create"; path: string; ino: number }>
  | Readonly<{ op: "write"; ino: number; bytes: Uint8Array }>
  | Readonly<{ op: "sync"; ino: number }>
  | Readonly<{ op: "rename" | "link"; from: string; to: string }>;

/** Names and contents; a folder has no inode. */
export type Image = Readonly<{ names: ReadonlyMap<string, number | null>; data: ReadonlyMap<number, Uint8Array> }>;

/** How a machine goes down. `killed`: everything done stays. `power`: only what was synced stays; `renamed`: names stay, unsynced data does not. */
export type Crash = "killed" | "power" | "renamed" | "torn";

/** A disk. `allocateOutput`: bytes that can still be written. */
export interface MemoryFiles {
  readonly files: Files;
  readonly operations: readonly Operation[];
  readonly room: { bytes: number };
  names(): string[];
}

/** What is on the disk after the first `count` operations and a crash. `random` gives numbers in [0, 1). */
export function imageAfter(operations: readonly Operation[], count: number, crash: Crash, random: () => number): Image {
  const live = new Map<string, number | null>([["/", null]]);
  const data = new Map<number, Uint8Array>();
  const durable = new Map<string, number | null>([["/", null]]);
  const durableData = new Map<number, Uint8Array>();
  for (const [i, o] of operations.slice(0, count).entries()) {
    if (o.op === "mkdir") live.set(o.path, null);
    else if (o.op === "create") {
      live.set(o.path, o.ino);
      data.set(o.ino, new Uint8Array());
    } else if (o.op === "write") {
      // The write that was under way may be half done.
      const torn = crash === "torn" && i === count - 1 ? Math.floor(random() * o.bytes.length) : o.bytes.length;
      data.set(o.ino, joined(data.get(o.ino) ?? new Uint8Array(), o.bytes.subarray(0, torn)));
    } else if (o.op === "sync") durableData.set(o.ino, data.get(o.ino) ?? new Uint8Array());
    else if (o.op === "rename") {
      live.set(o.to, live.get(o.from) ?? null);
      live.delete(o.from);
    } else if (o.op === "link") live.set(o.to, live.get(o.from) ?? null);
    else if (o.op === "unlink" || o.op === "rmdir") live.delete(o.path);
    else if (o.op === "syncFolder") {
      for (const path of [...durable.keys()]) if (path !== "/" && dirname(path) === o.path) durable.delete(path);
      for (const [path, ino] of live) if (dirname(path) === o.path) durable.set(path, ino);
    }
  }
  if (crash === "killed") return { names: live, data };
  if (crash === "power") {
    const reached = [...durable].filter(([path]) => {
      for (let at = dirname(path); at !== "/"; at = dirname(at)) if (!durable.has(at)) return false;
      return true;
    });
    return { names: new Map(reached), data: durableData };
  }
  const left = new Map<number, Uint8Array>();
  for (const [ino, bytes] of data) {
    const synced = durableData.get(ino) ?? new Uint8Array();
    if (crash === "renamed" || synced.length === bytes.length) {
      left.set(ino, synced);
      continue;
    }
    // Blocks that were not synced arrive in any order: some are there, some are zero, the length may be anything.
    const torn = bytes.slice(0, synced.length + Math.floor(random() * (bytes.length - synced.length + 1)));
    for (let at = synced.length; at < torn.length; at += 64) if (random() < 0.3) torn.fill(0, at, at + 64);
    left.set(ino, torn);
  }
  return { names: live, data: left };
}

/** A disk that holds an image. */
export function memoryFiles(image?: Image): MemoryFiles {
  const names = new Map<string, number | null>(image?.names ?? [["/", null]]);
  const data = new Map<number, Uint8Array>(image?.data ?? []);
  const times = new Map<number, number>();
  const operations: Operation[] = [];
  const room = { bytes: Infinity };
  let inodes = Math.max(0, ...data.keys());
  let now = 1000;
  const failed = (code: string, path: string): Error => Object.assign(new Error(`${code}: ${path}`), { code, path });
  const inodeOf = (path: string): number | null => {
    const file = names.get(path);
    if (file === undefined) throw failed("ENOENT", path);
    return file;
  };
  const touched = (ino: number): void => void times.set(ino, now += 5);
  const statOf = (ino: number | null): object => ({
    size: ino === null ? 0 : data.get(ino)?.length ?? 0,
    mtimeMs: ino === null ? 0 : times.get(ino) ?? 0,
    atime: new Date(0),
    ino: ino ?? 0,
    isFile: () => ino !== null,
    isDirectory: () => ino === null,
  });
  const handle = (path: string, ino: number | null): object => ({
    stat: async () => statOf(ino),
    read: async (into: Uint8Array, at: number, length: number, from: number) => {
      const part = (ino === null ? new Uint8Array() : data.get(ino) ?? new Uint8Array()).subarray(from, from + length);
      into.set(part, at);
      return { bytesRead: part.length };
    },
    writeFile: async (bytes: Uint8Array) => {
      if (ino === null) throw failed("EISDIR", path);
      const fits = bytes.slice(0, Math.min(bytes.length, room.bytes));
      room.bytes -= fits.length;
      operations.push({ op: "write", ino, bytes: fits });
      data.set(ino, joined(data.get(ino) ?? new Uint8Array(), fits));
      touched(ino);
      if (fits.length < bytes.length) throw failed("ENOSPC", path);
    },
    sync: async () => void operations.push(ino === null ? { op: "syncFolder", path } : { op: "sync", ino }),
    close: async () => {},
  });
  const files = {
    mkdir: async (path: string) => {
      if (names.has(path)) throw failed("EEXIST", path);
      if (!names.has(dirname(path))) throw failed("ENOENT", path);
      names.set(path, null);
      operations.push({ op: "mkdir", path });
    },
    open: async (path: string, flags: string | number) => {
      if (flags === "r") return handle(path, inodeOf(path));
      if (flags === "wx" && names.has(path)) throw failed("EEXIST", path);
      if (!names.has(dirname(path))) throw failed("ENOENT", path);
      const file = names.get(path);
      if (file !== undefined) return handle(path, file);
      const ino = ++inodes;
      names.set(path, ino);
      data.set(ino, new Uint8Array());
      touched(ino);
      operations.push({ op: "create", path, ino });
      return handle(path, ino);
    },
    readdir: async (folder: string, options?: object) => {
      const path = folder.replace(/(.)\/$/, "$1");
      inodeOf(path);
      const children = [...names].filter(([name]) => name !== "/" && dirname(name) === path);
      const base = (name: string): string => name.slice(name.lastIndexOf("/") + 1);
      if (!options) return children.map(([name]) => base(name));
      return children.map(([name, ino]) => ({ name: base(name), isDirectory: () => ino === null }));
    },
    realpath: async (path: string) => (inodeOf(path), path),
    rename: async (from: string, to: string) => {
      names.set(to, inodeOf(from));
      names.delete(from);
      operations.push({ op: "rename", from, to });
    },
    link: async (from: string, to: string) => {
      if (names.has(to)) throw failed("EEXIST", to);
      names.set(to, inodeOf(from));
      operations.push({ op: "link", from, to });
    },
    rm: async (path: string) => {
      if (!names.delete(path)) return;
      operations.push({ op: "unlink", path });
    },
    rmdir: async (path: string) => {
      if (inodeOf(path) !== null) throw failed("ENOTDIR", path);
      if ([...names.keys()].some((name) => name !== "/" && dirname(name) === path)) throw failed("ENOTEMPTY", path);
      names.delete(path);
      operations.push({ op: "rmdir", path });
    },
    stat: async (path: string) => statOf(inodeOf(path)),
    utimes: async (path: string, _atime: Date, mtime: Date) => {
      const ino = inodeOf(path);
      if (ino !== null) times.set(ino, mtime.getTime());
    },
  };
  return { files: files as unknown as Files, operations, room, names: () => [...names.keys()] };
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
