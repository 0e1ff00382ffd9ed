/** interim */
import { mkdirSync, readFileSync, readdirSync, realpathSync, renameSync, rmSync, statSync, writeFileSync, existsSync, openSync, readSync, closeSync, appendFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Store } from "../core/types.ts";
export function directoryStore(root: string): Store {
  const at = (k: string): string => join(root, k);
  const st = (k: string) => { const s = statSync(at(k)); return { key: k, size: s.size, revision: `${s.size}-${s.mtimeMs}` }; };
  return {
    get: async (k, r) => {
      if (!existsSync(at(k)) || statSync(at(k)).isDirectory()) return undefined;
      if (!r) return { ...st(k), bytes: new Uint8Array(readFileSync(at(k))) };
      const b = new Uint8Array(r.length); const fd = openSync(at(k), "r"); readSync(fd, b, 0, r.length, r.offset); closeSync(fd); return { ...st(k), bytes: b };
    },
    put: async (k, b) => { mkdirSync(dirname(at(k)), { recursive: true }); writeFileSync(at(k) + ".tmp", b as Uint8Array); renameSync(at(k) + ".tmp", at(k)); return st(k); },
    append: async (k, b) => { mkdirSync(dirname(at(k)), { recursive: true }); appendFileSync(at(k), b); return st(k); },
    delete: async (k) => { rmSync(at(k), { force: true }); return "done"; },
    list: async function* (p) {
      if (!existsSync(root)) return;
      for (const e of readdirSync(root, { recursive: true, withFileTypes: true })) { if (!e.isFile()) continue; const k = join(e.parentPath, e.name).slice(root.length + 1); if (k.startsWith(p)) yield st(k); }
    },
    locate: async (k) => realpathSync(at(k)),
  };
}
