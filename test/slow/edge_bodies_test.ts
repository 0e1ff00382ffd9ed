import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import process from "node:process";
import { after, describe, it } from "node:test";
import { commands, here } from "../faults/killed_runs.ts";
import type { EdgeWorker } from "../worker.ts";

/**
 * What a server may take more than before, whatever it is sent: a quarter of what one would that kept a body. The right one
 * takes a few MiB, but the collectors of four runtimes choose their own time.
 */
const MOST = 256 * 2 ** 20;
const GIB = 2 ** 30;

const children: ChildProcess[] = [];
const workers: EdgeWorker[] = [];
after(async () => {
  children.forEach((child) => child.kill("SIGKILL"));
  for (const worker of workers) await worker.dispose();
});

async function served(runtime: string): Promise<{ port: number; rss: () => number }> {
  if (runtime === "workerd") {
    const worker = await (await import("../worker.ts")).edgeWorker();
    workers.push(worker);
    return { port: Number(new URL(worker.url).port), rss: () => worker.residentBytes() ?? NaN };
  }
  const [program = "", ...args] = commands[runtime] ?? [];
  const child = spawn(program, [...args, "serve", "--port", "0", "--store", "jobs"], {
    cwd: mkdtempSync(`${tmpdir()}/attune-bodies-`),
    env: { ...process.env, ATTUNE_API_KEY: "key", ATTUNE_RUNNER_TOKEN: "r", ATTUNE_ADMIN_KEY: "a" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  children.push(child);
  const rss = (): number =>
    1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]);
  return await new Promise((resolve) => {
    let text = "";
    child.stderr?.on("data", (part: Uint8Array) => {
      text += new TextDecoder().decode(part);
      const port = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1];
      if (port !== undefined) resolve({ port: Number(port), rss });
    });
  });
}

/** Sends up to a GiB on a line of its own, until it is cut; gives what was answered and how much went out. */
function flood(
  port: number,
  head: readonly string[],
  piece: Uint8Array,
  seen: () => void,
): Promise<Readonly<{ answer: string; sent: number }>> {
  return new Promise((resolve) => {
    const line = connect(port, "127.0.0.1");
    let [answer, sent, open] = ["", 0, true];
    const end = (): void => {
      open = false;
      line.destroy();
      resolve({ answer, sent });
    };
    line.on("data", (part: Uint8Array) => (answer += new TextDecoder().decode(part)));
    line.on("error", end);
    line.on("close", end);
    const next = (): void => {
      for (let i = 0; i < 16 && open && sent < GIB; i++) {
        sent += piece.length;
        seen();
        if (!line.write(piece)) return void line.once("drain", next);
      }
      if (open && sent < GIB) setImmediate(next);
      else if (open) setTimeout(end, 1000);
    };
    line.write([...head, "", ""].join("\r\n"), next);
  });
}

describe("bodies of a GiB", { skip: process.platform !== "linux" && "resident memory is read from /proc" }, () => {
  for (const runtime of ["node", "bun", "deno", "workerd"]) {
    // Miniflare is a program for Node.
    const skip = runtime === "workerd" && here !== "node" && "Miniflare runs on Node";
    it(`leave ${runtime}'s memory as it was`, { skip }, async (t) => {
      const { port, rss } = await served(runtime);
      const head = (path: string, ...more: readonly string[]): string[] => [
        `POST ${path} HTTP/1.1`,
        "Host: here",
        "Authorization: Bearer key",
        ...more,
      ];
      const data = new Uint8Array(65_536).fill(0x20);
      const chunk = new Uint8Array([...new TextEncoder().encode("10000\r\n"), ...data, 0x0d, 0x0a]);
      const json = "Content-Type: application/json";
      const attacks: Readonly<Record<string, readonly [readonly string[], Uint8Array]>> = {
        said: [head("/v1/tokenize", json, `Content-Length: ${GIB}`), data],
        chunked: [head("/v1/tokenize", json, "Transfer-Encoding: chunked"), chunk],
        "lying length": [head("/v1/tokenize", json, "Content-Length: 10"), data],
        packed: [head("/v1/tokenize", json, "Content-Encoding: gzip", "Transfer-Encoding: chunked"), chunk],
        "without a key": [["POST /v1/tokenize HTTP/1.1", "Host: here", json, "Transfer-Encoding: chunked"], chunk],
        evaluate: [head("/v1/evaluate", json, "Transfer-Encoding: chunked"), chunk],
      };
      const ask = (): Promise<Response> =>
        fetch(`http://127.0.0.1:${port}/v1/tokenize`, {
          method: "POST",
          headers: { authorization: "Bearer key", "content-type": "application/json" },
          body: `{ "tokenizer": "attune:base", ${" ".repeat(2_000_000)} "input": "x" }`,
        });
      // A body just within the limit is what the server may have needed before.
      assert.equal((await ask()).status, 200);
      for (const [name, [lines, piece]] of Object.entries(attacks)) {
        const before = rss();
        let most = 0;
        let n = 0;
        const { answer, sent } = await flood(port, lines, piece, () => {
          if (n++ % 64 === 0) most = Math.max(most, rss());
        });
        const grown = Math.max(most, rss()) - before;
        const [mib, status] = [(n: number): string => (n / 2 ** 20).toFixed(1), answer.slice(9, 12) || "cut off"];
        t.diagnostic(`${runtime}, ${name}: ${status} after ${mib(sent)} MiB, ${mib(grown)} MiB more`);
        // A line that is cut while it is full may lose the answer.
        assert.match(answer, /^(HTTP\/1\.1 4(13|15|01|00) |$)/, name);
        assert.ok(grown <= MOST, `${name}: ${(grown / 2 ** 20).toFixed(1)} MiB more`);
      }
      assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200);
    });
  }
});
