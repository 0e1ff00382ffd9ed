import assert from "node:assert/strict";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { writeSafetensors } from "../../../core/files/safetensors.ts";
import { f32 } from "../../../core/base/tensor.ts";
import type { Checkpoint, Host } from "../../../core/types.ts";
import { hubName } from "../../../core/hub/name.ts";
import { openHub } from "../../../blocks/model/hub.ts";
import { pretrained } from "../../../plugins/models/pretrained.ts";
import { random } from "../../../plugins/models/random.ts";
import { folderModels } from "../../../runtimes/serve/folder_models.ts";
import { hubCache } from "../../../runtimes/host/hub_cache.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyConfig, tinyTokenizer, tinyWeights } from "../../tiny.ts";
import { commit, etagOf, type HubServer, type HubServerOptions, startHub } from "./hub_server.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";

const weights = tinyWeights();
const model = writeSafetensors(weights);
const files: Record<string, Uint8Array> = {
  "config.json": jsonBytes(tinyConfig),
  "tokenizer.json": jsonBytes(tinyTokenizer),
  "tokenizer_config.json": jsonBytes({}),
  "model.safetensors": model,
  "pytorch_model.bin": new Uint8Array(10),
  "onnx/model.onnx": new Uint8Array(10),
  "README.md": new Uint8Array(10),
};
const folder = (): string => mkdtempSync(join(tmpdir(), "attune-hub-"));

/** A host whose cache is a folder and whose clock does not wait. */
async function hostOf(cache: string, env: Record<string, string> = {}): Promise<Host> {
  // A home of its own: nobody's saved token is read.
  const environment = { HF_HUB_CACHE: cache, HF_HOME: cache, ...env };
  const host = await hostHere(1);
  return {
    ...host,
    env: environment,
    hubCache: hubCache(environment),
    clock: { ...host.clock, sleep: async () => {} },
    terminal: undefined,
  };
}
async function withHub<T>(options: Partial<HubServerOptions>, act: (hub: HubServer) => Promise<T>): Promise<T> {
  const hub = await startHub({ files, ...options });
  try {
    return await act(hub);
  } finally {
    await hub.close();
  }
}
const open = async (path: string, cache: string, env: Record<string, string>): Promise<Checkpoint> =>
  await pretrained({ path }).open(await hostOf(cache, env));

describe("GGUF files of the hub", () => {
  const { models } = JSON.parse(readFileSync(new URL("../../fixtures/gguf_models.json", import.meta.url), "utf8"));
  const gguf = Uint8Array.from(atob(models[0].file), (c) => c.charCodeAt(0));
  const only = { "config.json": jsonBytes({}), "tiny-F32.gguf": gguf, "README.md": new Uint8Array(10) };
  it("are named behind the repository, and nothing else of it is fetched", () =>
    withHub({ files: { ...files, ...only } }, async ({ url, log }) => {
      const cache = folder();
      for (let time = 0; time < 2; time++) {
        const { config, label } = await open("org/tiny/tiny-F32.gguf", cache, { HF_ENDPOINT: url });
        assert.deepEqual([config.model_type, label], ["llama", "org/tiny/tiny-F32.gguf"]);
      }
      assert.ok(!log.some((line) => /safetensors|tokenizer/.test(String(line))), log.join("\n"));
      const again = await open("org/tiny/tiny-F32.gguf", cache, { HF_ENDPOINT: url, HF_HUB_OFFLINE: "1" });
      assert.equal(again.config.model_type, "llama");
      await assert.rejects(open("org/tiny/other.gguf", cache, { HF_ENDPOINT: url }), /other\.gguf/);
    }));
  it("are a repository's model where it has no other weights, and only one of them", async () => {
    await withHub({ files: only }, async ({ url }) => {
      const cache = folder();
      assert.equal((await open("org/tiny", cache, { HF_ENDPOINT: url })).config.model_type, "llama");
      assert.equal((await open("org/tiny", cache, { HF_HUB_OFFLINE: "1" })).config.model_type, "llama");
    });
    await withHub({ files: { ...only, "b.gguf": gguf } }, async ({ url }) => {
      await assert.rejects(open("org/tiny", folder(), { HF_ENDPOINT: url }), /which of 2 GGUF files is meant/);
    });
  });
});

