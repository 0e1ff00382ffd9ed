import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AttuneError } from "../../core/base/errors.ts";
import { notInstalled } from "../../core/base/not_installed.ts";

const told = notInstalled({
  plugin: "host",
  name: "attune-of-no-one",
  purpose: "This test",
  install: "npm install attune-of-no-one@1",
});

describe("a package that is not installed", () => {
  it("is one line with the command that gets it, on this runtime too", async () => {
    const name = "attune-of-no-one";
    await assert.rejects(import(name).catch(told), (error) => {
      assert.ok(error instanceof AttuneError);
      assert.equal(
        error.message,
        "[attune] [host] This test needs a package that is not installed: npm install attune-of-no-one@1",
      );
      assert.equal(error.code, "NOT_INSTALLED");
      return true;
    });
  });
  it("is not what another failure becomes", async () => {
    const broken = new Error("libonnxruntime.so.1: cannot open shared object file");
    await assert.rejects(Promise.reject(broken).catch(told), (error) => error === broken);
    const inner = Object.assign(new Error("Cannot find package 'another'"), { code: "ERR_MODULE_NOT_FOUND" });
    await assert.rejects(Promise.reject(inner).catch(told), (error) => error === inner);
  });
});
