/** A process that puts over a revision when it is told to, several times at once, and says which of them have won. */
import process from "node:process";
import { createInterface } from "node:readline";
import { directoryStore } from "../../runtimes/host/directory_store.ts";

const store = directoryStore(process.argv[2] ?? "");
for await (const line of createInterface({ input: process.stdin })) {
  const { key, revision, times } = JSON.parse(line) as { key: string; revision: string | null; times: number };
  const put = () => store.put(key, new TextEncoder().encode(String(process.pid)), { if: revision });
  const all = await Promise.all(Array.from({ length: times }, put));
  const won = all.flatMap((done) => (done === "conflict" ? [] : [done.revision]));
  process.stdout.write(`${JSON.stringify(won)}\n`);
}
