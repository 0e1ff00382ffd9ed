/**
 * A disk that several processes use at once, as a schedule orders: each call comes in its turn, writes in pieces. It can be
 * full at any byte, have no more handles, and lose power: names then are as they were when their folder was synced or as
 * they are, each for itself, and of what was not synced of a file some blocks are there, some are zero.
 */
import { dirname } from "node:path";
import type { Files } from "../../runtimes/host/files.ts";
import type { Actor, Schedule } from "./schedule.ts";

type FileNode = { ino: number; data: Uint8Array; synced: Uint8Array; mtimeMs: number };
type FolderNode = { names: Map<string, DiskNode>; lasting: Map<string, DiskNode> };
type DiskNode = FileNode | FolderNode;

/** How the disk fails while it may. `allocateOutput`: bytes that can be written; `handles`: the chance that one more is refused. */
export type DiskFaults = { room: number; handles: number };

/** What a disk is made of that forgets what it should keep: a simulation has to notice. */
export type BrokenDisk = "no sync of files" | "no sync of folders" | "links replace";

/** A disk. */
export interface SimulatedDisk {
  readonly faults: DiskFaults;
  /** The files as one process sees them. */
  filesFor(actor: Actor): Files;
  /** What is left when the power goes: processes must have died before. */
  losePower(): void;
  /** Every file, by its path. */
  all(): Iterable<readonly [path: string, bytes: Uint8Array]>;
}

const isFolder = (node: DiskNode | undefined): node is FolderNode => node !== undefined && "names" in node;

/**
 * Makes an empty one. `time`: milliseconds of the machine's clock, which may jump; `linked` is told of each file that gets a
 * name that it had not.
 */
