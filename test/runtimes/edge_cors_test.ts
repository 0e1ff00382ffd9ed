import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { filesIn } from "../../core/jobs/files.ts";
import { memory } from "../../plugins/stores/memory.ts";
import { edgeRig, testHost } from "../edge.ts";
import { collect } from "../../core/base/collect.ts";

const [ours, other] = ["https://app.example", "https://other.example"];

describe("pages of other origins", () => {
  const rig = edgeRig({ cors: [`${ours}/`, "http://localhost:3000"] });
  const ask = async (origin: string, init: RequestInit = {}, app = rig.app) => {
    const headers = { authorization: "Bearer key-a", ...init.headers as Record<string, string>, origin };
    return await app.request("/v1/models", { ...init, headers });
  };
  const preflight = {
    method: "OPTIONS",
    headers: {
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type",
    },
  };
  const allowed = (answer: Response): string | null => answer.headers.get("access-control-allow-origin");

  it("ask where they are named: preflights, answers and errors say so, and nobody else's do", async () => {
    const before = await ask(ours, preflight);
    assert.equal(before.status, 204);
    assert.equal(allowed(before), ours);
    assert.equal(before.headers.get("access-control-allow-headers"), "authorization,content-type");
    assert.match(before.headers.get("access-control-allow-methods") ?? "", /POST.*DELETE/);
    for (const [key, status] of [["key-a", 200], ["no", 401], ["runner-token", 403]] as const) {
      const answer = await ask(ours, { headers: { authorization: `Bearer ${key}` } });
      assert.deepEqual([answer.status, allowed(answer), answer.headers.get("vary")], [status, ours, "Origin"]);
      assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
    }
    assert.equal(allowed(await ask("http://localhost:3000")), "http://localhost:3000");
    assert.equal(allowed(await rig.app.request("/nothing", { headers: { origin: ours } })), ours);
    for (const init of [preflight, {}]) assert.equal(allowed(await ask(other, init)), null);
    for (const near of ["http://app.example", "https://app.example:8443", "https://app.example.other"]) {
      assert.equal(allowed(await ask(near)), null, near);
    }
  });

  it("ask nothing where none is named, and all may where it says so", async () => {
    for (const cors of [undefined, []]) assert.equal(allowed(await ask(ours, {}, edgeRig({ cors }).app)), null);
    assert.equal(allowed(await ask(other, {}, edgeRig({ cors: ["*"] }).app)), "*");
  });

  it("are origins, or the app is not made", () => {
    for (const wrong of ["app.example", "https://app.example/path", "https://", "", "null"]) {
      assert.throws(() => edgeRig({ cors: [wrong] }), /cors: expected an origin like "https:\/\/app.example"/, wrong);
    }
  });
});

it("a file whose time is over is gone, before and after it is removed", async () => {
  let now = 1000;
  const store = await memory().open(await testHost());
  const files = filesIn(store, () => now);
  const make = (keptSeconds?: number) =>
    files.create({
      tenant: "a",
      filename: "rows.jsonl",
      purpose: "fine-tune",
      bytes: new Uint8Array([1]),
      ...(keptSeconds === undefined ? {} : { keptSeconds }),
    });
  const [short, long, forever] = [await make(3600), await make(7200), await make()];
  const there = async (): Promise<string[]> => {
    const origins = (await collect(files.list())).map(({ id }) => id);
    return origins.sort();
  };
  now += 3599;
  await files.expire();
  assert.equal((await there()).length, 3);
  now += 1;
  assert.deepEqual(await there(), [long.id, forever.id].sort());
  assert.deepEqual([await files.get(short.id), await files.content(short.id), await files.delete(short.id)], [
    undefined,
    undefined,
    false,
  ]);
  await files.expire();
  const keys = (await collect(store.list(""))).map(({ key }) => key);
  assert.ok(!keys.some((key) => key.includes(short.id)), "and its bytes");
  assert.equal(keys.length, 4);
});