describe("the hub", () => {
  it("is where a server looks for models that jobs name, if it may", () =>
    withHub({}, async ({ url, log }) => {
      const host = await hostOf(folder(), { HF_ENDPOINT: url });
      assert.equal(await folderModels(undefined, host).open("org/tiny", "default"), undefined);
      assert.deepEqual(log, [], "nothing was asked");
      const allowed = folderModels(undefined, host, true);
      assert.deepEqual([allowed.isRemote?.("org/tiny"), allowed.isRemote?.("attune:base")], [true, false]);
      const found = await allowed.open("org/tiny", "default");
      assert.deepEqual((await found?.files.get("model.safetensors"))?.bytes, model);
    }));

  it("is asked with the server's token for names that are on its list, and for no others", () =>
    withHub({}, async ({ url, log }) => {
      const host = await hostOf(folder(), { HF_ENDPOINT: url, HF_TOKEN: "hf_secret" });
      for (const list of [["org"], ["org/tiny"]]) {
        const listed = folderModels(undefined, host, list);
        assert.ok((await listed.open("org/tiny", "default"))?.files);
        const asked = log.length;
        assert.equal(await listed.open("organ/tiny", "default"), undefined);
        assert.equal(await listed.open("org2/tiny", "default"), undefined);
        assert.equal(log.length, asked, "others are not looked for");
      }
      assert.ok(log.some((line) => line.endsWith("Bearer hf_secret")));
      // Without a list nothing is asked in the owner's name, nor given of what was fetched in it.
      const offline = folderModels(undefined, { ...host, env: { ...host.env, HF_HUB_OFFLINE: "1" } }, true);
      await assert.rejects(async () => await offline.open("org/tiny", "default"), { code: "HUB_OFFLINE" });
      const asked = log.length;
      assert.ok((await folderModels(undefined, host, true).open("org/tiny", "default"))?.files);
      assert.ok(log.length > asked && log.slice(asked).every((line) => !line.includes("Bearer")));
    }));

  it("is downloaded as Python lays it out: what is needed, once", () =>
    withHub({}, async ({ url, log }) => {
      const cache = folder();
      const opened = await open("org/tiny", cache, { HF_ENDPOINT: url });
      assert.equal(opened.config.hidden_size, 16);
      assert.deepEqual((await opened.weights.read("classifier.bias")).dims, [2]);
      const repo = join(cache, "models--org--tiny");
      assert.match(opened.weights.locate("classifier.bias")?.file ?? "", /models--org--tiny.blobs./);
      assert.equal(readFileSync(join(repo, "refs/main"), "utf8"), commit);
      const names = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
      assert.deepEqual(readdirSync(join(repo, "snapshots", commit)).sort(), names);
      assert.equal(readdirSync(join(repo, "blobs")).length, 4);
      const link = join(repo, "snapshots", commit, "model.safetensors");
      assert.ok(lstatSync(link).isSymbolicLink());
      assert.equal(readlinkSync(link), join("..", "..", "blobs", etagOf(model)));
      assert.deepEqual(new Uint8Array(readFileSync(link)), model);

      const requests = log.length;
      await open("org/tiny", cache, { HF_ENDPOINT: url });
      assert.deepEqual(log.slice(requests), ["GET /api/models/org/tiny/revision/main"]);
      await open(`org/tiny@${commit}`, cache, { HF_ENDPOINT: url });
      assert.equal(log.length, requests + 1, "a commit that is there needs no request");
      const again = await open("org/tiny@refs/pr/1", cache, { HF_ENDPOINT: url });
      assert.equal(readFileSync(join(repo, "refs/refs/pr/1"), "utf8"), commit);
      assert.equal(await again.fingerprint(), await opened.fingerprint());
    }));

  it("is read from Python's cache without a network", async () => {
    const cache = folder();
    const repo = join(cache, "models--org--tiny");
    const put = (path: string, bytes: Uint8Array | string): void => {
      mkdirSync(dirname(join(repo, path)), { recursive: true });
      writeFileSync(join(repo, path), bytes);
    };
    put("refs/main", commit);
    mkdirSync(join(repo, "snapshots", commit), { recursive: true });
    for (const name of ["config.json", "tokenizer.json", "model.safetensors"]) {
      const bytes = files[name] ?? new Uint8Array();
      put(`blobs/${etagOf(bytes)}`, bytes);
      symlinkSync(`../../blobs/${etagOf(bytes)}`, join(repo, "snapshots", commit, name));
    }
    const away: Record<string, string>[] = [{ HF_HUB_OFFLINE: "1" }, { TRANSFORMERS_OFFLINE: "true" }, {
      HF_ENDPOINT: "http://127.0.0.1:9",
    }];
    for (const env of away) {
      assert.equal((await open("org/tiny", cache, env)).config.model_type, "bert");
    }
    await withHub({ status: 503 }, async ({ url }) => void await open("org/tiny", cache, { HF_ENDPOINT: url }));
    // What the hub refuses stays refused.
    await withHub(
      { status: 403 },
      ({ url }) => assert.rejects(open("org/tiny", cache, { HF_ENDPOINT: url }), { code: "HUB_403" }),
    );
    await assert.rejects(open("org/other", cache, { HF_HUB_OFFLINE: "1" }), {
      code: "HUB_OFFLINE",
      message: /HF_HUB_OFFLINE is set/,
    });
    await assert.rejects(open("org/other", cache, { HF_ENDPOINT: "http://127.0.0.1:9" }), { code: "HUB_UNREACHABLE" });
    rmSync(join(repo, "snapshots", commit, "model.safetensors"));
    await assert.rejects(open("org/tiny", cache, { HF_HUB_OFFLINE: "1" }), { code: "HUB_OFFLINE" });
    put("refs/main", "../../../../elsewhere");
    await assert.rejects(open("org/tiny", cache, { HF_HUB_OFFLINE: "1" }), { code: "HUB_OFFLINE" });
  });

  it("goes on with a download that breaks off, and at the third time leaves the rest for later", async () => {
    const cache = folder();
    const blobs = join(cache, "models--org--tiny", "blobs");
    await withHub({ cut: { bytes: 1000, times: 3 } }, async ({ url, log }) => {
      await assert.rejects(open("org/tiny", cache, { HF_ENDPOINT: url }), {
        code: "HUB_UNREACHABLE",
        message: /resume from there/,
      });
      assert.equal(readFileSync(join(blobs, `${etagOf(model)}.incomplete`)).length, 3000);
      const opened = await open("org/tiny", cache, { HF_ENDPOINT: url });
      const ranges = log.filter((line) => line.startsWith("cdn GET")).map((line) => line.split(" ")[3]);
      assert.deepEqual(ranges, [undefined, "bytes=1000-", "bytes=2000-", "bytes=3000-"]);
      assert.deepEqual((await opened.weights.read("classifier.weight")).data, weights["classifier.weight"]?.data);
      assert.deepEqual(readdirSync(blobs).filter((name) => name.includes(".")), []);
    });
  });
  it("takes the whole file from a server that knows no ranges", async () => {
    const cache = folder();
    await withHub({ cut: { bytes: 1000, times: 1 }, whole: true }, async ({ url }) => {
      const opened = await open("org/tiny", cache, { HF_ENDPOINT: url });
      assert.deepEqual((await opened.weights.read("classifier.weight")).data, weights["classifier.weight"]?.data);
    });
  });
  it("finishes a blob whose last byte had arrived", async () => {
    const cache = folder();
    const blobs = join(cache, "models--org--tiny", "blobs");
    mkdirSync(blobs, { recursive: true });
    writeFileSync(join(blobs, `${etagOf(model)}.incomplete`), model);
    await withHub({}, async ({ url, log }) => {
      await open("org/tiny", cache, { HF_ENDPOINT: url });
      assert.ok(!log.some((line) => line.startsWith("cdn GET")));
    });
  });
  it("begins anew where what an earlier run left is broken", async () => {
    const cache = folder();
    const blobs = join(cache, "models--org--tiny", "blobs");
    mkdirSync(blobs, { recursive: true });
    writeFileSync(join(blobs, `${etagOf(model)}.incomplete`), new Uint8Array(1000));
    await withHub({}, async ({ url, log }) => {
      const opened = await open("org/tiny", cache, { HF_ENDPOINT: url });
      assert.equal(log.filter((line) => line.startsWith("cdn GET")).length, 2);
      assert.deepEqual((await opened.weights.read("classifier.weight")).data, weights["classifier.weight"]?.data);
    });
  });
  it("refuses other bytes than it announced, and keeps none of them", async () => {
    const cache = folder();
    const wrong = model.map((byte, i) => (i === 2000 ? byte ^ 1 : byte));
    await withHub({ wrong }, async ({ url }) => {
      await assert.rejects(open("org/tiny", cache, { HF_ENDPOINT: url }), { code: "BAD_FILE", message: /SHA-256/ });
    });
    assert.ok(!readdirSync(join(cache, "models--org--tiny", "blobs")).some((name) => name.startsWith(etagOf(model))));
    await withHub({ wrong: new Uint8Array(2 * model.length) }, async ({ url }) => {
      await assert.rejects(open("org/tiny", cache, { HF_ENDPOINT: url }), {
        code: "HUB_ANSWER",
        message: /more than the \d+ bytes/,
      });
    });
    await withHub({}, async ({ url }) => void await open("org/tiny", cache, { HF_ENDPOINT: url }));
  });

  it("opens shards that an index names, and no paths", async () => {
    const { "model.safetensors": _, ...others } = files;
    const shard = (...names: string[]): Uint8Array =>
      writeSafetensors(Object.fromEntries(Object.entries(weights).filter(([name]) => names.includes(name))));
    const [bias = "", ...rest] = Object.keys(weights);
    const [one, two] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    const map = { ...Object.fromEntries(rest.map((name) => [name, two])), [bias]: one };
    const sharded = { ...others, [one]: shard(bias), [two]: shard(...rest) };
    await withHub(
      { files: { ...sharded, "model.safetensors.index.json": jsonBytes({ weight_map: map }) } },
      async ({ url }) => {
        const cache = folder();
        const opened = await open("org/tiny", cache, { HF_ENDPOINT: url });
        assert.deepEqual((await opened.weights.read(bias)).data, weights[bias]?.data);
        await open("org/tiny", cache, { HF_HUB_OFFLINE: "1" });
      },
    );
    const hostile = { [bias]: "../../other/resolve/main/model.safetensors" };
    await withHub(
      { files: { ...sharded, "model.safetensors.index.json": jsonBytes({ weight_map: hostile }) } },
      async ({ url, log }) => {
        await assert.rejects(open("org/tiny", folder(), { HF_ENDPOINT: url }), /not a plain file name/);
        assert.ok(!log.some((line) => line.includes("other")));
      },
    );
  });

  it("sends its token to the hub alone", () =>
    withHub({}, async ({ url, log }) => {
      await open("gated/tiny", folder(), { HF_ENDPOINT: url, HF_TOKEN: "good" });
      assert.ok(
        log.filter((line) => !line.startsWith("cdn")).every((line) => line.endsWith("Bearer good")),
        log.join("\n"),
      );
      const large = log.filter((line) => line.startsWith("cdn"));
      assert.ok(large.length > 0 && large.every((line) => !line.includes("Bearer")), log.join("\n"));
    }));
  it("finds the token that was saved", () =>
    withHub({}, async ({ url }) => {
      const home = folder();
      writeFileSync(join(home, "token"), "good\n");
      writeFileSync(join(home, "elsewhere"), "good");
      const env = { HF_ENDPOINT: url };
      await open("gated/tiny", folder(), { ...env, HF_HOME: home });
      await open("gated/tiny", folder(), { ...env, HF_TOKEN_PATH: join(home, "elsewhere") });
      await assert.rejects(open("gated/tiny", folder(), { ...env, HF_HOME: home, HF_TOKEN: "bad" }), {
        code: "HUB_401",
      });
      const implicit = { ...env, HF_HOME: home, HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" };
      await assert.rejects(open("gated/tiny", folder(), implicit), { code: "HUB_401" });
      const broken = open("gated/tiny", folder(), { ...env, HF_TOKEN: "two words" });
      await assert.rejects(
        broken,
        (error: Error) => /HF_TOKEN/.test(error.message) && !/two words/.test(error.message),
      );
    }));
  it("follows a repository that was renamed", () =>
    withHub({}, async ({ url }) => void await open("old/tiny", folder(), { HF_ENDPOINT: url })));

  it("says what it lacks: a token, a repository, a revision, safetensors, an answer", async () => {
    await withHub({}, async ({ url }) => {
      const refused = (path: string, code: string, message: RegExp) =>
        assert.rejects(open(path, folder(), { HF_ENDPOINT: url }), { name: "AttuneError", code, message });
      await refused("gated/tiny", "HUB_401", /is gated: accept its terms on the hub, and set HF_TOKEN/);
      await refused("forbidden/tiny", "HUB_403", /gated or private: set HF_TOKEN/);
      await refused("org/none", "HUB_401", /not a local folder, and does not exist on the hub or is private/);
      await refused("org/tiny@v9", "HUB_404", /org\/tiny@v9 has no such revision/);
      await assert.rejects(open("org/tiny", folder(), { HF_ENDPOINT: "no url" }), {
        code: "BAD_VALUE",
        message: /HF_ENDPOINT/,
      });
    });
    const { "model.safetensors": _, ...others } = files;
    await withHub(
      { files: others },
      ({ url }) =>
        assert.rejects(open("org/tiny", folder(), { HF_ENDPOINT: url }), {
          code: "MISSING",
          message:
            /org\/tiny \(it has .*config.json.*model.safetensors is missing: pytorch_model.bin is.*spaces\/safetensors/,
        }),
    );
    const python = folder();
    const snapshot = join(python, "models--org--tiny", "snapshots", commit);
    mkdirSync(snapshot, { recursive: true });
    mkdirSync(join(python, "models--org--tiny", "refs"));
    writeFileSync(join(python, "models--org--tiny", "refs", "main"), commit);
    for (const name of ["config.json", "pytorch_model.bin"]) writeFileSync(join(snapshot, name), files[name] ?? "");
    await assert.rejects(open("org/tiny", python, { HF_HUB_OFFLINE: "1" }), {
      code: "MISSING",
      message: /pytorch_model.bin is.*safe_serialization=True/,
    });
    await withHub(
      { silent: true },
      ({ url }) =>
        assert.rejects(open("org/tiny", folder(), { HF_ENDPOINT: url, HF_HUB_DOWNLOAD_TIMEOUT: "0.1" }), {
          code: "HUB_UNREACHABLE",
          message: /no answer in 0.1 s/,
        }),
    );
    await withHub(
      { status: 500 },
      ({ url }) => assert.rejects(open("org/tiny", folder(), { HF_ENDPOINT: url }), { code: "HUB_500" }),
    );
  });

  it("tells how far a download is", () =>
    withHub({}, async ({ url }) => {
      const calls: [string, number, number][] = [];
      const progress = (file: string, done: number, total: number): void => void calls.push([file, done, total]);
      await openHub("org/tiny", await hostOf(folder(), { HF_ENDPOINT: url }), { weights: true, progress });
      const weightCalls = calls.filter(([file]) => file === "model.safetensors");
      assert.deepEqual([weightCalls[0], weightCalls.at(-1)], [["model.safetensors", 0, model.length], [
        "model.safetensors",
        model.length,
        model.length,
      ]]);
    }));

  it("knows its names from paths", () => {
    assert.deepEqual(hubName("bert-base-uncased"), { repo: "bert-base-uncased", revision: "main" });
    assert.deepEqual(hubName("org/a.b_c-d@refs/pr/1"), { repo: "org/a.b_c-d", revision: "refs/pr/1" });
    const paths = [
      "./model",
      "../model",
      "/model",
      "a/b/c",
      "a/..",
      "a--b/c",
      "org/name@../x",
      "org/name@a//b",
      "org/name@",
      "C:\\x",
      "~/x",
      ".",
      "",
      "a b/c",
      "a/b@c/",
      `a/${"b".repeat(200)}`,
    ];
    for (const path of paths) assert.equal(hubName(path), undefined, path);
  });
});

describe("pretrained", () => {
  const saved = (config: string | Uint8Array): string => {
    const path = folder();
    writeFileSync(join(path, "config.json"), config);
    writeFileSync(join(path, "model.safetensors"), model);
    return path;
  };
  it("opens a directory, with fields of its config replaced", async () => {
    const path = saved(jsonBytes(tinyConfig));
    const host = await hostHere(1);
    const opened = await pretrained({ path, config: { hidden_dropout_prob: 0.5, extra: null } }).open(host);
    assert.deepEqual(opened.config, { ...tinyConfig, hidden_dropout_prob: 0.5, extra: null });
    assert.equal(opened.label, path);
    const fingerprint = async (config: object): Promise<string> =>
      await (await pretrained({ path, config: { ...config } }).open(host)).fingerprint();
    const before = await opened.fingerprint();
    assert.equal(await fingerprint({}), await fingerprint({}));
    assert.notEqual(await fingerprint({}), before);
    writeFileSync(
      join(path, "model.safetensors"),
      writeSafetensors({ "classifier.bias": f32([2], [1, 2]) }),
    );
    assert.notEqual(await fingerprint({ hidden_dropout_prob: 0.5, extra: null }), before);
  });
  it("says what is wrong with config.json", async () => {
    const refused = async (config: string | Uint8Array, message: RegExp): Promise<void> =>
      await assert.rejects(pretrained({ path: saved(config) }).open(await hostHere(1)), {
        name: "AttuneError",
        message,
      });
    await refused("{", /config.json: is not JSON/);
    await refused("[1]", /config.json: is not an object/);
    await refused(Uint8Array.of(0x22, 0xff, 0x22), /config.json: is not JSON/);
    await refused(`{"a":${" ".repeat(2 ** 20)}1}`, /more than 1048576/);
    await refused(`{"a\\"[":${"[".repeat(64)}${"]".repeat(64)}}`, /nested deeper than 64/);
    await refused(`{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`, /config.json: is not JSON/);
  });
  it("leaves objects as they were, whatever config.json says", async () => {
    const open = async (config: string) => await pretrained({ path: saved(config) }).open(await hostHere(1));
    const { config } = await open('{"model_type":"bert","constructor":{"prototype":{"polluted":1}}}');
    assert.deepEqual([config.polluted, ({} as Record<string, unknown>).polluted], [undefined, undefined]);
    await assert.rejects(open('{"model_type":"bert","__proto__":{"polluted":1}}'), { code: "BAD_FILE" });
  });
  it("asks no hub for what can only be a path", async () => {
    const host = { ...await hostOf(folder()), fetch: () => assert.fail("a request") };
    for (const path of ["./none", "../none", "/no/such/dir", "a/b/c"]) {
      await assert.rejects(
        pretrained({ path }).open(host),
        { code: "BAD_FILE", message: /does not exist/ },
        path,
      );
    }
    assert.equal((await pretrained({ path: "attune:base" }).open(host)).config.model_type, "bert");
    await assert.rejects(pretrained({ path: "attune:large" }).open(host), { code: "UNKNOWN_NAME" });
  });
});

describe("random", () => {
  it("takes config and tokenizer from a directory, and no weights", async () => {
    const path = folder();
    writeFileSync(join(path, "config.json"), jsonBytes(tinyConfig));
    writeFileSync(join(path, "tokenizer.json"), jsonBytes(tinyTokenizer));
    const opened = await random({ path, config: { hidden_size: 32 } }).open(await hostHere(1));
    assert.deepEqual([opened.config.hidden_size, opened.weights.names], [32, []]);
    assert.ok(await opened.files.get("tokenizer.json"));
    await assert.rejects(opened.weights.read("x"), { code: "MISSING" });
  });
  it("takes a config from the spec and a tokenizer from the hub, without weights", () =>
    withHub({}, async ({ url, log }) => {
      const opened = await random({ config: tinyConfig, tokenizer: "org/tiny" }).open(
        await hostOf(folder(), { HF_ENDPOINT: url }),
      );
      assert.deepEqual(opened.config, tinyConfig);
      assert.ok(await opened.files.get("tokenizer.json"));
      assert.ok(!log.some((line) => line.includes("model.safetensors")));
    }));
  it("wants a config", async () => {
    await assert.rejects(random().open(await hostHere(1)), { code: "BAD_VALUE", message: /config.model_type/ });
    assert.equal(
      await (await random({ config: tinyConfig }).open(await hostHere(1))).files.get("tokenizer.json"),
      undefined,
    );
  });
});
