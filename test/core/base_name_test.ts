import assert from "node:assert/strict";
import { it } from "node:test";
import { baseName } from "../../core/run/write/base_name.ts";

it("a card names the base as the hub knows it, and never where it lies on this machine", () => {
  const here = ["/home/me/models/tiny", "/home/me/org/mine", "/home/me/models", "/tmp/recipe-4711/base/model"];
  const host = {
    resolve: (path: string) => (path.startsWith("/") ? path : `/home/me/${path.replace(/^\.\//, "")}`),
    names: (path: string) => (here.includes(path) ? ["config.json"] : undefined),
  };
  const named = (label: string, origin?: string) =>
    baseName({ checkpoint: { label, config: origin === undefined ? {} : { _name_or_path: origin } }, host } as never);
  const only = (shown: string) => ({ shown });
  assert.deepEqual(named("org/name"), { hub: "org/name", shown: "org/name" });
  assert.deepEqual(named("org/name@main"), { hub: "org/name", shown: "org/name@main" });
  assert.deepEqual(named("bert-base-uncased"), { hub: "bert-base-uncased", shown: "bert-base-uncased" });
  assert.deepEqual(named("org/name/file-Q4.gguf"), { hub: "org/name", shown: "org/name/file-Q4.gguf" });
  // The base that comes with Attune is on no hub.
  assert.deepEqual(named("attune:base"), only("attune:base"));
  for (const path of ["/tmp/recipe-4711/base/model", "/tmp/gone/base/model/", "C:\\models\\model", "~/model"]) {
    assert.deepEqual(named(path), only("model"), path);
  }
  for (const path of ["./models/tiny", "models/tiny", "../tiny"]) assert.deepEqual(named(path), only("tiny"), path);
  assert.deepEqual(named("org/mine"), only("mine"), "a folder before a repository");
  for (const path of ["models/tiny.gguf", "/models/tiny.gguf", "tiny.gguf"]) {
    assert.deepEqual(named(path), only("tiny.gguf"));
  }
  // What a local folder was made from.
  assert.deepEqual(named("./models/tiny", "org/name"), { hub: "org/name", shown: "tiny" });
  for (const origin of ["/home/them/model", "runs/checkpoint-500", "./x", "models/tiny", "model", "my/output"]) {
    assert.deepEqual(named("./models/tiny", origin), only("tiny"), origin);
  }
});
