import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import type { Tensor } from "../../../core/base/tensor.ts";
import { pretrained } from "../../../plugins/models/pretrained.ts";
import { hf } from "../../../plugins/tokenizers/hf.ts";
import { hostHere } from "../../../runtimes/host/train.ts";

const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
const folder = join(cache, "attune-test-models", "SmolLM2-135M-Instruct");
const file = existsSync(folder) ? readdirSync(folder).find((name) => name.endsWith(".gguf")) : undefined;
const skip = file === undefined && `no SmolLM2 with its GGUF file in ${folder}`;

describe("SmolLM2's GGUF file is the folder that was made of it", { skip }, () => {
  const host = hostHere(1);
  const both = async () =>
    await Promise.all(
      [join(folder, file ?? ""), folder].map(async (path) => await pretrained({ path }).open(await host)),
    );
  it("config and tensors", async () => {
    const [ours, other] = await both();
    assert.ok(ours && other);
    for (const [name, said] of Object.entries(ours.config)) {
      assert.deepEqual(said ?? other.config[name], other.config[name], name);
    }
    assert.deepEqual([...ours.weights.names].sort(), [...other.weights.names].sort());
    // Every ninth: another kind of tensor each time.
    for (const name of ours.weights.names.filter((_, i) => i % 9 === 1)) {
      const mine: Tensor = await ours.weights.read(name);
      const its: Tensor = await other.weights.read(name);
      assert.deepEqual(mine.dims, its.dims, name);
      assert.ok(mine.data.every((value, i) => value === its.data[i]), name);
    }
  });
  it("tokens and chats", async () => {
    const [ours, other] = await both();
    assert.ok(ours && other);
    const [mine, its] = [await hf().open(ours.files), await hf().open(other.files)];
    for (
      const text of ["The cat's 1234 plans", " \u00fcbung \u4e2d\u6587\n\n<|im_start|>user x\u00bd", "don't  stop\t\t!"]
    ) {
      assert.deepEqual([...mine.encode(text)[0].ids], [...its.encode(text)[0].ids]);
    }
    const messages = [{ role: "user", content: "hi" }];
    const chats = [mine, its].map((one) => one.applyChatTemplate(messages, { addGenerationPrompt: true }).text);
    assert.equal(chats[0], chats[1]);
    assert.deepEqual([mine.specialTokenIds, mine.modelMaxLength], [its.specialTokenIds, its.modelMaxLength]);
  });
});
