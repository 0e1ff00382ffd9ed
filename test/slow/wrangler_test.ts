import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { here } from "../faults/killed_runs.ts";

const place = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** What a Worker of the paid plan may have, compressed, in KiB. */
const LIMIT = 10 * 1024;

it(
  "the Worker is deployable as it is",
  { skip: here !== "node" ? "wrangler is a program for Node" : false },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "attune-wrangler-"));
    try {
      const wrangler = place("node_modules/wrangler/bin/wrangler.js");
      const config = place("runtimes/cloudflare/wrangler.jsonc");
      const args = [wrangler, "deploy", "--dry-run", "-c", config, "--outdir", folder];
      const env = { ...process.env, WRANGLER_SEND_METRICS: "false", NO_COLOR: "1" };
      const { stdout } = await promisify(execFile)(process.execPath, args, { env });
      const [, total, gzip] = /Total Upload: ([\d.]+) KiB \/ gzip: ([\d.]+) KiB/.exec(stdout) ?? [];
      t.diagnostic(`${total} KiB, ${gzip} KiB compressed`);
      assert.ok(Number(gzip) < LIMIT, stdout);
      assert.match(stdout, /env\.ASSETS/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
