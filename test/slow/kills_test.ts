import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createRandom } from "../../core/math/random.ts";
import {
  assertSameResults,
  commands,
  here,
  killableRun,
  killed,
  started,
  uninterrupted,
} from "../faults/killed_runs.ts";
import { killedSearch } from "../faults/killed_search.ts";

const seed = 20;
/** Long enough for every kill to find the run at work. */
const training = { maxSteps: 250 };

describe("a run that is killed at random moments", () => {
  it("20 times leaves the bytes of one that was not", async () => {
    const { folder, spec } = killableRun({ training });
    await uninterrupted(spec, join(folder, "whole"));
    const random = createRandom(seed).fork(here);
    const hit = await killed(spec, join(folder, "parts"), 20, random.uniform);
    assert.equal(hit, 20, "every kill hit");
    assertSameResults(join(folder, "whole"), join(folder, "parts"));
  });

  it("goes on from Node to Bun to Deno to the same bytes", async () => {
    const { folder, spec } = killableRun({ training });
    await uninterrupted(spec, join(folder, "whole"));
    const random = createRandom(seed).fork("round");
    const hit = await killed(spec, join(folder, "parts"), 9, random.uniform, Object.keys(commands));
    assert.equal(hit, 9, "every kill hit");
    assertSameResults(join(folder, "whole"), join(folder, "parts"));
  });

  it("commits a checkpoint on SIGINT, ends with 130, and goes on to the same bytes", async () => {
    const { folder, spec } = killableRun();
    await uninterrupted(spec, join(folder, "whole"));
    const parts = join(folder, "parts");
    const run = [...commands[here] ?? [], "run", spec, "--output", parts, "--threads", "1", "--json", "--resume"];
    const ended = await started(run, (line, child) => {
      if (line.startsWith('{"type":"step","step":13,')) child.kill("SIGINT");
    });
    assert.equal(ended.code, 130, ended.output);
    assert.match(ended.output, /"type":"checkpoint"[^]*"reason":"interrupted"/);
    assert.equal((await started(run)).code, 0);
    assertSameResults(join(folder, "whole"), parts);
  });

  it("with everything trained, 10 times", async () => {
    const { folder, spec } = killableRun({ adapter: [], training });
    await uninterrupted(spec, join(folder, "whole"));
    const random = createRandom(seed).fork("full");
    assert.equal(await killed(spec, join(folder, "parts"), 10, random.uniform), 10);
    assertSameResults(join(folder, "whole"), join(folder, "parts"));
  });
});

describe("a search that is killed at random moments", () => {
  it("12 times makes the same trials, loses none, and has the same winner", async () => {
    const { hits, trials, lost } = await killedSearch(12);
    assert.ok(hits >= 10, `${hits} kills hit`);
    assert.deepEqual([trials, lost], [15, 0]);
  });
});
