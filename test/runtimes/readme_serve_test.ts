import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { commands, here } from "../faults/killed_runs.ts";
import { blocksOf, noTools, readmeRig } from "../readme.ts";
import { tinyFiles } from "../tiny.ts";

describe("README: Serve and dispatch", { skip: noTools }, () => {
  it("its commands work, one terminal after the other", async () => {
    const blocks = blocksOf("Serve and dispatch");
    const [serve, runner, curl, script, use] = blocks;
    assert.equal(blocks.length, 5);
    const rig = await readmeRig();
    writeFileSync(join(rig.folder, "package.json"), '{ "dependencies": { "openai": "*" } }');
    const model = join(rig.folder, "models", "all-MiniLM-L6-v2");
    mkdirSync(model, { recursive: true });
    for (const [name, bytes] of Object.entries(tinyFiles())) writeFileSync(join(model, name), bytes);
    await rig.serve(serve);
    const runners = rig.terminal("sh", ["-c", rig.own(runner)]);
    const told = await rig.finished("sh", ["-c", rig.own(curl)], runners.output);
    assert.match(told, /event: fine_tuning\.job\.event[^]*training loss=[^]*successfully completed[^]*event: done/);
    writeFileSync(join(rig.folder, "job.mjs"), rig.own(script));
    const [program = "", ...args] = (commands[here] ?? []).slice(0, -1);
    assert.match(
      await rig.finished(program, [...args, join(rig.folder, "job.mjs")], runners.output),
      /The job has successfully completed[^]*Created/,
    );
    assert.match(await rig.finished("sh", ["-c", rig.own(use)]), /accuracy/);
  });
});