export function simulatedDisk(
  { chance, below, wait }: Schedule,
  time: () => number,
  linked: (path: string, bytes: Uint8Array) => void,
  broken?: BrokenDisk,
): SimulatedDisk {
  const root: FolderNode = { names: new Map(), lasting: new Map() };
  const faults: DiskFaults = { room: Infinity, handles: 0 };
  let inodes = 0;
  const failed = (code: string, path: string): Error => Object.assign(new Error(`${code}: ${path}`), { code, path });
  const partsOf = (path: string): string[] => path.split("/").filter((part) => part !== "");
  const find = (path: string): DiskNode | undefined => {
    let node: DiskNode | undefined = root;
    for (const part of partsOf(path)) node = isFolder(node) ? node.names.get(part) : undefined;
    return node;
  };
  const get = (path: string): DiskNode => {
    const node = find(path);
    if (!node) throw failed("ENOENT", path);
    return node;
  };
  const folderOf = (path: string): FolderNode => {
    const node = get(dirname(path));
    if (!isFolder(node)) throw failed("ENOTDIR", path);
    return node;
  };
  const nameOf = (path: string): string => partsOf(path).at(-1) ?? "";
  const file = (path: string): FileNode => {
    const node = get(path);
    if (isFolder(node)) throw failed("EISDIR", path);
    return node;
  };
  /** New names take room, too, where there is none. */
  const roomFor = (path: string): void => {
    if (faults.room <= 0 && chance(0.5)) throw failed("ENOSPC", path);
  };
  const opening = (path: string): void => {
    if (chance(faults.handles)) throw failed("EMFILE", path);
  };
  const infoOf = (node: DiskNode): object => ({
    size: isFolder(node) ? 4096 : node.data.length,
    mtimeMs: isFolder(node) ? 0 : node.mtimeMs,
    atime: new Date(0),
    ino: isFolder(node) ? 0 : node.ino,
    isFile: () => !isFolder(node),
    isDirectory: () => isFolder(node),
  });
  const add = (node: FileNode, bytes: Uint8Array, path: string): void => {
    const fits = bytes.subarray(0, Math.max(0, Math.min(bytes.length, faults.room)));
    faults.room -= fits.length;
    const data = new Uint8Array(node.data.length + fits.length);
    data.set(node.data);
    data.set(fits, node.data.length);
    // A clock of the file system has ticks of some milliseconds.
    Object.assign(node, { data, mtimeMs: Math.floor(time() / 4) * 4 });
    if (fits.length < bytes.length) throw failed("ENOSPC", path);
  };

  const filesFor = (actor: Actor): Files => {
    const turn = (ms = 3): Promise<void> => wait(actor, below(ms));
    /** Looking changes nothing: not each look needs a turn of its own. */
    const look = async (): Promise<void> => {
      if (chance(0.25)) await turn();
    };
    const handle = (node: DiskNode, path: string): object => ({
      stat: async () => infoOf(node),
      read: async (into: Uint8Array, at: number, length: number, from: number) => {
        const part = isFolder(node) ? new Uint8Array() : node.data.subarray(from, from + length);
        into.set(part, at);
        return { bytesRead: part.length };
      },
      writeFile: async (bytes: Uint8Array) => {
        if (isFolder(node)) throw failed("EISDIR", path);
        // Whoever dies in between has written a part.
        const cut = below(bytes.length + 1);
        for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
          await turn();
          add(node, part, path);
        }
      },
      sync: async () => {
        await turn();
        if (isFolder(node)) {
          if (broken !== "no sync of folders") node.lasting = new Map(node.names);
        } else if (broken !== "no sync of files") node.synced = node.data;
      },
      close: async () => {},
    });
    const files = {
      mkdir: async (path: string) => {
        await turn();
        const folder = folderOf(path);
        if (folder.names.has(nameOf(path))) throw failed("EEXIST", path);
        roomFor(path);
        folder.names.set(nameOf(path), { names: new Map(), lasting: new Map() });
      },
      open: async (path: string, flags: string) => {
        await (flags === "r" ? look() : turn());
        opening(path);
        if (flags === "r") return handle(get(path), path);
        const folder = folderOf(path);
        if (folder.names.has(nameOf(path))) throw failed("EEXIST", path);
        roomFor(path);
        // Numbers of inodes come again, as those of some file systems do at once.
        const node = { ino: ++inodes % 7, data: new Uint8Array(), synced: new Uint8Array(), mtimeMs: time() };
        folder.names.set(nameOf(path), node);
        return handle(node, path);
      },
      readdir: async (path: string, options?: object) => {
        await look();
        const node = get(path);
        opening(path);
        if (!isFolder(node)) throw failed("ENOTDIR", path);
        return [...node.names].map(([name, own]) => options ? { name, isDirectory: () => isFolder(own) } : name);
      },
      realpath: async (path: string) => (get(path), path),
      stat: async (path: string) => {
        await look();
        return infoOf(get(path));
      },
      utimes: async (path: string, _atime: Date, mtime: Date) => void Object.assign(file(path), { mtimeMs: +mtime }),
      link: async (from: string, to: string) => {
        await turn();
        const [node, folder] = [file(from), folderOf(to)];
        if (broken !== "links replace" && folder.names.has(nameOf(to))) throw failed("EEXIST", to);
        roomFor(to);
        folder.names.set(nameOf(to), node);
        linked(to, node.data);
      },
      rename: async (from: string, to: string) => {
        await turn();
        const [node, before, after] = [get(from), folderOf(from), folderOf(to)];
        before.names.delete(nameOf(from));
        after.names.set(nameOf(to), node);
        if (!isFolder(node)) linked(to, node.data);
      },
      rm: async (path: string) => {
        await turn();
        const folder = find(dirname(path));
        if (isFolder(folder)) folder.names.delete(nameOf(path));
      },
      rmdir: async (path: string) => {
        await turn();
        const node = get(path);
        if (!isFolder(node)) throw failed("ENOTDIR", path);
        if (node.names.size > 0) throw failed("ENOTEMPTY", path);
        folderOf(path).names.delete(nameOf(path));
      },
    };
    return files as unknown as Files;
  };

  /** Of a file, what was synced, and of what came after some blocks. */
  const torn = (node: FileNode): void => {
    if (node.data !== node.synced) {
      const data = node.data.slice(0, node.synced.length + below(node.data.length - node.synced.length + 1));
      for (let at = node.synced.length; at < data.length; at += 64) if (chance(0.3)) data.fill(0, at, at + 64);
      node.data = data;
    }
    node.synced = node.data;
  };
  const settle = (folder: FolderNode): void => {
    for (const name of new Set([...folder.names.keys(), ...folder.lasting.keys()])) {
      const [live, lasting] = [folder.names.get(name), folder.lasting.get(name)];
      const left = live === lasting || chance(0.5) ? live : lasting;
      if (left) folder.names.set(name, left);
      else folder.names.delete(name);
    }
    folder.lasting = new Map(folder.names);
    for (const node of folder.names.values()) {
      if (isFolder(node)) settle(node);
      else torn(node);
    }
  };
  function* all(folder: FolderNode = root, path = ""): Iterable<readonly [string, Uint8Array]> {
    for (const [name, node] of folder.names) {
      if (isFolder(node)) yield* all(node, `${path}/${name}`);
      else yield [`${path}/${name}`, node.data];
    }
  }
  return { faults, filesFor, losePower: () => settle(root), all: () => all() };
}
