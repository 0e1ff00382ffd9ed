import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Lease, RunnerClient } from "../../runtimes/runner/client.ts";
import { uplink } from "../../runtimes/runner/uplink.ts";

/** A line over a folder with the checkpoints of steps 1 and 2; `onSend` is what happens while a file is on its way. */
function line(onSend: (path: string, file: string) => void, onArrival = (): void => {}) {
  const output = mkdtempSync(join(tmpdir(), "attune-uplink-"));
  for (const step of [1, 2]) {
    mkdirSync(join(output, "checkpoints", `step-${step}`), { recursive: true });
    writeFileSync(join(output, "checkpoints", `step-${step}`, "manifest.json"), "{}");
  }
  writeFileSync(join(output, "log.jsonl"), "");
  const arrived: number[] = [];
  const said: string[] = [];
  const client = {
    heartbeat: (_lease: Lease, _step: number, _tokens: number, held?: AbortSignal) =>
      new Promise((resolve) => held?.addEventListener("abort", () => resolve(null))),
    send: async (_lease: Lease, path: string, file: string) => {
      await Promise.resolve();
      onSend(path, file);
      return 0;
    },
    checkpoint: async (_lease: Lease, step: number) => {
      await Promise.resolve();
      arrived.push(step);
      onArrival();
    },
  } as unknown as RunnerClient;
  const progress = { step: 0, tokens: 0, totalSteps: 2, metrics: {} };
  const lease = { id: "job", token: "1", heartbeatSeconds: 1 } as Lease;
  const stop = new AbortController();
  return {
    output,
    arrived,
    said,
    own: uplink({ lease, client, output, progress, stop, report: (text) => said.push(text) }),
  };
}
const missing = (): Error => Object.assign(new Error("gone"), { code: "ENOENT" });

describe("a runner's checkpoints", () => {
  it("are sent where another one's file went meanwhile", async () => {
    let tries = 0;
    const { own: uplink, arrived, said } = line(() => {
      if (tries++ === 0) throw missing();
    });
    uplink.checkpoint(2, "step-2");
    await uplink.flushed();
    uplink.close();
    assert.deepEqual([arrived, said], [[2], []]);
  });

  it("are left out where they went themselves", async () => {
    const { own: uplink, output, arrived, said } = line((path) => {
      if (!path.startsWith("step-1/")) return;
      rmSync(join(output, "checkpoints", "step-1"), { recursive: true });
      throw missing();
    });
    uplink.checkpoint(1, "step-1");
    await uplink.flushed();
    uplink.close();
    assert.deepEqual([arrived, said], [[], []]);
  });

  it("are sent where they come in the very moment that the one before has arrived", async () => {
    for (let turns = 0; turns < 8; turns++) {
      let onArrival = (): void => {};
      const told = new Promise<void>((resolve) => (onArrival = resolve));
      const { own: uplink, arrived } = line(() => {}, () => onArrival());
      uplink.checkpoint(1, "step-1");
      await told;
      for (let i = 0; i < turns; i++) await Promise.resolve();
      uplink.checkpoint(2, "step-2");
      await uplink.flushed();
      uplink.close();
      assert.deepEqual(arrived, [1, 2], `${turns} turns later`);
    }
  });
});
